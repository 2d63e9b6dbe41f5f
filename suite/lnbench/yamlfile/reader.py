"""YAML files into plain data that remembers its places. Safe by construction: no tags, no Python, no bombs.

A spec is a scientific record, so a value that YAML would silently change is an error that says what to write instead,
and every error of a file is reported at once as `file:line:column`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from lnbench.errors import Problem, SpecError, did_you_mean
from lnbench.yamlfile import scalars
from lnbench.yamlfile.tree import Mapping, Position, Sequence_, position_of

MAX_BYTES = 1 << 18  # the longest file here has 20 kB; PyYAML reads about 100 kB a second
MAX_DEPTH = 32
MAX_NODES = 30_000  # after aliases are followed: a bomb of nine lines has millions
LONGEST_KEY = 100  # characters: keys are names of effects, parts, inputs and printed numbers

_TAG = "tag:yaml.org,2002:"


def load(path: Path) -> Mapping:
    """Return the file's mapping. Raises SpecError with every problem that reading alone can find."""
    tree, problems = read(path)
    if problems:
        raise SpecError(problems)
    return tree


def read(path: Path) -> tuple[Mapping, list[Problem]]:
    """Return the file's mapping, and what is wrong with single values of it (None replaces each, or the key is left
    out).

    Raises SpecError where there is no mapping to go on with.
    """
    return _read(_text(path), path)


def read_text(text: str, name: Path) -> Mapping:
    """Return the mapping of a text that stands in no file; `name` is what its problems call it. Raises SpecError."""
    tree, problems = _read(text, name)
    if problems:
        raise SpecError(problems)
    return tree


def outline(path: Path) -> Mapping:
    """Return the file's mapping without the values that `read` has problems with, for who only shows what there is.
    Raises SpecError where there is no mapping."""
    return read(path)[0]


# libyaml's parser, about 15 times as fast as PyYAML's own: None where PyYAML was built without it. The two differ about
# tabs, the ends of lines, and a '?' in a plain word, so a text with these is left to PyYAML's own: what is valid is so
# everywhere.
_FAST = getattr(yaml, "CSafeLoader", None)
_DISPUTED = re.compile("[\t\r\x85\u2028\u2029\ufeff]")


def _read(text: str, path: Path) -> tuple[Mapping, list[Problem]]:
    reader = _Reader(path)
    try:
        tree = reader.read(text, _FAST) if _FAST is not None and not _DISPUTED.search(text) else None
    except (yaml.YAMLError, UnicodeEncodeError):  # libyaml reads bytes: half a character is none
        tree = None
    if not isinstance(tree, Mapping):  # again, as only the slow one says what is wrong and where
        reader = _Reader(path)
        tree = _slowly(reader, text, path)
    if not isinstance(tree, Mapping):
        if reader.problems:
            raise SpecError(reader.problems)
        what = "the file is empty" if tree is None else "the file must be a mapping of keys to values"
        raise SpecError([Problem(path, 1, 1, f"{what}; see an example under claims/")])
    return tree, reader.problems


def _slowly(reader: _Reader, text: str, path: Path) -> Any:
    """Return what is in the text. Raises SpecError where it is not YAML."""
    try:
        return reader.read(text)
    except yaml.MarkedYAMLError as error:
        raise SpecError([*reader.problems, Problem(path, *_syntax(error))]) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        what = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML; remove it"
        raise SpecError([Problem(path, line, column, what)]) from None


