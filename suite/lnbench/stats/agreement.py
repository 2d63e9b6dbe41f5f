"""agrees: our seeds against a number that a paper printed; drift: against our own earlier seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lnbench.stats.collapse import judge_typical
from lnbench.stats.normal_order import expected_max_of_normals, expected_range_of_normals
from lnbench.stats.rule import confidence_interval, judge_summary, p_outside, upper_tail
from lnbench.stats.seeds import (
    FEWEST_SEEDS,
    TOO_FEW,
    Flags,
    Floats,
    Mask,
    Values,
    as_mask,
    as_seeds,
    check_arguments,
    data_problem,
    nearly_equal,
    spread,
)
from lnbench.stats.values import Check, Interval, Region, unjudged
from lnbench.stats.welch import welch

SPREAD_KINDS = ("unknown", "sd", "sd_sample", "se", "ci95", "range")
_DF_OF_UNKNOWN_N = 2.0  # as of three runs, the usual number where a paper does not say


@dataclass(frozen=True, slots=True, kw_only=False)
class Printed:
    """A number as printed, in the metric's unit: "23.2 ± 0.2" is Printed(23.2, .1, .2, .1, "sd", 4).

    mean; unit: its last digit (.1 for "23.2"). spread, spread_unit: as printed and its last digit (default:
    `unit`). kind: "sd" (divided by n0, as numpy's std does), "sd_sample" (stated with n0 - 1), "se", "ci95"
    (half-width), "range" (max - min) or "unknown". n: runs behind it, None if unknown. reading_error: for a
    value read off a figure, stands for half a last digit. Raises ValueError on what cannot have been printed.
    """

    mean: float
    unit: float
    spread: float | None = None
    spread_unit: float | None = None
    kind: str = "unknown"
    n: int | None = None
    reading_error: float | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.mean):
            raise ValueError(f"a printed mean must be finite, not {self.mean}")
        for name in ("unit", "spread", "spread_unit", "reading_error"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} must be finite and at least 0, not {value}")
        if self.kind not in SPREAD_KINDS:
            raise ValueError(f"unknown spread kind {self.kind!r}; one of {', '.join(SPREAD_KINDS)}")
        if self.n is not None and self.n < 1:
            raise ValueError(f"n must be at least 1 or None, not {self.n}")
        if self.spread is not None and self.n == 1:
            raise ValueError("one run has no spread: n = 1 beside a printed spread")

    @property
    def half_digit(self) -> float:
        """u0/2, or the reading error of a value read off a figure."""
        return self.unit / 2 if self.reading_error is None else self.reading_error


@dataclass(frozen=True, slots=True)
class PaperLuck:
    """S0, the standard error of a printed mean, and its df.

    `ours` is set for a lone number: then S0 = ours·s1 and it has no df of its own.
    """

    S0: float
    df: float
    ours: float | None = None
    notes: tuple[str, ...] = ()


def paper_luck(printed: Printed, sd_ours: float) -> PaperLuck:
    """S0 of a printed number. v = spread, u its last digit (so an sd of "0.0" counts as u/2), df0 = n0 - 1 or
    2.

    sd: (v + u/2)/√(n0 - 1); sd_sample: (v + u/2)/√n0; se: v + u/2; ci95: (v + u/2)/1.96; range: (v +
    u)/(d2·√n0), d2 the expected range of n0 unit normals. Kind unknown, or sd or range with n0 unknown: v +
    u/2, larger than any reading. No spread: 2·s1/√n0 (n0 = 1 if unknown), safe for a paper whose runs vary up
    to twice as much as ours.
    """
    n0 = printed.n
    if printed.spread is None:
        factor = 2 / math.sqrt(n0 or 1)
        note = "no spread printed: the paper's runs are allowed to vary twice as much as ours"
        return PaperLuck(factor * sd_ours, math.nan, factor, (note,))
    unit = printed.unit if printed.spread_unit is None else printed.spread_unit
    cautious = printed.spread + unit / 2
    df = float(n0 - 1) if n0 is not None else _DF_OF_UNKNOWN_N
    if printed.kind == "se":
        return PaperLuck(cautious, df)
    if printed.kind == "ci95":
        return PaperLuck(cautious / 1.96, df)
    if printed.kind == "unknown":
        return PaperLuck(
            cautious, df, notes=("the kind of the printed spread is unknown: taken at its widest",)
        )
    if n0 is None:
        note = f"{printed.kind} of an unknown number of runs: the printed spread is taken at its widest"
        return PaperLuck(cautious, df, notes=(note,))
    if printed.kind == "sd":
        return PaperLuck(cautious / math.sqrt(n0 - 1), df)
    if printed.kind == "sd_sample":
        return PaperLuck(cautious / math.sqrt(n0), df)
    return PaperLuck((printed.spread + unit) / (expected_range_of_normals(n0) * math.sqrt(n0)), df)


def agrees(
    values: Values,
    printed: Printed,
    margin: float,
    *,
    step: float = 0.0,
    alpha: float = 0.05,
    looks: int = 1,
    collapsed: Flags | None = None,
) -> Check:
    """Our mean lies within `margin` of the number as printed.

    Effect ê = mean - x0, region [-m, m]. p_reproduced: x0 is a constant, se = s1/√n1, df = n1 - 1.
    p_contradicted: further away than m even allowing for the paper's own luck, h = m + u0/2, se² = s1²/n1 +
    S0², Welch's df (a lone number: n1 - 1); its interval is `contradiction_interval`. In the metric's own
    unit: details "mean", "mean_interval", "mean_contradiction_interval".

    values (n,), one a seed (for a printed best of k: `best_of_blocks`). Raises ValueError for a margin that
    is negative or smaller than u0/2: no number can be known better than it was printed.
    """
    check_arguments(alpha, looks, step)
    region = Region.from_margin(0.0, margin)
    half = printed.half_digit
    if margin < half * (1 - 1e-9):
        raise ValueError(f"margin {margin:g} is smaller than half the printed last digit, {half:g}")
    seeds = as_seeds(values)
    mask = as_mask(collapsed, seeds.size)
    problem = data_problem(seeds, mask, step)
    if problem is not None:
        return unjudged("agrees", problem, region=region, n=seeds.size, step=step, alpha=alpha)
    if mask.any():
        return _agrees_typically(seeds, mask, printed, region, step, alpha, looks)
    n = int(seeds.size)
    mean = float(np.mean(seeds))
    effect = mean - printed.mean
    details = {
        "seed_effects": seeds.tolist(),
        "looks": looks,
        "design": "agrees",
        "mean": mean,
        "printed": printed.mean,
        "half_digit": half,
    }
    if n < FEWEST_SEEDS:
        return Check(
            kind="agrees",
            effect=effect,
            region=region,
            n=n,
            step=step,
            alpha=alpha,
            notes=(TOO_FEW,),
            details=details,
        )
    sd, sd_used = spread(seeds, step)
    se = sd_used / math.sqrt(n)
    luck = paper_luck(printed, sd_used)
    wide_se, wide_df = _with_luck(se, n - 1, luck)
    wide = region.widen(half)
    against = float(p_outside(effect, wide_se, wide_df, wide.low, wide.high))
    narrow_check = judge_summary("agrees", effect, se, n - 1, region, alpha=alpha, looks=looks)
    wide_interval = confidence_interval(effect, wide_se, wide_df, alpha, looks)
    assert narrow_check.interval is not None
    return Check(
        kind="agrees",
        effect=effect,
        interval=narrow_check.interval,
        region=region,
        p_reproduced=narrow_check.p_reproduced,
        p_contradicted=min(1.0, against * looks),
        n=n,
        sd=sd,
        sd_used=sd_used,
        se=se,
        df=n - 1,
        step=step,
        contradiction_interval=wide_interval,
        alpha=alpha,
        notes=luck.notes,
        details={
            **details,
            "mean_interval": _ends(narrow_check.interval.shift(printed.mean)),
            "mean_contradiction_interval": _ends(wide_interval.shift(printed.mean)),
            "contradiction_region": (wide.low, wide.high),
            "wide_se": wide_se,
            "wide_df": wide_df,
            "S0": luck.S0,
            "df0": None if luck.ours is not None else luck.df,
            "S0_of_ours": luck.ours,
        },
    )


def _with_luck(se: float, df: float, luck: PaperLuck) -> tuple[float, float]:
    """(se, df) of our mean less the paper's. A lone number's S0 is made of our own s1, so it adds no df."""
    if luck.ours is not None or luck.S0 == 0:
        return math.hypot(se, luck.S0), df
    return welch(se, df, luck.S0, luck.df)


def _agrees_typically(
    seeds: Floats, mask: Mask, printed: Printed, region: Region, step: float, alpha: float, looks: int
) -> Check:
    """With a collapse: sign tests; for p_contradicted the edges move out by u0/2 + 2·S0."""
    kept = seeds[~mask]
    # the spread of fewer than three seeds says nothing: a lone number then gets no allowance of its own
    sd_ours = spread(kept, step)[1] if kept.size >= FEWEST_SEEDS else 0.0
    luck = paper_luck(printed, sd_ours)
    check = judge_typical(
        seeds,
        mask,
        region.shift(printed.mean),
        contradiction_region=region.shift(printed.mean).widen(printed.half_digit + 2 * luck.S0),
        step=step,
        alpha=alpha,
        looks=looks,
        kind="agrees",
    )
    return Check(
        kind="agrees",
        effect=None if check.effect is None else check.effect - printed.mean,
        region=region,
        p_reproduced=check.p_reproduced,
        p_contradicted=check.p_contradicted,
        n=check.n,
        step=step,
        collapsed=check.collapsed,
        typical=True,
        alpha=alpha,
        notes=check.notes + luck.notes,
        details={**check.details, "S0": luck.S0, "median": check.effect, "printed": printed.mean},
    )


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def drift(values: Values, reference_values: Values, *, step: float = 0.0, alpha: float = 0.001) -> Check:
    """Have our numbers moved against our own earlier ones? `contradicted` means drifted; nothing is ever
    `reproduced`.

    Effect ê = mean - earlier mean, region [0, 0] (u0 = m = 0), S0 = s0/√n0, Welch's df: the two-sided
    p_contradicted = 2·S(|ê|/se), each arm's s floored at step/2. The interval has confidence 1 - α and leaves
    out 0 exactly when drift is found. The same numbers again are no drift, whatever their spread.
    """
    check_arguments(alpha, 1, step)
    region = Region(0.0, 0.0)
    arms = (as_seeds(values, "values"), as_seeds(reference_values, "reference_values"))
    n = int(min(arms[0].size, arms[1].size))
    finite = all(arm.size and np.isfinite(arm).all() for arm in arms)
    if finite and nearly_equal(np.concatenate(arms)):
        note = "every number is the same as before"
        return Check(kind="drift", effect=0.0, region=region, n=n, step=step, alpha=alpha, notes=(note,))
    for arm, name in zip(arms, ("seeds", "reference seeds"), strict=True):
        problem = data_problem(arm, np.zeros(arm.size, dtype=np.bool_), step, name)
        if problem is not None:
            return unjudged("drift", problem, region=region, n=n, step=step, alpha=alpha)
    effect = float(np.mean(arms[0]) - np.mean(arms[1]))
    if n < FEWEST_SEEDS:
        return Check(
            kind="drift", effect=effect, region=region, n=n, step=step, alpha=alpha, notes=(TOO_FEW,)
        )
    (sd, used), (_, used_before) = (spread(arm, step) for arm in arms)
    se, df = welch(
        used / math.sqrt(arms[0].size),
        arms[0].size - 1,
        used_before / math.sqrt(arms[1].size),
        arms[1].size - 1,
    )
    p = min(1.0, 2 * float(upper_tail(abs(effect) / se, df)))
    interval = confidence_interval(effect, se, df, alpha / 2)
    return Check(
        kind="drift",
        effect=effect,
        interval=interval,
        region=region,
        p_contradicted=p,
        n=n,
        sd=sd,
        sd_used=used,
        se=se,
        df=df,
        step=step,
        contradiction_interval=interval,
        alpha=alpha,
        details={"seed_effects": arms[0].tolist(), "reference": arms[1].tolist()},
    )


def best_of_blocks(values: Values, k: int) -> list[float]:
    """Our effects for a printed best of k: the best of each block of k runs, in order; a last block that is
    not full is left out. Raises ValueError if k < 1."""
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    seeds = as_seeds(values)
    blocks = seeds.size // k
    best = seeds[: blocks * k].reshape(blocks, k).max(axis=1) if blocks else seeds[:0]
    return [float(x) for x in best]


def winners_luck(settings: int, sd: float) -> float:
    """By how much a printed winner among L settings, chosen by test score, may sit too high: E[max of L
    normals]·sd."""
    return expected_max_of_normals(settings) * sd
