"""Planted faults: each must be seen, by a law, a selection rule, a parity, or the smoke run's direction and drift.
Many more, each planted into runs of the committed studies, are in planted.py: docs/drift.md has the table of which are
seen, and a few of them are planted here.

A suite that says "smoke-pass" is worth as much as the faults it would have caught. So each mistake that a reproduction
easily makes is planted here, and the detector that is to see it is named.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lnbench import catalog
from lnbench.data.images import load
from lnbench.execute.local import execute
from lnbench.judge import StudyResult, gather, judge, run_numbers
from lnbench.judge.measured import measured_content
from lnbench.noise.uniform import DiluteUniform
from lnbench.pipeline import Training, with_gradient_noise
from lnbench.plan import Plan, plan_study
from lnbench.randomness import Stream, below, u32
from lnbench.spec import load_study
from lnbench.store import Store, make_record
from lnbench.training.backends.loop import Loop
from lnbench.training.batches import DeviceData, Held, TrainingSet
from lnbench.training.engine import Group
from lnbench.training.optimisers import Sgd
from tests.faults.planted import FAULTS
from tests.faults.world import WORLDS, claims_of, evidence_of, seen_by_seed
from tests.noise.noise_law import check_dilution
from tests.toys.small_runs import SGD, dilution, recipe, seeds, write_study
from tests.training.plain_loop import train_plainly

Fault = pytest.MonkeyPatch
STUDY: dict[str, Any] = {"clean": 600, "epochs": 3, "alphas": "[0, 10]"}


class Silent:
    def __getattr__(self, name: str) -> Any:
        return lambda *arguments: None


def trained(plan: Plan, store: Store, backend: str = "auto") -> StudyResult:
    came = execute([plan], store, Silent(), workers=0, backend=backend)
    assert came.failures == {}
    return judge(gather(plan, store.get))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study, what its seeds gave when all was well, and how far noise on the gradients moved that."""
    folder = tmp_path_factory.mktemp("measured")
    study = load_study(write_study(folder, **STUDY, seeds=3)).tiers["smoke"]
    result = trained(plan_study(study), Store(folder / "store"))
    repeats = [with_gradient_noise([study], Training(workers=0), repeat)[0] for repeat in (1, 2)]
    assert study.measured_path is not None
    study.measured_path.write_text(json.dumps(measured_content(result, repeats)))
    return folder


def smoke(before: Path, tmp_path: Path, backend: str = "auto", **changes: Any) -> dict[str, str]:
    """Claim -> verdict and why, of the study trained anew."""
    path = before / "claims" / "toy.yaml"
    if changes:
        path = write_study(tmp_path, **{**STUDY, **changes}, seeds=3)
    study = replace(load_study(path).tiers["smoke"], measured_path=before / "baselines/measured/smoke/toy.json")
    result = trained(plan_study(study), Store(tmp_path / "store"), backend)
    return {claim.claim.id: f"{claim.verdict}: {claim.why}" for claim in result.claims}


# ---- the detectors, without a fault


@pytest.mark.parametrize("backend", ["loop", "stacked"])
def test_without_a_fault_the_smoke_run_passes(before: Path, tmp_path: Path, backend: str) -> None:
    assert smoke(before, tmp_path, backend) == {"T-1": "smoke-pass: ", "T-2": "smoke-pass: "}


def test_without_a_fault_the_other_detectors_are_content(tmp_path: Path) -> None:
    check_law()
    check_selection(tmp_path)
    check_parity()


def check_law() -> None:
    for alpha in (100, 3.7, 1):
        check_dilution(alpha, 10, True)
    check_dilution(20, 10, False)


def check_selection(folder: Path) -> None:
    """With curves that peak early, `last_epoch` reads the last value and `best_test` the peak."""
    curve = [0.3, 0.9, 0.6]
    for selection, value in (("last_epoch", 0.6), ("best_test", 0.9)):
        plan = plan_study(load_study(write_study(folder, **STUDY, selection=selection)).tiers["full"])
        store = Store(folder / "store")
        for job in plan.jobs:
            outcome = {
                "status": "ok", "classes": 10, "curves": {"test_accuracy": curve},
                "examples": {"train": 600, "validation": 0, "test": 497}, "data_sha256": "0" * 64,
            }  # fmt: skip
            store.put(make_record(job.run().content, outcome, {}))
        (member,) = gather(plan, store.get).members(plan.study.spec.effects["clean"])
        assert member.values == (value, value), f"{selection} read {member.values}"


