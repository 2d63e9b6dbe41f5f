"""One plain (unquoted) word of YAML as a value. What YAML would silently turn into something else is refused.

YAML 1.1, which PyYAML reads, turns `no` into False and `10:30` into 630 and leaves `1e-3` a text.
"""

from __future__ import annotations

import re

LONGEST_NUMBER = 40  # characters
LARGEST = 10**15  # either way; beyond 2^53, JSON readers round: records would name another number than the spec

NULLS = ("", "~", "null", "Null", "NULL")
TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}

_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_SURPRISES: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+"), "YAML reads '{0}' as text; write {1}, with a point"),
    (re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?"), "YAML reads '{0}' as a number to base 60; quote it"),
    (re.compile(r"(yes|no|on|off|y|n)", re.I), "YAML reads '{0}' as true or false; write true or false, or quote it"),
    (re.compile(r"[-+]?0[0-9_]+"), "YAML reads '{0}' as octal; drop the leading zero, or quote it"),
    (re.compile(r"[-+]?0[xXbBoO][0-9a-fA-F_]+"), "'{0}' is read differently by YAML versions; write a decimal"),
    (re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?"), "write '{0}' without underscores, or quote it"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?"), "YAML reads '{0}' as a date; quote it"),
    (re.compile(r"[-+]?\.inf|\.nan", re.I), "'{0}' is not a number that can be measured or set; write a finite one"),
]


def plain(text: str) -> str | int | float | bool | None:
    """Return what an unquoted word means. Raises ValueError with what to write instead."""
    if text in NULLS:
        return None
    if text in TRUTHS:
        return TRUTHS[text]
    if _INT.fullmatch(text):
        if len(text) > LONGEST_NUMBER or abs(int(text)) > LARGEST:
            raise ValueError(f"the number {_short(text)} is too large; at most 1.0e15 in size, or quote it")
        return int(text)
    if _FLOAT.fullmatch(text):
        if len(text) > LONGEST_NUMBER:
            raise ValueError(f"the number {_short(text)} is too long; at most {LONGEST_NUMBER} characters")
        if abs(float(text)) > LARGEST:
            raise ValueError(f"the number {text} is too large; at most 1.0e15 in size")
        return float(text)
    for pattern, message in _SURPRISES:
        if pattern.fullmatch(text):
            better = _with_point(text) if "{1}" in message else ""
            raise ValueError(message.format(_short(text), _short(better)))
    return text


# Obeyed by a terminal and not shown, so that a text reads otherwise than it is: control characters but a tab and a
# line's end, the end of a line elsewhere, what turns the direction of writing, halves of a character, no characters.
_REFUSED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff\ufeff]"
)


def refused_character(text: str) -> str:
    """Return what is wrong with the first character of a text that no file may hold; "" where there is none."""
    found = _REFUSED.search(text)
    return f"the character U+{ord(found.group()):04X} is not allowed in text; remove it" if found else ""


def _with_point(text: str) -> str:
    mantissa, _, exponent = text.lower().partition("e")
    return f"{mantissa}.0e{exponent if exponent[0] in '+-' else '+' + exponent}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_NUMBER else text[:20] + "..."
