"""ordered (A above B, above C …) and equivalent ("no difference", "robust to", "matches")."""

from __future__ import annotations

from collections.abc import Sequence

from lnbench.stats.compose import partial_conjunction
from lnbench.stats.rule import judge_mean
from lnbench.stats.seeds import Flags, Values
from lnbench.stats.values import Check, Region
from lnbench.stats.welch import judge_difference


def ordered(
    differences: Values,
    delta: float = 0.0,
    *,
    step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    collapsed: Flags | None = None,
) -> Check:
    """A above B by at least δ, in pairs: e_i = A - B of one seed, region [δ, ∞). See `rule.judge_mean`.

    δ = 0 unless the paper gives a size. collapsed (n,): True where a run of either arm collapsed. A pair of
    which one half is missing is NaN: an error.
    """
    region = Region.at_least(float(delta))
    return judge_mean(differences, region, step=step, alpha=alpha, looks=looks, collapsed=collapsed, kind="ordered")


def ordered_unpaired(
    a: Values,
    b: Values,
    delta: float = 0.0,
    *,
    step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    collapsed_a: Flags | None = None,
    collapsed_b: Flags | None = None,
) -> Check:
    """A above B by at least δ where seeds cannot be paired: Welch, region [δ, ∞). See
    `welch.judge_difference`."""
    return judge_difference(
        a,
        b,
        Region.at_least(float(delta)),
        step=step,
        alpha=alpha,
        looks=looks,
        collapsed_a=collapsed_a,
        collapsed_b=collapsed_b,
        kind="ordered",
    )


def chain(
    steps: Sequence[Values],
    delta: float = 0.0,
    *,
    step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    collapsed: Sequence[Flags | None] | None = None,
    at_least: int | None = None,
) -> Check:
    """A above B above C …: steps[j] (n,) holds the paired differences of the j-th step; all of them, or
    `at_least`.

    collapsed: one mask a step. All of k steps: the largest p to reproduce, k times the smallest to contradict
    (`compose.partial_conjunction`). Raises ValueError if there are no steps.
    """
    masks = [None] * len(steps) if collapsed is None else collapsed
    if len(masks) != len(steps):
        raise ValueError(f"collapsed: expected one mask a step, {len(steps)}, not {len(masks)}")
    checks = [
        ordered(differences, delta, step=step, alpha=alpha, looks=looks, collapsed=mask)
        for differences, mask in zip(steps, masks, strict=True)
    ]
    return partial_conjunction(checks, len(checks) if at_least is None else at_least, kind="chain")


def equivalent(
    differences: Values,
    margin: float,
    *,
    step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    collapsed: Flags | None = None,
) -> Check:
    """No difference larger than the margin, in pairs: region [-m, m]. See `rule.judge_mean`.

    Two arms that both collapsed are never "equivalent": a collapsed pair is on no good side.
    """
    return judge_mean(
        differences,
        Region.from_margin(0.0, margin),
        step=step,
        alpha=alpha,
        looks=looks,
        collapsed=collapsed,
        kind="equivalent",
    )


def equivalent_unpaired(
    a: Values,
    b: Values,
    margin: float,
    *,
    step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    collapsed_a: Flags | None = None,
    collapsed_b: Flags | None = None,
) -> Check:
    """No difference larger than the margin where seeds cannot be paired: Welch, region [-m, m]."""
    return judge_difference(
        a,
        b,
        Region.from_margin(0.0, margin),
        step=step,
        alpha=alpha,
        looks=looks,
        collapsed_a=collapsed_a,
        collapsed_b=collapsed_b,
        kind="equivalent",
    )
