"""Which part of a study's grid is asked for: by claim, or by the value of an axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from lnbench.canonical import canonical_json
from lnbench.errors import LnbenchError
from lnbench.spec import Effect, Scalar, Study
from lnbench.specfile import did_you_mean


def point_key(point: Mapping[str, Scalar]) -> str:
    """A point as text, for sets."""
    return canonical_json(dict(point))


def needed_points(study: Study, claims: set[str]) -> set[str]:
    """The points that the effects of these claims read."""
    needed: set[str] = set()
    for claim in study.spec.claims:
        if claim.id not in claims:
            continue
        for part in claim.parts.values():
            for effect in part.effects(study.spec.effects[part.effect]):
                needed |= {point_key(study.at(point).point) for point in points_of(study, effect)}
    return needed


def points_of(study: Study, effect: Effect) -> Iterator[dict[str, Scalar]]:
    """Every point that an effect reads, both sides of its comparisons and all levels of its axes."""
    columns = list(product(*(effect.levels_of(axis, study.levels(axis)) for axis in effect.axes)))
    for pair in effect.members():
        for place in pair:
            if place is not None:
                yield from ({**place, **dict(zip(effect.axes, levels, strict=True))} for levels in columns)


def filters(study: Study, where: tuple[str, ...]) -> dict[str, set[Scalar]]:
    """`("model=mlp1", "noise.alpha=0")` as the values wanted of each axis. LnbenchError for what is not there."""
    wanted: dict[str, set[Scalar]] = {}
    vary = study.spec.runs.vary
    for text in where:
        axis, equals, value = text.partition("=")
        if not equals:
            raise LnbenchError(f"--where {text}: write AXIS=VALUE, such as model=mlp1")
        if axis not in vary:
            raise LnbenchError(f"--where {text}: {study.key} has no axis '{axis}'; {did_you_mean(axis, vary)}")
        matching = [level for level in vary[axis] if _text(level) == value or str(level) == value]
        if not matching:
            levels = ", ".join(map(_text, vary[axis]))
            raise LnbenchError(f"--where {text}: no run is at that value; {axis} takes {levels}")
        wanted.setdefault(axis, set()).update(matching)
    return wanted


def _text(level: Scalar) -> str:
    return f"{level:g}" if isinstance(level, float) else str(level)
