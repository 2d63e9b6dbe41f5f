"""A number next to an edge is written on its own side of it: rendered order is true order, for every metric."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lnbench.digits import digits_apart, places_apart, same
from lnbench.judge import DriftResult, Member, StudyResult, judge
from lnbench.judge.kinds.wording import p_words
from lnbench.report import junit, markdown, result_to_json
from lnbench.report.explain import explain
from lnbench.report.numbers import computed_edge, significant
from lnbench.report.units import NOISE, SHARE, Shown, Unit, percent, range_words
from lnbench.report.words import part_line
from tests.toys.claims_page import believable, evidence_of, load_in_frame

UNITS = [
    Unit(100.0, "%", 2),
    Unit(100.0, "%", 1),
    Unit(100.0, "points", 2),
    Unit(1.0, "", None),
    Unit(1.0, "", None, ratio=True),
    Unit(1.0, "octaves", None),
    Unit(100.0, "points per unit", None),
    Unit(100.0, SHARE, 1),
]
EXPONENT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
NUMBER = re.compile(r"[−-]?[0-9][0-9,]*(?:\.[0-9]+)?(?: × 10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)?|10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")


def read(words: str) -> float:
    """The number that a reader reads."""
    factor, _, power = words.strip().replace("−", "-").replace(",", "").partition(" × 10")
    if re.fullmatch(r"10[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+", factor):
        factor, power = "1", factor[2:]
    return float(f"{factor}e{power.translate(EXPONENT) or 0}")


def read_interval(words: str) -> tuple[float, float]:
    inside, _, rest = words.removeprefix("[").partition("]")
    low, high = inside.split(", ")  # a comma without a blank groups thousands
    power = rest[: rest.find(" ", 3) % (len(rest) + 1)] if rest.startswith(" × ") else ""
    return read(low + power), read(high + power)


def order(a: float, b: float, noise: float = 0.0) -> int:
    return 0 if same(a, b, noise) else -1 if a < b else 1


def seen(a: float, b: float) -> int:
    """The order of two numbers as they were read."""
    return 0 if math.isclose(a, b, rel_tol=1e-15, abs_tol=1e-300) else -1 if a < b else 1


def pairs(count: int, unit: Unit | None = None) -> list[tuple[float, float]]:
    """(value, edge): far apart, as near as floats go, and equal; of every size, percentages up to 1,000."""
    draw = random.Random(7)
    percentage = unit is not None and unit.decimals is not None
    sizes = [-4, -2, -1, 0, 1, 2, 3] if percentage else [-7, -4, -2, 0, 0, 0, 1, 2, 4, 10]
    found = []
    for _ in range(count):
        edge = round(draw.uniform(-1, 1), draw.randrange(5)) * 10.0 ** draw.choice(sizes)
        gap = 10.0 ** draw.uniform(-14, 0.5) * draw.choice([-1, 0, 1]) * (abs(edge) or 1.0)
        found.append((edge + gap, edge))
    return found


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: f"{unit.name}{unit.decimals}")
def test_a_number_is_on_its_side_of_an_edge_and_on_the_edge_where_it_is_equal(unit: Unit) -> None:
    noise = NOISE if unit.decimals is not None else 0.0
    for x, edge in pairs(1500, unit):
        words, said = unit.number(x, (edge,)), unit.edge(edge, (x,)).removesuffix(unit.name)
        assert seen(read(words), read(said)) == order(x, edge, noise), (x, edge, words, said)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: f"{unit.name}{unit.decimals}")
def test_an_interval_lies_to_an_edge_and_to_its_effect_as_it_does_truly(unit: Unit) -> None:
    draw, noise = random.Random(8), NOISE if unit.decimals is not None else 0.0
    for x, edge in pairs(800, unit):
        half = 10.0 ** draw.uniform(-6, 0) * (abs(x) if abs(x) > 1e-3 else 1.0)
        ends = draw.choice([(x - half, x + half), (edge, edge + 2 * half), (x, x + half)])
        middle = (ends[0] + ends[1]) / 2
        shown = read_interval(unit.interval(ends, (edge,), (middle,)))
        effect = read(unit.number(middle, (edge,), near=ends))
        for end, true in zip(shown, ends, strict=True):
            assert seen(end, edge) == order(true, edge, noise), (ends, edge, shown)
        assert seen(shown[0], effect) <= 0 <= seen(shown[1], effect)
        assert shown[0] < shown[1] or same(*ends, noise)


def test_digits_stop_where_only_rounding_is_left() -> None:
    assert Unit(100.0, "%", 2).number(100 * (0.1 + 0.2), (30.0,)) == "30.00"
    assert Unit(100.0, "points", 2).number(100 * (0.93 - 0.92 - 0.01), (0.0,)) == "0.00"
    assert significant(0.1 + 0.2, 3, (0.3,)) == "0.300"
    assert all(places_apart(x, 2, (edge,)) <= 2 + 13 - min(0, math.floor(math.log10(abs(edge) or 1)))
               for x, edge in pairs(2000))  # fmt: skip
    assert Unit(100.0, "%", 2).number(93.1234567, (90.0,)) == "93.12"  # and there are no more than are needed


def test_a_percentage_is_none_of_100_or_0_that_is_not() -> None:
    assert percent(0.99998) == "99.998 %"
    assert percent(0.00001) == "0.001 %"
    assert (percent(1.0), percent(0.0)) == ("100.00 %", "0.00 %")


@pytest.mark.parametrize("p", [0.0501, 0.05000001, 0.0499999, 0.050000000001, 0.05, 0.00100002])
def test_a_p_value_is_on_its_side_of_its_level(p: float) -> None:
    for level in (0.05, 0.001):
        assert seen(float(p_words(p, level)), level) == order(p, level)


def test_an_edge_that_was_computed_is_short_unless_a_number_is_next_to_it() -> None:
    share = 100 * (1 - 0.5 ** (1 / 3))
    assert computed_edge(share) == "20.6"
    assert computed_edge(share, (20.61,)) == "20.63"
    assert Unit(100.0, SHARE, 1).number(20.61, (share,)) == "20.61"
    assert computed_edge(0.8) == "0.8"
    for x, edge in pairs(3000):
        assert seen(read(significant(x, 5, (edge,))), read(computed_edge(edge, (x,), 5))) == order(x, edge)
        assert digits_apart(x, 3, (edge,)) <= 13


def losses(middle: float, wide: float) -> Callable[[dict[str, Any], int], dict[str, float]]:
    return lambda recipe, seed: {**believable(recipe, seed), "test_loss": middle + wide * (seed - 2)}


AT_MOST = """
effects:
  loss: {metric: test_loss, at: {model: convnet4, noise.alpha: 100}}
