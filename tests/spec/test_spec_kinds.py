"""What a study file may not say of effects and parts: one line at its place that says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.errors import SpecError
from lnbench.spec import Effect, LoadedStudy, Seeds, Table, load_study
from tests.toys.edited_study import BASELINE, STUDY, assert_problems, edited

# the toy with one claim, one tier and two numeric axes; a test puts in its effect and its part
FRAME = (
    STUDY[: STUDY.index("effects:\n")]
    + """\
effects:
  e: {EFFECT}
claims:
  - id: T-01
    says: So it is.
    quote: "so it is"
    where: {table: 1}
    verdict: p
    parts:
      p: {PART}
tiers:
  full: {deviations: []}
"""
)
VARY = "vary: {model: [perceptron, mlp1, convnet4], noise.alpha: [0, 10], optimizer.weight_decay: [0.1, 0.2, 0.4]}"
FRAME = edited(
    FRAME,
    ("vary: {model: [perceptron, mlp1, convnet4], noise.alpha: [0, 10]}", VARY),
    ("seeds: {n: 3, pair: [noise]}", "seeds: {n: 5, pair: [noise]}"),
)
AT = "at: {model: mlp1, noise.alpha: 0}"
DECAY = "optimizer.weight_decay"
AT_DECAY = f"at: {{model: mlp1, {DECAY}: 0.1}}"


def written(effect: str, part: str) -> str:
    return FRAME.replace("{EFFECT}", effect).replace("{PART}", part)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("claims", "baselines"):
        (tmp_path / name).mkdir()
    more = """\
  table1/mlp: {metric: test_accuracy, printed: "80", unit: percent, relation: equals, spread: none,
    spread_kind: unknown, n: unknown, where: {table: 1}, protocol: {selection: unknown}, source: table}
