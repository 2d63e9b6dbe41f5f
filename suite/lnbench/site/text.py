"""Text on its way into HTML: every name and message is text, `code` in backticks is code, and links are of the web."""

from __future__ import annotations

import re
from collections.abc import Iterable

from markupsafe import Markup, escape

from lnbench.errors import visible
from lnbench.report.words import HTTP, unescaped

LONGEST_NAME = 60  # letters of a page's file name


def prose(text: object) -> Markup:
    """Return text as HTML: `code` in backticks becomes code, everything else stays text; what cannot be seen of it
    (control characters, changes of the writing's direction) is shown as an escape."""
    pieces = re.split(r"`([^`]+)`", visible(" ".join(str(text).split())))
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if index % 2 else escape(piece) for index, piece in enumerate(pieces)
    )


def from_markdown(text: str) -> Markup:
    """Return as HTML what the report's functions made safe for Markdown (`words.escaped`)."""
    return prose(unescaped(text))


def sentence(text: str) -> str:
    """Return words as a sentence: a capital first, a stop at the end."""
    text = text.strip()
    if not text:
        return ""
    capital = text if text[0] == "`" else text[0].upper() + text[1:]
    return capital if capital[-1] in ".!?…" else f"{capital}."


def web_address(text: object) -> str:
    """Return an address of http(s); "" for anything else, which is then no link."""
    return str(text) if HTTP.fullmatch(str(text)) else ""


def file_names(names: Iterable[str]) -> list[str]:
    """Return a file name without ending for each name, all different (also where case is ignored), of letters, digits
    and hyphens only."""
    taken: set[str] = {"index"}  # the page that lists them
    found = []
    for name in names:
        base = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST_NAME].strip("-") or "unnamed"
        slug, number = base, 2
        while slug in taken:
            slug, number = f"{base}-{number}", number + 1
        taken.add(slug)
        found.append(slug)
    return found
