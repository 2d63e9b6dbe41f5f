"""Runs that are not an image classification: one file per experiment, each a catalog entry of the kind "experiment".

An experiment is a function `run(options, seeds, data_root, *, state, hooks) -> outcome`: `options` is the identity of
its recipe (plain data, checked before), `seeds` one integer in [0, 2^32) for each stream of `randomness.Stream`,
`data_root` where image data are (None: the default place). An outcome is plain data for JSON, without NaN:

    status    "ok", or "diverged"
    diverged_at  the step after which the numbers left the finite (null where status is "ok")
    metrics   {name: number or null}: one number per run; null where there is none (a level never reached; diverged)
    curves    {name: [number, …]}: one value for each of `steps`, up to where the run got
    steps     [step, …] at which the curves were read
    and what else figures need; `data_sha256` where image data were used; `took`, {what: seconds}, which
    goes into the record's provenance and is not part of the outcome.

What a worker must do for a run whose recipe holds "experiment":

    outcome = experiments.run(run.recipe, run.seeds, data_root, state=state, hooks=hooks)

with `state` None, or what `hooks.save` was given before (any object with `step: int` and `tensors: dict[str, array]`,
such as `training.engine.State`; one that does not fit is not used, and its `refused` is set to True), and `hooks` as
training has them: `tick(progress) -> bool` is asked at least every half second and says whether to save,
`should_stop() -> bool` too. A run that is stopped saves and raises `Stopped`.
Nothing here imports torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lnbench.experiments.running import Hooks, Progress, State, Stopped

__all__ = ["Hooks", "Progress", "State", "Stopped", "run", "trains_network"]


def trains_network(recipe: dict[str, Any]) -> bool:
    """Return whether an experiment trains a network of the catalog by the engine."""
    return "model" in recipe


def run(
    recipe: dict[str, Any],
    seeds: dict[str, int],
    data_root: Path | None,
    *,
    state: Any = None,
    hooks: Any = None,
    device: Any = "cpu",
) -> dict[str, Any]:
    """Do one run of the experiment that the recipe names, and return its outcome (see above). Raises Stopped.

    `device`: of those that train a network of the catalog; the others compute on the CPU wherever they are run.
    """
    from lnbench import catalog

    target = catalog.find("experiment", recipe["experiment"]).load()
    place = {"device": device} if trains_network(recipe) else {}
    outcome: dict[str, Any] = target(recipe, seeds, data_root, state=state, hooks=hooks or Hooks(), **place)
    return outcome
