"""Values as JSON has them: lists, dicts, text, and numbers that are finite."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from lnbench.stats import Interval, Region

Json = dict[str, Any]


def interval_to_json(interval: Interval | None) -> Json | None:
    if interval is None:
        return None
    return {"low": plain(interval.low), "high": plain(interval.high), "confidence": interval.confidence}


def region_to_json(region: Region) -> Json:
    return {"low": plain(region.low), "high": plain(region.high), "words": region.describe()}


def plain(value: Any) -> Any:
    """Return lists, dicts and numbers of Python in place of tuples, mappings and numpy's; null for what is not
    finite."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Region):
        return region_to_json(value)
    if isinstance(value, Interval):
        return interval_to_json(value)
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return plain(value.tolist())
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else None  # + 0.0: no "-0.0" in a file
    return value


def without_paths(text: str) -> str:
    """Return a message without the folders of the machine it came from: a report is read elsewhere, by anyone."""
    return re.sub(r"(?<![\w.:/\\])(?:~|[A-Za-z]:)?(?:[/\\][\w.@+-]+)+[/\\](?=[\w.])", "", text)


def in_order(tree: Any) -> Any:
    """Return the same with every mapping's keys sorted: records come from a store or from an export, in other
    orders."""
    if isinstance(tree, dict):
        return {key: in_order(tree[key]) for key in sorted(tree)}
    return [in_order(item) for item in tree] if isinstance(tree, list) else tree
