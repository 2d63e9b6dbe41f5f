"""Docstrings and comments are plain modern English: a function's docstring starts with its verb."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "suite" / "lnbench"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "questions.yaml",
    ROOT / "reports/debates.md",
    ROOT / "reports/README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]

WORDS = re.compile(r"\b(anew|hangs? on|whereof|thereof|is to be had|a seed each)\b", re.IGNORECASE)
# What opens a noun phrase or a clause: the verb is then missing ("Return the runs that …", not "The runs that …").
NO_VERB = re.compile(
    r"(A|All|An|As|At|Between|By|Each|Every|For|From|How|In|No|Not|Of|On|One|Some|That|The|Those|What|Where|Whether|Which|Why)\b|[^A-Za-z]"
)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def faults(source: str) -> list[tuple[int, str]]:
    """Return (line, what is wrong) of a module's docstrings, texts and comments, in order of line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, FUNCTIONS) and NO_VERB.match(opening := (ast.get_docstring(node) or "Pass")):
            found.append((node.body[0].lineno, f"the docstring of {node.name} starts without a verb: {opening[:40]!r}"))
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            for word in WORDS.finditer(" ".join(node.value.split())):
                found.append((node.lineno, f"the word {word.group()!r} in a text"))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and (word := WORDS.search(token.string)):
            found.append((token.start[0], f"the word {word.group()!r} in a comment"))
    return sorted(found)


def test_docstrings_start_with_a_verb_and_no_old_word_is_used() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert files
    lines = [
        f"{file.relative_to(ROOT)}:{line}: {what}"
        for file in files
        for line, what in faults(file.read_text(encoding="utf-8"))
    ]
    assert not lines, "write it in plain modern English, the verb first:\n" + "\n".join(lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_old_word_is_used_on_a_page(page: Path) -> None:
    lines = enumerate(page.read_text(encoding="utf-8").splitlines(), start=1)
    found = [
        f"{page.name}:{number}: the word {word.group()!r}" for number, line in lines if (word := WORDS.search(line))
    ]
    assert not found, "write it in plain modern English:\n" + "\n".join(found)


@pytest.mark.parametrize(
    "source, what",
    [
        ('def f():\n    """Of which runs an input is made."""\n', "the docstring of f starts without a verb"),
        ('def f():\n    """That a run is there."""\n', "the docstring of f starts without a verb"),
        ('class C:\n    def f(self):\n        """`auto` -> `cuda`."""\n', "the docstring of f starts without a verb"),
        ('async def f():\n    """The runs."""\n', "the docstring of f starts without a verb"),
        ('def f():\n    """Return what the\n    id hangs\n    on."""\n', "the word 'hangs on' in a text"),
        ('class C:\n    """A seed each."""\n', "the word 'A seed each' in a text"),
        ('x = f"{1}: write it anew"\n', "the word 'anew' in a text"),
        ("x = 1  # it is to be had\n", "the word 'is to be had' in a comment"),
    ],
)
def test_a_fault_is_found(source: str, what: str) -> None:
    (_, found), *more = faults(source)
    assert found.startswith(what)
    assert not more


def test_a_class_may_be_described_by_a_noun_and_a_function_by_its_verb() -> None:
    assert faults('class C:\n    """The runs."""\n\n    def f(self):\n        """Return the runs."""\n') == []
    assert faults("def f():\n    return 'a new one'  # hanging on\n") == []
