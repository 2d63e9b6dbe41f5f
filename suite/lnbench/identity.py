"""One text for one value, and the name that follows from it: how runs, choices and records are identified."""

from __future__ import annotations

import hashlib
import json
from typing import Any

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys and no spaces. Raises ValueError for NaN or infinity, TypeError for other
    objects."""
    return _canonical.encode(value)


def sha256(value: Any) -> str:
    """Return the sha256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def content_id(content: dict[str, Any]) -> str:
    """Return the id of what `content` describes: 32 hex digits (128 bits)."""
    return sha256(content)[:32]
