"""table and table_sides: margins cell by cell, words in place of numbers, sides; and `lead` along an axis of names."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from lnbench.errors import SpecError
from lnbench.judge import PartResult, judge, reduce
from lnbench.judge.power import powers
from lnbench.judge.reduce import Reading
from lnbench.report import markdown, result_to_json
from lnbench.report.explain import explain
from lnbench.spec import Study, load_study
from lnbench.spec.registration import registration
from tests.toys.table_world import SIDES, TABLE, Errors, as_printed, evidence_of, jitter, table_study, write_table


def part_of(study: Study, errors: Errors, name: str = "claim") -> PartResult:
    """The part, judged; the whole is also reported, explained and planned for."""
    result = judge(evidence_of(study, errors))
    assert markdown(result_to_json(result)) and explain(result, "TB-01") and powers(result)
    return result.claims[0].parts[name]


def printed(table: dict[tuple[str, str], tuple[str, str]]) -> Any:
    return lambda method, arm: table.get((method, arm), ("50.0", "none"))


def test_a_table_as_printed_is_reproduced_and_one_ten_points_off_is_contradicted(tmp_path: Path) -> None:
    study = table_study(tmp_path)
    assert part_of(study, as_printed(study)).verdict == "reproduced"
    assert part_of(study, as_printed(study, 0.1)).verdict == "contradicted"


def test_each_cell_has_the_larger_of_the_floor_and_its_printed_spreads(tmp_path: Path) -> None:
    prints = printed({("standard", "u20"): ("50.0", "3.0"), ("oracle", "u20"): ("50.0", "0.1")})
    study = table_study(tmp_path, prints=prints)
    part = part_of(study, lambda method, arm, seed: 0.54 + jitter(method, arm, seed))  # four points above all numbers
    found = {
        (member.at["method"], member.at["arm"]): (check.region.high, check.verdict().value)  # type: ignore[union-attr]
        for member, check in zip(part.members, part.checks, strict=True)
    }
    assert found["standard", "u20"] == (pytest.approx(0.06), "reproduced")
    assert found["oracle", "u20"] == (pytest.approx(0.02), "contradicted")
    assert found["oracle", "u40"] == (pytest.approx(0.02), "contradicted"), "no spread is printed: the floor"


@pytest.mark.parametrize(
    ("margin", "line"),
    [
        ("{floor: 0.0001, spreads: 2}", "margin 0.0001 is below half the last printed digit (0.0005)"),
        ("{floor: 0.01, spreads: 2, more: 1}", "more"),
        ("{floor: 0, spreads: 2}", "floor"),
        ("{floor: 0.01}", "spreads"),
        ("{floor: 0.01, spreads: 300}", "covers all"),
        ("0", "margin"),
        ("wide", "a number above 0, or {floor: 0.01, spreads: 2}"),
    ],
)
def test_a_margin_that_no_cell_could_have_is_refused_at_its_line(tmp_path: Path, margin: str, line: str) -> None:
    prints = printed({("oracle", "u20"): ("50.0", "0.5")})
    parts = f"      claim:\n        {{{TABLE.replace('{floor: 0.02, spreads: 2}', margin)}, cells: *cells}}\n"
    file = write_table(tmp_path, prints=prints, parts=parts)
    with pytest.raises(SpecError) as error:
        load_study(file)
    place = file.read_text(encoding="utf-8").split("margin:")[0].count("\n") + 1
    assert line in str(error.value) and f"{file.name}:{place}:" in str(error.value), str(error.value)


WORDS = printed({("oracle", "u20"): ("Diverged", "none"), ("oracle", "u40"): ("—", "none")})


@pytest.mark.parametrize(
    ("collapsed", "verdict"), [(5, "reproduced"), (4, "inconclusive"), (2, "inconclusive"), (0, "contradicted")]
)
def test_diverged_asks_that_half_of_the_runs_collapsed(tmp_path: Path, collapsed: int, verdict: str) -> None:
    study = table_study(tmp_path, prints=WORDS)
    usual = as_printed(study)

    def error(method: str, arm: str, seed: int) -> float | None:
        if (method, arm) == ("oracle", "u20"):
            return None if seed < collapsed else 0.3 + jitter(method, arm, seed)
        return 0.4 + jitter(method, arm, seed) if method == "oracle" else usual(method, arm, seed)

    part = part_of(study, error)
    place = [member.at["method"] for member in part.members].index("oracle")
    check = part.checks[place]
    assert check.verdict() == verdict
    assert check.details["successes"] == collapsed
    assert check.p_reproduced == pytest.approx(sum(math.comb(5, k) for k in range(collapsed, 6)) / 32)
    assert (part.verdict == "reproduced") == (collapsed == 5), "all four other cells agree"


def test_a_dash_is_not_judged_needs_no_run_and_counts_in_no_quota(tmp_path: Path) -> None:
    study = table_study(tmp_path, prints=WORDS)
    assert len(study.cells) == 5, "no run is planned where nothing is printed"
    part = part_of(study, as_printed(study))
    assert len(part.members) == 5 and part.verdict == "reproduced"
    assert part.check.details["at_least"] == 5
    data = result_to_json(judge(evidence_of(study, as_printed(study))))
    assert data["claims"][0]["parts"][0]["at_least"] == 5


def test_a_quota_that_only_words_could_fill_is_refused(tmp_path: Path) -> None:
    parts = f"      claim: {{{TABLE}, at_least: 6, cells: *cells}}\n"
    with pytest.raises(SpecError, match="at_least: 6 cells, but only 5 of 6 can be judged"):
        load_study(write_table(tmp_path, prints=WORDS, parts=parts))


def test_other_words_are_refused_at_their_cell(tmp_path: Path) -> None:
    file = write_table(tmp_path, prints=printed({("oracle", "u40"): ("upper half", "none")}))
    with pytest.raises(SpecError) as error:
        load_study(file)
    text = file.read_text(encoding="utf-8")
    line = text.split("t1/oracle-u40:")[0].count("\n") + 1
    assert f"tables.yaml:{line}:" in str(error.value)
    assert "prints 'upper half', not a number in digits, nor 'Diverged' or '—'" in str(error.value)


def test_a_word_is_no_number_for_any_other_kind(tmp_path: Path) -> None:
    parts = "      claim: {kind: agrees, effect: one, reference: t1/oracle-u20, margin: 0.01, because: x}\n"
    parts += f"      table: {{{TABLE}, cells: *cells}}\n"
    effects = "  one: {metric: test_error, at: {method: oracle, arm: u20}}\n"
    with pytest.raises(SpecError, match="prints 'Diverged', not a number in digits"):
        load_study(write_table(tmp_path, prints=WORDS, parts=parts, effects=effects))


# sides

PRINTS = {
    ("standard", "u20"): ("20.0", "0.2"), ("standard", "u40"): ("40.0", "0.2"),
    ("random_weights", "u20"): ("18.0", "0.2"), ("random_weights", "u40"): ("45.0", "0.2"),
    ("oracle", "u20"): ("20.0", "0.2"), ("oracle", "u40"): ("10.0", "0.2"),
}  # fmt: skip
CLAIM = f"      claim: {{{SIDES}, cells: *cells}}\n"


def sides(tmp_path: Path, **options: Any) -> Study:
    return table_study(tmp_path, **{"prints": printed(PRINTS), "parts": CLAIM, **options})


def test_a_side_is_that_of_the_printed_numbers_and_equal_ones_hold_nothing(tmp_path: Path) -> None:
    study = sides(tmp_path)
    part = part_of(study, as_printed(study))
    regions = {
        (member.at["method"], member.at["arm"]): check.region
        for member, check in zip(part.members, part.checks, strict=True)
    }
    assert set(regions) == {("random_weights", "u20"), ("random_weights", "u40"), ("oracle", "u40")}
    assert regions["random_weights", "u20"].high == 0 and regions["random_weights", "u40"].low == 0  # type: ignore
    assert part.verdict == "reproduced"
    assert [number.value for number in part.numbers if number] == pytest.approx([-0.02, 0.05, -0.3])


def test_cells_on_the_other_side_contradict_and_noise_decides_nothing(tmp_path: Path) -> None:
    study = sides(tmp_path)
    mirrored = {"standard": 0.3, "random_weights": 0.35, "oracle": 0.2}

    def other(method: str, arm: str, seed: int) -> float:
        return mirrored[method] * (1 if arm == "u20" else 0.5) + jitter(method, arm, seed)

    assert part_of(study, other).verdict == "contradicted"  # random_weights, u20: printed below standard
    assert part_of(study, lambda method, arm, seed: 0.3 + jitter(method, arm, seed, 0.05)).verdict == "inconclusive"


def test_sides_are_judged_in_pairs(tmp_path: Path) -> None:
    """Seeds that differ by more than the methods do: only the pairs tell these apart."""
    study = sides(tmp_path, arms=("u20",), methods=("standard", "random_weights"))

    def error(method: str, arm: str, seed: int) -> float:
        return 0.2 + 0.05 * seed - (0.01 + jitter(method, arm, seed, 0.001) if method == "random_weights" else 0)

    assert part_of(study, error).verdict == "reproduced"


@pytest.mark.parametrize(
    ("cells", "against", "words"),
    [
        ([("random_weights", "u20"), ("standard", "u40")], "standard", "no cell at method standard, arm u20"),
        (None, "nobody", "no run visits method = nobody"),
        ([("standard", "u20")], "standard", "no cell says anything that can be judged"),
    ],
)
def test_what_no_cell_can_be_compared_with_is_refused(
    tmp_path: Path, cells: list[tuple[str, str]] | None, against: str, words: str
) -> None:
    parts = CLAIM.replace("method: standard", f"method: {against}")
    with pytest.raises(SpecError, match=words):
        load_study(write_table(tmp_path, prints=printed(PRINTS), parts=parts, cells=cells))


def test_what_is_registered_is_what_is_judged(tmp_path: Path) -> None:
    """Another print, side or margin is another registration; rows and columns are shown only."""

    def registered(name: str, **options: Any) -> Any:
        study = table_study(tmp_path / name, **options)
        return registration(study.spec, study.baseline)["claims"]

    first = registered("a")
    assert (
        registered("b", parts=f"      claim: {{{TABLE.replace('rows: method, columns: arm, ', '')}, cells: *cells}}\n")
        == first
    )
    assert (
        registered("c", parts=f"      claim: {{{TABLE.replace('spreads: 2', 'spreads: 3')}, cells: *cells}}\n") != first
    )
    one = registered("d", prints=printed(PRINTS), parts=CLAIM)
    moved = {**PRINTS, ("standard", "u20"): ("17.0", "0.2")}  # the side of its neighbour changes
    assert registered("e", prints=printed(moved), parts=CLAIM) != one


# lead


def test_lead_is_how_far_the_last_level_lies_below_the_lowest_of_the_others() -> None:
    readings = [
        Reading(0.30, 0.001, False),
        Reading(0.22, 0.001, False),
        Reading(0.25, 0.001, False),
        Reading(0.2, 0.001, False),
    ]
    found = reduce.reduce("lead", [0, 1, 2, 3], readings)
    assert found.value == pytest.approx(0.02) and found.step == 0.001 and not found.collapsed
    assert reduce.reduce("lead", [0, 1], [readings[0], Reading(0.9, 0.001, True)]).collapsed
    assert reduce.reduce("lead", [0, 1], [readings[0], Reading(float("inf"), 0.0, False, 3.0)]).collapsed


def test_lead_and_gain_run_over_names_in_the_order_of_the_file(tmp_path: Path) -> None:
    effects = """\
  own: {metric: test_error, at: {arm: u20}, along: {method: lead}, levels: {method: [standard, oracle, random_weights]}}
  grows: {metric: test_error, along: {method: lead, arm: gain}, levels: {method: [standard, oracle, random_weights]}}
