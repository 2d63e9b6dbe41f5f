"""A record, and the envelope in which it is written."""

from __future__ import annotations

import re
from typing import Any

from lnbench.identity import content_id, sha256
from lnbench.store.schema import fault
from lnbench.untrusted import Unreadable, parsed_quickly

FORMAT = 1
MOST_BYTES = 64 << 20  # of one record, in its file or on its line; the largest so far has 60 kB

Record = dict[str, Any]


ID = re.compile(r"[0-9a-f]{32}")


KEYS = {"id", "kind", "content", "outcome", "provenance"}


class LaterFormat(ValueError):
    """A record that a later lnbench wrote: sound, but not ours to read, to set aside or to train again."""


def make_record(content: dict[str, Any], outcome: dict[str, Any], provenance: dict[str, Any]) -> Record:
    """Make a record of what `content` describes."""
    return {
        "id": content_id(content),
        "kind": content["kind"],
        "content": content,
        "outcome": outcome,
        "provenance": provenance,
    }


def envelope(record: Record) -> dict[str, Any]:
    """Return what is written: the record with the format's version and a checksum."""
    return {"format": FORMAT, "checksum": sha256(record), "record": record}


def opened(text: str | bytes) -> Record:
    """Return the record in an envelope. Raises ValueError that says what is wrong with it: what it is written in, its
    checksum, or what its kind must have (`schema.py`)."""
    try:
        value = parsed_quickly(text)
    except Unreadable:
        raise ValueError("not whole JSON (cut off?)") from None
    if not isinstance(value, dict) or not isinstance(value.get("record"), dict):
        raise ValueError("not a record")
    version = value.get("format")
    if type(version) is int and version > FORMAT:
        raise LaterFormat(f"written by a later lnbench (format {version}; this one reads {FORMAT})")
    if version != FORMAT:
        raise ValueError(f"format {version!r}; this lnbench reads {FORMAT}")
    record: Record = value["record"]
    try:
        if value.get("checksum") != sha256(record):
            raise ValueError("its checksum does not fit (edited?)")
        parts = [record.get(key) for key in ("content", "outcome", "provenance")]
        if set(record) != KEYS or not all(isinstance(part, dict) for part in parts):
            raise ValueError("not a record")
        if record["id"] != content_id(record["content"]):
            raise ValueError("its id does not fit its content")
        if record["kind"] != record["content"].get("kind"):
            raise ValueError("its kind does not fit its content")
    except (TypeError, RecursionError):
        raise ValueError("not a record") from None
    if what := fault(record):
        raise ValueError(what)
    return record
