"""Noise from elsewhere: whose images these are, their labels' law, the law of white noise, what a run makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from lnbench.data import DataError, load
from lnbench.data.images import ImageData
from lnbench.data.label_files import LabelFiles
from lnbench.noise.foreign import LEVELS, DiluteForeign, channel_moments
from lnbench.training import train
from lnbench.training.augment import crop_and_flip
from lnbench.training.batches import DeviceData, TrainingSet
from tests.toys.small_runs import recipe, seeds

CPU = torch.device("cpu")


def law(source: str, n: int = 100, alpha: float = 1.0, seed: int = 3) -> DiluteForeign:
    noise = DiluteForeign(n, 10, seed, {"kind": "dilute_foreign", "alpha": alpha, "source": source})
    return noise.on(load("digits"), LabelFiles())


def foreign(source: str = "synthetic_other", alpha: float = 1.0) -> dict[str, Any]:
    return {"kind": "dilute_foreign", "alpha": alpha, "source": source}


def training(source: str, **changes: Any) -> TrainingSet:
    plain = recipe(noise=foreign(source), **{"dataset": {"name": "digits", "clean": 100, "validation": 20}, **changes})
    return TrainingSet(DeviceData(load("digits"), CPU), plain, seeds(4))


# ---- labels and images


@pytest.mark.parametrize("source", ["synthetic_other", "white"])
def test_labels_are_uniform_over_all_classes_and_none_is_right(source: str) -> None:
    noise = law(source, n=5000, alpha=4.0)
    example = np.arange(noise.size)
    place = noise.images(example)
    clean = np.where(place < 5000, place % 10, -1)
    labels = noise.labels(example, clean, place)
    assert (labels[:5000] == clean[:5000]).all()
    counts = np.bincount(labels[5000:], minlength=10)
    assert counts.sum() == 20_000 and stats.chisquare(counts).pvalue > 1e-3
    assert noise.nominal_wrong() == (labels != clean).mean() == 0.8


def test_labels_do_not_hang_on_the_image() -> None:
    """Else an image that is shown twice would teach its label."""
    noise = law("synthetic_other", n=2000, alpha=10.0)
    example = np.arange(2000, noise.size)
    shown, label = noise.images(example), noise.labels(example, example * 0 - 1, example)
    order = np.argsort(shown, kind="stable")
    same_image = shown[order][1:] == shown[order][:-1]
    agree = (label[order][1:] == label[order][:-1])[same_image]
    assert agree.sum() == pytest.approx(len(agree) / 10, abs=4 * np.sqrt(len(agree) * 0.09))


def test_another_data_sets_images_come_once_where_there_are_enough() -> None:
    once, often = law("synthetic_other", n=1000, alpha=1.5), law("synthetic_other", n=1000, alpha=5.0)
    numbers = once.images(np.arange(1000, 2500)) - 1000
    assert len(np.unique(numbers)) == 1500 and numbers.min() >= 0 and numbers.max() < 2000
    again = often.images(np.arange(1000, 6000)) - 1000
    counts = np.bincount(again, minlength=2000)
    assert stats.chisquare(counts).pvalue > 1e-3 and counts.max() > 4
    assert not np.array_equal(law("synthetic_other", n=1000, alpha=1.5, seed=4).images(np.arange(1000, 2500)), numbers)


def test_every_example_has_white_noise_of_its_own() -> None:
    noise = law("white", n=50, alpha=3.0)
    assert noise.images(np.arange(200)).tolist() == list(range(200)) and noise.foreign == 150
    pictures = training("white").on_device.pictures_of(noise)
    drawn = pictures.white(torch.arange(150)).flatten(1)  # type: ignore[attr-defined]
    assert len({bytes(row.numpy()) for row in drawn}) == 150
    assert np.abs(np.corrcoef(drawn.double().numpy()) - np.eye(150)).max() < 0.6  # of 64 pixels


@pytest.mark.parametrize("source", ["synthetic_other", "white"])
def test_numpy_and_torch_agree(source: str) -> None:
    noise, example = law(source, alpha=2.5), np.arange(350)
    place = noise.images(example)
    assert np.array_equal(noise.images(torch.from_numpy(example)).numpy(), place)
    clean = np.where(place < 100, place % 10, -1)
    labels = noise.labels(*map(torch.from_numpy, (example, clean, place)))
    assert np.array_equal(labels.numpy(), noise.labels(example, clean, place))


# ---- the law of white noise


def test_white_pixels_have_the_channels_mean_and_spread() -> None:
    images = np.random.default_rng(0).integers(0, 256, (200, 3, 5, 7), dtype=np.uint8)
    images[:, 1] //= 4
    labels = np.zeros(200, dtype=np.int64)
    data = ImageData("made", images, labels, images[:1], labels[:1], 10, 255.0, "0")
    moments = channel_moments(data)
    for channel, (mean, deviation) in enumerate(moments):
        assert mean == pytest.approx(images[:, channel].mean(dtype=np.float64), rel=1e-12)
        assert deviation == pytest.approx(images[:, channel].std(dtype=np.float64), rel=1e-9)
    noise = DiluteForeign(20, 10, 1, foreign("white")).on(data, LabelFiles())
    for table, (mean, deviation) in zip(noise.quantiles(), moments, strict=True):
        values = np.arange(256)
        edges = np.append(stats.norm.cdf(values[:-1] + 0.5, mean, deviation), 1.0)  # rounded, clipped at both ends
        shares = np.diff(edges, prepend=0.0)
        assert np.abs(np.bincount(table, minlength=256) / LEVELS - shares).max() < 2 / LEVELS
    drawn = DeviceData(data, CPU).pictures_of(noise).white(torch.arange(2000))  # type: ignore[attr-defined]
    assert drawn.shape == (2000, 5, 7, 3) and drawn.dtype == torch.uint8
    for channel, table in enumerate(noise.quantiles()):
        found = drawn[..., channel].double()
        assert found.mean().item() == pytest.approx(table.mean(), abs=4 * table.std() / np.sqrt(70_000))
        assert found.std().item() == pytest.approx(table.std(), rel=0.02)


def test_a_pixel_is_never_brighter_than_white() -> None:
    assert law("white").quantiles().max() <= 16  # the digits' scale


# ---- what a run makes of it


@pytest.mark.parametrize("augment", ["none", "crop_flip"])
def test_batches_show_clean_images_as_they_are_and_foreign_ones_of_the_other_set(augment: str) -> None:
    data, own, other = training("synthetic_other", augment=augment), load("digits"), load("synthetic_other")
    both = torch.from_numpy(np.concatenate((own.train_images, other.train_images)).transpose(0, 2, 3, 1).copy())
    late = 0
    for batch in data.batches(0, 32):
        shown = data.pictures(batch.image, batch.shift)
        expected = both[batch.image]
        if batch.shift is not None:
            expected = crop_and_flip(data.on_device.pictures_of(data.noise).padded, batch.image, batch.shift)
        assert torch.equal(shown, expected)
        true = data.true(batch.image)
        foreign_ones = batch.image >= 1300
        assert (true[foreign_ones] == -1).all() and torch.equal(batch.label[~foreign_ones], true[~foreign_ones])
        late += int(foreign_ones.sum())
    assert late == 100


@pytest.mark.parametrize("augment", ["none", "crop_flip"])
def test_batches_show_white_noise_beside_clean_images(augment: str) -> None:
    data = training("white", augment=augment)
    white = data.on_device.pictures_of(data.noise)
    for batch in data.batches(0, 32):
        shown = data.pictures(batch.image, batch.shift)
        late = batch.image >= 1300
        own_shift = None if batch.shift is None else batch.shift[~late]
        assert torch.equal(shown[~late], data.on_device.pictures.shown(batch.image[~late], own_shift))
        assert torch.equal(shown[late], white.white(batch.image[late] - 1300))  # type: ignore[attr-defined]


def test_a_record_says_where_the_images_are_from() -> None:
    facts = training("synthetic_other").noise_facts
    assert (facts["clean_images"], facts["foreign_images"], facts["examples"]) == (100, 2000, 200)
    assert (facts["right_labels"], facts["realised_wrong"]) == (100, 0.5)
    assert facts["foreign"] == {"source": "synthetic_other", "sha256": load("synthetic_other").checksum}
    white = training("white").noise_facts["foreign"]
    assert white["source"] == "white" and white["moments"][0] == pytest.approx([4.888, 6.029], abs=1e-3)


def test_it_trains_and_the_probes_know_what_is_clean() -> None:
    probes = ["example_loss", {"kind": "member_accuracy", "every": 1}]
    plain = recipe(dataset={"name": "digits", "clean": 100, "validation": 0}, noise=foreign("white"), probes=probes)
    outcome = train(plain, seeds(), load("digits"))
    true = outcome["arrays"]["example_true"]
    assert (true == -1).sum() == 100 and (outcome["arrays"]["example_label"][true >= 0] == true[true >= 0]).all()
    shares = outcome["probe_curves"]["noisy_member_accuracy"]["values"]
    assert all(share is not None and 0 <= share <= 1 for share in shares)


def test_a_source_of_another_form_or_not_there_is_one_line(tmp_path: Path) -> None:
    noise = DiluteForeign(10, 10, 0, foreign("synthetic_mnist"))
    with pytest.raises(DataError, match=r"images of synthetic_mnist are \(1, 28, 28\).*those of digits \(1, 8, 8\)"):
        noise.on(load("digits"), LabelFiles())
    with pytest.raises(DataError, match="cifar100"):
        DiluteForeign(10, 10, 0, foreign("cifar100")).on(load("digits"), LabelFiles(tmp_path))
