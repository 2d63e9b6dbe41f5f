"""A small study and its paper's numbers, and how a test breaks them: `»` marks where the error must be shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.errors import SpecError
from lnbench.spec import LoadedStudy, load_study
from tests.toys.project import DILUTED, base, write_project

STUDY = (
    """\
schema: 1
paper: toy2020
title: A toy study
choices:
  - {key: optimizer.momentum, ours: 0.9, try: {optimizer.momentum: 0.5}}
"""
    + base(clean=1000, noise=DILUTED.replace("alpha: 2", "alpha: 10"), model="mlp1", batch_size=100, epochs=3)
    + """\
  vary: {model: [perceptron, mlp1, convnet4], noise.alpha: [0, 10]}
  set:
    - {at: {noise.alpha: 0}, epochs: 5}
  choose: {key: optimizer.lr, from: [0.05, 0.1], per: [model], by: validation_accuracy, validation: 100, seeds: 1}
  seeds: {n: 3, pair: [noise]}
effects:
  net: {metric: test_accuracy, at: {model: convnet4, noise.alpha: 10}}
  gap: {metric: test_accuracy, at: {model: [mlp1, convnet4]}, along: {noise.alpha: drop}, minus: {model: perceptron}}
claims:
  - id: T-01
    says: The network is good.
    quote: "a good network"
    where: {table: 1}
    verdict: good
    parts:
      good: {kind: above, effect: net, reference: table1/net}
      near: {kind: agrees, effect: net, reference: table1/net, margin: 0.05, because: "n unknown"}
  - id: T-02
    says: Deep networks lose less.
    quote: "deep networks lose less"
    where: {section: "2"}
    verdict: {all: [loses]}
    parts:
      loses: {kind: ordered, effect: gap}
tiers:
  full: {deviations: []}
  cpu:
    runs:
      base: {epochs: 1}
      vary: {model: [perceptron, convnet4], noise.alpha: [0, 10]}
      set: []
    effects: {gap: {at: {model: convnet4}}}
    claims: {T-01: {omit: [near]}}
    deviations: [one epoch, two networks]
  smoke: {runs: {seeds: {n: 2, pair: []}}, deviations: [two seeds]}
"""
)

BASELINE = """\
schema: 1
paper: toy2020
title: On Toys
authors: [A. Maker, B. Player]
year: 2020
url: https://example.org
code: none
provenance: Invented.
references:
  table1/net: {metric: test_accuracy, printed: "90.5", unit: percent, relation: equals, spread: "0.2", spread_kind: sd,
    n: 5, where: {table: 1}, protocol: {selection: unknown}, source: table}
  text/half: {metric: test_accuracy, printed: half, unit: fraction, relation: about, spread: none, spread_kind: unknown,
    n: unknown, where: {}, protocol: {selection: unknown}, source: text}
  text/all: {metric: test_accuracy, printed: "100", unit: percent, relation: equals, spread: none, spread_kind: unknown,
    n: unknown, where: {}, protocol: {selection: unknown}, source: text}
  text/loss: {metric: test_loss, printed: "0.7", unit: none, relation: equals, spread: none, spread_kind: unknown,
    n: unknown, where: {}, protocol: {selection: unknown}, source: text}
  fig1/net: {metric: test_accuracy, printed: "91", unit: percent, relation: about, spread: none, spread_kind: unknown,
    n: unknown, where: {figure: 1}, protocol: {selection: unknown}, source: digitised, reading_error: 0.5}
"""


class Folder:
    """A project folder with the toy's claims/ and baselines/."""

    def __init__(self, root: Path):
        self.root = root
        self.study = write_project(root, STUDY, BASELINE, paper="toy2020")
        self.baseline = root / "baselines" / "toy2020.yaml"

    def load(self, *edits: tuple[str, str]) -> LoadedStudy:
        """The toy study with some texts replaced."""
        self.study.write_text(edited(STUDY, *edits))
        return load_study(self.study)

    def refuses(self, *edits: tuple[str, str], because: str | list[str]) -> None:
        """That these edits give one error at every `»`, in the file's order, each holding its gist; and no other."""
        self.refuses_text(edited(STUDY, *edits), because)

    def refuses_text(self, marked: str, because: str | list[str]) -> None:
        gists = [because] if isinstance(because, str) else because
        self.study.write_text(marked.replace("»", ""))
        with pytest.raises(SpecError) as caught:
            load_study(self.study)
        assert_problems(caught.value, self.study, marked, gists)


@pytest.fixture
def toy(tmp_path: Path) -> Folder:
    """A fresh project folder with a small valid study in it."""
    return Folder(tmp_path)


def edited(text: str, *edits: tuple[str, str]) -> str:
    """`text` with each `old` (which must stand there once) replaced."""
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
        text = text.replace(old, new)
    return text


def assert_problems(error: SpecError, path: Path, marked: str, gists: list[str]) -> None:
    """That the error's lines are those of the marks, and that each says its gist."""
    lines = str(error).split("\n")
    expected = [f"{path}:{line}:{column}: " for line, column in places(marked)]
    assert [line[: len(start)] for line, start in zip(lines, expected, strict=False)] == expected, str(error)
    assert len(lines) == len(expected) == len(gists), str(error)
    for line, gist in zip(lines, gists, strict=True):
        assert gist in line, f"{gist!r} is not in {line!r}"


def places(marked: str) -> list[tuple[int, int]]:
    """(line, column) of each `»`, as the text has them once the marks are taken out."""
    found = []
    for number, line in enumerate(marked.split("\n"), start=1):
        pieces = line.split("»")
        column = 1
        for piece in pieces[:-1]:
            column += len(piece)
            found.append((number, column))
    return found
