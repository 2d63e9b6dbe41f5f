"""What a page does to a reader whose Markdown it is: hostile words, and what must not become of them.

`hostile` puts them into plain data, one leaf at a time; `wrongs` reads a page as a browser would get it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import numpy as np

Json = Any
WORDS = (
    "a|b", "c\\|d", "`e|f`", "`g\\|h`", "<evil x='1'>i</evil>", "`<evil>`", "``<evil>`", "`j``<evil>",
    "[k](javascript:l)", "![m](http://evil.example/n.png)", "<!-- scoreboard:end -->", "`<!-- scoreboard:begin -->`",
    "\u202eo\u2066", "\x1b[31mp", "\x07\x08", "\u2028# evil q", "*r* _s_ ~~t~~ $u$", "&lt;evil&gt; &#60;evil&#62;",
    "\\", "\\\\|", "|", "`", "```", "```evil", "v\ud800w", "\ufeff\u200b", "=1+1", "</details><evil>",
    "<script>evil()</script>", "](javascript:evil)", "<javascript:evil>",
)  # fmt: skip
STARTS = (
    "# evil ", "- evil ", "1. evil ", "> evil ", "---", "===", "+ ", "    evil ", "\n\n# evil\n\n", "\n- evil\n",
    "||", "",
)  # fmt: skip
ADDRESSES = (
    "javascript:alert(1)", "http://a/) [x](javascript:y", "https://a b", "http://a\n# evil", "file:///etc/passwd",
    "//evil",
    "data:text/html,<evil>", "http://a/\u202e", 'http://a/" onclick="evil', "HTTP://a.example/<evil>", "",
)  # fmt: skip
UNSEEN = "[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ud800-\udfff\ufeff]"


def hostile_words(rng: np.random.Generator) -> str:
    """Return a text of several hostile pieces."""
    pieces = rng.choice(len(WORDS), int(rng.integers(1, 6)))
    return str(rng.choice(STARTS)) + str(rng.choice(["", " ", "x"])).join(WORDS[one] for one in pieces)


def leaves(data: Json, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], bool]]:
    """Yield (path, whether it is the key itself) of every text in plain data: values, and keys."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield (*path, key), True
            yield from leaves(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from leaves(value, (*path, index))
    elif isinstance(data, str):
        yield path, False


def with_words(data: Json, path: tuple[Any, ...], key: bool, words: str) -> Json:
    """Return a copy of the data with other words at a leaf."""
    made = copy.deepcopy(data)
    inside = made
    for step in path[:-1]:
        inside = inside[step]
    if key:
        pairs = [(words if one == path[-1] else one, value) for one, value in inside.items()]
        inside.clear()
        inside.update(pairs)
    else:
        inside[path[-1]] = words
    return made


class _Seen(HTMLParser):
    def __init__(self, own: str) -> None:
        super().__init__()
        self.own = own
        self.wrong: list[str] = []
        self.within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.within.append(tag)
        if tag in ("evil", "script"):
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on"):
                self.wrong.append(name)
            if name in ("href", "src") and re.match(r"(?!https?:)[A-Za-z][\w+.-]*:|//", value or ""):
                self.wrong.append(f"{name}={value}")
            if name == "src" and "evil.example" in (value or ""):
                self.wrong.append(f"{name}={value}")

    def handle_comment(self, data: str) -> None:
        self.wrong.append(f"<!--{data}-->")

    def handle_data(self, data: str) -> None:
        inside = self.within[-1] if self.within else ""
        if inside in ("h1", "h2", "h3", "h4", "li", "blockquote") and data.lstrip().startswith("evil "):
            if inside == "li" and self.own and data.startswith(self.own):
                return  # a name that code cannot hold, at the begin of a list item of ours
            self.wrong.append(f"<{inside}>{data[:20]}")


def wrongs(page: str, words: str = "") -> list[str]:
    """Return what a hostile text has become in a page of Markdown that it must not. words: the text as it was given,
    where all of it may be shown as text."""
    from markdown_it import MarkdownIt

    seen = _Seen(" ".join(words.split()))
    seen.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(page))
    wrong = seen.wrong
    wrong += sorted({f"U+{ord(one):04X}" for one in re.findall(UNSEEN, page)})
    wrong += ["a marker of README"] if "<!--" in page.replace("\\<!--", "") else []
    return wrong + _torn_tables(page)


def _torn_tables(page: str) -> list[str]:
    """Return the rows of tables that have another number of cells than their head, as GitHub splits them."""
    torn, columns = [], 0
    for line in page.split("\n"):
        if not line.startswith("| "):
            columns = 0
            continue
        cells = len(re.findall(r"(?:\\.|[^\\|])*\|", line)) - 1
        columns = columns or cells
        if cells != columns:
            torn.append(line[:80])
    return torn