parts:
  claim: {kind: below, effect: loss, threshold: 1.0}
"""


def everywhere(result: StudyResult) -> dict[str, str]:
    """What each place says of the claim."""
    data = result_to_json(result)
    (claim,) = data["claims"]
    return {
        "page": markdown(data),
        "explain": explain(result, claim["id"]),
        "terminal": part_line(claim["parts"][0]),
        "junit": junit(data),
    }


def test_a_loss_just_above_its_edge_is_seen_above_it_everywhere(tmp_path: Path) -> None:
    """It said "1 [1, 1]; required: at most 1; contradicted"."""
    result = judge(evidence_of(load_in_frame(tmp_path, AT_MOST), losses(1.0000003, 1e-7)))
    assert result.claims[0].verdict == "contradicted"
    for where, words in everywhere(result).items():
        assert "1.0000003" in words, where
        assert "at most 1" in words, where
        assert not re.search(r"measured 1(\.0*)? |\[1(\.0*)?, ", words), where
    page = everywhere(result)["page"]
    seeds = re.search(r"\| convnet4, noise\.alpha 100: test\\_loss \|([^\n]+)\|\n", page)
    assert seeds is not None
    numbers = [read(cell) for cell in seeds[1].split("|")]
    assert sum(number > 1 for number in numbers) == 5


def test_a_loss_on_its_edge_is_shown_on_it(tmp_path: Path) -> None:
    result = judge(evidence_of(load_in_frame(tmp_path, AT_MOST), losses(1.0, 0.25)))
    assert "measured 1.00 (90 % interval" in everywhere(result)["page"].replace("\\", "")


def test_what_is_shown_of_a_seed_or_a_wide_interval_is_on_its_side_too() -> None:
    view = Shown(Unit(100.0, "%", 2), 89.9991, False, (89.99, 90.001), (89.0, 90.004), (90.0, math.inf), 91.0,
                 (89.999,), 0.9, (0.0, 100.0))  # fmt: skip
    assert view.effect_words() == "89.999 %"
    assert view.interval_words() == "[89.99, 90.001] %"
    assert view.ends_words((89.0, 90.004)) == "[89.00, 90.004] %"
    assert view.number(99.9999) == "99.9999" and view.number(90.999) == "90.999"
    assert range_words((0.0, math.inf), view.unit) == "above 0 %"


@pytest.mark.parametrize(("before", "now"), [(0.12345671, 0.12345674), (0.5, math.nan), (1.0, 1.0000003)])
def test_a_number_that_drifted_is_seen_to_differ(before: float, now: float) -> None:
    member = Member("accuracy", {}, None, (now,), (3,), (False,), 0.0, 1)
    drift = DriftResult("e", member, (3,), (before,), (now,), (1e-9,))
    found = re.search(r"seed 3 gives (\S+), was (\S+) ", drift.words)
    assert drift.drifted and found is not None
    assert found[1] != found[2]
