"""Cells of a table that a spreadsheet will open."""

from __future__ import annotations

import re

from lnbench.errors import visible

NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def cell(text: str) -> str:
    """Return a text as a cell that no spreadsheet computes: they take what begins with one of `= + - @`, a tab or a
    carriage return for a formula, and do what it says. A number stays one."""
    text = re.sub("[\ud800-\udc7f\udd00-\udfff]", lambda one: visible(one[0]), text)  # no byte of a file's name
    if text.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n")) and not NUMBER.fullmatch(text):
        return f"'{text}"
    return text
