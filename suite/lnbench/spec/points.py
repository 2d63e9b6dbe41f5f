"""The points of a study's grid: all of them, and those that effects read."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as AnyMapping
from itertools import product
from typing import Any

from lnbench.identity import canonical_json
from lnbench.spec.dotted import put_at
from lnbench.spec.effects import Effect
from lnbench.spec.recipe import Scalar
from lnbench.spec.study import Study
from lnbench.yamlfile.tree import Mapping


def grid(runs: Mapping) -> Iterator[tuple[dict[str, Any], Mapping]]:
    """Yield (point, recipe tree) of every cell: base, then the point's values, then each rule of `set` that fits."""
    vary: Mapping = runs.get("vary") or Mapping()
    for values in product(*(list(enumerate(levels)) for levels in vary.values())):
        point = {axis: value for axis, (_, value) in zip(vary, values, strict=True)}
        recipe: Mapping = runs["base"]
        for axis, (index, value) in zip(vary, values, strict=True):
            place = vary[axis].item_positions[index]
            recipe = put_at(recipe, axis, value, vary.key_positions[axis], place)
        for rule in runs.get("set") or ():
            if all(point.get(axis) == value for axis, value in rule["at"].items()):
                for key in rule:
                    if key != "at":
                        recipe = put_at(recipe, key, rule[key], rule.key_positions[key], rule.value_positions[key])
        yield point, recipe


def point_key(point: AnyMapping[str, Scalar]) -> str:
    """Return a point as text, for sets."""
    return canonical_json(dict(point))


def needed_points(study: Study, claims: set[str]) -> set[str]:
    """Return the points that the effects of these claims read."""
    needed: set[str] = set()
    for claim in study.spec.claims:
        if claim.id not in claims:
            continue
        for part in claim.parts.values():
            for effect in part.effects(study.spec.effects[part.effect]):
                needed |= {point_key(study.at(point).point) for point in points_of(study, effect)}
    return needed


def points_of(study: Study, effect: Effect) -> Iterator[dict[str, Scalar]]:
    """Yield every point that an effect reads, both sides of its comparisons and all levels of its axes."""
    columns = list(product(*(effect.levels_of(axis, study.levels(axis)) for axis in effect.axes)))
    for pair in effect.members():
        for place in pair:
            if place is not None:
                yield from ({**place, **dict(zip(effect.axes, levels, strict=True))} for levels in columns)
