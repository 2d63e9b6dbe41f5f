"""Whether a number of ours is a number of what the paper printed: the same estimand, or which words differ.

A reference says under `estimand` what it was measured on, as far as the paper says it. What the runs of a part do is in
their recipes. What defines the number is compared at every tier but smoke, which says nothing about a paper: which
noise, whether a random label may be the true one, which epoch's number by which rule, of which images, the best of how
many runs. What is scale (the data set, the noise's level, a given epoch) is compared at the tier `full` only: other
tiers change scale on purpose, and their sentences say so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lnbench import catalog
from lnbench.catalog import Part
from lnbench.spec.baseline import Estimand
from lnbench.spec.effects import EPOCH, Effect
from lnbench.spec.points import points_of
from lnbench.spec.recipe import Recipe
from lnbench.spec.study import Study

SCALE = ("dataset", "level", "epochs")
SELECTIONS = {"last_epoch": "last epoch", "best_test": "best test epoch", "best_validation": "best validation epoch"}


@dataclass(frozen=True, slots=True)
class Ours:
    """What one run gives to an effect; None where that is not known. rule: how its epoch is chosen, "last_epoch" for a
    given one that is the last; epoch: None where the best one is taken."""

    dataset: str | None
    noise: str | None
    level: float | None
    true_class: bool | None
    rule: str | None
    epoch: int | None
    split: str | None


def differences(part: Part, study: Study) -> list[dict[str, str]]:
    """Return, for each effect of a part (one, or one for each cell of a table), what differs between the printed number
    and ours: key -> "printed: best test epoch; ours: last epoch".

    Nothing where they can be compared, where the part says why they can be all the same (`despite`), where no printed
    number is the edge, and at smoke.
    """
    effects = part.effects(study.spec.effects[part.effect])
    names = part.references() or (None,)
    pairs = zip(effects, names if part.each else names * len(effects), strict=True)
    found = [_apart(part, effect, name, study) for effect, name in pairs]
    return [{key: words for key, words in apart.items() if key not in part.despite} for apart in found]


def idle_excuses(part: Part, study: Study) -> list[str]:
    """Return the keys of `despite` under which nothing differs."""
    bare = part.model_copy(update={"despite": {}})
    return [key for key in part.despite if not any(key in apart for apart in differences(bare, study))]


def _apart(part: Part, effect: Effect, name: str | None, study: Study) -> dict[str, str]:
    if name is None or study.tier == "smoke" or getattr(part, "threshold", None) is not None:
        return {}
    printed = study.baseline.references[name].estimand
    runs = list(_ours(effect, study))
    found = {
        "dataset": _differs(printed.dataset, {one.dataset for one in runs}),
        **_noise(printed, runs),
        **_epoch(printed, runs, along_epochs=EPOCH in effect.axes),
        "split": _differs(printed.split, {one.split for one in runs}),
        "best_of": _best_of(printed, part),
    }
    return {key: words for key, words in found.items() if words and (study.tier == "full" or key not in SCALE)}


def _ours(effect: Effect, study: Study) -> Iterator[Ours]:
    """Yield what each run gives that an effect reads."""
    about = catalog.find("metric", effect.metric).value
    for point in points_of(study, effect):
        recipe = study.at(point).recipe
        plain: Mapping[str, Any] = recipe.identity()
        noise = plain.get("noise")
        law = noise if isinstance(noise, dict) else {}
        level = law.get("rate", law.get("alpha"))
        trained = isinstance(recipe, Recipe)
        last = recipe.epochs if isinstance(recipe, Recipe) else None
        # a number of arrays, or one that a probe takes, is read after a given epoch or the last, by no rule
        by_rule = isinstance(recipe, Recipe) and EPOCH not in point and not (about.reading or about.probe)
        best = recipe.selection if isinstance(recipe, Recipe) and by_rule and recipe.selection != "last_epoch" else None
        epoch = None if best else int(point[EPOCH] or 0) if EPOCH in point else last
        yield Ours(
            dataset=recipe.datasets[0] if trained or len(recipe.datasets) == 1 else None,
            noise="none" if level == 0 else law.get("kind"),
            level=None if level is None else float(level),
            true_class=law.get("include_true_class"),
            rule=best or ("last_epoch" if epoch is not None and epoch == last else None),
            epoch=epoch,
            split=_split(effect.metric) if trained else None,
        )


def _split(metric: str) -> str | None:
    """Return of which images a metric is a number."""
    about = catalog.find("metric", metric).value
    if about.split != "none":
        return str(about.split)
    if not about.reading:
        return None
    return next((split for split in ("validation", "test") if split in metric), "train")


def _noise(printed: Estimand, runs: Sequence[Ours]) -> dict[str, str]:
    """Compare the noise of the runs that have some: what they are compared with may have none."""
    noisy = [one for one in runs if one.noise not in (None, "none")]
    if not noisy or printed.noise == "none":
        return {"noise": _differs(printed.noise, {one.noise for one in runs})}
    return {
        "noise": _differs(printed.noise, {one.noise for one in noisy}),
        "level": _differs(printed.level, {one.level for one in noisy}),
        "true_class": _differs(
            printed.true_class,
            {one.true_class for one in noisy},
            {True: "a random label may be the true one", False: "never the true label"},
        ),
    }


def _epoch(printed: Estimand, runs: Sequence[Ours], *, along_epochs: bool) -> dict[str, str]:
    """Compare after which epoch it is the number, and by which rule; a number along a curve's epochs has no epoch."""
    known = [one for one in runs if one.rule or one.epoch is not None]
    if along_epochs or not known or (printed.selection is None and printed.epochs is None):
        return {}
    ours = " and ".join(dict.fromkeys(SELECTIONS.get(str(one.rule), f"epoch {one.epoch}") for one in known))
    if printed.selection is not None:
        same = all(one.rule == printed.selection for one in known)
        return {} if same else {"selection": f"printed: {SELECTIONS[printed.selection]}; ours: {ours}"}
    assert printed.epochs is not None, "one of the two is given"
    first, last = printed.epochs if isinstance(printed.epochs, tuple) else (printed.epochs, printed.epochs)
    words = f"epoch {first}" if first == last else f"epochs {first} to {last}"
    if any(one.epoch is None for one in known):
        return {"selection": f"printed: {words}; ours: {ours}"}
    given = [one.epoch for one in known if one.epoch is not None]
    if all(first <= epoch <= last for epoch in given):
        return {}
    return {"epochs": f"printed: {words}; ours: {' and '.join(f'epoch {epoch}' for epoch in dict.fromkeys(given))}"}


def _best_of(printed: Estimand, part: Part) -> str:
    ours = getattr(part, "best_of", None)
    if printed.best_of is None or ours == printed.best_of or (printed.best_of == 1 and ours is None):
        return ""
    what = f"the best of {ours} runs" if ours else "every run counts"
    return f"printed: the best of {printed.best_of} runs; ours: {what}"


def _differs(printed: Any, ours: set[Any], words: Mapping[Any, str] | None = None) -> str:
    """Return what is printed and what is ours where they differ; "" where one of the two is not known."""
    said = () if printed is None else printed if isinstance(printed, tuple) else (printed,)
    known = sorted({value for value in ours if value is not None}, key=str)
    if not said or not known or set(known) <= set(said):
        return ""
    left, right = (" or ".join(_word(value, words) for value in values) for values in (said, known))
    return f"printed: {left}; ours: {right}"


def _word(value: Any, words: Mapping[Any, str] | None) -> str:
    if words is not None:
        return words[value]
    return f"{value:g}" if isinstance(value, float | int) else str(value)
