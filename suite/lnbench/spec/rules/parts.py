"""What must hold of the parts of a claim: they fit their effect, the numbers they name exist, and their regions can be
missed and be met. What one kind asks for stands with the kind, in `spec/parts.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from lnbench.errors import did_you_mean
from lnbench.spec.baseline import WORDS, Baseline, Number
from lnbench.spec.bounds import Ground, Vary
from lnbench.spec.effects import Effect
from lnbench.spec.parts import Part
from lnbench.spec.study import Claim
from lnbench.yamlfile.tree import Position

Place = Callable[..., Position]
Report = Callable[[Position, str], None]


def check_parts(
    index: int,
    claim: Claim,
    effects: Mapping[str, Effect | None],
    vary: Vary | None,
    baseline: Baseline | None,
    at: Place,
    error: Report,
) -> None:
    """Check each part of the claim at `index`. An effect of None has a wrong form, so has a grid of None; without a
    baseline no reference is checked. All three are reported elsewhere."""
    for name, part in claim.parts.items():
        place = partial(at, "claims", index, "parts", name)
        if part.effect not in effects:
            error(place("effect"), f"no effect '{part.effect}'; {did_you_mean(part.effect, effects)}")
            continue
        effect = effects[part.effect]
        numbers, words = {}, {}
        if baseline is not None:
            for reference in part.references():
                where = place(*part.place_of(reference), key=part.each)
                known = baseline.references.get(reference)
                if known is not None and known.word is not None and getattr(part, "takes_words", False):
                    words[reference] = known.word
                    continue
                number = _number(reference, part, effect, baseline, where, error)
                if number is not None:
                    numbers[reference] = number
        ground = Ground(effect, vary, numbers, words)
        faults = [*part.misplaced(ground)]
        what = misfit(part, effect) if effect is not None else ""
        if what:
            error(place("effect"), f"{part.kind}: the effect {part.effect} {what}")
        elif effect is not None:
            faults += part.problems(ground)
        for fault in faults:
            error(place(*fault.keys, key=fault.at_key), fault.what)


def _number(
    reference: str, part: Part, effect: Effect | None, baseline: Baseline, where: Position, error: Report
) -> Number | None:
    """Return the number of the reference that a part names; None where it cannot be used."""
    known = baseline.references
    if reference not in known:
        what = f"no reference '{reference}' in baselines/{baseline.paper}.yaml; {did_you_mean(reference, known)}"
        error(where, what)
        return None
    found = known[reference]
    number = found.number()
    if number is None:
        known_words = " or ".join(f"'{word}'" for word in WORDS)
        tables = f", nor {known_words}" if getattr(part, "takes_words", False) else ""
        error(where, f"reference '{reference}' prints '{found.printed}', not a number in digits{tables}")
        return None
    if effect is not None and found.metric != effect.metric:
        what = f"reference '{reference}' is a {found.metric}, the effect {part.effect} a {effect.metric}"
        error(where, what)
        return None
    against = {"above": "below", "at_least": "below", "below": "above"}.get(found.relation)
    if against is not None and (part.kind.endswith(against) or getattr(part, "side", "") == against):
        what = f"the paper prints '{reference}' as {found.relation.replace('_', ' ')} {found.printed}"
        error(where, f"{what}; a part of kind {part.kind} says the opposite")
    if found.source == "digitised" and not part.ours:
        what = f"reference '{reference}' is read off a figure, not printed; say `ours: true`"
        error(where, what)
    return number


def misfit(part: Part, effect: Effect) -> str:
    """Return what the effect lacks for the part's kind, and what to write; "" where they fit."""
    if effect.is_ratio and part.judges != "ratio":
        return f"is the log of a ratio (`{'over' if effect.over else 'per'}`); judge it by kind: ratio"
    if effect.is_shift and part.judges != "shift":
        return "is the shift of an optimum, in octaves; judge it by kind: shift"
    if effect.with_ is not None and part.judges != "correlation":
        return "is a correlation; judge it by kind: correlation"
    return part.misfit(effect)
