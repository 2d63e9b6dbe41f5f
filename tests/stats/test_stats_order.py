from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as reference

from lnbench import stats
from lnbench.stats.welch import welch
from tests.stats.run_cases import student

A = [0.92, 0.95, 0.93, 0.96, 0.91]
B = [0.90, 0.92, 0.94, 0.91, 0.88]


def test_ordered_is_the_paired_t_test() -> None:
    check = student(stats.ordered(np.subtract(A, B)))
    assert check.p_reproduced == pytest.approx(reference.ttest_rel(A, B, alternative="greater").pvalue)
    assert student(stats.ordered(np.subtract(A, B), 0.01)).p_reproduced > check.p_reproduced


def test_students_sleep_data() -> None:
    """Student (1908): ten patients, second drug less first; t = 4.0621 with 9 df, p = .00142 one-sided."""
    gain = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
    check = stats.ordered(gain, step=0.1)
    assert check.effect is not None
    assert check.se is not None
    assert check.effect / check.se == pytest.approx(4.0621, abs=5e-5)
    assert check.p_reproduced == pytest.approx(0.002833 / 2, abs=5e-7)


def test_welch_of_tiny_numbers() -> None:
    se, df = welch(1e-120, 4, 2e-120, 4)
    assert se == pytest.approx(math.sqrt(5) * 1e-120)
    assert df == pytest.approx(25 / (1 / 4 + 16 / 4))
    assert welch(0.0, 4, 0.0, 3) == (0.0, 7)
