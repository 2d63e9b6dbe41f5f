"""YAML files into plain data that remembers where each key stood. Safe by construction: no tags, no Python, no bombs.

YAML 1.1, which PyYAML reads, silently turns `no` into False, `10:30` into 630 and leaves `1e-3` a text. A spec is a
scientific record, so such a value is an error that says what to write instead, and every error of a file is reported
at once as `file:line:column`.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from lnbench.errors import Problem, SpecError

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_NODES = 50_000  # after aliases are followed: a bomb of nine lines has millions

Position = tuple[int, int]  # line and column, from 1


class Mapping(dict[str, Any]):
    """A YAML mapping that knows where it, its keys and its values stood."""

    def __init__(self, position: Position = (0, 0)):
        super().__init__()
        self.position = position
        self.key_positions: dict[str, Position] = {}
        self.value_positions: dict[str, Position] = {}

    def put(self, key: str, value: Any, key_position: Position, value_position: Position) -> None:
        self[key] = value
        self.key_positions[key] = key_position
        self.value_positions[key] = value_position

    def take(self, other: Mapping, keys: Iterable[str] | None = None) -> Mapping:
        """Self with `other`'s keys put over it, positions included (neither is changed)."""
        merged = Mapping(self.position)
        for source, names in ((self, self.keys()), (other, other.keys() if keys is None else keys)):
            for name in names:
                merged.put(name, source[name], source.key_positions[name], source.value_positions[name])
        return merged

    def without(self, *names: str) -> Mapping:
        """A copy that lacks `names`."""
        return Mapping(self.position).take(self, [name for name in self if name not in names])


class Sequence_(list[Any]):
    """A YAML sequence that knows where it and its items stood."""

    def __init__(self, position: Position = (0, 0)):
        super().__init__()
        self.position = position
        self.item_positions: list[Position] = []

    def add(self, item: Any, position: Position) -> None:
        self.append(item)
        self.item_positions.append(position)


def position_of(tree: Any, path: Sequence[str | int], *, key: bool = False) -> Position:
    """Where the value (or with `key`, the key) at `path` stands; the nearest enclosing place where it is missing."""
    here: Position = getattr(tree, "position", (0, 0))
    for step in path:
        if isinstance(tree, Mapping) and step in tree:
            here = (tree.key_positions if key else tree.value_positions)[str(step)]
            tree = tree[str(step)]
        elif isinstance(tree, Sequence_) and isinstance(step, int) and step < len(tree):
            here = tree.item_positions[step]
            tree = tree[step]
        else:
            break
    return here


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "known") -> str:
    """`did you mean 'seeds'?`, or the list of what is known where nothing is near."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"{otherwise}: {', '.join(names)}" if names else "none is defined"


def load(path: Path) -> Mapping:
    """The file's mapping. Raises SpecError with every problem that reading alone can find."""
    text = _read(path)
    reader = _Reader(path)
    try:
        tree = reader.read(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        what = " ".join(str(error.problem or error.context or "not valid YAML").split())
        if "\\t" in what:
            what = "a tab is not allowed here; indent with spaces"
        raise SpecError([*reader.problems, Problem(path, line, column, what)]) from None
    except yaml.YAMLError as error:  # the reader's own: a character that YAML forbids
        what = " ".join(str(error).split()).split(" in ")[0]
        raise SpecError([Problem(path, 0, 0, f"not valid YAML: {what}")]) from None
    if reader.problems:
        raise SpecError(reader.problems)
    if not isinstance(tree, Mapping):
        what = "the file is empty" if tree is None else "the file must be a mapping of keys to values"
        raise SpecError([Problem(path, 1, 1, f"{what}; see an example under claims/")])
    return tree


def _read(path: Path) -> str:
    def fail(what: str) -> SpecError:
        return SpecError([Problem(path, 0, 0, what)])

    try:
        if path.is_dir():
            raise fail("is a directory; name a YAML file")
        if not path.exists():
            raise fail("no such file")
        if not path.is_file():
            raise fail("is not a regular file")
        if path.stat().st_size > MAX_BYTES:
            raise fail(f"is larger than {MAX_BYTES >> 20} MiB; a spec is a few pages")
        data = path.read_bytes()
    except OSError as error:
        raise fail(f"cannot be read: {os.strerror(error.errno or 0)}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        byte = data[error.start]
        raise SpecError(
            [Problem(path, line, column, f"not UTF-8 (byte 0x{byte:02x}); save it as UTF-8")]
        ) from None


_PLAIN_TAGS = {"str", "int", "float", "bool", "null", "timestamp", "value"}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)$")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$|[-+]?\.(inf|Inf|INF)$|\.(nan|NaN|NAN)$")
_SURPRISES: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), "YAML reads '{0}' as text; write {1}"),
    (re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9]*)?$"), "YAML reads '{0}' as a number to base 60; quote it"),
    (re.compile(r"(yes|no|on|off|y|n)$", re.I), "YAML reads '{0}' as true or false; write that, or quote it"),
    (re.compile(r"[-+]?0[0-9_]+$"), "YAML reads '{0}' as octal; drop the leading zero or quote it"),
    (re.compile(r"[-+]?0[xXbBoO][0-9a-fA-F_]+$"), "'{0}' is read differently by YAML versions; write a decimal"),
    (re.compile(r"[-+]?[0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?$"), "write '{0}' without underscores"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?$"), "YAML reads '{0}' as a date; quote it"),
]


