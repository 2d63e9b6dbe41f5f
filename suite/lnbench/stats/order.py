"""ordered (A above B) and equivalent ("no difference", "robust to", "matches")."""

from __future__ import annotations

from collections.abc import Sequence

from lnbench.stats.rule import judge_mean
from lnbench.stats.seeds import Flags, Values
from lnbench.stats.values import Check, Region


def ordered(
    differences: Values,
    delta: float = 0.0,
    *,
    step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    collapsed: Flags | None = None,
    limits: Values | None = None,
    counted: Sequence[int] | None = None,
) -> Check:
    """Check that A is above B by at least δ, in pairs: e_i = A - B of one seed, region [δ, ∞). See `rule.judge_mean`.

    δ = 0 unless the paper gives a size. collapsed (n,): True where a run of either arm collapsed. A pair of
    which one half is missing is NaN: an error.
    """
    region = Region.at_least(float(delta))
    return judge_mean(
        differences,
        region,
        step=step,
        alpha=alpha,
        looks=looks,
        collapsed=collapsed,
        limits=limits,
        counted=counted,
        kind="ordered",
    )


def equivalent(
    differences: Values,
    margin: float,
    *,
    step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    collapsed: Flags | None = None,
    limits: Values | None = None,
    counted: Sequence[int] | None = None,
) -> Check:
    """Check that no difference is larger than the margin, in pairs: region [-m, m]. See `rule.judge_mean`.

    Two arms that both collapsed are never "equivalent": a collapsed pair is on no good side.
    """
    return judge_mean(
        differences,
        Region.from_margin(0.0, margin),
        step=step,
        alpha=alpha,
        looks=looks,
        collapsed=collapsed,
        limits=limits,
        counted=counted,
        kind="equivalent",
    )
