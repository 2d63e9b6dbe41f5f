"""Arguments of `lnbench.verify` and `lnbench.judge` that make no sense: one line each, and nothing is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lnbench
from lnbench.errors import LnbenchError, StoreError


@pytest.mark.parametrize(("seeds", "gist"), [(-1, "-1"), (0, "0"), ("3", "'3'"), (1.5, "1.5"), (True, "True")])
def test_seeds_are_a_whole_number_of_one_or_more(home: Path, seeds: Any, gist: str) -> None:
    for call in (lnbench.verify, lnbench.judge):
        with pytest.raises(LnbenchError, match=f"seeds: {gist} is not a whole number of 1 or more"):
            call("toy", tier="smoke", seeds=seeds)


def test_workers_are_a_whole_number(home: Path) -> None:
    with pytest.raises(LnbenchError, match="workers: -1 is not a whole number of 0 or more"):
        lnbench.verify("toy", tier="smoke", workers=-1)


def test_a_lone_word_is_one_claim_and_not_its_letters(home: Path) -> None:
    with pytest.raises(LnbenchError, match="TOY-09"):
        lnbench.verify("toy", tier="smoke", claims="TOY-09", workers=0)
    with pytest.raises(LnbenchError, match="modl=mlp1"):
        lnbench.verify("toy", tier="smoke", where="modl=mlp1", workers=0)


def test_nothing_is_no_study(home: Path) -> None:
    with pytest.raises(LnbenchError, match="None names no study"):
        lnbench.verify(None, tier="smoke")  # type: ignore[arg-type]


def test_a_study_is_no_report(home: Path) -> None:
    with pytest.raises(LnbenchError, match="name the tier to judge it at"):
        lnbench.judge("claims/toy.yaml")


def test_a_store_that_cannot_be_written_is_one_error_before_anything_is_trained(home: Path) -> None:
    for place in ("/proc/lnbench", "/dev/null/store"):  # no folder can be made there, whoever asks
        with pytest.raises(StoreError, match=r"lnbench|null"):
            lnbench.verify("toy", tier="smoke", store=place, workers=0)
