"""An input that is the run of the grid: trained once for a draw of labels, whoever reads it and whatever is claimed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lnbench.errors import SpecError
from lnbench.execute.local import execute
from lnbench.judge import gather
from lnbench.pipeline import Quiet
from lnbench.plan import Plan, plan_study
from lnbench.report.result.runs import runs_to_json
from lnbench.spec import load_study
from lnbench.store import Store
from tests.toys.small_runs import write_study

NOISE = "noise: {kind: replace_uniform, rate: 0.4, include_true_class: false}"
ROWS = """  vary: {method: [standard, aul, network], arm: [u, p]}
  set:
    - {at: {arm: p}, noise: {kind: pair_flip, rate: 0.4}}
    - {at: {method: aul}, method: {kind: reweighted, input: aul}}
    - {at: {method: network}, method: standard, epochs: 3, probes: [example_loss]}
  inputs: {aul: {kind: aul_trust, weight: clean, guard: true, at: {method: network}, per: seed}}"""


def study_file(folder: Path, *changes: tuple[str, str]) -> Path:
    path = write_study(folder, seeds=2)
    text = path.read_text().replace("noise: {kind: dilute_uniform, alpha: 2, include_true_class: true}", NOISE)
    text = text.replace("  vary: {noise.alpha: [0, 2]}", ROWS).replace("  set: []\n", "")
    text = text.replace("    batch_size: 32", "    arm: u\n    probes: []\n    batch_size: 32")
    text = text.replace("at: {noise.alpha: 0}", "at: {method: aul, arm: u}")
    text = text.replace("along: {noise.alpha: drop}", "at: {method: aul, arm: p}, minus: {method: standard}")
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    path.write_text(text)
    return path


def small(folder: Path, *changes: tuple[str, str]) -> Plan:
    return plan_study(load_study(study_file(folder, *changes)).tiers["smoke"])


def test_the_input_is_the_run_of_the_same_seed_and_column(tmp_path: Path) -> None:
    plan = small(tmp_path)
    runs = {(job.point["method"], job.point["arm"], job.seed): job.run() for job in plan.jobs}
    for arm in ("u", "p"):
        for seed in range(2):
            (derived,) = runs["aul", arm, seed].reads.values()
            (behind,) = derived.runs
            assert behind.id == runs["network", arm, seed].id  # though no effect reads that cell
            assert behind.recipe["noise"] == runs["aul", arm, seed].recipe["noise"]
    assert len({run.id for run in [*plan.input_runs, *plan.provisional_runs()]}) == len(plan.jobs)


def test_it_is_trained_once_and_the_readers_after_it(tmp_path: Path) -> None:
    plan, store = small(tmp_path), Store(tmp_path / "store")
    came = execute([plan], store, Quiet(), workers=0)
    assert (came.trained, came.failures) == (len(plan.jobs), {})
    evidence = gather(plan, store.get)
    assert evidence.missing == 0
    weighted = [record for run, record in evidence.by_job.values() if run.inputs]
    assert weighted and all(set(record["outcome"]["inputs"]) == {"aul"} for record in weighted)
    counted = runs_to_json(evidence)
    assert counted["planned"] == counted["done"] == len(plan.jobs)  # a run that is an input too is one run


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("at: {method: network}", "at: {method: netwrk}"), "netwrk"),
        (("true, at: {method: network}", "true, at: {method: aul}"), "break the circle"),
        (("probes: [example_loss]", "probes: []"), "give that probes: [example_loss]"),
        (("at: {method: network}", "at: {method: network}, of: {}"), "or `at` (where in the grid its run is)"),
        (
            ("guard: true, at: {method: network}, per: seed", "guard: true, at: {method: network}, seeds: 2"),
            "per: seed",
        ),
        (
            ("at: {method: network}, method: standard", "at: {method: network}, noise.rate: 0.1, method: standard"),
            "other",
        ),
        (
            ("kind: aul_trust, weight: clean, guard: true", "kind: weights"),
            "gives no trust; use aul_trust or aum_trust",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, change: tuple[str, str], what: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_study(study_file(tmp_path, change))
    found: Any = [problem for problem in caught.value.problems if what in problem.what]
    assert found and found[0].line > 1, [problem.what for problem in caught.value.problems]
