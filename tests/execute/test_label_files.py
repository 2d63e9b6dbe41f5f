"""A study whose labels come from a file, from hard images and from a matrix: trained, resumed, judged, audited."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lnbench.audit.again import draw_runs
from lnbench.data.label_files import LabelFiles
from lnbench.errors import DataError
from lnbench.execute.local import execute
from lnbench.pipeline import Quiet, judge, verify
from lnbench.plan import Plan, plan_study
from lnbench.spec import load_study
from lnbench.store import Store
from lnbench.training import train
from lnbench.training.hooks import Hooks, State, Stopped
from tests.toys.labelled import DIGITS, noisy_digits, write_labelled, write_labels
from tests.toys.small_runs import recipe, seeds


@pytest.fixture(autouse=True)
def outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_drawing: None) -> None:
    """No data root, no figures."""
    monkeypatch.setenv("LNBENCH_DATA", str(tmp_path / "data"))


def plan_of(study: Path) -> Plan:
    return plan_study(load_study(study).tiers["smoke"])


def outcomes(store: Store, plan: Plan) -> dict[str, Any]:
    """Arm and seed -> outcome."""
    found = {}
    for job, run in plan.resolve({}):
        assert run is not None
        record = store.get(run.id)
        assert record is not None
        found[f"{job.point['arm']} {job.seed}"] = record["outcome"]
    return found


def test_a_study_trains_on_the_labels_of_the_file_here_and_in_two_workers(tmp_path: Path) -> None:
    study, _, _ = write_labelled(tmp_path)
    plan, here, there = plan_of(study), Store(tmp_path / "here"), Store(tmp_path / "there")
    assert not execute([plan], here, Quiet(), workers=0).failures
    assert not execute([plan], there, Quiet(), workers=2).failures
    found = outcomes(here, plan)
    assert found == outcomes(there, plan)
    labels = [found[f"file {seed}"]["noise"]["table"]["sha256"] for seed in range(3)]
    assert len(set(labels)) == 1, "the same for every seed"
    for arm, wrong in (("file", 0.1), ("hard", 0.2)):
        assert found[f"{arm} 0"]["noise"]["table"]["wrong"] == wrong
    for arm in ("hard", "classes"):
        assert len({found[f"{arm} {seed}"]["noise"]["table"]["sha256"] for seed in range(3)}) == 3


def test_a_run_that_was_stopped_goes_on_with_the_files_labels(tmp_path: Path) -> None:
    digest = write_labels(tmp_path / "mine.npy", noisy_digits())
    files = LabelFiles(tmp_path, {digest: str(tmp_path / "mine.npy")})
    options = recipe(noise={"kind": "labels_file", "sha256": digest}, epochs=2)
    whole = train(options, seeds(), DIGITS, hooks=Hooks(files=files))
    for steps in (1, 9, 13):
        kept: list[State] = []
        answers = iter([*[False] * (steps - 1), True])
        with pytest.raises(Stopped):
            stop = Hooks(should_stop=answers.__next__, save=kept.append, files=files)
            train(options, seeds(), DIGITS, hooks=stop)
        assert train(options, seeds(), DIGITS, state=kept[-1], hooks=Hooks(files=files)) == whole
    assert whole["noise"]["table"]["wrong"] == 0.1


def test_a_sweep_goes_on_after_its_file_has_moved(tmp_path: Path) -> None:
    """Where the file lies is no part of a run: what was trained before is not trained again."""
    study, labels, _ = write_labelled(tmp_path)
    store = Store(tmp_path / "store")
    half = execute([plan_of(study)], store, Quiet(), workers=0, only=lambda point: point["arm"] == "file")
    assert half.trained == 3
    moved = labels.with_name("moved.npy")
    labels.rename(moved)
    study.write_text(study.read_text().replace("mine.npy", "moved.npy"))
    rest = execute([plan_of(study)], store, Quiet(), workers=0)
    assert (rest.trained, rest.reused, rest.failures) == (6, 3, {})


def test_records_are_judged_where_the_file_is_not(tmp_path: Path) -> None:
    study, labels, _ = write_labelled(tmp_path)
    store = Store(tmp_path / "store")
    trained = verify(study, tier="smoke", store=store, workers=0)
    trained.write(tmp_path / "reports")
    page = (tmp_path / "reports" / "labelled-smoke" / "report.md").read_bytes()
    shutil.rmtree(labels.parent)
    assert [claim.verdict for claim in judge(study, tier="smoke", store=store).claims] == [
        claim.verdict for claim in trained.claims
    ]
    again = verify(study, tier="smoke", store=store, workers=0)  # nothing is left to train
    again.write(tmp_path / "again")
    assert (tmp_path / "again" / "labelled-smoke" / "report.md").read_bytes() == page
    assert "### Labels, by true class" in page.decode()
    assert "10.00 % of all 1,300 labels are wrong (sha256 `" in page.decode()
    assert "in the mean over 3 draws" in page.decode()
    assert "mine.npy" not in page.decode(), "where the file lies is not part of a report"


def test_without_the_file_nothing_is_trained(tmp_path: Path) -> None:
    study, labels, digest = write_labelled(tmp_path)
    labels.unlink()
    with pytest.raises(DataError, match=f"{labels} is not there, nor is one with its sha256 {digest} in"):
        verify(study, tier="smoke", store=tmp_path / "store", workers=0)
    write_labels(tmp_path / "data" / "labels" / "of another name.npy", noisy_digits())
    assert verify(study, tier="smoke", store=tmp_path / "store", workers=0).studies


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.long)])
def test_a_file_that_changes_after_the_check_fails_the_run_and_no_other(tmp_path: Path, workers: int) -> None:
    study, labels, digest = write_labelled(tmp_path)
    plan = plan_of(study)
    write_labels(labels, DIGITS.train_labels)
    done = execute([plan], Store(tmp_path / "store"), Quiet(), workers=workers)
    assert len(done.failures) == 3 and done.trained == 6
    for message in done.failures.values():
        assert f"not {digest} as the study says" in message and "Traceback" not in message


def test_a_report_is_audited_where_its_file_lies_in_the_data_root(tmp_path: Path) -> None:
    study, _, _ = write_labelled(tmp_path)
    verify(study, tier="smoke", store=tmp_path / "store", workers=0).write(tmp_path / "reports")
    folder = tmp_path / "reports" / "labelled-smoke"

    def problems() -> dict[str, str]:
        drawn = draw_runs(folder, k=9, seed=0, data_dir=tmp_path / "data").drawn
        return {one.record["content"]["recipe"]["noise"]["kind"]: one.problem for one in drawn}

    found = problems()
    assert "no path to the file of labels is known here" in found["labels_file"]
    assert not found["hard_images"] and not found["class_conditional"]
    write_labels(tmp_path / "data" / "labels" / "mine.npy", noisy_digits())
    assert not any(problems().values())


def test_a_call_of_the_engine_may_name_the_file_itself(tmp_path: Path) -> None:
    """In Python, without a study: the options have a path."""
    path = tmp_path / "mine.npy"
    digest = write_labels(path, noisy_digits())
    options = recipe(noise={"kind": "labels_file", "sha256": digest, "path": str(path)})
    assert train(options, seeds(), DIGITS)["noise"]["table"]["wrong"] == 0.1


def test_groups_of_tables_and_other_noise_train_as_each_does_alone(tmp_path: Path) -> None:
    from lnbench.training import train_group

    digest = write_labels(tmp_path / "mine.npy", noisy_digits())
    hooks = Hooks(files=LabelFiles(tmp_path, {digest: str(tmp_path / "mine.npy")}))
    noises = [
        {"kind": "labels_file", "sha256": digest},
        {"kind": "hard_images", "rate": 0.3},
        {"kind": "replace_uniform", "rate": 0.3, "include_true_class": False},
    ]
    recipes = [recipe(noise=noise) for noise in noises]
    group = train_group(recipes, [seeds(1)] * 3, DIGITS, torch.device("cpu"), backend="stacked", hooks=hooks)
    for own, together in zip(recipes, group, strict=True):
        (alone,) = train_group([own], [seeds(1)], DIGITS, torch.device("cpu"), backend="stacked", hooks=hooks)
        assert alone == together
    assert np.unique([outcome["noise"]["labels_sha256"] for outcome in group]).size == 3
