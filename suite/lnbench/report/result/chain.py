"""A chain of hashes over a report's records, for `result.json`: a record removed or changed later has a name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from lnbench.identity import canonical_json
from lnbench.judge import Evidence
from lnbench.report.plain import Json
from lnbench.report.result.runs import all_records
from lnbench.store import Record
from lnbench.store.record import envelope


def chain_to_json(evidences: Iterable[Evidence]) -> Json:
    """Return the checksum of each record's line in records.jsonl, in order of id, and the last hash of their chain."""
    hashes = {record["id"]: record_sha256(record) for record in all_records(evidences)}
    return {"n": len(hashes), "head": chain_head(hashes), "sha256": hashes}


def record_sha256(record: Record) -> str:
    """Return the sha256 of a record's line in records.jsonl, without the line's end."""
    return hashlib.sha256(canonical_json(envelope(record)).encode()).hexdigest()


def chain_head(hashes: Mapping[str, str]) -> str:
    """Return the last hash of a chain: each is the sha256 of `HASH ID SHA256`, of the hash before it (64 zeros for the
    first), a record's id and its checksum. `hashes`: id -> checksum, in order of id."""
    head = "0" * 64
    for record, checksum in hashes.items():
        head = hashlib.sha256(f"{head} {record} {checksum}".encode()).hexdigest()
    return head
