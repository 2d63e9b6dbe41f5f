"""An exact number of the data set's labels is replaced, whatever part of the images a run trains on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from lnbench.data import load
from lnbench.noise.law import describe, of_all
from lnbench.noise.uniform import ReplaceCount
from lnbench.training.batches import DeviceData, TrainingSet
from tests.noise.noise_law import all_labels
from tests.toys.small_runs import recipe, seeds

NUMBERS = np.arange(5000, dtype=np.int64)
CLASSES = NUMBERS % 10


def noise(rate: float, *, n: int = 5000, include: bool = False, seed: int = 0) -> ReplaceCount:
    return ReplaceCount(n, 10, seed, {"rate": rate, "include_true_class": include})


@pytest.mark.parametrize(
    "rate, replaced", [(0.0, 0), (0.2, 1000), (0.29, 1450), (0.5, 2500), (0.50019, 2500), (1.0, 5000)]
)
def test_so_many_labels_are_replaced_and_no_other_number(rate: float, replaced: int) -> None:
    for seed in range(5):
        labels = all_labels(noise(rate, seed=seed), CLASSES, NUMBERS)
        assert (labels != CLASSES).sum() == replaced
        assert noise(rate, seed=seed).facts() == {"replaced_of_all": replaced, "all_images": 5000}


def test_with_the_true_class_a_tenth_of_those_are_right_by_luck() -> None:
    wrong = [
        int((all_labels(noise(0.5, include=True, seed=seed), CLASSES, NUMBERS) != CLASSES).sum()) for seed in range(40)
    ]
    assert np.mean(wrong) == pytest.approx(2250, abs=4 * (2500 * 0.09 / 40) ** 0.5)
    assert noise(0.5, include=True).nominal_wrong() == pytest.approx(0.45)


def test_replaced_labels_are_uniform_and_so_are_the_images_that_get_them() -> None:
    labels = all_labels(noise(0.4), CLASSES, NUMBERS)
    changed = labels != CLASSES
    assert stats.chisquare(np.bincount((labels - CLASSES)[changed] % 10, minlength=10)[1:]).pvalue > 1e-4
    assert stats.chisquare(np.bincount(CLASSES[changed], minlength=10)).pvalue > 1e-4
    assert stats.chisquare(np.bincount(NUMBERS[changed] // 500)).pvalue > 1e-4


def test_a_part_of_the_images_has_the_labels_that_the_whole_has() -> None:
    part = np.sort(np.random.default_rng(0).permutation(5000)[:4000])
    whole = all_labels(noise(0.2), CLASSES, NUMBERS)
    told = of_all(noise(0.2, n=4000), 5000)
    labels = told.labels(np.arange(4000), CLASSES[part], part)
    assert (labels == whole[part]).all()
    wrong = describe(told, CLASSES[part], part)["realised_wrong"]
    assert wrong != 0.2 and wrong == pytest.approx(0.2, abs=0.02), "of a part the share is not exact"


def test_the_device_makes_the_same_labels() -> None:
    example = torch.arange(5000)
    found = noise(0.3).labels(example, torch.from_numpy(CLASSES), torch.from_numpy(NUMBERS))
    assert (found.numpy() == all_labels(noise(0.3), CLASSES, NUMBERS)).all()


def test_other_noise_is_not_told_how_many_images_there_are() -> None:
    other: Any = object()
    assert of_all(other, 5) is other


def test_a_run_counts_over_the_whole_data_set() -> None:
    data = DeviceData(load("digits"), torch.device("cpu"))
    have = len(data.labels)
    spec = recipe(
        noise={"kind": "replace_count", "rate": 0.5, "include_true_class": False},
        dataset={"name": "digits", "clean": 600, "validation": 100},
    )
    made = TrainingSet(data, spec, seeds())
    assert made.noise_facts["replaced_of_all"] == have // 2 and made.noise_facts["all_images"] == have
    of_every_image = TrainingSet(data, {**spec, "dataset": {"name": "digits", "clean": have, "validation": 0}}, seeds())
    assert int(of_every_image.wrong().sum()) == have // 2
    both = {
        int(number): bool(wrong) for number, wrong in zip(of_every_image.identity, of_every_image.wrong(), strict=True)
    }
    assert [both[int(number)] for number in made.identity] == made.wrong().tolist()
