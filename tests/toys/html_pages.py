"""HTML as a browser gets it: elements that close in order, ids, links, and what must not be on a page of the site."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from urllib.parse import unquote

VOID = ("meta", "link", "input", "br", "path", "line", "rect", "circle")
UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff\ufeff]"
)


class Page(HTMLParser):
    """One page: `wrong` says what of it is not well formed, or would load or run what is not of the site."""

    def __init__(self, text: str):
        super().__init__()
        self.wrong: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.wrong += [f"<{tag}> is never closed" for tag in self._open]
        self.wrong += [f"two elements have the id {one}" for one in sorted(set(self.ids)) if self.ids.count(one) > 1]
        self.wrong += [f"{found.group()!r} is on the page" for found in UNSEEN.finditer(text)]

    @property
    def text(self) -> str:
        """The words of the page, blanks made one."""
        return " ".join(" ".join(self.words).split())

    def rows(self) -> int:
        """How many rows its tables have."""
        return sum(tag == "tr" for tag, _ in self.elements)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self._open.append(tag)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        for name, value in attributes.items():
            if name.startswith("on") or name == "style":
                self.wrong.append(f"<{tag} {name}>")
            if name in ("href", "src"):
                self.links.append(value)
        if tag in ("iframe", "object", "embed", "base", "evil") or (tag == "script" and "src" not in attributes):
            self.wrong.append(f"<{tag}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self._open or self._open[-1] != tag:
            self.wrong.append(f"</{tag}> closes {self._open[-1:] or 'nothing'}")
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def broken_links(files: Mapping[str, bytes], pages: Mapping[str, Page]) -> list[str]:
    """Return every link of the pages that leads nowhere, or to what only a server or another site has."""
    found = []
    for name, page in pages.items():
        for link in page.links:
            path, _, fragment = link.partition("#")
            if re.match(r"https?://", link) or link.startswith("data:image/svg+xml,"):
                continue
            if ":" in path or path.startswith("/"):
                found.append(f"{name}: {link} is not relative")
                continue
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(path))) if path else name
            if target not in files:
                found.append(f"{name}: {link} leads nowhere")
            elif (
                fragment and "=" not in fragment and fragment not in pages[target].ids and not fragment.startswith("s-")
            ):
                found.append(f"{name}: {link}: there is no such id")
    return found


def pages_of(files: Mapping[str, bytes]) -> dict[str, Page]:
    """Return the pages of a site by name."""
    return {name: Page(content.decode()) for name, content in files.items() if name.endswith(".html")}
