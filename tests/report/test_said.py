"""What a verdict is about, and what it rests on, is said wherever the verdict is."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from lnbench.cli.commands.tables import print_verdicts
from lnbench.report import junit, markdown, scoreboard
from lnbench.report.explain import explain
from lnbench.report.rows import claim_rows
from lnbench.report.said import about_words, as_tested, chosen_sentence, rests_on, rests_sentence
from tests.toys.report_world import TYPICAL, World


def test_a_chosen_learning_rate_is_in_the_claims_own_line_everywhere(
    full: World, capsys: pytest.CaptureFixture[str]
) -> None:
    result, data = full.result(), full.json()
    print_verdicts(result)
    terminal = re.sub(r"\s+", " ", capsys.readouterr().out)
    page = markdown(data)
    short = "at the learning rate chosen on 1 seed"
    long = "0.5 of 0.1, 0.5; by validation accuracy, ahead of the next by"
    for where, words in {
        "page": page, "explain": explain(result, "N1"), "terminal": terminal, "junit": junit(data),
    }.items():  # fmt: skip
        assert short in words, where
        assert long in words, where
        assert "The verdict holds for the learning rate as chosen, not for the best one" in words, where
    assert claim_rows(result)[0]["says"].endswith(f"with noise, {short}.")
    assert page.count(f"with noise, {short}") == 2  # in the table and over the claim
    assert short in scoreboard([data])


def test_only_the_choices_behind_a_claim_are_said(full: World) -> None:
    first, second, _ = full.json()["claims"]
    assert [cell["point"] for cell in first["chosen"]["cells"]] == [{"model": "mlp1", "noise.alpha": 10}]
    assert first["chosen"] == {
        "key": "optimizer.lr", "by": "validation_accuracy", "seeds": 1, "planned": 1, "candidates": [0.1, 0.5],
        "cells": [{"point": {"model": "mlp1", "noise.alpha": 10}, "chosen": 0.5,
                   "margin": pytest.approx(0.04), "at_end": True}],
    }  # fmt: skip
    assert len(second["chosen"]["cells"]) == 6
    assert about_words(second) == "at the learning rates chosen on 1 seed each"
    assert "learning rates that were chosen, each on 1 seed of its own (0.5 in all 6 cells, of 0.1, 0.5; by" in (
        chosen_sentence(second)
    )
    assert "ahead of the next by 4.00 points, at an end of its grid in 6 cells)" in chosen_sentence(second)


def test_nothing_is_said_where_nothing_is_chosen(smoke: World) -> None:
    for claim in smoke.json()["claims"]:
        assert "chosen" not in claim
        assert as_tested(claim) == claim["says"]
        assert chosen_sentence(claim) == ""


def choice_of(*chosen: tuple[float, float | None, bool]) -> dict[str, object]:
    found = [{"point": {}, "chosen": value, "margin": margin, "at_end": end} for value, margin, end in chosen]
    return {"says": "It works.", "chosen": {"key": "optimizer.lr", "by": "validation_accuracy", "seeds": 3,
            "planned": len(chosen), "candidates": [0.02, 0.1, 0.5], "cells": found}}  # fmt: skip


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (choice_of((0.1, 0.003, False)), "(0.1 of 0.02, 0.1, 0.5; by validation accuracy, ahead of the next by 0.30 p"),
        (choice_of((0.5, 0.00001, True)), "ahead of the next by 0.001 points, at an end of its grid)"),
        (choice_of((0.5, 0.01, True), (0.5, 0.02, True)), "(0.5 in both cells, of 0.02, 0.1, 0.5; by"),
        (choice_of((0.5, 0.0, True)), "level with the next, at an end of its grid)"),
        (choice_of((0.5, None, True)), "all others diverged, at an end of its grid)"),
        (choice_of((0.5, 0.01, True), (0.1, 0.02, False), (0.5, 0.03, True)), "(0.5 in 2 cells, 0.1 in 1, of 0.02,"),
        (choice_of((0.5, 0.01, True), (0.1, 0.02, False)), "by 1.00 to 2.00 points, at an end of its grid in 1 cell)"),
    ],
)  # fmt: skip
def test_how_clear_the_choice_was(claim: dict[str, object], words: str) -> None:
    assert words in chosen_sentence(claim)
    assert as_tested(claim).startswith("It works, at the learning rate") and as_tested(claim).endswith(".")


@pytest.mark.parametrize(
    ("seeds", "without", "row", "sentence"),
    [
        ([], {}, "", ""),
        ([], {"0": "reproduced", "1": "reproduced"}, "", "the same without any one of its 2 seeds"),
        ([3], {"0": "reproduced", "3": "inconclusive"}, "rests on seed 3",
         "without seed 3 the claim as run would be inconclusive"),
        ([0, 3], {"0": "inconclusive", "1": "reproduced", "3": "contradicted"}, "rests on seeds 0 and 3",
         "without seed 0 the claim as run would be inconclusive, without seed 3 the claim as run would be contra"),
        ([0, 1], {"0": "inconclusive", "1": "inconclusive"}, "rests on each of its 2 seeds",
         "without any one of its 2 seeds the claim as run would be inconclusive"),
    ],
)  # fmt: skip
def test_single_seeds_that_decide_are_named(seeds: list[int], without: dict[str, str], row: str, sentence: str) -> None:
    claim = {"hangs_on": seeds, "without": without}
    assert rests_on(claim) == row
    assert sentence in rests_sentence(claim)
    assert bool(rests_sentence(claim)) == bool(without)


def test_a_report_from_before_leave_one_out_says_nothing_of_it() -> None:
    assert rests_on({}) == rests_sentence({}) == ""


def test_what_rests_on_one_seed_is_on_every_page(empty: Callable[[str], World]) -> None:
    world = empty("full").run_all({**TYPICAL, "mlp1": (0.9, 0.9)}, wobble=0.001)
    data, result = world.json(), world.result()
    claim = data["claims"][0]
    assert claim["verdict"] == "reproduced" and "hangs_on" in claim
    claim["hangs_on"], claim["without"]["3"] = [3], "inconclusive"
    for where, words in {"page": markdown(data), "scoreboard": scoreboard([data]), "junit": junit(data)}.items():
        assert ("rests on seed 3" if where != "junit" else "without seed 3") in words, where
    assert "One seed left out" in explain(result, "N1")
