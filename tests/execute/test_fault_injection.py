"""A real sweep killed with SIGKILL at random moments ends with the very records of one that was left alone.

Stacked groups, looped convolutions with batch normalisation and an experiment, by two workers that write a checkpoint
every 20 ms. Each time either all processes at once are killed, as by a power cut, or one worker, as by the system when
memory runs out; then the same command is given again. A sweep that gets to its end before it is killed is compared, and
a new one begun.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from lnbench.execute.local import execute
from lnbench.plan import Plan, plan_study
from lnbench.spec import load_study
from lnbench.store import Store
from tests.execute.sweep_tools import Watcher, outcomes, sweep_of, workers_of
from tests.toys.small_runs import STUDY, write_study

LINES = 90  # about as many as a whole sweep says: the moment of a kill is drawn among them
EXPERIMENT = """\
schema: 1
paper: toy
title: A line fitted under noise
choices: []
runs:
  base: {experiment: linear_network, arm: noise, neurons: 60, dimension: 5, samples: 40, test_samples: 50,
    first_scale: 1.0, second_scale: 1.0, lr: 0.02, steps: 600000, batch: one, noisy: true, noise: rademacher, sigma: 2,
    noise_period: 0, rho: null, points: 20, neurons_kept: 4}
  vary: {sigma: [1, 2]}
  seeds: {n: 2, pair: [split, noise, order, init, augment]}
effects:
  norm: {metric: norm_ratio_end, at: {sigma: 2}}
claims:
  - id: T-9
    says: Norms fall.
    quote: "norms fall"
    where: {section: "1"}
    verdict: falls
    parts:
      falls: {kind: below, effect: norm, threshold: 1.0}
tiers:
  full: {deviations: []}
  smoke: {deviations: []}
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Plan], dict[str, Any]]:
    """The studies' files, their plans, and what a sweep that nobody disturbs comes to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    file = write_study(folder, clean=200, epochs=4, seeds=4, alphas="[0, 1]")
    text = file.read_text().replace("  vary: {", "  vary: {model: [mlp1_w32, resnet8_w8], ")
    text = text.replace("precision: fp32", "precision: fp32\n    probes: [example_loss]")
    text = text.replace("at: {noise.alpha: 0}", "at: {noise.alpha: 0, model: mlp1_w32}")
    file.write_text(text.replace("along: {", "at: {model: mlp1_w32}, along: {"))
    other = file.with_name("line.yaml")
    other.write_text(EXPERIMENT)
    plans = [plan_study(load_study(study).tiers["smoke"]) for study in (file, other)]
    store, watcher = Store(folder / "store", pytest.fail), Watcher()
    came = execute(plans, store, watcher, workers=0, backend="stacked")
    assert (came.trained, came.failures) == (18, {})
    kinds = {(task.backend, len(task.runs)) for task in watcher.tasks}
    assert kinds == {("stacked", 4), ("loop", 1), ("experiment", 1)}
    return [file, other], plans, outcomes(store)


def kill_somewhere(process: subprocess.Popen[str], choose: random.Random) -> bool:
    """Read up to a random moment and kill; False where the sweep ended before."""
    assert process.stdout is not None
    for _ in range(choose.randrange(1, LINES)):
        if not process.stdout.readline():
            return False
    time.sleep(choose.uniform(0, 0.05))
    victims = workers_of(process.pid)
    if victims and choose.random() < 0.4:
        with contextlib.suppress(ProcessLookupError):
            os.kill(choose.choice(victims), signal.SIGKILL)
    else:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return True


def compare(plans: list[Plan], store: Store, expected: dict[str, Any]) -> list[bool]:
    """Bring the sweep to its end; of each run, whether it went on from a checkpoint."""
    came = execute(plans, store, Watcher(), workers=0, backend="stacked")
    assert came.failures == {}
    assert outcomes(store) == expected
    assert not store.checkpoints()
    for one in store.records():
        if "arrays" in one["outcome"]:
            store.array(one, "example_loss")  # raises where it is not what the record says
    return [one["provenance"]["resumed"] for one in store.records()]


@pytest.mark.parametrize(
    ("kills", "seed"), [(3, 1), pytest.param(20, 2, marks=pytest.mark.long)], ids=["3 kills", "20 kills"]
)
def test_a_sweep_killed_at_random_moments_ends_as_one_that_was_not(
    undisturbed: tuple[list[Path], list[Plan], dict[str, Any]], tmp_path: Path, kills: int, seed: int
) -> None:
    studies, plans, expected = undisturbed
    choose, folder = random.Random(seed), tmp_path / "store"
    store = Store(folder, pytest.fail)
    resumed: list[bool] = []
    while kills:
        with sweep_of(studies, folder, 2, "stacked", between_checkpoints=0.02) as process:
            while kills and kill_somewhere(process, choose):
                kills -= 1
                if process.poll() is not None:
                    break
            process.kill()
        if kills and len(list(store.records())) == len(expected):
            resumed += compare(plans, store, expected)
            shutil.rmtree(folder)
    resumed += compare(plans, store, expected)
    assert any(resumed) or seed == 1


assert "  vary: {" in STUDY  # what the fixture builds on
