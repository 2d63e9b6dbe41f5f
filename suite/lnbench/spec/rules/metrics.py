"""Whether the runs of a grid give the number that an effect asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lnbench import catalog
from lnbench.catalog.options import required
from lnbench.errors import did_you_mean
from lnbench.spec.effects import EPOCH, Effect
from lnbench.spec.levels import same
from lnbench.spec.points import point_key
from lnbench.spec.recipe import AnyRecipe, Recipe, Scalar
from lnbench.spec.study import Cell


def may_read(effect: Effect, point: Mapping[str, Scalar]) -> bool:
    """Return whether an effect reads the cell at a point, or one that differs from it along its axes only."""
    for axis, value in point.items():
        said = [side[axis] for side in (effect.at, effect.against or {}, effect.levels) if axis in side]
        levels = [level for one in said for level in (one if isinstance(one, tuple) else (one,))]
        if said and not any(same(level, value) for level in levels):
            return False
    return True


def compared_with_itself(effect: Effect, cells: Sequence[Cell]) -> str:
    """Return which two places of the grid an effect compares although they are the same runs; "" where there are none.

    Two arms of which `set` changes nothing have equal recipes, so equal runs: their difference is 0 in every seed.
    """
    if effect.against is None or EPOCH in effect.against:
        return ""
    by_point = {point_key(cell.point): cell for cell in cells}
    for at, other in effect.members():
        assert other is not None, "an effect with `against` has a second point"
        changes = {axis: other[axis] for axis in effect.against}
        here = [cell for cell in cells if all(same(cell.point[axis], at[axis]) for axis in at if axis in cell.point)]
        if all(same(at.get(axis), value) for axis, value in changes.items()):
            continue  # one point, which is another mistake
        pairs = [(cell, by_point.get(point_key({**cell.point, **changes}))) for cell in here]
        if pairs and all(twin is not None and cell.recipe.identity() == twin.recipe.identity() for cell, twin in pairs):
            words = [", ".join(f"{axis} {side[axis]}" for axis in changes) for side in (pairs[0][0].point, changes)]
            return f"{words[0]} and {words[1]} have the same recipe, so it compares runs with themselves"
    return ""


def not_yielded(metric: str, recipes: Iterable[AnyRecipe]) -> str:
    """Return why some of these runs give no such number; "" where all do."""
    about = catalog.find("metric", metric).value
    for recipe in recipes:
        if isinstance(recipe, Recipe):
            if about.experiments:
                return f"{metric} is a number of the experiment {about.experiments[0]}; {_known_for(None, metric)}"
            if about.probe and about.probe not in recipe.probe_names:
                return f"{metric}, but a run does not measure it; give it `probes: [{_written(about.probe)}]`"
            if without := _left_out_by(about.probe, recipe, metric):
                return f"{metric}, but {without}"
            if about.key and getattr(recipe, about.key) is None:
                return f"{metric}, but the runs have no `{about.key}`; set it in base"
            if about.split == "validation" and not recipe.dataset.validation:
                return f"{metric}, but no images are held out; set dataset.validation in base"
        elif recipe.experiment not in about.experiments:
            return f"the experiment {recipe.experiment} yields no {metric}; {_known_for(recipe.experiment, metric)}"
        elif without := recipe.leaves_out(metric):
            return f"{metric}, but {without}"
    return ""


def _left_out_by(probe: str, recipe: Recipe, metric: str) -> str:
    """Return why a recipe's options of a probe leave a metric out; "" where they do not."""
    for own in recipe.probes:
        if getattr(own, "kind", "") == probe and hasattr(own, "leaves_out"):
            return str(own.leaves_out(metric))
    return ""


def _written(probe: str) -> str:
    """Return a probe as a recipe names it, with room for its options."""
    options = catalog.find("probe", probe).options
    if options is None:
        return probe
    return f"{{kind: {probe}, {', '.join(f'{key}: …' for key in required(options))}}}"


def _known_for(experiment: str | None, metric: str) -> str:
    """Return a hint: the metrics of an experiment, or of the training of a classifier."""
    every = {name: catalog.find("metric", name).value.experiments for name in catalog.names("metric")}
    own = [name for name, experiments in every.items() if experiment in (experiments or [None])]
    return did_you_mean(metric, own)
