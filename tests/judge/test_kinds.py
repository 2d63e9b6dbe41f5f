"""Kinds at points (ratio, can_reach, correlation, table, looks): each can reproduce, contradict and stay open."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats as reference

from lnbench import catalog
from lnbench.catalog.entry import Entry, Metric
from lnbench.judge import judge
from lnbench.spec import needed_points
from tests.toys.claims_page import Metrics, evidence_of, load_in_frame, wobble
from tests.toys.kinds_world import Number, accuracy, alpha, judged, part_of

RATIO = """
effects: {e: {metric: test_loss, at: {model: mlp1, noise.alpha: 50}, over: {noise.alpha: 0}}}
parts: {claim: {kind: ratio, effect: e, region: %s}}
"""


def losses(ratio: float) -> Metrics:
    def metrics(recipe: dict[str, Any], seed: int) -> dict[str, float]:
        loss = (ratio if alpha(recipe) else 1.0) * math.exp(0.02 * wobble(seed, alpha(recipe)))
        return {"test_accuracy": 0.9, "test_loss": loss, "train_accuracy": 0.5}

    return metrics


@pytest.mark.parametrize(
    ("region", "verdict"),
    [("[1.8, 2.2]", "reproduced"), ("[null, 1.5]", "contradicted"), ("[2.0, 4]", "inconclusive")],
)
def test_a_ratio_is_averaged_as_logs_and_shown_as_a_ratio(tmp_path: Path, region: str, verdict: str) -> None:
    part = part_of(tmp_path, RATIO % region, losses(2.0))
    assert part.verdict == verdict
    logs = [math.log(a / b) for a, b in zip(*part.members[0].arms, strict=True)]
    assert part.members[0].values == pytest.approx(logs)
    test = reference.ttest_1samp(logs, 0.0).confidence_interval(0.9)
    assert part.check.details["alone"]["interval"] == pytest.approx((test.low, test.high))
    low, high = min(test.low, *logs), max(test.high, *logs)  # signs of five seeds
    assert part.check.details["ratio_interval"] == pytest.approx((math.exp(low), math.exp(high)))


def test_a_ratio_to_nothing_is_an_error_and_no_traceback(tmp_path: Path) -> None:
    part = part_of(tmp_path, RATIO % "[1, 2]", losses(0.0))
    assert (part.verdict, part.why) == ("error", "a ratio needs positive numbers")


# can reach

REACH = """
effects: {e: {metric: test_accuracy, at: {model: mlp1, noise.alpha: 0}}}
parts: {claim: {kind: can_reach, effect: e, threshold: 0.9, best_of: %s}}
"""


def test_runs_that_get_there_often_enough_reproduce_and_one_lucky_run_decides_nothing(tmp_path: Path) -> None:
    lucky = part_of(tmp_path, REACH % 3, lambda r, s: 0.91 if s == 4 else 0.5)
    assert (lucky.verdict, lucky.check.effect, lucky.check.details["best"]) == ("inconclusive", 0.2, 0.91)
    part = part_of(tmp_path, REACH % 3, lambda r, s: 0.91 if s else 0.5)
    assert part.verdict == "reproduced"
    assert part.check.p_reproduced == pytest.approx(reference.binom.sf(3, 5, 1 - 0.5 ** (1 / 3)))


def test_none_that_gets_there_contradicts_from_so_many_times_k_runs(tmp_path: Path) -> None:
    assert part_of(tmp_path, REACH % 1, lambda r, s: 0.5 + 0.01 * s).verdict == "contradicted"  # ½⁵ = .03
    part = part_of(tmp_path, REACH % 3, lambda r, s: 0.5 + 0.01 * s)
    assert part.verdict == "inconclusive"
    assert part.check.p_contradicted == pytest.approx(0.5 ** (5 / 3))
    assert part.seeds_to_decide == 13  # 4.33 · 3


def test_a_collapsed_run_gets_nowhere_below_a_threshold_either(tmp_path: Path) -> None:
    example = (REACH % 1).replace("threshold: 0.9", "threshold: 0.3, side: below")
    part = part_of(tmp_path, example, lambda r, s: 0.1)
    assert part.check.details["successes"] == 0


# correlation

BY_SEED = """
effects: {e: {metric: test_accuracy, with: train_accuracy, at: {model: mlp1}, along: {noise.alpha: pearson}}}
parts: {claim: {kind: correlation, effect: e, region: [0.5, null], unit: seed}}
"""
BY_POINT = """
effects: {e: {metric: test_accuracy, with: train_accuracy, along: {model: %s, noise.alpha: %s}}}
parts: {claim: {kind: correlation, effect: e, region: [0.5, null], unit: point}}
"""


def related(sign: float, noise: float) -> Metrics:
    def metrics(recipe: dict[str, Any], seed: int) -> dict[str, float]:
        place = (recipe["model"], alpha(recipe))
        test = 0.7 + 0.1 * wobble("x", place) + 0.01 * wobble("x", place, seed)
        train = 0.5 + sign * (test - 0.7) + noise * wobble("y", place) + 0.1 * noise * wobble("y", place, seed)
        return {"test_accuracy": test, "train_accuracy": train, "test_loss": 1.0}

    return metrics


@pytest.mark.parametrize(
    ("example", "points"),
    [(BY_SEED, 5), (BY_POINT % ("pearson", "pearson"), 15), (BY_POINT % ("spearman", "spearman"), 15)],
    ids=["by seed", "by point", "by point, spearman"],
)
@pytest.mark.parametrize(
    ("sign", "noise", "verdict"), [(1, 0.02, "reproduced"), (-1, 0.02, "contradicted"), (0.5, 0.1, "inconclusive")]
)
def test_a_correlation(tmp_path: Path, example: str, points: int, sign: float, noise: float, verdict: str) -> None:
    part = part_of(tmp_path, example, related(sign, noise))
    if verdict != "inconclusive" or points == 15:
        assert part.verdict == verdict
    assert len(part.members[0].curves[0]) == points


def test_a_seeds_correlation_is_scipys_and_judged_as_atanh(tmp_path: Path) -> None:
    part = part_of(tmp_path, BY_SEED, related(1, 0.1))
    member = part.members[0]
    r = [reference.pearsonr(x, y).statistic for x, y in zip(member.curves, member.others, strict=True)]
    assert member.values == pytest.approx(r)
    test = reference.ttest_1samp(np.arctanh(r), math.atanh(0.5), alternative="greater")
    assert part.check.p_reproduced == pytest.approx(test.pvalue)


def test_a_correlation_of_points_is_that_of_their_means_over_the_seeds(tmp_path: Path) -> None:
    part = part_of(tmp_path, BY_POINT % ("pearson", "pearson"), related(1, 0.1))
    x, y = (np.mean(columns, axis=0) for columns in (part.members[0].curves, part.members[0].others))
    assert part.check.effect == pytest.approx(reference.pearsonr(x, y).statistic)
    assert part.check.n == 15  # points, not seeds times points


def test_a_rank_correlation_of_1_in_every_seed_decides_and_divides_by_nothing(tmp_path: Path) -> None:
    example = BY_SEED.replace("pearson", "spearman")
    part = part_of(tmp_path, example, related(1, 0.0))
    assert part.verdict == "reproduced"
    assert part.members[0].values == pytest.approx([1 - 6 / (5 * 24)] * 5)


def test_a_metric_that_correlates_with_itself_is_an_error(tmp_path: Path) -> None:
    def same(recipe: dict[str, Any], seed: int) -> dict[str, float]:
        value = 0.5 + 0.004 * alpha(recipe)
        return {"test_accuracy": value, "train_accuracy": value, "test_loss": 1.0}

    part = part_of(tmp_path, BY_SEED, same)
    assert part.verdict == "error"


def test_points_with_a_collapsed_run_have_no_means_to_correlate(tmp_path: Path) -> None:
    def one_dies(recipe: dict[str, Any], seed: int) -> dict[str, float] | None:
        return None if seed == 1 and alpha(recipe) == 20 else related(1, 0.02)(recipe, seed)

    part = part_of(tmp_path, BY_POINT % ("pearson", "pearson"), one_dies)  # type: ignore[arg-type]
    assert (part.verdict, part.check.p_reproduced, part.check.p_contradicted) == ("inconclusive", 1.0, 1.0)


@pytest.fixture
def metric_r() -> Iterator[None]:
    """A runner's metric that is a correlation."""
    entries = catalog.entries()["metric"]
    entries["network_r"] = Entry("metric", "network_r", value=Metric(-1, 1, "test", False, "r between two networks"))
    yield
    del entries["network_r"]


