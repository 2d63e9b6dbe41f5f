"""A stopped experiment's state goes through the file that trainings use, and the run ends as if undisturbed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lnbench import experiments
from lnbench.experiments import Stopped
from lnbench.plan import Run
from lnbench.training.checkpoints import load_state, save_state
from tests.toys.experiment_cases import NOTHING, Interrupting, linear, ntk, seeds


@pytest.mark.parametrize("recipe", [linear(noise_period=500), ntk(label_noise=0.5)], ids=["linear_network", "ntk"])
def test_a_state_survives_its_file(recipe: dict[str, Any], tmp_path: Path) -> None:
    run, file = Run(recipe, seeds(3)), tmp_path / "state.npz"
    hooks = Interrupting(4)
    with pytest.raises(Stopped):
        experiments.run(run.recipe, run.seeds, None, hooks=hooks)
    save_state(hooks.saved, [run.id], file, lambda path, data: path.write_bytes(data) and None)
    state = load_state([run.id], file)
    assert state is not None and state.step == hooks.saved.step > 0
    resumed = experiments.run(run.recipe, run.seeds, None, state=state, hooks=NOTHING)
    assert resumed == experiments.run(run.recipe, run.seeds, None)
