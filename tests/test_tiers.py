"""The names of the tiers stand in one place."""

from __future__ import annotations

import ast
from pathlib import Path

SUITE = Path(__file__).parent.parent / "suite/lnbench"


def test_the_tiers_are_listed_once() -> None:
    lists = [
        str(file.relative_to(SUITE))
        for file in sorted(SUITE.rglob("*.py"))
        if "lite" in (text := file.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Tuple | ast.List)
        and {"cpu", "lite", "full"} <= {item.value for item in node.elts if isinstance(item, ast.Constant)}
    ]
    assert lists == ["tiers.py"]