@pytest.mark.usefixtures("metric_r")
def test_a_runs_own_correlation_is_one_number_a_seed(tmp_path: Path) -> None:
    example = """
effects: {e: {metric: network_r, at: {model: mlp1, noise.alpha: 0}}}
parts: {claim: {kind: correlation, effect: e, region: [0.5, 1], unit: seed}}
"""

    def metrics(recipe: dict[str, Any], seed: int) -> dict[str, float]:
        return {"test_accuracy": 0.9, "network_r": 0.8 + 0.05 * wobble(seed)}

    part = part_of(tmp_path, example, metrics)
    zetas = np.arctanh([0.8 + 0.05 * wobble(seed) for seed in range(5)])
    assert part.check.effect == pytest.approx(zetas.mean())
    assert part.verdict == "reproduced"


# table

TABLE = """
effects: {e: {metric: test_accuracy, at: {noise.alpha: 100}}}
parts:
  claim:
    {kind: table, effect: e, margin: 0.05, because: test, at_least: %s,
     cells: {s3.1/perceptron-alpha100: {model: perceptron}, fig1/convnet4-alpha100: {model: convnet4},
             s3.1/mnist-alpha100: {model: mlp1}}}
"""  # printed: 40, 91 and 90 %


def cells(perceptron: float, convnet: float, mlp: float) -> Number:
    where = {"perceptron": perceptron, "convnet4": convnet, "mlp1": mlp}
    return lambda r, s: where[r["model"]] + 0.002 * wobble(s, r["model"])