"""
    parts = f"      claim: {{{TABLE}, cells: *cells}}\n"
    parts += "      own: {kind: ordered, effect: own}\n      grows: {kind: ordered, effect: grows}\n"
    study = table_study(tmp_path, effects=effects, parts=parts, arms=("u80", "u20"))  # written order is not the sorted
    numbers = {"standard": {"u80": 0.5, "u20": 0.3}, "oracle": {"u80": 0.45, "u20": 0.4},
               "random_weights": {"u80": 0.4, "u20": 0.2}}  # fmt: skip
    result = judge(evidence_of(study, lambda method, arm, seed: numbers[method][arm] + 0.001 * seed))
    parts_found = result.claims[0].parts
    assert parts_found["own"].members[0].values == pytest.approx([0.1] * 5)  # 0.3 - 0.2
    assert parts_found["grows"].members[0].values == pytest.approx([0.05] * 5)  # 0.10 at u20, the later; 0.05 at u80
    assert "points" in explain(result, "TB-01")


def test_only_gain_and_lead_run_over_names(tmp_path: Path) -> None:
    effects = "  own: {metric: test_error, at: {arm: u20}, along: {method: slope}}\n"
    parts = f"      claim: {{{TABLE}, cells: *cells}}\n      own: {{kind: ordered, effect: own}}\n"
    with pytest.raises(SpecError, match="method is not numeric"):
        load_study(write_table(tmp_path, effects=effects, parts=parts))


@pytest.mark.parametrize(("wanted", "holds"), [("at_least: 3, ", True), ("at_least: 4, ", False), ("", False)])
def test_the_direction_of_a_table_holds_where_as_many_cells_as_it_asks_for_are_there(
    tmp_path: Path, wanted: str, holds: bool
) -> None:
    """Of four cells that are compared one is moved to the other side."""
    study = table_study(tmp_path, parts=f"      claim: {{{SIDES}, {wanted}cells: *cells}}\n")
    errors = as_printed(study)

    def moved(method: str, arm: str, seed: int) -> float | None:
        found, standard = errors(method, arm, seed), errors("standard", arm, seed)
        assert found is not None and standard is not None
        return 2 * standard - found if (method, arm) == ("oracle", "u40") else found

    (claim,) = judge(evidence_of(study, moved)).claims
    assert len(claim.parts["claim"].checks) == 4
    assert claim.parts["claim"].direction_holds is holds
