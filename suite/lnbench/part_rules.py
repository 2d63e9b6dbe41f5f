"""What must hold of the parts of a claim: the numbers they name exist, and their regions can be missed and be met."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from lnbench import catalog
from lnbench.references import Baseline, Number
from lnbench.spec import Agrees, Claim, Effect, Equivalent, EveryRun, Ordered, Part, Threshold
from lnbench.tree import Position, did_you_mean

ROUNDING = 1e-9  # relative: what binary fractions lose


def check_parts(
    index: int,
    claim: Claim,
    effects: Mapping[str, Effect | None],
    baseline: Baseline | None,
    at: Callable[..., Position],
    error: Callable[[Position, str], None],
) -> None:
    """Check each part of the claim at `index`. An effect of None has a wrong form; without a baseline no reference
    is checked. Both are reported elsewhere."""
    for name, part in claim.parts.items():
        place = partial(at, "claims", index, "parts", name)
        if part.effect not in effects:
            error(place("effect"), f"no effect '{part.effect}'; {did_you_mean(part.effect, effects)}")
            continue
        effect = effects[part.effect]
        number = None
        reference = getattr(part, "reference", None)
        if reference is not None and baseline is not None:
            number = _number(reference, part, effect, baseline, place, error)
        if effect is not None:
            _region(part, effect, number, place, error)


def _number(
    reference: str,
    part: Part,
    effect: Effect | None,
    baseline: Baseline,
    place: Callable[..., Position],
    error: Callable[[Position, str], None],
) -> Number | None:
    """The number of the reference that a part names; None where it cannot be used."""
    known = baseline.references
    if reference not in known:
        what = f"no reference '{reference}' in baselines/{baseline.paper}.yaml; {did_you_mean(reference, known)}"
        error(place("reference"), what)
        return None
    found = known[reference]
    number = found.number()
    if number is None:
        error(place("reference"), f"reference '{reference}' prints '{found.printed}', not a number in digits")
        return None
    if effect is not None and found.metric != effect.metric:
        what = f"reference '{reference}' is a {found.metric}, the effect {part.effect} a {effect.metric}"
        error(place("reference"), what)
        return None
    if found.source == "digitised" and not part.ours:
        what = f"reference '{reference}' is read off a figure, not printed; say `ours: true`"
        error(place("reference"), what)
    return number


def _region(
    part: Part,
    effect: Effect,
    number: Number | None,
    place: Callable[..., Position],
    error: Callable[[Position, str], None],
) -> None:
    """That the effect can lie on both sides of the region's edge."""
    bounds = catalog.find("metric", effect.metric).value
    low, high, words = bounds.low, bounds.high, effect.metric
    if effect.minus or effect.reducer == "drop":
        # Two numbers apart, or three and four: a difference of drops reaches twice as far.
        reach = (high - low) * (2 if effect.minus and effect.reducer == "drop" else 1)
        low, high, words = -reach, reach, f"a difference of {effect.metric}"
    if effect.reducer not in (None, "drop"):
        return  # in the axis's unit, or per unit of it
    span = f"({low:g} to {high:g})"
    if isinstance(part, Threshold | EveryRun):
        edge = part.threshold if part.threshold is not None else number.value if number else None
        if edge is not None and not low < edge < high:
            where = place("threshold" if part.threshold is not None else "reference")
            error(where, f"threshold {edge:g} is on or past the bounds of {words} {span}; no run could miss or meet it")
    elif isinstance(part, Ordered) and not low < part.delta < high:
        error(place("delta"), f"delta {part.delta:g} is on or past the bounds of {words} {span}")
    elif isinstance(part, Equivalent | Agrees) and part.margin >= bounds.high - bounds.low:
        error(place("margin"), f"margin {part.margin:g} covers all of {words} {span}; every outcome would pass")
    elif isinstance(part, Agrees) and number and part.margin < number.unit / 2 * (1 - ROUNDING):
        what = f"margin {part.margin:g} is below half the last printed digit ({number.unit / 2:g})"
        error(place("margin"), f"{what}; the paper does not say it that exactly")
