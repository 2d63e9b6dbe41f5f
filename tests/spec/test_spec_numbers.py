"""Printed numbers: what a text of a paper is worth, and to which digit."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lnbench.errors import SpecError
from lnbench.spec import load_study
from lnbench.spec.baseline import parse_number
from tests.toys.edited_study import BASELINE, Folder, assert_problems, edited


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("23.2", (23.2, 0.1)),
        ("2,000", (2000.0, 1.0)),
        ("10,000", (10000.0, 1.0)),
        ("1,234,567.89", (1234567.89, 0.01)),
        ("0.01", (0.01, 0.01)),
        ("90", (90.0, 1.0)),
        ("90.0", (90.0, 0.1)),
        (".5", (0.5, 0.1)),
        ("5.", (5.0, 1.0)),
        ("-1", (-1.0, 1.0)),
        ("+0.3", (0.3, 0.1)),
        ("\u22120.5", (-0.5, 0.1)),
        ("91%", (91.0, 1.0)),
        ("91.5 %", (91.5, 0.1)),
        (" 7 ", (7.0, 1.0)),
        ("half", None),
        ("1e5", None),
        ("10,00", None),
        ("1,0000", None),
        ("1.2.3", None),
        ("%", None),
        ("", None),
        (".", None),
        ("-", None),
        ("nan", None),
        ("inf", None),
        ("١٢", None),
        ("9" * 400, None),
        ("0." + "0" * 400 + "1", None),
    ],
)
def test_a_printed_number_is_its_value_and_the_unit_of_its_last_digit(
    text: str, number: tuple[float, float] | None
) -> None:
    assert parse_number(text) == number


@given(st.text(max_size=60))
def test_any_text_is_a_finite_number_or_none(text: str) -> None:
    number = parse_number(text)
    assert number is None or (math.isfinite(number[0]) and 0 < number[1] <= 1)


@given(st.decimals(-(10**9), 10**9, places=4))
def test_a_number_that_is_printed_is_read_back(decimal: object) -> None:
    assert parse_number(f"{decimal:f}") == (float(str(decimal)), 0.0001)


def test_a_percentage_becomes_a_fraction_with_its_spread(toy: Folder) -> None:
    number = toy.load().any.baseline.references["table1/net"].number()
    assert number is not None
    assert (number.value, number.unit, number.spread, number.spread_unit) == pytest.approx((0.905, 0.001, 0.002, 0.001))
    assert (number.spread_kind, number.n, number.reading_error) == ("sd", 5, None)


def test_a_number_that_is_not_known_better_has_no_n_and_no_spread(toy: Folder) -> None:
    number = toy.load().any.baseline.references["fig1/net"].number()
    assert number is not None
    assert (number.n, number.spread, number.reading_error) == (None, None, pytest.approx(0.005))
    assert toy.load().any.baseline.references["text/half"].number() is None


def test_a_spread_must_be_a_number_or_none(toy: Folder) -> None:
    toy.baseline.write_text(toy.baseline.read_text().replace('spread: "0.2"', "spread: small"))
    with pytest.raises(Exception, match=r"toy2020\.yaml:10:\d+: spread: 'small' is neither a number nor none"):
        toy.load()


@pytest.mark.parametrize(
    ("edits", "gist"),
    [
        ([('n: 5, where: {table: 1}', 'n: »0, where: {table: 1}')], "n: "),
        ([('spread: "0.2"', 'spread: »"-0.2"')], "spread: -0.2 is negative"),
        ([('spread: "0.2"', 'spread: »"0.2"'), ("n: 5, ", "n: 1, ")], "one run has no spread; if it is taken over the"),
        ([('printed: "90.5", unit: percent', 'printed: »"90.5", unit: fraction')],
         'printed: 90.5 (fraction) is 90.5, and test_accuracy lies from 0 to 1'),
        ([('printed: "0.7", unit: none', 'printed: »"-0.7", unit: none')], "printed: -0.7 (none) is -0.7, and"),
    ],
)  # fmt: skip
def test_a_number_that_no_paper_could_print_is_refused_at_its_line(
    toy: Folder, edits: list[tuple[str, str]], gist: str
) -> None:
    marked = edited(BASELINE, *edits)
    toy.baseline.write_text(marked.replace("»", ""))
    with pytest.raises(SpecError) as caught:
        load_study(toy.study)
    assert_problems(caught.value, toy.baseline, marked, [gist])


def test_a_spread_over_the_epochs_of_one_run_is_no_spread_of_runs(toy: Folder) -> None:
    text = edited(BASELINE, ("spread_kind: sd,", "spread_kind: epochs,"), ("n: 5, ", "n: 1, "))
    toy.baseline.write_text(text)
    number = load_study(toy.study).any.baseline.references["table1/net"].number()
    assert number is not None and (number.spread, number.n, number.spread_kind) == (None, 1, "unknown")


def test_a_part_on_the_other_side_of_what_is_printed_is_refused(toy: Folder) -> None:
    numbers = edited(BASELINE, ('equals, spread: "0.2"', 'below, spread: "0.2"'))
    toy.baseline.write_text(numbers)
    part = "{kind: above, effect: net, reference: table1/net}"
    toy.refuses((part, part.replace("table1", "»table1")),
                because="the paper prints 'table1/net' as below 90.5; a part of kind above says the oppo")  # fmt: skip
