"""The synthetic images: the same bytes for ever, learnable, and not by a linear model alone."""

from __future__ import annotations

import time

import numpy as np
import pytest

from lnbench.data import synthetic
from lnbench.data.images import load

PINNED = {
    "synthetic_mnist": "93e8e502f8e252c025a24bf5b562bca21514a923d8ec6284ef9d47e0fd813d0e",
    "synthetic_cifar10": "62fb473d86adaaac053a588b7a2e70fae4b66ce44e0df9af647338395543f0d8",
}


@pytest.mark.parametrize("name", PINNED)
def test_the_bytes_never_change(name: str) -> None:
    assert load(name).checksum == PINNED[name]


@pytest.mark.parametrize(("name", "shape"), [("synthetic_mnist", (1, 28, 28)), ("synthetic_cifar10", (3, 32, 32))])
def test_shapes_types_and_counts_are_as_registered(name: str, shape: tuple[int, int, int]) -> None:
    data = load(name)
    assert data.train_images.shape == (2000, *shape)
    assert data.test_images.shape == (1000, *shape)
    assert data.train_images.dtype == np.uint8 and data.train_labels.dtype == np.int64
    assert (data.classes, data.scale) == (10, 255.0)


def test_classes_are_balanced_to_the_ten() -> None:
    labels = load("synthetic_mnist", options={"train": 40, "test": 10}).train_labels
    assert all(sorted(labels[start : start + 10]) == list(range(10)) for start in range(0, 40, 10))
    assert labels[:10].tolist() != labels[10:20].tolist()


def test_fewer_images_are_the_first_of_more() -> None:
    few = load("synthetic_mnist", options={"train": 33, "test": 10})
    more = load("synthetic_mnist", options={"train": synthetic.BLOCK + 7, "test": 20})
    assert np.array_equal(few.train_images, more.train_images[:33])
    assert np.array_equal(few.test_images, more.test_images[:10])
    assert np.array_equal(few.train_labels, more.train_labels[:33])


def test_another_seed_gives_other_images() -> None:
    first, second = (load("synthetic_mnist", options={"train": 10, "test": 10, "seed": s}) for s in (0, 1))
    assert not np.array_equal(first.train_images, second.train_images)
    assert first.checksum != second.checksum


def test_no_image_comes_twice() -> None:
    data = load("synthetic_mnist")
    both = np.concatenate([data.train_images, data.test_images]).reshape(3000, -1)
    assert len({bytes(image) for image in both}) == 3000


@pytest.mark.parametrize("count", [0, -1, synthetic.MOST + 1])
def test_a_count_out_of_range_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=r"train and test must lie in 1 … 65536"):
        synthetic.make((1, 28, 28), train=count)


def test_making_them_takes_no_time_to_speak_of() -> None:
    start = time.process_time()
    load("synthetic_cifar10")
    assert time.process_time() - start < 5.0  # 0.5 s on one core of 2024; slack for a busy machine


@pytest.mark.parametrize("name", PINNED)
def test_a_linear_model_learns_something_and_a_hidden_layer_more(name: str) -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    neural = pytest.importorskip("sklearn.neural_network")
    data = load(name)
    train, test = (x.reshape(len(x), -1) / 255 - 0.5 for x in (data.train_images, data.test_images))
    linear = linear_model.RidgeClassifier(alpha=100.0).fit(train, data.train_labels)
    hidden = neural.MLPClassifier((128,), learning_rate_init=2e-3, max_iter=8, random_state=0)
    with pytest.warns(match="Maximum iterations"):
        hidden.fit(train, data.train_labels)
    of_linear = linear.score(test, data.test_labels)
    of_hidden = hidden.score(test, data.test_labels)
    assert 0.4 < of_linear < 0.75
    assert of_linear + 0.15 < of_hidden < 0.99
