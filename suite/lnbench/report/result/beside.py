"""What is shown next to a part's verdict, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lnbench.report.plain import Json
from lnbench.stats import Check


def beside_to_json(beside: Mapping[str, Any], to_json: Callable[[Check], Json]) -> Json:
    """Return the same, its checks as JSON by `to_json`, its numbers as they are."""

    def one(item: Any) -> Any:
        return to_json(item) if isinstance(item, Check) else item

    return {key: [*map(one, value)] if isinstance(value, list) else value for key, value in beside.items()}
