"""Every name of the catalog on a CUDA device that is pretended: no epoch waits for it, nothing mixes devices, nothing
lacks a deterministic kernel, and the numbers are the CPU's, to the bit."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lnbench import catalog
from lnbench.data import load
from lnbench.data.images import ImageData
from lnbench.data.label_files import LabelFiles
from lnbench.given import Given
from lnbench.identity import canonical_json
from lnbench.training import train
from lnbench.training.backends import bfloat
from lnbench.training.batches import DeviceData, TrainingSet
from lnbench.training.engine import BACKENDS, Group, prepare
from lnbench.training.hooks import Hooks
from tests.toys.pretended_cuda import CPU, CUDA, CaptureError, HostWaits, PretendedCuda
from tests.toys.small_runs import ADADELTA, SGD, recipe, seeds

FEW = {"name": "digits", "clean": 60, "validation": 10, "test": 20}
SMALL: dict[str, Any] = {"dataset": FEW, "batch_size": 16, "epochs": 2}
WRONG = {"kind": "replace_uniform", "rate": 0.4, "include_true_class": False}
FLIP = [[0.7 if label == y else 0.3 if label == (y + 1) % 10 else 0.0 for label in range(10)] for y in range(10)]
CONFUSION = {"confusion": {"confusion": (np.arange(100).reshape(10, 10) % 7).tolist()}}
EVERY = {"every": 2}
SHARES = {"at": [0.5, 1.0]}

NOISE: dict[str, dict[str, Any]] = {
    "none": {},
    "dilute_uniform": {"alpha": 1.0, "include_true_class": True},
    "replace_uniform": {"rate": 0.4, "include_true_class": False},
    "replace_count": {"rate": 0.4, "include_true_class": False},
    "resample_uniform": {"rate": 0.4, "include_true_class": True},
    "dilute_structured": {"alpha": 1.0, "delta": 0.5, "order": "confusing"},
    "dilute_novel": {"alpha": 1.0, "include_true_class": True},
    "dilute_foreign": {"alpha": 1.0, "source": "white"},
    "pair_flip": {"rate": 0.4},
    "human": {"labels": "worst"},
    "labels_file": {},
    "class_conditional": {"matrix": FLIP},
    "hard_images": {"rate": 0.3},
}
METHODS: dict[str, dict[str, Any] | None] = {
    "standard": None,
    "noisy_loss": {"alpha": 2.0, "form": "definition"},
    "reed_hard": {"beta": 0.8},
    "co_teaching": {"forget_rate": 0.4, "gradual": 1, "answer": "mean"},
    "mentornet_pd": {"percentile": 0.75, "decay": 0.5, "dropout_first": 0.5, "dropout": 0.05},
    "d2l": {"window": 2, "initial": 0},
    "random_weights": None,
    "oracle": None,
    "reweighted": {"input": "trust"},
    "label_smoothing": {"smoothing": 0.1},
    "bootstrapped": {"input": "predicted", "smoothing": 0.1},
    "gce": {"q": 0.7},
    "elr": {"memory": 0.7, "strength": 3.0},
    "half": {"half": 0, "input": None},
    "incv": {"input": "selected", "gradual": 1, "warm_up": 1, "symmetric": True, "answer": "first"},
}
BASE = {"kind": "sgd", "momentum": 0.9, "nesterov": False}
ADAM = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adadelta": ADADELTA,
    "sgd": SGD | {"nesterov": True, "weight_decay": 1e-4},
    "adam": {"kind": "adam", "lr": 1e-3, "weight_decay": 1e-4, **ADAM},
    "sam": {"kind": "sam", "lr": 0.05, "weight_decay": 1e-4, "rho": 0.05, "base": BASE,
            "rho_schedule": {"kind": "exponential", "rate": 0.1, "unit": "steps", "per": "step"}},
    "asam": {"kind": "asam", "lr": 0.05, "weight_decay": 0.0, "rho": 0.5, "eta": 0.01,
             "base": {"kind": "adam", **ADAM}},
}  # fmt: skip
PACED = {"length": 6, "unit": "steps", "per": "step"}
SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {},
    "step": {"milestones": [2], "gamma": 0.1, "unit": "steps"},
    "levels": {"milestones": [2], "factors": [0.5], "unit": "steps"},
    "linear": {**PACED, "start": 1, "final": 0.0, "momentum": {"before": 0.9, "after": 0.1}},
    "cosine": {**PACED, "final": 0.0},
    "one_cycle": {**PACED, "rise": 0.3, "div_factor": 25.0, "final_div_factor": 1e4,
                  "momentum": {"low": 0.85, "high": 0.95}},
    "exponential": {"rate": 0.1, "unit": "steps", "per": "step"},
    "cyclic": {**PACED, "start": 1, "high": 1.0, "low": 0.1},
}  # fmt: skip
AVERAGES: dict[str, dict[str, Any]] = {"swa": {"start": 1, "every": 2, "unit": "steps"}, "ema": {"decay": 0.9}}
PROBES: dict[str, dict[str, Any] | None] = {
    **dict.fromkeys(
        ("example_loss", "example_margin", "example_loss_eval", "held_loss", "suspects", "left_out", "top5",
         "test_probabilities", "mean_test_probabilities", "test_confusion", "gradient_cosine", "pruned_accuracy",
         "final_weights", "final_predictions")),
    "batch_gradient": EVERY,
    "full_clean_cosine": EVERY,
    "fixed_gradient": {"images": 20, **EVERY},
    "member_accuracy": EVERY,
    "noise_gradient": {"images": 10, "redraws": 2, **SHARES},
    "effective_batch": {"batch": 4, "alphas": [0, 2], "draws": 2, **SHARES},
}  # fmt: skip
# one of each family trains in every run of the tests; what all share is the family's code
MODELS = ["perceptron", "convnet2", "resnet8_w8", "densenet_bc10", "vgg_small"]
ON_32_PIXELS = ("convnet6", "lenet", "resnet", "densenet", "vgg")


def named(kind: str, options: dict[str, Any] | None) -> Any:
    """A name as a recipe has it: alone where it takes no options."""
    return kind if options is None else {"kind": kind, **options}


@cache
def data_of(name: str = "digits") -> ImageData:
    torch.set_num_threads(1)
    return load(name)


def given_to(changes: dict[str, Any]) -> dict[str, Any]:
    """What runs of these changes are given by the runs that they build on."""
    plain = {name: changes[name] for name in ("noise", "dataset") if name in changes}
    trained = TrainingSet(DeviceData(data_of(), CPU), recipe(**{**SMALL, **plain}), seeds())
    count, digest = trained.noise.size, trained.noise_facts["labels_sha256"]
    part = np.arange(count)
    about = {"labels_sha256": digest}
    return {
        "trust": Given(about, {"trust": np.linspace(0, 1, count)}),
        "predicted": Given(about, {"predictions": part % 10}),
        "selected": Given({**about, "noise_estimate": 0.3}, {"kept": part % 3 > 0, "candidates": part % 3 == 0}),
    }


def watched(gpu: PretendedCuda, group: Group) -> Group:
    """The group, whose epochs may not wait for the device."""
    epoch = group.epoch

    def without_waiting() -> None:
        with gpu.watched("an epoch"):
            epoch()

    group.epoch = without_waiting  # type: ignore[method-assign]
    return group


def outcome_text(outcome: dict[str, Any]) -> str:
    """All of an outcome as text, arrays as their bytes."""
    arrays = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in outcome.get("arrays", {}).items()}
    return canonical_json({**outcome, "arrays": arrays})


def trained_both_ways(
    *recipes: dict[str, Any],
    backend: str = "loop",
    data: ImageData | None = None,
    inputs: dict[str, Any] | None = None,
    files: LabelFiles | None = None,
) -> tuple[PretendedCuda, list[dict[str, Any]], list[dict[str, Any]]]:
    """Train on the pretended device and on the CPU: (the device, its outcomes, the CPU's)."""
    prepare(CPU)
    images = data_of() if data is None else data
    given = [dict(inputs or {}) for _ in recipes]
    own = [seeds(number) for number in range(len(recipes))]
    hooks = Hooks(files=files) if files else Hooks()
    on_cpu, looped = DeviceData(images, CPU), backend == "recorded"
    together = [[number] for number in range(len(recipes))] if looped else [list(range(len(recipes)))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bfloat, "has_kernels", lambda: True)  # a GPU has them: the CPU computes as it does
        plain = [
            outcome
            for group in together
            for outcome in Group(
                *([each[number] for number in group] for each in (recipes, own)), on_cpu,
                BACKENDS["loop" if looped else backend], hooks=hooks, inputs=[given[number] for number in group],
            ).finish()
        ]  # fmt: skip
    with PretendedCuda() as gpu:
        group = Group(recipes, own, DeviceData(images, CUDA), BACKENDS[backend], hooks=hooks, inputs=given)
        found = watched(gpu, group).finish()
    return gpu, found, plain


def assert_same(gpu: PretendedCuda, found: list[dict[str, Any]], plain: list[dict[str, Any]]) -> None:
    assert not gpu.undeterministic
    assert gpu.kernels.total() > 100, "it has not trained on the device"
    for one, other in zip(found, plain, strict=True):
        assert outcome_text(one) == outcome_text(other)


def both_ways(**changes: Any) -> None:
    more = {name: changes.pop(name) for name in ("data", "inputs", "files") if name in changes}
    assert_same(*trained_both_ways(recipe(**{**SMALL, "model": "mlp1_w32", **changes}), **more))


# ---- every name has an example here


@pytest.mark.parametrize(
    "kind, examples",
    [("noise", NOISE), ("method", METHODS), ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES),
     ("average", AVERAGES), ("probe", PROBES)],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_every_name_is_tried(kind: str, examples: dict[str, Any]) -> None:
    assert list(examples) == catalog.names(kind)


# ---- and trains


@pytest.mark.parametrize("kind", [name for name in NOISE if name not in ("human", "labels_file")])
def test_noise(kind: str) -> None:
    inputs = CONFUSION if kind == "dilute_structured" else {}
    both_ways(noise={"kind": kind, **NOISE[kind]}, inputs=inputs)


def test_noise_from_a_file(tmp_path: Path) -> None:
    labels = data_of().train_labels.astype(np.int64)
    labels[:300] = (labels[:300] + 1) % 10
    path = tmp_path / "mine.npy"
    np.save(path, labels)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    both_ways(noise={"kind": "labels_file", "sha256": digest}, files=LabelFiles(tmp_path, {digest: str(path)}))


class PeoplesLabels(LabelFiles):
    """Labels of the digits as if people had given them: those of CIFAR-10 are no part of the tests."""

    def human(self, data: ImageData, labels: str) -> tuple[np.ndarray[Any, Any], str]:
        given = data.train_labels.astype(np.int64)
        given[::3] = (given[::3] + 1) % 10
        return given, "digits by people"


def test_human_noise() -> None:
    both_ways(noise={"kind": "human", **NOISE["human"]}, files=PeoplesLabels())


@pytest.mark.parametrize("kind", METHODS)
def test_methods(kind: str) -> None:
    changes = {"noise": WRONG, "dataset": FEW}
    read = (METHODS[kind] or {}).get("input")
    inputs = {read: given_to(changes)[read]} if read else {}
    both_ways(method=named(kind, METHODS[kind]), inputs=inputs, **changes)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_optimizers(kind: str) -> None:
    both_ways(optimizer=OPTIMIZERS[kind])


@pytest.mark.parametrize("kind", SCHEDULES)
def test_schedules(kind: str) -> None:
    both_ways(schedule={"kind": kind, **SCHEDULES[kind]})


@pytest.mark.parametrize("kind", AVERAGES)
def test_averages(kind: str) -> None:
    both_ways(average={"kind": kind, **AVERAGES[kind]}, model="resnet8_w8", dataset={**FEW, "clean": 40})


@pytest.mark.parametrize("kind", PROBES)
def test_probes(kind: str) -> None:
    needed = list(catalog.find("probe", kind).needs)
    method = named("half", METHODS["half"]) if kind == "left_out" else "standard"
    both_ways(probes=[*needed, named(kind, PROBES[kind])], noise=WRONG, method=method)


@pytest.mark.parametrize("change", [
    {"augment": "crop_flip"},
    {"pixels": {"mean": [0.5], "std": [0.25]}},
    {"precision": "fast"},
    {"model": "resnet8_w8", "precision": "fast", "augment": "crop_flip"},
    {"dataset": {**FEW, "only": "kept"}},
])  # fmt: skip
def test_what_else_a_recipe_says(change: dict[str, Any]) -> None:
    inputs = {}
    if "only" in change.get("dataset", {}):
        digest = given_to({"noise": WRONG})["trust"]["labels_sha256"]
        inputs = {"kept": Given({"labels_sha256": digest}, {"kept": np.arange(60) % 4 > 0})}
    both_ways(noise=WRONG, inputs=inputs, **change)


def test_a_start_from_other_weights() -> None:
    first = recipe(**SMALL, model="mlp1_w32", probes=["final_weights"])
    _, (found,), _ = trained_both_ways(first)
    both_ways(start="before", inputs={"before": Given({}, {"weights": found["arrays"]["final_weights"]})})


def _model_cases() -> list[Any]:
    return [pytest.param(name, marks=() if name in MODELS else pytest.mark.long) for name in catalog.names("model")]


@pytest.mark.parametrize("name", _model_cases())
def test_networks(name: str) -> None:
    large = name.startswith(ON_32_PIXELS)
    images = data_of("synthetic_cifar10") if large else data_of()
    few = {"name": images.name, "clean": 8, "validation": 0, "test": 4}
    changes = recipe(dataset=few, batch_size=4, epochs=1, model=name, noise=WRONG)
    assert_same(*trained_both_ways(changes, data=images))


@pytest.mark.parametrize("precision", ["fp32", "fast"])
def test_a_stack_of_dense_networks(precision: str) -> None:
    """It is evaluated all at once on a GPU, so those sums come in another order; the training is the CPU's to the
    bit."""
    common = {**SMALL, "model": "mlp1_w32", "probes": ["example_loss", "held_loss"], "precision": precision}
    noises: list[dict[str, Any]] = [WRONG, {"kind": "pair_flip", "rate": 0.2}, {"kind": "none"}]
    gpu, found, plain = trained_both_ways(*(recipe(**common, noise=noise) for noise in noises), backend="stacked")
    assert not gpu.undeterministic
    for one, other in zip(found, plain, strict=True):
        for name, curve in other["curves"].items():
            evaluated = name in ("test_loss", "validation_loss")
            assert one["curves"][name] == (pytest.approx(curve, rel=1e-6) if evaluated else curve), name
        assert np.array_equal(one["arrays"]["example_loss"], other["arrays"]["example_loss"])
        for name in ("test_example_loss", "validation_example_loss"):
            assert np.allclose(one["arrays"][name], other["arrays"][name], rtol=1e-5, atol=0)


def test_the_device_is_asked_once_an_epoch() -> None:
    gpu, _, _ = trained_both_ways(recipe(**SMALL, model="mlp1_w32"))
    assert sum(place.startswith("training/engine.py") for _, _, place in gpu.waits) == SMALL["epochs"]


# ---- what is planted is found


@pytest.mark.parametrize("fault, raised", [
    (lambda losses: losses / losses.sum().item(), HostWaits),
    (lambda losses: losses * float(losses.detach().max()), HostWaits),
    (lambda losses: losses if bool((losses > 0).all()) else -losses, HostWaits),
    (lambda losses: losses * torch.ones(len(losses)), RuntimeError),
    (lambda losses: losses * torch.ones(len(losses)).to(losses.device), HostWaits),
    (lambda losses: losses + 0 * losses[losses > 1].sum(), HostWaits),
    (lambda losses: losses * torch.tensor(2.0, device=losses.device), HostWaits),
    (lambda losses: losses + 0 * losses.detach().nonzero().sum(), HostWaits),
    (lambda losses: losses * torch.from_numpy(losses.detach().numpy()), TypeError),
])  # fmt: skip
def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch, fault: Any, raised: type[Exception]) -> None:
    _plant(monkeypatch, fault)
    with pytest.raises(raised):
        trained_on_the_device(recipe(**SMALL))


