"""ordered (A above B) and equivalent ("no difference", "robust to", "matches")."""

from __future__ import annotations

from typing import Unpack

from lnbench.stats.rule import Options, judge_mean
from lnbench.stats.seeds import Values
from lnbench.stats.values import Check, Region


def ordered(differences: Values, delta: float = 0.0, **options: Unpack[Options]) -> Check:
    """Check that A is above B by at least δ, in pairs: e_i = A - B of one seed, region [δ, ∞). See `rule.judge_mean`.

    δ = 0 unless the paper gives a size. collapsed (n,): True where a run of either arm collapsed. A pair of
    which one half is missing is NaN: an error.
    """
    return judge_mean(differences, Region.at_least(float(delta)), kind="ordered", **options)


def equivalent(differences: Values, margin: float, **options: Unpack[Options]) -> Check:
    """Check that no difference is larger than the margin, in pairs: region [-m, m]. See `rule.judge_mean`.

    Two arms that both collapsed are never "equivalent": a collapsed pair is on no good side.
    """
    return judge_mean(differences, Region.from_margin(0.0, margin), kind="equivalent", **options)
