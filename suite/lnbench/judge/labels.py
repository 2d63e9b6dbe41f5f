"""What a number of an effect is called: `perceptron − mlp1: drop of test_accuracy along noise.alpha`.

Labels are keys of `baselines/measured`, so the words of an effect that is there must not change.
"""

from __future__ import annotations

from collections.abc import Sequence

from lnbench.spec import Effect, Point, Scalar
from lnbench.spec.effects import COEFFICIENTS, PAIRS


def label(effect: Effect, at: Point, other: Point | None, step: Sequence[Scalar] = ()) -> str:
    """Return the words for the effect at a point, against another one; `step`: the two levels of a step along the
    axis."""
    left = _words(at) or "all runs"
    if other is not None:
        changed = {axis: value for axis, value in other.items() if at.get(axis) != value}
        shown = {axis: at[axis] for axis in changed if axis in at} or at
        sign = "/" if effect.over else "−"
        left = f"{_words(shown)} {sign} {_words(changed)}"
        shared = {axis: value for axis, value in at.items() if axis not in changed}
        left += f" ({_words(shared)})" if shared else ""
    return f"{left}: {_what(effect, step)}"


def _what(effect: Effect, step: Sequence[Scalar]) -> str:
    if effect.with_ is not None:
        coefficient = effect.reducer
        assert coefficient in COEFFICIENTS
        return f"{coefficient} r of {effect.metric} with {effect.with_} over {', '.join(effect.axes)}"
    sign = "/" if effect.per else "−"
    words = f"{effect.metric} {sign} {effect.second}" if effect.second else effect.metric
    for axis, reducer in zip(effect.axes, effect.reducers, strict=True):
        if reducer == "steps":
            words = f"{words} from {axis} {_short(step[0])} to {_short(step[1])}"
        elif reducer == "crossing":
            level, rising = effect.goal or (0.0, True)
            words = f"{axis} at which {words} {'rises' if rising else 'falls'} to {_short(level)}"
        elif reducer == PAIRS:
            words = f"{words}, median over pairs of {axis}"
        elif reducer == "argmax" and effect.is_shift:
            words = f"shift of the argmax of {words} along {axis}"
        else:
            only = f" ({', '.join(map(_short, effect.levels[axis]))})" if axis in effect.levels else ""
            words = f"{reducer} of {words} along {axis}{only}"
    return words


def _words(point: Point) -> str:
    return ", ".join(str(value) if axis == "model" else f"{axis} {_short(value)}" for axis, value in point.items())


def _short(value: Scalar) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