def test_host_work_in_a_capture_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch, lambda losses: losses * float(torch.ones(2).mul(2).sum()))
    trained_on_the_device(recipe(**SMALL))  # on the host, so nothing waits for the device
    with pytest.raises(CaptureError):
        trained_on_the_device(recipe(**SMALL), "recorded")


def test_an_operation_without_a_deterministic_kernel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    _plant(monkeypatch, lambda losses: losses + 0 * losses.detach().kthvalue(3).values)
    assert [name for name, _ in trained_on_the_device(recipe(**SMALL)).undeterministic] == ["kthvalue"]


def _plant(monkeypatch: pytest.MonkeyPatch, fault: Any) -> None:
    from lnbench.methods.standard import Standard

    sound = Standard.loss
    monkeypatch.setattr(Standard, "loss", lambda self, logits, labels: fault(sound(self, logits, labels)))


def trained_on_the_device(changes: dict[str, Any], backend: str = "loop") -> PretendedCuda:
    prepare(CPU)
    with PretendedCuda() as gpu:
        group = Group([changes], [seeds()], DeviceData(data_of(), CUDA), BACKENDS[backend])
        watched(gpu, group).finish()
    return gpu


# ---- what a GPU needs


def test_parameters_begin_where_a_gpus_libraries_want_them_and_nothing_lies_between_them() -> None:
    changes = recipe(**SMALL, model="resnet8_w8", optimizer=OPTIMIZERS["adam"])
    prepare(CPU)
    with PretendedCuda():
        on_gpu = Group([changes], [seeds()], DeviceData(data_of(), CUDA))
        on_gpu.epoch()
        flat = on_gpu.backend.networks[0].flat  # type: ignore[attr-defined]
        starts = [parameter.storage_offset() for parameter in on_gpu.backend.model.parameters()]  # type: ignore[attr-defined]
        packed, whole = flat.without_gaps(flat.weights).cpu().numpy(), flat.weights.cpu().numpy()
    on_cpu = Group([changes], [seeds()], DeviceData(data_of(), CPU))
    on_cpu.epoch()
    plain = on_cpu.backend.networks[0].flat  # type: ignore[attr-defined]
    assert [start % 64 for start in starts] == [0] * len(starts)
    assert len(whole) > len(packed) == plain.count == len(plain.weights) == flat.count
    assert np.array_equal(packed, plain.weights.numpy())
    assert np.count_nonzero(whole) == np.count_nonzero(packed)
    assert plain.without_gaps(plain.weights) is plain.weights


@pytest.mark.parametrize("device, told", [("cuda", []), ("cuda:0", [torch.device("cuda:0")])])
def test_a_capture_is_on_the_device_that_trains(device: str, told: list[Any]) -> None:
    with PretendedCuda() as gpu:
        train(recipe(), seeds(), DeviceData(data_of(), torch.device(device)))
    assert gpu.chosen == told


def test_a_training_keeps_its_arithmetic_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deterministic kernels or an error while it trains; afterwards the caller's settings."""
    seen: dict[str, Any] = {}

    def settings() -> dict[str, Any]:
        return {
            "strict": torch.are_deterministic_algorithms_enabled(),
            "warns": torch.is_deterministic_algorithms_warn_only_enabled(),
            "tf32": (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32),
            "sums": torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction,
            "tuned": torch.backends.cudnn.benchmark,
        }

    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.benchmark = True
    own = settings()
    try:
        _plant(monkeypatch, lambda losses: seen.update(settings()) or losses)
        with PretendedCuda():
            train(recipe(), seeds(), data_of(), "cuda")
        assert settings() == own
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.benchmark = False
    assert seen == {"strict": True, "warns": False, "tf32": (False, False), "sums": False, "tuned": False}
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
