"""Bootstrapping as two trainings on digits, end to end: planned, priced, trained fresh and warm, killed, judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lnbench.cli.main import main
from lnbench.errors import SpecError
from lnbench.execute.local import execute
from lnbench.execute.work import Execution
from lnbench.judge import gather
from lnbench.pipeline import Quiet
from lnbench.plan import Plan, Run, plan_runs, plan_study
from lnbench.spec import load_study
from lnbench.store import Store
from tests.toys.small_runs import write_study

NOISE = "noise: {kind: replace_uniform, rate: 0.4, include_true_class: false}"
BOOT = "method: {kind: bootstrapped, input: predicted, smoothing: 0.0}"
SAM = (
    "{kind: sam, lr: 0.1, weight_decay: 0, rho: 0.05, base: {kind: sgd, momentum: 0.9, nesterov: false}, "
    "rho_schedule: {kind: step, milestones: [2], gamma: 10, unit: epochs}}"
)
ROWS = f"""  vary: {{arm: [plain, fresh, warm, moving]}}
  set:
    - {{at: {{arm: plain}}, probes: [final_predictions, final_weights]}}
    - {{at: {{arm: fresh}}, {BOOT}}}
    - {{at: {{arm: warm}}, {BOOT}, start: before}}
    - {{at: {{arm: moving}}, optimizer: {SAM}}}
  inputs:
    predicted: {{kind: predictions, at: {{arm: plain}}, per: seed}}
    before: {{kind: weights, at: {{arm: plain}}, per: seed}}"""
OF = "of: {method: standard, start: null, probes: [final_predictions, final_weights]}"


def study_file(folder: Path, *changes: tuple[str, str], seeds: int = 2) -> Path:
    """The small study with four arms: a training, two that learn what it predicts, and SAM with a rho that grows."""
    path = write_study(folder, epochs=4, seeds=seeds)
    text = path.read_text().replace("noise: {kind: dilute_uniform, alpha: 2, include_true_class: true}", NOISE)
    text = text.replace("  vary: {noise.alpha: [0, 2]}", ROWS).replace("  set: []\n", "")
    text = text.replace("    batch_size: 32", "    arm: plain\n    probes: []\n    start: null\n    batch_size: 32")
    text = text.replace("pair: [split, noise, order, init, augment]", "pair: [split, noise]")
    text = text.replace("at: {noise.alpha: 0}", "at: {arm: moving}")
    text = text.replace("along: {noise.alpha: drop}", "at: {arm: warm}, minus: {arm: fresh}")
    for before, after in changes:
        assert before in text, before
        text = text.replace(before, after)
    path.write_text(text)
    return path


def planned(folder: Path, *changes: tuple[str, str], **options: Any) -> Plan:
    return plan_study(load_study(study_file(folder, *changes, **options)).tiers["smoke"])


def sweep(plan: Plan, store: Store, **options: Any) -> Execution:
    return execute([plan], store, Quiet(), workers=0, **options)


def runs(plan: Plan, seed: int = 0) -> dict[str, Run]:
    return {str(job.point["arm"]): job.run() for job in plan.jobs if job.seed == seed}


def outcome(store: Store, record_id: str) -> dict[str, Any]:
    record = store.get(record_id)
    assert record is not None
    found: dict[str, Any] = record["outcome"]
    return found


def lose(store: Store, *ids: str) -> None:
    for record_id in ids:
        (store.path / "records" / record_id[:2] / f"{record_id}.json").unlink()


def array(store: Store, record_id: str, name: str) -> np.ndarray[Any, Any]:
    record = store.get(record_id)
    assert record is not None
    return store.array(record, name)


# ---- the plan


def test_the_first_training_is_planned_once_for_all_who_read_it(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    for seed in range(2):
        arms = runs(plan, seed)
        assert set(arms["fresh"].reads) == {"predicted"} and set(arms["warm"].reads) == {"predicted", "before"}
        assert {run.id for derived in arms["warm"].reads.values() for run in derived.runs} == {arms["plain"].id}
        assert arms["fresh"].inputs["predicted"] == arms["warm"].inputs["predicted"]
    assert len(plan_runs(plan)) == 4 * 2


def test_a_training_of_its_own_is_one_run_for_both_inputs(tmp_path: Path) -> None:
    """With `of` and the same probes, the predictions and the weights are those of one run, which no claim reads."""
    plan = planned(tmp_path, ("at: {arm: plain}, per", f"{OF}, per"))
    arms = runs(plan)
    behind = {run.id for derived in arms["warm"].reads.values() for run in derived.runs}
    assert len(behind) == 1 and not behind & {run.id for run in arms.values()}
    store = Store(tmp_path / "store")
    assert sweep(plan, store).failures == {} and gather(plan, store.get).missing == 0


def test_the_command_line_shows_the_chain_and_its_price(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = study_file(tmp_path, ("at: {arm: plain}, per", f"{OF}, per"), seeds=1)
    with pytest.raises(SystemExit) as ended:
        main(["plan", str(path), "--tier", "smoke", "--store", str(tmp_path / "store")])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "input predicted (predictions): 2 runs of 4 epochs; 0 in store" in said, said


def test_predictions_are_priced(tmp_path: Path) -> None:
    arms = runs(planned(tmp_path))
    assert arms["plain"].steps_flop == pytest.approx(arms["fresh"].steps_flop * (1 + 1 / (3 * 4)))
    assert arms["moving"].steps_flop == 2 * arms["fresh"].steps_flop


@pytest.mark.parametrize(
    ("change", "what", "line"),
    [
        (("kind: predictions,", "kind: weights,"), "gives no predictions; use predictions", "- {at: {arm: fresh}"),
        (("input: predicted", "input: predictd"), "did you mean 'predicted'?", "- {at: {arm: fresh}"),
        (("smoothing: 0.0}", "smoothing: 1.0}"), "smoothing: must be less than 1", "- {at: {arm: fresh}"),
        (("at: {arm: plain}, per: seed", "of: {method: standard}, seeds: 1"), "give predicted `per: seed`", "- {at"),
        (("at: {arm: plain}, per: seed", "of: {}, per: seed"), "break the circle", "- {at: {arm: fresh}"),
        (("probes: [final_predictions,", "probes: ["), "give that probes: [final_predictions]", "- {at: {arm: fresh}"),
        (
            ("at: {arm: plain}, per: seed", "of: {method: standard, noise.rate: 0.1}, per: seed"),
            "noise.rate must stay", "predicted:",
        ),
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_its_line(
    tmp_path: Path, change: tuple[str, str], what: str, line: str
) -> None:
    path = study_file(tmp_path, change)
    with pytest.raises(SpecError) as caught:
        load_study(path)
    found = [problem for problem in caught.value.problems if what in problem.what]
    assert found, [problem.what for problem in caught.value.problems]
    assert path.read_text().splitlines()[found[0].line - 1].strip().startswith(line)


# ---- trained


def test_verify_trains_both_stages_fresh_and_warm_and_judges(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, store = study_file(tmp_path), Store(tmp_path / "store")
    with pytest.raises(SystemExit):
        main(
            ["verify", str(path), "--tier", "smoke", "--store", str(store.path), "--output", str(tmp_path / "report"),
             "--workers", "1"]
        )  # fmt: skip
    said = capsys.readouterr()
    plan = plan_study(load_study(path).tiers["smoke"])
    evidence = gather(plan, store.get)
    assert evidence.missing == 0, said
    for seed in range(2):
        arms = runs(plan, seed)
        first = outcome(store, arms["plain"].id)
        predicted = array(store, arms["plain"].id, "final_predictions")
        assert len(predicted) == 300 and (predicted >= 0).all()
        (made,) = (derived for derived in arms["fresh"].reads.values())
        about = outcome(store, made.id)
        assert about["status"] == "ok" and about["changed"] == first["final_predictions"]["changed"] > 30
        assert (array(store, made.id, "predictions") == predicted).all()
        for arm in ("fresh", "warm"):
            found = outcome(store, arms[arm].id)
            assert found["status"] == "ok"
            assert found["method"] == {
                "predictions_changed": about["changed"], "predictions_right": about["right"],
                "labels_right": first["noise"]["right_labels"],
            }  # fmt: skip
            assert found["noise"]["labels_sha256"] == first["noise"]["labels_sha256"]
        warm, fresh = (outcome(store, arms[arm].id)["curves"] for arm in ("warm", "fresh"))
        assert warm["train_loss"][0] < fresh["train_loss"][0]  # it goes on from where the first one ended
        assert about["right"] > first["noise"]["right_labels"]  # these predictions are better than the labels
    (report,) = tmp_path.glob("report/**/result.json")
    result = json.loads(report.read_text())
    assert [claim["id"] for claim in result["claims"]] == ["T-1", "T-2"]
    page = report.with_name("report.md").read_text()
    assert "`bootstrapped`" in page and "schedule of ρ step, milestones 2, gamma 10" in page


def test_a_first_training_that_diverged_fails_its_readers_with_a_sentence(tmp_path: Path) -> None:
    plan = planned(
        tmp_path,
        ("{at: {arm: plain}, probes", "{at: {arm: plain}, optimizer.lr: 1.0e+15, optimizer.weight_decay: 1.0, probes"),
        seeds=1,
    )
    store = Store(tmp_path / "store")
    came = sweep(plan, store)
    arms = runs(plan)
    assert outcome(store, arms["plain"].id)["status"] == "diverged"
    assert set(came.failures) == {arms["fresh"].id, arms["warm"].id}
    assert "predictions: the run that would give them diverged" in came.failures[arms["fresh"].id]
    assert "diverged" in came.failures[arms["warm"].id]
    assert store.get(arms["fresh"].id) is None and store.get(arms["moving"].id) is not None
    again = sweep(plan, store)
    assert again.trained == 0 and set(again.failures) == set(came.failures)


def test_what_was_killed_between_the_stages_goes_on_and_ends_alike(tmp_path: Path) -> None:
    plan, store = planned(tmp_path, seeds=1), Store(tmp_path / "store")
    assert sweep(plan, store).failures == {}
    before = {record["id"]: record["outcome"] for record in store.records()}
    arms = runs(plan)
    lose(store, arms["fresh"].id, arms["warm"].id, *arms["warm"].inputs.values())
    came = sweep(plan, store)
    assert (came.trained, came.reused, came.failures) == (2, 2, {})
    assert {record["id"]: record["outcome"] for record in store.records()} == before


def test_a_second_training_of_other_predictions_counts_for_nothing(tmp_path: Path) -> None:
    from lnbench.store import make_record

    plan, store = planned(tmp_path, seeds=1), Store(tmp_path / "store")
    assert sweep(plan, store).failures == {}
    fresh = runs(plan)["fresh"]
    record = store.get(fresh.inputs["predicted"])
    assert record is not None
    lose(store, record["id"])
    store.put(make_record(record["content"], {**record["outcome"], "changed": 1}, record["provenance"]))
    messages = list(gather(plan, store.get).failed_jobs.values())
    assert any("it was trained with another predicted than its runs give" in message for message in messages)