@pytest.mark.parametrize(
    ("found", "at_least", "verdict"),
    [
        ((0.40, 0.91, 0.90), 3, "reproduced"),
        ((0.40, 0.91, 0.70), 3, "contradicted"),
        ((0.40, 0.91, 0.70), 2, "reproduced"),
        ((0.60, 0.70, 0.70), 1, "contradicted"),
        ((0.40, 0.91, 0.85), 3, "inconclusive"),
    ],
)
def test_a_table_holds_each_cell_against_its_own_number(
    tmp_path: Path, found: tuple[float, float, float], at_least: int, verdict: str
) -> None:
    part = part_of(tmp_path, TABLE % at_least, cells(*found))
    assert part.verdict == verdict
    assert [number and number.value for number in part.numbers] == [0.40, 0.91, 0.90]
    agreeing = [check.verdict().value for check in part.checks].count("reproduced")
    assert part.beside["cells"].get("reproduced", 0) == agreeing


def test_a_table_shows_the_order_of_each_column_beside_it(tmp_path: Path) -> None:
    example = (TABLE % 3).replace("at_least: 3", "columns: noise.alpha").replace(", at: {noise.alpha: 100}", "")
    for model in ("perceptron", "convnet4", "mlp1"):
        example = example.replace(f"{{model: {model}}}", f"{{model: {model}, noise.alpha: 100}}")
    part = part_of(tmp_path, example, cells(0.40, 0.91, 0.92))  # two of three pairs in the printed order
    assert part.beside["columns"] == {"100": pytest.approx(1 / 3)}
    assert part.beside["predicted"] == 3


def test_the_parts_of_a_table_need_no_other_runs(tmp_path: Path) -> None:
    study = load_in_frame(tmp_path, TABLE % 3)
    assert len(needed_points(study, {"EX-01"})) == 3


# looks

LOOKS = """
seeds: {n: 10, looks: [4, 6, 10], pair: [noise]}
effects: {e: {metric: test_accuracy, at: {model: mlp1, noise.alpha: 0}}}
parts: {claim: {kind: above, effect: e, threshold: 0.8}}
"""


def test_the_first_look_that_decides_stands_whatever_comes_later(tmp_path: Path) -> None:
    claim = judged(tmp_path, LOOKS, lambda r, s: 0.9 + 0.001 * s if s < 4 else 0.2)
    assert claim.look is not None
    assert (claim.verdict, claim.look.seeds, claim.look.number, claim.look.of) == ("reproduced", 4, 1, 3)
    assert claim.parts["claim"].check.n == 4


def test_every_look_pays_for_all(tmp_path: Path) -> None:
    values = [0.805, 0.83, 0.83, 0.81]
    claim = judged(tmp_path, LOOKS, lambda r, s: values[s % 4], seeds=4)
    alone = reference.ttest_1samp(values, 0.8, alternative="greater").pvalue
    check = claim.parts["claim"].check
    assert alone < 0.05 < 3 * alone
    assert check.p_reproduced == pytest.approx(3 * alone)
    assert claim.verdict == "inconclusive"
    low, high = reference.ttest_1samp(values, 0.8).confidence_interval(1 - 0.1 / 3)
    assert check.details["alone"]["interval"] == pytest.approx((low, high))


def test_what_is_open_is_judged_again_at_the_next_look(tmp_path: Path) -> None:
    claim = judged(tmp_path, LOOKS, lambda r, s: [0.805, 0.83, 0.81][s % 3])
    assert claim.look is not None
    assert (claim.verdict, claim.look.seeds) == ("reproduced", 6)


def test_a_look_that_was_not_taken_leaves_the_one_before(tmp_path: Path) -> None:
    study = load_in_frame(tmp_path, LOOKS)
    number = accuracy(lambda r, s: [0.805, 0.83, 0.81][s % 3])
    (claim,) = judge(evidence_of(study, number, without=(4, 5, 6, 7, 8, 9))).claims
    assert claim.look is not None
    assert (claim.verdict, claim.look.seeds) == ("inconclusive", 4)


def test_more_seeds_than_the_first_look_takes_and_fewer_than_the_second_are_not_judged(tmp_path: Path) -> None:
    claim = judged(tmp_path, LOOKS, lambda r, s: [0.82, 0.83, 0.81, 0.82, 0.5][s % 5], seeds=5)
    assert (claim.verdict, claim.look) == ("not-run", None)
    assert claim.why.endswith("before a look that is planned (4 or 6 or 10 seeds)")
