"""Several checks: quotas, Holm, tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats as reference

from lnbench import stats
from lnbench.stats import Check, Printed, Verdict, unjudged


def parts(p_for: Sequence[float], p_against: Sequence[float] | None = None) -> list[Check]:
    against = [1 - p for p in p_for] if p_against is None else p_against
    return [Check(kind="mean", p_reproduced=a, p_contradicted=b) for a, b in zip(p_for, against, strict=True)]


def test_all_of_takes_the_largest_p_and_bonferroni_to_accuse() -> None:
    check = stats.partial_conjunction(parts([0.01, 0.03, 0.02], [0.9, 0.01, 0.8]))
    assert (check.p_reproduced, check.p_contradicted) == pytest.approx((0.03, 0.03))


def test_any_of_is_the_mirror_image() -> None:
    check = stats.partial_conjunction(parts([0.01, 0.9, 0.8], [0.9, 0.04, 0.02]), 1)
    assert (check.p_reproduced, check.p_contradicted) == pytest.approx((0.03, 0.9))
    assert stats.partial_conjunction(parts([0.5], [0.2]), 1).p_contradicted == 0.2


def test_a_quota_in_between() -> None:
    """3 of 5: (5 - 3 + 1)·p₍3₎ to reproduce, 3·p₍3₎ to contradict (Benjamini & Heller 2008)."""
    check = stats.partial_conjunction(parts([0.001, 0.2, 0.01, 0.9, 0.8], [0.9, 0.004, 0.8, 0.01, 0.005]), 3)
    assert check.p_reproduced == pytest.approx(3 * 0.2)
    assert check.p_contradicted == pytest.approx(3 * 0.01)


@pytest.mark.parametrize("q", [0, 4, -1])
def test_a_quota_lies_between_one_and_all(q: int) -> None:
    with pytest.raises(ValueError, match="at_least"):
        stats.partial_conjunction(parts([0.1, 0.2, 0.3]), q)


def test_parts_with_errors_count_against_nobody() -> None:
    broken = unjudged("mean", "half a pair")
    check = stats.partial_conjunction([*parts([0.001]), broken])
    assert check.verdict() is Verdict.ERROR
    assert check.error == "1 of 2 parts could not be judged: half a pair"
    assert stats.partial_conjunction([*parts([0.9], [0.001]), broken]).verdict() is Verdict.CONTRADICTED
    assert stats.partial_conjunction([*parts([0.001]), broken], 1).verdict() is Verdict.REPRODUCED


def test_composites_nest() -> None:
    inner = stats.partial_conjunction(parts([0.01, 0.02], [0.9, 0.9]), 1)
    outer = stats.partial_conjunction([inner, *parts([0.03], [0.9])])
    assert outer.p_reproduced == pytest.approx(0.03)
    assert outer.p_contradicted == 1.0


def test_holm_against_bonferroni_and_by_hand() -> None:
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([]) == []
    p = np.random.default_rng(0).random(20) ** 3
    adjusted = stats.holm(p)
    assert min(adjusted) == pytest.approx(20 * p.min())
    assert all(b <= min(1, 20 * a) + 1e-15 for a, b in zip(p, adjusted, strict=True))
    for bad in ([0.5, 1.5], [-0.1], [float("nan")]):
        with pytest.raises(ValueError, match="between 0 and 1"):
            stats.holm(bad)


def test_a_claim_that_was_not_run_still_counts_in_holm() -> None:
    assert stats.holm([0.02])[0] == 0.02
    assert stats.holm([0.02, 1.0, 1.0])[0] == pytest.approx(0.06)


# ---- tables ----


def cell(mean: float, printed: float, n: int = 5) -> Check:
    ours = mean + np.linspace(-0.2, 0.2, n)
    return stats.agrees(ours, Printed(printed, 0.1, 0.2, 0.1, "sd", 5), 1.0, step=0.01)


def test_a_table_by_quota() -> None:
    cells = [cell(90.0, 90.1), cell(80.0, 79.9), cell(70.0, 75.0)]
    assert stats.table(cells).verdict() is Verdict.CONTRADICTED  # all seeds of one cell are far off
    near = stats.table([*cells[:2], cell(70.0, 72.0)])  # off by less than three times their range: 3 cells, 2 edges
    assert near.verdict() is Verdict.INCONCLUSIVE and near.p_contradicted == pytest.approx(6 / 32)
    assert stats.seeds_to_decide(near) == 7  # 6/2⁷ is below .07, 6/2⁶ is not
    seven = [cell(90.0, 90.1, 7), cell(80.0, 79.9, 7), cell(70.0, 72.0, 7)]
    assert stats.table(seven).verdict() is Verdict.CONTRADICTED
    check = stats.table(cells, 2)
    assert check.verdict() is Verdict.REPRODUCED
    assert check.details["cells"] == {"reproduced": 2, "contradicted": 1}
    assert (check.details["outside_prediction"], check.details["predicted"]) == (1, 3)


def test_the_prediction_interval_has_no_margin() -> None:
    inside = cell(90.0, 90.0)
    reach = reference.t.ppf(0.975, inside.details["wide_df"]) * inside.details["wide_se"] + 0.05
    assert stats.outside_prediction(cell(90.0 + reach - 0.01, 90.0)) is False
    assert stats.outside_prediction(cell(90.0 + reach + 0.01, 90.0)) is True
    assert cell(90.0 + reach + 0.01, 90.0).verdict() is Verdict.REPRODUCED
    assert stats.outside_prediction(unjudged("agrees", "no seeds")) is None


def test_kendall_of_a_column_is_scipys() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 6, 12).astype(float), rng.integers(0, 6, 12).astype(float)
    assert stats.kendall_tau_b(x, y) == pytest.approx(reference.kendalltau(x, y).statistic)
    assert np.isnan(stats.kendall_tau_b([1, 1], [1, 2]))
    with pytest.raises(ValueError, match="against"):
        stats.kendall_tau_b([1], [1, 2])