def _scientific(text: str) -> str:
    mantissa, _, exponent = text.lower().partition("e")
    return f"{mantissa}.0e{exponent if exponent[0] in '+-' else '+' + exponent}"


class _Reader:
    """Turns YAML nodes into plain data, collecting problems as it goes."""

    def __init__(self, path: Path):
        self.path = path
        self.problems: list[Problem] = []
        self._nodes = 0
        self._open: set[int] = set()  # collections being read: one that meets itself again is a loop

    def read(self, text: str) -> Any:
        self._check_depth(text)  # events come one by one; composing a deep file would exhaust Python's stack
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()  # type: ignore[no-untyped-call]
        return None if node is None else self._value(node)

    def _check_depth(self, text: str) -> None:
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > MAX_DEPTH:
                mark = event.start_mark
                what = f"nested deeper than {MAX_DEPTH} levels"
                raise SpecError([Problem(self.path, mark.line + 1, mark.column + 1, what)])

    def _problem(self, node: yaml.Node, what: str) -> None:
        self.problems.append(Problem(self.path, *_at(node), what))

    def _value(self, node: yaml.Node) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            what = f"grows past {MAX_NODES} values through its aliases; write it out"
            raise SpecError([Problem(self.path, *_at(node), what)])
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        if id(node) in self._open:
            raise SpecError([Problem(self.path, *_at(node), "an alias that contains itself")])
        self._open.add(id(node))
        value = self._mapping(node) if isinstance(node, yaml.MappingNode) else self._sequence(node)
        self._open.discard(id(node))
        return value

    def _sequence(self, node: yaml.Node) -> Sequence_:
        self._no_tag(node, "tag:yaml.org,2002:seq")
        sequence = Sequence_(_at(node))
        for item in node.value:
            sequence.add(self._value(item), _at(item))
        return sequence

    def _no_tag(self, node: yaml.Node, plain: str) -> None:
        if node.tag not in (plain, "!"):
            self._problem(node, f"the tag '{node.tag}' is not allowed in a spec")

    def _mapping(self, node: yaml.MappingNode) -> Mapping:
        self._no_tag(node, "tag:yaml.org,2002:map")
        mapping, merged = Mapping(_at(node)), Mapping(_at(node))
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                sources = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                for source in sources:
                    value = self._value(source)
                    if isinstance(value, Mapping):
                        merged = value.take(merged)  # of several, the first named wins
                    else:
                        self._problem(source, "'<<' takes a mapping, such as *name")
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(key_node, "a key must be a plain word")
                continue
            key = key_node.value
            if key in mapping:
                line = mapping.key_positions[key][0]
                self._problem(key_node, f"duplicate key '{key}'; it stands already on line {line}")
                continue
            mapping.put(key, self._value(value_node), _at(key_node), _at(value_node))
        return merged.take(mapping) if merged else mapping

    def _scalar(self, node: yaml.Node) -> Any:
        text = str(node.value)
        if getattr(node, "style", None) is not None:  # quoted, or a block
            self._no_tag(node, "tag:yaml.org,2002:str")
            return text
        if node.tag.removeprefix("tag:yaml.org,2002:") in _PLAIN_TAGS:
            return self._plain(node, text)
        self._no_tag(node, "")
        return None

    def _plain(self, node: yaml.Node, text: str) -> Any:
        if text in ("", "~", "null", "Null", "NULL"):
            return None
        if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
            return text.lower() == "true"
        if _INT.match(text):
            return int(text) if len(text) < 40 else self._problem(node, "this number is too long")
        if _FLOAT.match(text):
            return float(text.replace(".inf", "inf").replace(".Inf", "inf").replace(".nan", "nan"))
        for pattern, message in _SURPRISES:
            if pattern.match(text):
                better = _scientific(text) if "{1}" in message else ""
                self._problem(node, message.format(text, better))
                return None
        return text


def _at(node: yaml.Node) -> Position:
    return node.start_mark.line + 1, node.start_mark.column + 1
