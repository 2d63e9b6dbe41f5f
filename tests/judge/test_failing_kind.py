"""A plug-in's kind of check that fails, or gives no check, is one line that names it; the records stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lnbench import catalog
from lnbench.errors import LnbenchError
from lnbench.judge.kinds.kind import Kind, kind_named
from lnbench.report.result.runs import _noise
from tests.toys.kinds_world import judged

CLAIM = """
effects: {e: {metric: test_accuracy, at: {model: mlp1, noise.alpha: 0}}}
parts: {claim: {kind: above, effect: e, threshold: 0.8}}
"""
GIVEN: list[Any] = []  # what the kind under test returns, or raises


class Failing(Kind[Any]):
    """The kind of a plug-in."""

    def check(self, *arguments: Any) -> Any:
        if isinstance(GIVEN[0], Exception):
            raise GIVEN[0]
        return GIVEN[0]


@pytest.fixture
def plugged_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    known = catalog.entries()["check"]
    theirs = replace(known["above"], target=f"{__name__}:Failing", package=("lnbench-bars", "1.2.0"))
    monkeypatch.setitem(known, "above", theirs)
    kind_named.cache_clear()
    yield
    kind_named.cache_clear()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (ZeroDivisionError("division by zero"), "fails on .*: ZeroDivisionError: division by zero"),
        (None, "gives a NoneType for .*, and not a Check"),
    ],
)
def test_a_plug_ins_kind_that_fails_is_named(tmp_path: Path, plugged_in: None, given: Any, message: str) -> None:
    GIVEN[:] = [given]
    with pytest.raises(LnbenchError, match=f"the kind of check 'above' of the plug-in lnbench-bars {message}"):
        judged(tmp_path, CLAIM, lambda recipe, seed: 0.9)


def test_the_noise_shown_is_that_of_the_examples_trained_on() -> None:
    shown = _noise([{"noise": {"realised_wrong": 0.34, "kept_wrong": 0.19}}, {"noise": {"realised_wrong": 0.3}}])
    assert shown["realised_wrong"] == [0.19, 0.3]
