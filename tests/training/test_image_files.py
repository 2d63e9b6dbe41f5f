"""Training on image files: the same numbers for any number of processes, wherever a run was stopped, and top-5."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from lnbench.data.images import load
from lnbench.errors import DataError
from lnbench.execute.groups import Grouping
from lnbench.plan import Run
from lnbench.plan.devices import device_named
from lnbench.plan.step_cost import memory, training_time
from lnbench.spec import Recipe
from lnbench.training import file_images
from lnbench.training.augment import crop_bits
from lnbench.training.batches import Batch, DeviceData, TrainingSet
from lnbench.training.engine import train, train_group
from lnbench.training.file_images import mirrored
from lnbench.training.folder_data import FolderOnDevice
from lnbench.training.hooks import Hooks, State, Stopped
from lnbench.training.probes.test_images import _within
from tests.toys.picture_folder import ABOUT, NAMES, dataset, folder_data, folder_recipe, make_folder
from tests.toys.small_runs import recipe, run, seeds

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    make_folder(folder / "birds")
    return folder


@pytest.fixture(scope="module")
def here(root: Path) -> FolderOnDevice:
    """The folder, decoded by whoever asks."""
    torch.set_num_threads(1)
    return FolderOnDevice(folder_data(root), CPU, 0)


@pytest.fixture(scope="module")
def by_two(root: Path) -> Iterator[FolderOnDevice]:
    """The folder, decoded by two processes."""
    data = FolderOnDevice(folder_data(root), CPU, 2)
    yield data
    data.decoders.close()


@pytest.fixture(scope="module")
def whole(here: FolderOnDevice) -> dict[str, Any]:
    """The outcome of the small training."""
    return train(folder_recipe(), seeds(), here)


def test_any_number_of_processes_trains_to_the_same_bits(whole: dict[str, Any], by_two: FolderOnDevice) -> None:
    assert train(folder_recipe(), seeds(), by_two) == whole
    assert whole["examples"] == {"train": 120, "validation": 12, "test": 36}
    assert whole["data_sha256"] == by_two.data.checksum and whole["classes"] == 6
    assert 0 <= whole["curves"]["test_accuracy"][-1] <= whole["metrics"]["top5_accuracy"] <= 1


@pytest.mark.parametrize(
    "stop", [3, 8, 13]
)  # of two epochs of eight steps: within the first, at its end, in the second
def test_a_run_that_was_stopped_ends_as_one_that_was_not(
    whole: dict[str, Any], by_two: FolderOnDevice, stop: int
) -> None:
    kept: list[State] = []
    ticks = iter(range(1, 1000))
    hooks = Hooks(lambda progress: False, lambda: next(ticks) == stop, kept.append)
    with pytest.raises(Stopped):
        train(folder_recipe(), seeds(), by_two, hooks=hooks)
    (state,) = kept
    assert train(folder_recipe(), seeds(), by_two, state=state) == whole
    assert not state.refused


def test_batches_behind_the_next_one_are_decoded_meanwhile(root: Path, by_two: FolderOnDevice) -> None:
    examples = TrainingSet(by_two, folder_recipe(), seeds())
    batches = examples.batches(0, 16)
    first = next(batches)
    assert first.later is not None and first.later.pending is not None
    every = [first, *batches]
    assert len(every) == 8 and all(batch.later is not None and batch.later.pending is not None for batch in every)
    plain = TrainingSet(FolderOnDevice(by_two.data, CPU, 0), folder_recipe(), seeds())
    for batch, again in zip(every, plain.batches(0, 16), strict=True):
        assert torch.equal(examples.shown(batch), plain.shown(again))
        assert torch.equal(examples.shown(batch), plain.pictures(again.image, again.shift)), "as without a batch"


def test_no_more_than_some_batches_are_held_ready(by_two: FolderOnDevice) -> None:
    started = []

    class Later:
        def start(self) -> None:
            started.append(self)

        def cancel(self) -> None:
            cancelled.append(self)

    cancelled: list[Any] = []
    none = torch.zeros(1, dtype=torch.int64)
    many = (Batch(none, none, none, None, later=Later()) for _ in range(20))  # type: ignore[arg-type]
    batches = file_images.ahead(many)
    next(batches)
    assert len(started) == file_images.AHEAD + 1
    batches.close()
    assert len(cancelled) == file_images.AHEAD, "what nobody asks for in the end"


def test_a_crop_is_of_the_example_and_the_epoch(here: FolderOnDevice) -> None:
    """Two noisy copies of an image are cropped apart, another epoch has other crops, and the order says nothing."""
    examples = TrainingSet(here, folder_recipe(), seeds())
    (batch,) = examples.batches(0, 120)
    assert batch.shift is not None and torch.equal(batch.shift, crop_bits(0, 0, batch.example))
    assert len(batch.shift.unique()) == 120
    (later,) = examples.batches(1, 120)
    assert later.shift is not None
    assert not set(batch.shift.flatten().tolist()) & set(later.shift.flatten().tolist())
    plain = TrainingSet(here, folder_recipe(augment="none"), seeds())
    (whole,) = plain.batches(0, 120)
    assert whole.shift is None and torch.equal(plain.shown(whole), here.images[whole.image])


def test_about_half_of_the_images_are_mirrored(here: FolderOnDevice) -> None:
    bits = crop_bits(3, 0, torch.arange(4000))
    which = file_images.flips(bits[:, 0]) == 1
    assert 0.45 < which.double().mean() < 0.55
    images = here.images[torch.arange(6)]
    flipped = mirrored(images, torch.tensor([True, False] * 3))
    assert torch.equal(flipped[0], images[0].flip(1)) and torch.equal(flipped[1], images[1])


def test_held_out_images_are_decoded_ahead_piece_by_piece(by_two: FolderOnDevice, monkeypatch: Any) -> None:
    images = by_two.test_images
    every = images[torch.arange(36)]
    pieces = torch.split(torch.arange(36), 10)
    images.announce(pieces)
    assert torch.equal(torch.cat([images[piece] for piece in pieces]), every)
    images.announce(pieces)
    assert torch.equal(images[torch.tensor([5, 3])], every[[5, 3]]), "another question than the one announced"
    assert torch.equal(images[pieces[1]], every[10:20])


def test_a_damaged_file_ends_the_run_with_its_name(root: Path, tmp_path: Path) -> None:
    """Its header is whole, so that listing the folder does not see it."""
    make_folder(tmp_path / "birds")
    file = tmp_path / "birds" / "train" / NAMES[3] / "004.JPEG"
    file.write_bytes(file.read_bytes()[:-300])
    data = FolderOnDevice(folder_data(tmp_path), CPU, 1)
    with pytest.raises(DataError) as error:
        train(folder_recipe(dataset=dataset(clean=72, validation=0)), seeds(), data)
    assert str(error.value).startswith(f"{file}: is damaged (") and "replace or remove it" in str(error.value)
    data.decoders.close()


def test_other_methods_and_averages_train_on_files_too(here: FolderOnDevice) -> None:
    changes = {
        "average": {"kind": "swa", "start": 1, "every": 1, "unit": "epochs"},
        "method": {"kind": "reed_hard", "beta": 0.8},
    }
    found = train(folder_recipe(**changes), seeds(), here)
    assert found["status"] == "ok" and len(found["curves"]["test_accuracy_averaged"]) == 2


# ---- what does not go


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"augment": "crop_flip"}, "augment: crop_flip is for images in memory; of image_folder take resized"),
        ({"noise": {"kind": "dilute_foreign", "alpha": 1.0, "source": "white"}}, "noise: this kind needs all images"),
        ({"noise": {"kind": "hard_images", "rate": 0.4}}, "noise: this kind needs all images in memory"),
        ({"probes": ["example_loss", "suspects"]}, "probes: suspects needs all images in memory"),
        ({"dataset": dataset(folder=None)}, "folder: say which: {path: birds"),
        ({"dataset": dataset(folder={**ABOUT, "path": "../birds"})}, "is no path below the data root"),
        ({"dataset": dataset(folder={**ABOUT, "path": "/birds"})}, "is no path below the data root"),
        ({"dataset": dataset(folder={**ABOUT, "classes": 1})}, "greater than or equal to 2"),
        ({"dataset": dataset(clean=80)}, "clean: 80 clean + 12 validation images, but image_folder has 72"),
        ({"dataset": dataset(test=40)}, "test: 40 images, but image_folder has 36 for testing"),
        ({"dataset": {"name": "imagenet", "clean": 60, "folder": ABOUT}}, "folder: imagenet has its place"),
        ({"dataset": {"name": "digits", "clean": 60, "size": 64}, "augment": "none"}, "size: the images of digits"),
        ({"dataset": {"name": "digits", "clean": 60}}, "augment: resized_crop_flip is for image files"),
        ({"dataset": dataset(folder={**ABOUT, "classes": 5})}, "probes: top5 says nothing of 5 classes"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_of_files_is_said_when_a_study_is_read(changes: dict[str, Any], told: str) -> None:
    whole = {**folder_recipe(), "selection": "last_epoch", **changes}
    with pytest.raises(ValidationError) as error:
        Recipe.model_validate(whole)
    assert told in str(error.value)


def test_what_cannot_be_asked_of_files_is_said_by_the_engine(here: FolderOnDevice) -> None:
    with pytest.raises(ValueError, match=r"the stacked backend cannot train|needs all images in memory"):
        train_group([folder_recipe(model="mlp1_w32")], [seeds()], here, backend="stacked")
    with pytest.raises(ValueError, match="augment: crop_flip is not for image_folder"):
        train(folder_recipe(augment="crop_flip"), seeds(), here)
    with pytest.raises(ValueError, match="augment: resized_crop_flip is not for digits"):
        train(recipe(augment="resized_crop_flip"), seeds(), load("digits"))


def test_dense_networks_on_files_are_not_stacked() -> None:
    dense = run(**folder_recipe(model="mlp1_w32"))
    for backend in ("auto", "stacked", "recorded"):
        grouping = Grouping("cpu" if backend != "recorded" else "cuda", backend=backend)
        assert grouping.way(dense) == ("loop", False), backend


def test_a_recipe_without_files_has_the_identity_it_had() -> None:
    plain = Recipe.model_validate({**recipe(), "selection": "last_epoch"})
    assert plain.identity()["dataset"] == {"name": "digits", "clean": 300, "validation": 0}
    assert set(plain.model_dump(mode="json")["dataset"]) == {"name", "clean", "validation", "test", "only"}
    own = Recipe.model_validate({**folder_recipe(), "selection": "last_epoch"})
    assert own.identity()["dataset"] == dataset()


# ---- top-5


def test_top5_counts_classes_before_an_images_own() -> None:
    logits = torch.from_numpy(np.random.default_rng(0).normal(size=(500, 20)))
    labels = torch.arange(500) % 20
    inside = [label in row.topk(5).indices.tolist() for row, label in zip(logits, labels.tolist(), strict=True)]
    assert _within(logits, labels).tolist() == inside
    alike = torch.zeros(20, 20)  # a network that knows nothing: five of its answers are right, whatever sorts them
    assert _within(alike, torch.arange(20)).tolist() == [True] * 5 + [False] * 15


def test_top5_is_measured_on_images_in_memory_too_whatever_trains_them() -> None:
    data = load("digits")
    asked = recipe(model="mlp1_w32", probes=["top5", "test_probabilities"])
    alone = train(asked, seeds(), data)
    (stacked,) = train_group([asked], [seeds()], data, backend="stacked")
    found = alone["arrays"]["test_probabilities"]
    right = np.mean([label in np.argsort(-row)[:5] for row, label in zip(found, data.test_labels, strict=True)])
    assert alone["metrics"]["top5_accuracy"] == stacked["metrics"]["top5_accuracy"] == pytest.approx(right)
    assert alone["metrics"]["top5_accuracy"] > alone["curves"]["test_accuracy"][-1]


def test_a_run_that_diverged_has_no_top5() -> None:
    wild = recipe(model="mlp1_w32", optimizer={**recipe()["optimizer"], "lr": 1e38}, probes=["top5"])
    found = train(wild, seeds(), load("digits"))
    assert found["status"] == "diverged" and found["metrics"] == {"top5_accuracy": None}


# ---- what it costs


def test_decoding_is_priced_and_files_take_no_memory_of_the_device() -> None:
    about = {"name": "imagenet", "clean": 1_256_167, "validation": 0}
    photos = {"noise": {"kind": "dilute_uniform", "alpha": 5.0, "include_true_class": True}, "batch_size": 128,
              "model": "resnet18_imagenet", "augment": "resized_crop_flip", "epochs": 15}  # fmt: skip
    large, small = (Run(recipe(dataset={**about, **size}, **photos), seeds()) for size in ({}, {"size": 64}))
    h200 = device_named("h200")
    assert memory(large) < 20e9 < large.examples * 3 * 224 * 224, "its images do not lie on the device"
    seconds = training_time(small, h200).seconds
    decoding = small.examples * 15 * 5e-3 / 16
    assert decoding < seconds < 1.2 * decoding, "small pictures are waited for"
    assert training_time(large, h200).seconds > 1.2 * seconds, "large ones take the device longer"


def test_a_folder_on_a_device_is_data_on_a_device(here: FolderOnDevice) -> None:
    assert isinstance(here, DeviceData) and here.images.at_once == 1000
    assert FolderOnDevice(here.data, CPU).decoders.processes == 1
    assert file_images.files_at_once(224) == 111
