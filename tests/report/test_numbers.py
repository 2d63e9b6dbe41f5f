"""Numbers for readers: three digits that mean something, a power of ten written out, intervals whose ends differ."""

from __future__ import annotations

import pytest

from lnbench.report.numbers import as_written, significant
from lnbench.report.units import Unit

PLAIN = Unit(1.0, "", None)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (0.0020021, "0.00200"),
        (7.297e-5, "7.30 × 10⁻⁵"),
        (-2.5e-5, "−2.50 × 10⁻⁵"),
        (12263.4, "12,263"),
        (9999.4, "9,999"),
        (-1.4, "−1.40"),
        (0.99961, "0.9996"),  # not 1.00
        (1.0, "1.00"),
        (0.0, "0"),
        (3.2e12, "3.20 × 10¹²"),
    ],
)
def test_a_number_has_three_digits_that_mean_something(x: float, text: str) -> None:
    assert significant(x) == text


@pytest.mark.parametrize(
    ("x", "text"),
    [(1e-8, "10⁻⁸"), (5e-5, "5 × 10⁻⁵"), (0.0001, "0.0001"), (2_500_000, "2,500,000"), (0.95, "0.95"), (-2.3, "−2.3")],
)
def test_what_somebody_wrote_keeps_its_digits(x: float, text: str) -> None:
    assert as_written(x) == text


def test_an_interval_shares_one_power_of_ten_and_its_ends_differ() -> None:
    assert PLAIN.interval((6.263e-5, 6.909e-5)) == "[6.26, 6.91] × 10⁻⁵"
    assert PLAIN.interval((1.9931, 1.9934)) == "[1.9931, 1.9934]"
    assert PLAIN.interval((-1.076e-3, -7.691e-4)) == "[−0.001076, −0.000769]"
    assert PLAIN.interval((7.3e-5, 6.11e-4)) == "[0.0000730, 0.0006110]"
    assert PLAIN.interval((-0.00369, 0.0000821)) == "[−0.003690, 0.000082]"


def test_what_floats_leave_of_a_zero_end_is_zero() -> None:
    assert PLAIN.interval((0.3 - 0.1 - 0.2, 0.5), (0.0,)) == "[0.00, 0.50]"
    assert PLAIN.number(1e-300, near=(-0.1, 0.1)) == "0.0"
    assert PLAIN.number(5e-324).endswith(" × 10⁻³⁰⁰")  # no division by 10⁻³²⁴, which is 0


def test_an_effect_is_written_like_the_interval_around_it() -> None:
    assert PLAIN.amount(-9.226e-5, like=(-1.076e-4, -7.691e-5)) == "−0.0000923"
    assert PLAIN.amount(-9.226e-5) == "−9.23 × 10⁻⁵"


def test_no_end_of_an_interval_is_put_on_an_edge_that_it_is_not_on() -> None:
    assert PLAIN.interval((7.99, 8.00012), (8.0,)) == "[7.9900, 8.0001]"
    assert PLAIN.interval((0.4996, 0.61), (0.5,)) == "[0.4996, 0.6100]"
