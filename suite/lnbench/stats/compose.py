"""Several checks: one claim of K parts of which q must hold, and the accusations of a whole study."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lnbench.stats.seeds import Values
from lnbench.stats.signs import SIGN_LEVEL
from lnbench.stats.values import Check


def partial_conjunction_p(p_reproduced: Values, p_contradicted: Values, at_least: int) -> tuple[float, float]:
    """Return (p_reproduced, p_contradicted) of "at least q of K parts are true", under any dependence.

    With each family sorted upward: (K - q + 1)·p₍q₎ and q·p₍K-q+1₎, capped at 1 (Benjamini & Heller 2008).
    All of K: the largest p, uncorrected (intersection-union: Berger 1982), against K times the smallest.
    Raises ValueError unless 1 ≤ q ≤ K and both families have K p between 0 and 1.
    """
    supporting, opposing = np.sort(_as_p(p_reproduced)), np.sort(_as_p(p_contradicted))
    k = supporting.size
    if opposing.size != k:
        raise ValueError(f"{k} p to reproduce but {opposing.size} to contradict")
    if not 1 <= at_least <= k:
        raise ValueError(f"at_least must lie between 1 and {k}, the number of parts, not {at_least}")
    q = at_least
    return min(1.0, (k - q + 1) * float(supporting[q - 1])), min(1.0, q * float(opposing[k - q]))


def partial_conjunction(checks: Sequence[Check], at_least: int | None = None, *, kind: str = "composite") -> Check:
    """Return the check of one claim of K checks, true when at least q of them are (default: all; 1: any). See
    `partial_conjunction_p`.

    Where parts were judged by signs as well, the signs must decide the whole as they decide a part: the same formula
    over their p, at their level (`signs.SIGN_LEVEL`), so that many parts do not add up to a false verdict where seeds
    have long tails. No such luck takes all seeds of a part further from an edge than three times their range
    (`Signs.far`): these parts need no correction. (Of a law with two modes it may: docs/statistics.md has the rates.)

    A part with an error has p = 1; it makes the whole an error only if the other parts do not decide it. So does a part
    that could not be compared: pass it as a check with p = 1. Raises ValueError unless 1 ≤ q ≤ K.
    """
    q = len(checks) if at_least is None else at_least
    p_for, p_against = partial_conjunction_p(
        [check.p_reproduced for check in checks], [check.p_contradicted for check in checks], q
    )
    signs = _signs_of(checks, q)
    if signs:
        p_for, p_against = (
            p if of_signs <= SIGN_LEVEL else max(p, of_signs)
            for p, of_signs in ((p_for, signs["p_reproduced"]), (p_against, signs["p_contradicted"]))
        )
    errors = [check.error for check in checks if check.error is not None]
    error = f"{len(errors)} of {len(checks)} parts could not be judged: {errors[0]}" if errors else None
    return Check(
        kind=kind,
        p_reproduced=p_for,
        p_contradicted=p_against,
        n=min(check.n for check in checks),
        collapsed=max(check.collapsed for check in checks),
        typical=any(check.typical for check in checks),
        error=error,
        alpha=checks[0].alpha,
        details={
            "design": "composite",
            "at_least": q,
            "parts": tuple(checks),
            "step_p_reproduced": [check.p_reproduced for check in checks],
            "step_p_contradicted": [check.p_contradicted for check in checks],
            **({"signs": signs} if signs else {}),
        },
    )


def _signs_of(checks: Sequence[Check], at_least: int) -> dict[str, float]:
    """Return both p of the whole by the signs of its parts, a part without any by its own p; {} where none has any."""
    if not any("signs" in check.details for check in checks):
        return {}

    def of(check: Check, side: str) -> float:
        signs = check.details.get("signs")
        if signs is None:
            return float(getattr(check, side))
        p = float(signs[side])
        return 0.0 if signs.get("far") and p <= SIGN_LEVEL else p  # no correction makes anything of nothing

    for_it, against = ([of(check, side) for check in checks] for side in ("p_reproduced", "p_contradicted"))
    p_for, p_against = partial_conjunction_p(for_it, against, at_least)
    return {"p_reproduced": p_for, "p_contradicted": p_against}


def holm(p_values: Values) -> list[float]:
    """Return Holm's (1979) adjusted p, in the order given: p̃₍ᵢ₎ = max over j ≤ i of (K - j + 1)·p₍ⱼ₎, capped at 1.

    Give every claim that the study states, run or not (not run: p = 1). Raises ValueError on a p outside [0,
    1].
    """
    p = _as_p(p_values)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1)))
    return [float(x) for x in adjusted]


def _as_p(values: Values) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    p = np.asarray(values, dtype=np.float64)
    if p.ndim != 1 or not np.all((p >= 0) & (p <= 1)):
        raise ValueError("p values must be numbers between 0 and 1")
    return p
