"""Edits of JSON that a careless hand, a full disk or an attacker could make: endless, and the same for one seed."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

from lnbench.identity import content_id, sha256
from lnbench.store import Record

# what stands where something else is expected
WRONG: list[Any] = [
    None, True, False, 0, -1, 1, 3, 0.5, -0.25, 92.3, 1e308, -1e308, 2**31, 2**63, -(2**63), 10**30,
    "", "x", "ok", "0.5", "\x00", "\u202e\u202d", "\x1b[31m", "a" * 5000, "../../etc/passwd", "/dev/zero",
    "<script>|`*[a](b)", "{0}", "%s", "f" * 64, "2026-13-01", "9999-12-31T23:59:59+23:59",
    [], {}, [[]], [None], [1, "2", None], {"": None}, {"kind": "x"}, [0.5] * 3, [[0.1, 0.2], [0.3]],
]  # fmt: skip
TOKENS = [
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"9" * 400, b"9" * 5000, b'"\\ud800"', b"[" * 3000, b"{",
    b"]", b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"// x", b"'x'", b"1_000", b"01", b"+1", b"0x1F",
]  # fmt: skip

Place = tuple[str | int, ...]


def edited(value: Any, seed: int, most: int = 3) -> Iterator[tuple[str, Any]]:
    """Yield (what was done, a changed copy) of a JSON value without end: one to `most` edits each."""
    draw = random.Random(f"json {seed}")
    places = list(_places(value))
    while True:
        made, told = copy.deepcopy(value), []
        for _ in range(draw.choice([1, 1, 1, *range(1, most + 1)])):
            words, made = _edit(made, draw, places)
            told.append(words)
        yield "; ".join(told), made


def edited_text(raw: bytes, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield (what was done, changed bytes) of a file of JSON without end: cut off, flipped, with other tokens in it."""
    draw = random.Random(f"text {seed}")
    while True:
        how = draw.choice(["cut", "flip", "token", "twice", "remove", "zeros", "number"])
        at = draw.randrange(max(1, len(raw)))
        if how == "cut":
            yield f"cut at {at}", raw[:at]
        elif how == "flip":
            made = bytearray(raw)
            made[at] ^= 1 << draw.randrange(8)
            yield f"bit of byte {at}", bytes(made)
        elif how == "token":
            token = draw.choice(TOKENS)
            end = at + draw.choice([0, 0, 1, 5])
            yield f"{token[:12]!r} at {at}", raw[:at] + token + raw[end:]
        elif how == "twice":
            end = min(len(raw), at + draw.randrange(1, 200))
            yield f"{at} to {end} twice", raw[:end] + raw[at:]
        elif how == "remove":
            end = at + draw.randrange(1, 200)
            yield f"{at} to {end} removed", raw[:at] + raw[end:]
        elif how == "zeros":
            end = min(len(raw), at + draw.randrange(1, 64))
            yield f"zeros from {at} to {end}", raw[:at] + bytes(end - at) + raw[end:]
        else:
            places = [place for place in range(len(raw) - 1) if raw[place : place + 1] in b":[" and _digit(raw, place)]
            if places:
                place = draw.choice(places)
                token = draw.choice(TOKENS)
                yield f"{token[:12]!r} for the number at {place}", raw[: place + 1] + token + b"," + raw[place + 2 :]


def forged(record: Record, seed: int) -> Iterator[tuple[str, Record]]:
    """Yield (what was done, a changed record with the id that fits it) without end. Half of them keep their content,
    so that whoever asks for the run finds them."""
    draw = random.Random(f"forged {seed}")
    parts = {name: edited(record[name], draw.randrange(2**32)) for name in ("content", "outcome", "provenance")}
    while True:
        name = draw.choice(["content", "outcome", "outcome", "outcome", "outcome", "provenance"])
        words, part = next(parts[name])
        made = {**record, name: part}
        if name == "content" and isinstance(part, dict):
            made["kind"] = part.get("kind", record["kind"])
            made["id"] = content_id(part) if _hashable(part) else record["id"]
        yield f"{name}: {words}", made


def enveloped(record: Any) -> bytes:
    """Return the line of an export that holds anything at all, with the checksum that fits it."""
    checksum = sha256(record) if _hashable(record) else "x"
    return json.dumps({"format": 1, "checksum": checksum, "record": record}).encode()


def _hashable(value: Any) -> bool:
    try:
        sha256(value)
    except (ValueError, TypeError):
        return False
    return True


def _digit(raw: bytes, place: int) -> bool:
    return raw[place + 1 : place + 2].isdigit()


def _places(value: Any, path: Place = ()) -> Iterator[Place]:
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value[:8]):  # the first of a long list are like the others
            yield from _places(inner, (*path, number))


def _edit(value: Any, draw: random.Random, places: list[Place]) -> tuple[str, Any]:
    path = draw.choice(places)
    if draw.random() < 0.5:  # what lies near the top decides more
        path = path[: draw.randrange(len(path) + 1)]
    if not path:
        return ("all of it", draw.choice(WRONG)) if draw.random() < 0.05 else ("nothing", value)
    try:
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        last = path[-1]
        before = holder[last]
    except (KeyError, IndexError, TypeError):
        return "nothing", value  # an earlier edit took it away
    if not isinstance(holder, dict | list):
        return "nothing", value  # an earlier edit put a text there
    where = ".".join(map(str, path))
    how = draw.choice(["wrong", "wrong", "wrong", "gone", "other", "grown", "shrunk", "wrapped", "renamed", "near"])
    if how == "gone":
        del holder[last]
    elif how == "other":
        holder[last] = copy.deepcopy(_at(value, draw.choice(places)))
    elif how == "grown" and isinstance(before, list):
        before.extend(copy.deepcopy(before[:1]) or [None])
    elif how == "grown" and isinstance(before, dict):
        before[draw.choice(["new", "", "kind", "a" * 300, "\x00"])] = draw.choice(WRONG)
    elif how == "shrunk" and isinstance(before, list) and before:
        before.pop(draw.randrange(len(before)))
    elif how == "wrapped":
        holder[last] = draw.choice([[before], {"value": before}])
    elif how == "renamed" and isinstance(holder, dict):
        holder[f"{last}_"] = holder.pop(last)
    elif how == "near" and isinstance(before, int | float) and not isinstance(before, bool):
        holder[last] = draw.choice([before + 1, -before, before * 1000, before / 3, float(before), str(before)])
    else:
        holder[last] = copy.deepcopy(draw.choice(WRONG))
    return f"{where} {how}", value


def _at(value: Any, path: Place) -> Any:
    try:
        for key in path:
            value = value[key]
    except (KeyError, IndexError, TypeError):
        return None
    return value