def check_parity() -> None:
    """The engine ends where the plain loop ends, and is tested on what that is tested on."""
    data = load("digits")
    spec = recipe(dataset={"name": "digits", "clean": 200, "validation": 0}, model="mlp1", noise=dilution(1.0))
    running = Group([spec], [seeds(3)], DeviceData(data, torch.device("cpu")))
    (result,) = running.finish()
    assert isinstance(running.backend, Loop)
    theirs, curves = train_plainly(data, spec, seeds(3))
    for mine, other in zip(running.backend.model.parameters(), theirs, strict=True):
        assert (mine - other).norm() <= 1e-6 * other.norm(), "the engine and the plain loop differ"
    tested = result["curves"]["test_accuracy"]
    assert tested == pytest.approx(curves["test_accuracy"], abs=1e-6), "the engine tests on something else"


@pytest.fixture
def fault() -> Iterator[Fault]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def seen(verdicts: dict[str, str], claim: str, words: str) -> bool:
    """Whether the smoke run failed at a claim, and for this reason."""
    return verdicts[claim].startswith("smoke-fail: ") and words in verdicts[claim]


# ---- faults in the noise


def exclude_true_class(fault: Fault) -> None:
    def labels(self: DiluteUniform, example: Any, clean: Any, identity: Any) -> Any:
        copy = example // self.n
        bits = u32(self.seed, Stream.NOISE, copy, identity)
        return clean + ((clean + 1 + below(bits, self.classes - 1)) % self.classes - clean) * (copy > 0)

    fault.setattr(DiluteUniform, "labels", labels)


def test_the_true_class_left_out_is_seen(fault: Fault, before: Path, tmp_path: Path) -> None:
    exclude_true_class(fault)
    with pytest.raises(AssertionError, match="0 of 200000 added labels are right"):
        check_law()
    assert seen(smoke(before, tmp_path), "T-2", "drifted")


def test_the_true_class_left_in_is_seen(fault: Fault) -> None:
    honest = DiluteUniform.labels

    def labels(self: DiluteUniform, example: Any, clean: Any, identity: Any) -> Any:
        included = DiluteUniform(self.n, self.classes, self.seed, {**self.options, "include_true_class": True})
        return honest(included, example, clean, identity)

    fault.setattr(DiluteUniform, "labels", labels)
    with pytest.raises(AssertionError, match="added labels are right"):
        check_law()


@pytest.mark.parametrize("by", [1, -1])
def test_an_alpha_that_is_off_by_one_is_seen(fault: Fault, by: int) -> None:
    """By the law: at alpha 100 no accuracy would show it."""
    honest = DiluteUniform.size.fget  # type: ignore[attr-defined]
    fault.setattr(DiluteUniform, "size", property(lambda self: honest(self) + by * self.n))
    with pytest.raises(AssertionError, match="an image has 1 \\+ alpha labels"):
        check_law()


def test_labels_shuffled_among_the_images_are_seen(fault: Fault, before: Path, tmp_path: Path) -> None:
    honest = TrainingSet.__init__

    def shuffled(self: TrainingSet, *arguments: Any) -> None:
        honest(self, *arguments)
        self.labels = self.labels[torch.randperm(len(self.labels), generator=torch.Generator())]

    fault.setattr(TrainingSet, "__init__", shuffled)
    verdicts = smoke(before, tmp_path)
    assert seen(verdicts, "T-1", "the direction does not hold: level")
    with pytest.raises(AssertionError, match="differ"):
        check_parity()


def test_labels_that_belong_to_the_next_image_are_seen(fault: Fault) -> None:
    honest = DiluteUniform.labels
    fault.setattr(DiluteUniform, "labels", lambda self, e, clean, i: honest(self, e, np.roll(clean, 1), i))
    with pytest.raises(AssertionError, match="the first label of each image is its own"):
        check_law()


def test_the_same_label_in_every_copy_is_seen(fault: Fault) -> None:
    """Noise that does not average out: the mean rate is right, the copies are one draw."""
    honest = DiluteUniform.labels
    fault.setattr(
        DiluteUniform, "labels",
        lambda self, example, clean, i: honest(self, np.minimum(example, example % self.n + self.n), clean, i),
    )  # fmt: skip
    with pytest.raises(AssertionError, match="added labels"):
        check_law()


# ---- faults in training