"""
    (tmp_path / "baselines" / "toy2020.yaml").write_text(BASELINE + more)
    return tmp_path


def loads(folder: Path, text: str) -> LoadedStudy:
    (folder / "claims" / "toy.yaml").write_text(text)
    return load_study(folder / "claims" / "toy.yaml")


def refuses(folder: Path, marked: str, *gists: str) -> None:
    with pytest.raises(SpecError) as caught:
        loads(folder, marked.replace("»", ""))
    assert_problems(caught.value, folder / "claims" / "toy.yaml", marked, list(gists))


SLOPE = f"{{metric: test_accuracy, {AT}, along: {{{DECAY}: slope}}}}"
TREND = "{kind: trend, effect: e, direction: up}"
PLAIN = f"{{metric: test_accuracy, {AT[:-1]}, {DECAY}: 0.1}}}}"
SHIFT = f"{{metric: test_accuracy, {AT}, minus: {{noise.alpha: 10}}, along: {{{DECAY}: argmax}}}}"
CROSS = f"{{metric: test_accuracy, {AT}, along: {{{DECAY}: crossing}}, rises_to: 0.5}}"
POINTS = (
    f"{{metric: test_accuracy, with: test_loss, at: {{noise.alpha: 0}}, along: {{model: pearson, {DECAY}: pearson}}}}"
)
RATIO = f"{{metric: test_loss, at: {{model: mlp1, noise.alpha: 10, {DECAY}: 0.1}}, over: {{noise.alpha: 0}}}}"
EXPONENT = f"{{metric: test_loss, {AT}, along: {{{DECAY}: exponent}}}}"
STEPS = f"{{metric: test_accuracy, {AT}, along: {{{DECAY}: steps}}}}"
CELLS = "{table1/net: {model: convnet4}, table1/mlp: {model: mlp1}}"
TABLE = f"{{kind: table, effect: e, margin: 0.05, because: b, cells: {CELLS}}}"
TABLED = f"{{metric: test_accuracy, at: {{noise.alpha: 0, {DECAY}: 0.1}}}}"

GOOD = [
    (SLOPE, TREND),
    (STEPS, "{kind: monotone, effect: e, direction: down}"),
    (STEPS, "{kind: equivalent, effect: e, margin: 0.01, because: flat at every step}"),
    (SHIFT, "{kind: shift, effect: e, direction: up, delta: 1}"),
    (CROSS, "{kind: within, effect: e, region: [0.15, 0.3]}"),
    (CROSS, "{kind: above, effect: e, threshold: 0.2}"),
    (PLAIN, "{kind: within, effect: e, region: [null, 0.9]}"),
    (PLAIN, "{kind: can_reach, effect: e, reference: table1/net, best_of: 5}"),
    (EXPONENT, "{kind: scaling, effect: e, region: [1, null]}"),
    (EXPONENT, "{kind: within, effect: e, region: [-1.0, 1]}"),
    (RATIO, "{kind: ratio, effect: e, region: [1.5, 2]}"),
    (POINTS, "{kind: correlation, effect: e, region: [0.5, 1], unit: point}"),
    (POINTS, "{kind: correlation, effect: e, region: [-1, 0.1], unit: seed}"),
    (TABLED, TABLE),
    (SLOPE.replace("slope", "kendall"), "{kind: below, effect: e, threshold: 0.5}"),
]


@pytest.mark.parametrize(("effect", "part"), GOOD, ids=[part for _, part in GOOD])
def test_what_may_be_said(folder: Path, effect: str, part: str) -> None:
    study = loads(folder, written(effect, part)).tiers["full"]
    assert study.spec.claims[0].parts["p"].effect == "e"


REFUSED = [
    # effects
    (SLOPE.replace("slope", "»gradient"), TREND, f"{DECAY}: 'gradient' is not known"),
    (CROSS.replace(", rises_to: 0.5", "").replace("along: ", "along: »"), TREND,
     "along: crossing of which level? give it as `rises_to` or `falls_to`"),
    (CROSS.replace("0.5", "0.5, falls_to: »0.4"), TREND, "falls_to: a crossing is from one side"),
    (CROSS.replace("rises_to: 0.5", "rises_to: »1.5"), "{kind: within, effect: e, region: [0.15, 0.3]}",
     "effect e: 1.5 is on or past the bounds of test_accuracy (0 to 1); no curve crosses it"),
    (SLOPE.replace("}}", "}, rises_to: »0.5}"), TREND, "rises_to: no axis is reduced by crossing"),
    (SLOPE.replace("}}", "}, interpolate: »log}"), TREND, "interpolate: is for a crossing"),
    (PLAIN.replace("at:", "minus: {noise.alpha: 10}, over: »{noise.alpha: 10}, at:"), TREND, "keep one of them"),
    (RATIO.replace("test_loss, at: {model: mlp1, noise.alpha: 10", "test_loss, at: {model: mlp1, noise.alpha: 0")
          .replace("over: {", "over: »{"), "{kind: ratio, effect: e, region: [1, 2]}", "divides a point by itself"),
    (SHIFT.replace("minus: {", "over: »{"), "{kind: shift, effect: e, direction: up}",
     "an optimum is compared by `minus`, which gives the shift in octaves"),
    (SHIFT.replace(f"{{{DECAY}: argmax}}", "{noise.alpha: »argmax}").replace("noise.alpha: 0}", f"{DECAY}: 0.1}}")
          .replace("minus: {noise.alpha: 10}", "minus: {model: perceptron}"),
     "{kind: shift, effect: e, direction: up}",
     "effect e: an optimum's shift is in octaves (log2), but noise.alpha takes 0; give it values above 0 only"),
    (EXPONENT.replace(AT, f"at: {{model: mlp1, {DECAY}: 0.1}}").replace(f"along: {{{DECAY}: ",
     "along: {noise.alpha: »"),
     "{kind: scaling, effect: e, region: [1, 2]}",
     "effect e: an exponent is a slope over log values, but noise.alpha takes 0"),
    (CROSS.replace(AT, AT_DECAY).replace(f"{{{DECAY}: crossing}}", "{noise.alpha: »crossing}")
          .replace("}, rises", "}, interpolate: log, rises"),
     "{kind: above, effect: e, threshold: 5}", "effect e: interpolate: log, but noise.alpha takes 0"),
    (f"{{metric: test_accuracy, at: {{model: mlp1}}, along: »{{noise.alpha: steps, {DECAY}: slope}}}}", TREND,
     "steps is a family of numbers, so nothing can follow it"),
    (f"{{metric: test_accuracy, along: »{{noise.alpha: slope, {DECAY}: slope, model: slope}}}}", TREND,
     "3 axes; at most two are reduced"),
    (SLOPE.replace("metric: test_accuracy", "metric: test_accuracy, with: »test_loss"), TREND,
     "two metrics are correlated along an axis"),
    (POINTS.replace(", with: test_loss", "").replace("along: ", "along: »"), TREND,
     "pearson of test_accuracy and what? name the other metric in `with`"),
    (POINTS.replace("with: test_loss", "with: »test_los"), TREND, "did you mean 'test_loss'?"),
    (POINTS.replace("with: test_loss", "with: »test_accuracy"), TREND, "correlated with itself"),
    (POINTS.replace(f"{DECAY}: pearson", f"{DECAY}: spearman").replace("along: ", "along: »"), TREND,
     "write pearson for each"),
    (f"{{metric: test_accuracy, with: test_loss, at: {{model: mlp1, {DECAY}: 0.1}}, along: »{{noise.alpha: pearson}}}}",
     "{kind: correlation, effect: e, region: [0, null], unit: seed}",
     "effect e: a correlation of 2 points; at least 3 must be visited"),
    # kinds and the effects that they are made for
    (PLAIN, "{kind: trend, effect: »e, direction: up}",
     "trend: the effect e has no tendency along an axis; write along:"),
    (SLOPE, "{kind: monotone, effect: »e, direction: up}", "the effect e has no steps along an axis"),
    (PLAIN, "{kind: shift, effect: »e, direction: up}", "the effect e is no shift of an optimum"),
    (SHIFT, "{kind: ordered, effect: »e}",
     "the effect e is the shift of an optimum, in octaves; judge it by kind: shift"),
    (SLOPE, "{kind: scaling, effect: »e, region: [1, 2]}", "the effect e is no exponent"),
    (PLAIN, "{kind: ratio, effect: »e, region: [1, 2]}", "the effect e is no ratio; write `over` in place of `minus`"),
    (RATIO, "{kind: above, effect: »e, threshold: 2}",
     "the effect e is the log of a ratio (`over`); judge it by kind: ratio"),
    (PLAIN, "{kind: correlation, effect: »e, region: [0.5, 1], unit: seed}", "the effect e is no correlation"),
    (POINTS, "{kind: above, effect: »e, threshold: 0.5}",
     "the effect e is a correlation; judge it by kind: correlation"),
    (f"{{metric: test_accuracy, with: test_loss, {AT}, along: {{{DECAY}: pearson}}}}",
     "{kind: correlation, effect: e, region: [0.5, 1], unit: »point}", "3 points; a sample of points needs at least 6"),
    # regions
    (PLAIN, "{kind: within, effect: e, region: »[null, null]}", "region: has no edge, so every outcome would pass"),
    (PLAIN, "{kind: within, effect: e, region: »[0.9, 0.8]}", "region: [0.9, 0.8] holds nothing"),
    (PLAIN, "{kind: within, effect: e, region: »[0.8, 0.8]}", "region: [0.8, 0.8] holds nothing"),
    (PLAIN, "{kind: within, effect: e, region: [0.8, »1]}",
     "region: 1 is on or past the bounds of test_accuracy (0 to 1); no run could miss or meet it, so write null"),
    (PLAIN, "{kind: within, effect: e, region: [0.8, »high]}", "region[1]: expected a number, not 'high'"),
    (PLAIN, "{kind: within, effect: e, region: [».nan, 0.9]}", "'.nan' is not a number that can be measured or set"),
    (PLAIN, "{kind: within, effect: e, region: »0.8}", "region: expected a list, not 0.8"),
    (CROSS, "{kind: within, effect: e, region: [0.15, »0.5]}",
     f"region: 0.5 is on or past the bounds of the axis {DECAY} (0.1 to 0.4)"),
    (RATIO, "{kind: ratio, effect: e, region: »[0, 2]}", "region: a ratio is above 0; write null for no edge"),
    (RATIO, "{kind: ratio, effect: e, region: »[-1, 2]}", "region: a ratio is above 0"),
    (POINTS, "{kind: correlation, effect: e, region: »[0.5, 1.2], unit: seed}", "a correlation lies between -1 and 1"),
    (POINTS, "{kind: correlation, effect: e, region: »[-1, 1], unit: seed}",
     "has no edge, so every outcome would pass"),
    (SHIFT, "{kind: shift, effect: e, direction: up, delta: »-1}", "delta: must be greater than or equal to 0"),
    (SHIFT, "{kind: shift, effect: e, direction: up, delta: »2}",
     f"delta 2 is as far as {DECAY} reaches (2 octaves) or further; no optimum could move by more"),
    (SLOPE, "{kind: trend, effect: e, direction: »rising}", "direction: 'rising' is not known"),
    (SLOPE.replace("slope", "kendall"), "{kind: above, effect: e, threshold: »1}",
     "on or past the bounds of Kendall's tau"),
    (PLAIN, "{kind: can_reach, effect: e, threshold: 0.9, best_of: »0}", "best_of: must be greater than or equal to 1"),
    (PLAIN, "»{kind: can_reach, effect: e, best_of: 2}", "can_reach: name a `reference`, or write a `threshold`"),
    # tables
    (TABLED, TABLE.replace("model: mlp1", "model: »mlp2"), "table: no run visits model = mlp2; it takes perceptron"),
    (TABLED, TABLE.replace("table1/mlp:", "»table1/perceptron:"), "no reference 'table1/perceptron'"),
    (TABLED, TABLE.replace("table1/mlp: {model: mlp1}", "»table1/mlp: {model: convnet4}"),
     "table: the cell of 'table1/mlp' is that of 'table1/net' too"),
    (TABLED, TABLE.replace("{model: mlp1}", "{model: mlp1, noise.alpha: »0}"),
     "table: the effect e says noise.alpha for all cells; leave it out here"),
    (TABLED.replace("noise.alpha: 0, ", ""),
     TABLE.replace("table1/net:", "»table1/net:").replace("mlp: {", "mlp: {noise.alpha: 0, "),
     "table: say at which noise.alpha the cell is; it takes 0, 10"),
    (TABLED.replace("noise.alpha: 0", "noise.alpha: [0, 10]"), TABLE.replace("effect: e", "effect: »e"),
     "table: the effect e is a family; a table's cells name its points"),
    (TABLED, TABLE.replace("margin: 0.05", "margin: »0.001"),
     "margin 0.001 is below half the last printed digit (0.005)"),
    (TABLED, TABLE.replace("margin: 0.05", "margin: »1"), "margin 1 covers all of test_accuracy"),
    (TABLED, TABLE.replace("because: b", "because: b, at_least: »3"), "at_least: 3 of 2 cells cannot agree"),
    (TABLED, TABLE.replace("because: b", "because: b, columns: »noise.alpha"),
     "the cell of 'table1/net' names no noise.alpha"),
    (TABLED, "{kind: table, effect: e, margin: 0.05, because: b, cells: »{}}", "cells: is empty"),
    (TABLED, TABLE.replace("because: b, ", "").replace("{kind", "»{kind"), "missing key 'because' in p"),
]  # fmt: skip


@pytest.mark.parametrize(("effect", "part", "gist"), REFUSED, ids=[gist for _, _, gist in REFUSED])
def test_what_may_not_be_said(folder: Path, effect: str, part: str, gist: str) -> None:
    refuses(folder, written(effect, part), gist)


@pytest.mark.parametrize(
    ("seeds", "gist"),
    [
        ("n: 5, looks: »[5, 4]", "looks: must rise, from 4 seeds or more"),
        ("n: 5, looks: »[3, 5]", "looks: must rise, from 4 seeds or more"),
        ("n: 5, looks: »[3, 3, 5]", "looks: must rise"),
        ("n: 10, looks: »[4, 5]", "looks: end at 5 seeds, but n is 10"),
        ("n: 5, looks: »[5]", "looks"),
        ("n: 5, looks: »3", "looks: expected a list, not 3"),
        ("n: 5, looks: [4, »4.5]", "looks[1]: expected a whole number, not 4.5"),
        ("n: 5, fresh: »10", "fresh: must be less than or equal to 9, not 10"),
        ("n: 5, fresh: »-1", "fresh: must be greater than or equal to 0, not -1"),
        ("n: 5, fresh: »maybe", "fresh: expected a whole number"),
    ],
)
def test_looks_rise_to_all_seeds_and_sets_are_few(folder: Path, seeds: str, gist: str) -> None:
    refuses(folder, written(SLOPE, TREND).replace("n: 5", seeds), gist)


def test_looks_as_they_should_be(folder: Path) -> None:
    study = loads(folder, written(SLOPE, TREND).replace("n: 5", "n: 5, looks: [4, 5]")).tiers["full"]
    assert study.spec.runs.seeds == Seeds(n=5, looks=(4, 5), pair=("noise",))


def test_an_effect_of_a_table_needs_all_its_axes_where_another_part_uses_it_too(folder: Path) -> None:
    marked = written("»" + TABLED, TABLE + "\n      q: {kind: above, effect: e, threshold: 0.5}")
    refuses(folder, marked, "effect e: say in `at` at which model")


def test_two_axes_are_reduced_in_the_order_written() -> None:
    effect = Effect.model_validate(
        {"metric": "test_accuracy", "along": {"dataset.clean": "crossing", "noise.alpha": "exponent"}, "rises_to": 0.9}
    )
    assert (effect.axes, effect.axis, effect.reducer) == (("dataset.clean", "noise.alpha"), "noise.alpha", "exponent")
    assert effect.goal == (0.9, True)


def test_a_tier_may_take_the_cells_of_a_table_away(folder: Path) -> None:
    text = written(TABLED, TABLE.replace("because: b", "because: b, at_least: 1"))
    fewer = "parts: {p: {cells: {table1/mlp: {model: mlp1}}, at_least: 1}}"
    text += f"  cpu: {{deviations: [one cell], claims: {{T-01: {{{fewer}}}}}}}\n"
    part = loads(folder, text).tiers["cpu"].spec.claims[0].parts["p"]
    assert isinstance(part, Table)
    assert list(part.cells) == ["table1/mlp"]