def _text(path: Path) -> str:
    def fail(what: str) -> SpecError:
        return SpecError([Problem(path, 0, 0, what)])

    try:
        if path.is_dir():
            raise fail("is a directory; name a YAML file")
        if not path.exists():
            raise fail("no such file")
        if not path.is_file():
            raise fail("is not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)  # not by its size: a file of /proc has none
        if len(data) > MAX_BYTES:
            raise fail(f"is larger than {MAX_BYTES >> 10} KiB; a spec is a few pages")
    except OSError as error:
        raise fail(f"cannot be read: {error.strerror or error}") from None
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        byte = data[error.start]
        raise SpecError([Problem(path, line, column, f"not UTF-8 (byte 0x{byte:02x}); save it as UTF-8")]) from None


# PyYAML's words -> ours. Where the first group says so, the place is where the thing began, not where it was missed.
_SYNTAX: list[tuple[re.Pattern[str], bool, str]] = [
    (re.compile(r"found character '\\t'"), False, "a tab is not allowed here; indent with spaces"),
    (re.compile(r"found character '(.)'"), False, "a text cannot start with '{0}'; quote it"),
    (re.compile(r"mapping values are not allowed"), False,
     "a ':' is not allowed here; quote a text that holds ': ', or check the indentation"),
    (re.compile(r"could not find expected ':'"), True, "a key is not followed by ':'"),
    (re.compile(r"expected the node content, but found ':'"), False, "a key is missing before ':'"),
    (re.compile(r"expected ',' or '([\]}])'"), True, "a comma is missing, or no '{0}' closes what opens here"),
    (re.compile(r"expected <block end>"), False, "the indentation does not fit the lines above"),
    (re.compile(r"unexpected end of stream"), True, "this quote is never closed"),
    (re.compile(r"found unknown escape character '(.)'"), False,
     "'\\{0}' means nothing in double quotes; use single quotes, or write '\\\\{0}'"),
    (re.compile(r"found undefined alias '(.*)'"), False, "*{0} stands for nothing; no &{0} comes before it"),
    (re.compile(r"found undefined tag handle"), False, "tags are not allowed in a spec"),
    (re.compile(r"expected '<document start>'"), False, "one file is one mapping; the indentation does not fit"),
]  # fmt: skip


def _syntax(error: yaml.MarkedYAMLError) -> tuple[int, int, str]:
    """Return (line, column, what) of a file that is not YAML."""
    problem = " ".join(str(error.problem or error.context or "not valid YAML").split())
    mark, what = error.problem_mark or error.context_mark, f"not valid YAML: {problem}"
    for pattern, at_beginning, words in _SYNTAX:
        found = pattern.search(problem)
        if found:
            what = words.format(*found.groups())
            mark = (error.context_mark or mark) if at_beginning else mark
            break
    return (mark.line + 1, mark.column + 1, what) if mark else (0, 0, what)


class _Composer(yaml.composer.Composer, yaml.resolver.Resolver):
    """Makes nodes of events that are there already, as SafeLoader makes them of those that it scans."""

    def __init__(self, events: list[yaml.Event]):
        yaml.composer.Composer.__init__(self)
        yaml.resolver.Resolver.__init__(self)
        self._events, self._next = events, 0

    def peek_event(self) -> yaml.Event | None:
        return self._events[self._next] if self._next < len(self._events) else None

    def check_event(self, *kinds: type[yaml.Event]) -> bool:
        event = self.peek_event()
        return event is not None and (not kinds or isinstance(event, kinds))

    def get_event(self) -> yaml.Event | None:
        event = self.peek_event()
        self._next += 1
        return event


class _Reader:
    """Turns YAML nodes into plain data, collecting problems as it goes."""

    def __init__(self, path: Path):
        self.path = path
        self.problems: list[Problem] = []
        self._nodes = 0
        self._open: set[int] = set()  # collections being read: one that meets itself again is a loop

    def read(self, text: str, loader: Any = yaml.SafeLoader) -> Any:
        events = self._checked_events(
            text, loader
        )  # before composing: that of a deep file would exhaust Python's stack
        node = _Composer(events).get_single_node()
        return None if node is None else self._value(node)

    def _checked_events(self, text: str, loader: Any) -> list[yaml.Event]:
        """Return what the scanner finds, gone through once: PyYAML takes most of a study's loading for it."""
        events: list[yaml.Event] = []
        depth = nodes = documents = 0
        for event in yaml.parse(text, Loader=loader):
            events.append(event)
            if isinstance(event, yaml.NodeEvent):
                nodes += 1
                depth += isinstance(event, yaml.CollectionStartEvent)
            else:
                depth -= isinstance(event, yaml.CollectionEndEvent)
                documents += isinstance(event, yaml.DocumentStartEvent)
            if depth > MAX_DEPTH:
                raise self._end(event, f"nested deeper than {MAX_DEPTH} levels")
            if nodes > MAX_NODES:
                raise self._end(event, f"more than {MAX_NODES} values; a spec is a few pages")
            if documents > 1:
                raise self._end(event, "a second document starts here ('---'); write one file for each")
            if loader is _FAST and isinstance(event, yaml.ScalarEvent) and not event.style and "?" in event.value:
                raise yaml.YAMLError("left to PyYAML's own parser")
            tag = getattr(event, "tag", None)
            if tag is not None:
                self._problem(event, f"the tag '{tag.replace(_TAG, '!!')}' is not allowed in a spec; leave it out")
        return events

    def _problem(self, where: yaml.Node | yaml.Event, what: str) -> None:
        self.problems.append(Problem(self.path, *_at(where), what))

    def _end(self, where: yaml.Node | yaml.Event, what: str) -> SpecError:
        return SpecError([*self.problems, Problem(self.path, *_at(where), what)])

    def _value(self, node: yaml.Node) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._end(node, f"grows past {MAX_NODES} values through its aliases; write it out")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            raise self._end(node, "an alias that contains itself")
        self._open.add(id(node))
        value = self._mapping(node) if isinstance(node, yaml.MappingNode) else self._sequence(node)
        self._open.discard(id(node))
        return value

    def _sequence(self, node: yaml.Node) -> Sequence_:
        sequence = Sequence_(_at(node))
        for item in node.value:
            sequence.add(self._value(item), _at(item))
        return sequence

    def _mapping(self, node: yaml.MappingNode) -> Mapping:
        mapping, merged = Mapping(_at(node)), Mapping(_at(node))
        merges = False
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                if merges:
                    self._problem(key_node, "duplicate key '<<'; to merge several, write <<: [*one, *two]")
                merges = True
                merged = self._merged(merged, value_node)
                continue
            key = self._key(key_node)
            if key is None:
                continue
            if key in mapping:
                line = mapping.key_positions[key][0]
                self._problem(key_node, f"duplicate key '{key}'; it is already on line {line}")
                continue
            mapping.put(key, self._value(value_node), _at(key_node), _at(value_node))
        return merged.take(mapping) if merged else mapping

    def _merged(self, merged: Mapping, node: yaml.Node) -> Mapping:
        """Return what `<<: *name` or `<<: [*one, *two]` brings in; of several, the first named wins."""
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            value = self._value(source)
            if not isinstance(value, Mapping):
                self._problem(source, "'<<' takes a mapping, such as *name")
                continue
            kept = merged
            merged = Mapping(kept.position).take(value).take(kept)
        return merged

    def _key(self, node: yaml.Node) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            kind = "mapping" if isinstance(node, yaml.MappingNode) else "list"
            self._problem(node, f"a key must be text, not a {kind}")
        elif not node.style and node.tag != f"{_TAG}str":  # 1, null, 0.5, no, on
            self._problem(node, f"a key must be text, and YAML reads '{node.value}' as something else; quote it")
        elif len(node.value) > LONGEST_KEY:
            self._problem(node, f"a key of {len(node.value)} characters; at most {LONGEST_KEY}")
        elif wrong := scalars.refused_character(node.value):
            self._problem(node, wrong)
        else:
            return str(node.value)
        return None

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text = str(node.value)
        if wrong := scalars.refused_character(text):
            self._problem(node, wrong)
            return None
        if node.style:  # quoted, or a block
            return text
        try:
            return scalars.plain(text)
        except ValueError as error:
            self._problem(node, str(error))
            return None


def _at(where: yaml.Node | yaml.Event) -> Position:
    mark = where.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (0, 0)


__all__ = ["Mapping", "Position", "Sequence_", "did_you_mean", "load", "outline", "position_of", "read"]