@pytest.mark.parametrize("factor", [10, 0.1])
def test_a_learning_rate_that_is_wrong_by_ten_is_seen(
    fault: Fault, before: Path, tmp_path: Path, factor: float
) -> None:
    honest = Sgd.step
    fault.setattr(Sgd, "step", lambda self, weights, at, lr, **rest: honest(self, weights, at, lr * factor, **rest))
    verdicts = smoke(before, tmp_path)
    assert any(seen(verdicts, claim, "") for claim in verdicts), verdicts
    with pytest.raises(AssertionError, match="differ"):
        check_parity()


def test_a_momentum_that_is_forgotten_is_seen(fault: Fault, before: Path, tmp_path: Path) -> None:
    honest = Sgd.__init__
    fault.setattr(Sgd, "__init__", lambda self, options, *rest: honest(self, {**options, "momentum": 0.0}, *rest))
    verdicts = smoke(before, tmp_path)
    assert any(seen(verdicts, claim, "") for claim in verdicts), verdicts
    with pytest.raises(AssertionError, match="differ"):
        check_parity()
    assert SGD["momentum"] == 0.9


def test_accuracy_taken_on_training_images_is_seen(fault: Fault) -> None:
    """By the parity: after few epochs a perceptron is no better on what it has seen, so no drift would show it."""
    honest = TrainingSet.__init__

    def leaking(self: TrainingSet, *arguments: Any) -> None:
        honest(self, *arguments)
        self.test = Held(self.on_device.images, self.identity, self.labels)

    fault.setattr(TrainingSet, "__init__", leaking)
    with pytest.raises(AssertionError, match="tests on something else"):
        check_parity()


def test_a_method_that_trains_on_half_the_loss_is_seen(fault: Fault) -> None:
    """By the parity with the plain loop; AdaDelta, or a chosen rate, would hide it from accuracy."""
    method = catalog.find("method", "standard").load()
    honest = method.loss
    fault.setattr(method, "loss", lambda self, logits, labels: honest(self, logits, labels) / 2)
    with pytest.raises(AssertionError, match="differ"):
        check_parity()


# ---- faults in reading


def test_the_best_epoch_in_place_of_the_last_is_seen(fault: Fault, tmp_path: Path) -> None:
    honest = run_numbers._epoch
    fault.setattr(run_numbers, "_epoch", lambda selection, curves: honest("best_test", curves))
    with pytest.raises(AssertionError, match=r"last_epoch read \(0.9, 0.9\)"):
        check_selection(tmp_path)


def test_the_last_epoch_in_place_of_the_best_is_seen(fault: Fault, tmp_path: Path) -> None:
    fault.setattr(run_numbers, "_epoch", lambda selection, curves: -1)
    with pytest.raises(AssertionError, match=r"best_test read \(0.6, 0.6\)"):
        check_selection(tmp_path)


def test_a_wrong_reference_is_seen(before: Path, tmp_path: Path) -> None:
    verdicts = smoke(before, tmp_path, reference="s1/high")
    assert seen(verdicts, "T-1", "the direction does not hold: level")
    assert verdicts["T-2"] == "smoke-pass: "


# ---- faults in the committed studies, against their recorded numbers

SEEN = [
    ("learning rate × 1.1", "sharpness"),
    ("weight decay dropped", "sharpness"),
    ("the rate drops one epoch late", "residual"),
    ("Nesterov's momentum off", "residual"),
    ("flips left out", "residual"),
    ("SAM's ρ × 1.1", "sharpness"),
    ("label noise σ × 1.1", "linear"),
    ("one label fewer for each clean one", "counts"),
]


@pytest.mark.parametrize("name", sorted({name for _, name in SEEN}))
def test_without_a_fault_no_recorded_number_has_moved(name: str, tmp_path: Path) -> None:
    evidence = evidence_of(WORLDS[name], tmp_path)
    what, share = seen_by_seed(evidence, claims_of(evidence))
    assert share <= 1, what


@pytest.mark.parametrize(("words", "name"), SEEN)
def test_a_fault_moves_a_recorded_number(words: str, name: str, fault: Fault, tmp_path: Path) -> None:
    (planted,) = [one for one in FAULTS if (one.words, one.at) == (words, name)]
    planted.plant(fault)
    evidence = evidence_of(WORLDS[name], tmp_path)
    what, share = seen_by_seed(evidence, claims_of(evidence))
    assert share > 1, what


def test_each_fault_has_runs_and_a_name_of_its_own() -> None:
    assert len({(one.words, one.at) for one in FAULTS}) == len(FAULTS) >= 46
    assert {one.at for one in FAULTS} <= set(WORLDS)
