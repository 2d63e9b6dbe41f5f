"""Whether the runs of a grid give the number that an effect asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lnbench import catalog
from lnbench.errors import did_you_mean
from lnbench.spec.effects import Effect
from lnbench.spec.levels import same
from lnbench.spec.recipe import AnyRecipe, Recipe, Scalar


def may_read(effect: Effect, point: Mapping[str, Scalar]) -> bool:
    """Return whether an effect reads the cell at a point, or one that differs from it along its axes only."""
    for axis, value in point.items():
        said = [side[axis] for side in (effect.at, effect.against or {}) if axis in side]
        levels = [level for one in said for level in (one if isinstance(one, tuple) else (one,))]
        if said and not any(same(level, value) for level in levels):
            return False
    return True


def not_yielded(metric: str, recipes: Iterable[AnyRecipe]) -> str:
    """Return why some of these runs give no such number; "" where all do."""
    about = catalog.find("metric", metric).value
    for recipe in recipes:
        if isinstance(recipe, Recipe):
            if about.experiments:
                return f"{metric} is a number of the experiment {about.experiments[0]}; {_known_for(None, metric)}"
            if about.probe and about.probe not in recipe.probe_names:
                return f"{metric}, but a run does not measure it; give it `probes: [{_written(about.probe)}]`"
            if about.key and getattr(recipe, about.key) is None:
                return f"{metric}, but the runs have no `{about.key}`; set it in base"
            if about.split == "validation" and not recipe.dataset.validation:
                return f"{metric}, but no images are held out; set dataset.validation in base"
        elif recipe.experiment not in about.experiments:
            return f"the experiment {recipe.experiment} yields no {metric}; {_known_for(recipe.experiment, metric)}"
        elif without := recipe.leaves_out(metric):
            return f"{metric}, but {without}"
    return ""


def _written(probe: str) -> str:
    """Return a probe as a recipe names it, with room for its options."""
    options = catalog.find("probe", probe).options
    if options is None:
        return probe
    return f"{{kind: {probe}, {', '.join(f'{key}: …' for key in options.model_fields if key != 'kind')}}}"


def _known_for(experiment: str | None, metric: str) -> str:
    """Return a hint: the metrics of an experiment, or of the training of a classifier."""
    every = {name: catalog.find("metric", name).value.experiments for name in catalog.names("metric")}
    own = [name for name, experiments in every.items() if experiment in (experiments or [None])]
    return did_you_mean(metric, own)
