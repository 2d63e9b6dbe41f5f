"""Labels from tables: laws against numbers worked out apart, and the same labels on either side and for any part."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from lnbench import catalog
from lnbench.data import ImageData, load
from lnbench.data.label_files import LabelFiles
from lnbench.errors import DataError
from lnbench.judge.idle_seeds import twins
from lnbench.noise.class_conditional import law_of
from lnbench.noise.hard_images import margins
from lnbench.noise.law import describe, on_data
from lnbench.training.batches import DeviceData, TrainingSet
from tests.toys.labelled import DIGITS, MATRIX, noisy_digits, write_labels
from tests.toys.small_runs import recipe, seeds

NUMBERS = np.arange(len(DIGITS.train_labels), dtype=np.int64)
FILE = LabelFiles()


def told(options: Mapping[str, Any], *, seed: int = 0, data: ImageData = DIGITS, files: LabelFiles = FILE) -> Any:
    """The noise of some options, told of a data set; as many examples as this has training images."""
    kind = catalog.find("noise", options["kind"]).load()
    return on_data(kind(len(data.train_labels), data.classes, seed, dict(options)), data, files)


def of_images(noise: Any, identity: np.ndarray = NUMBERS) -> np.ndarray:
    """The labels of some images, by their numbers."""
    found: np.ndarray = noise.labels(identity, DIGITS.train_labels[identity], identity)
    return found


@pytest.fixture
def mine(tmp_path: Path) -> tuple[dict[str, Any], LabelFiles]:
    """The options of a file with a tenth of the digits' labels wrong, and where it lies."""
    path = tmp_path / "mine.npy"
    digest = write_labels(path, noisy_digits())
    return {"kind": "labels_file", "sha256": digest}, LabelFiles(tmp_path, {digest: str(path)})


ROWS = {"kind": "class_conditional", "matrix": MATRIX}
HARD = {"kind": "hard_images", "rate": 0.2}


# ---- the seam


@pytest.mark.parametrize("kind", ["file", "classes", "hard"])
def test_numpy_and_torch_and_any_part_of_the_images_have_the_same_labels(
    kind: str, mine: tuple[dict[str, Any], LabelFiles]
) -> None:
    noise = told({"file": mine[0], "classes": ROWS, "hard": HARD}[kind], files=mine[1])
    whole = of_images(noise)
    some = NUMBERS[::-3].copy()
    assert np.array_equal(of_images(noise, some), whole[some])
    tensor = torch.from_numpy(some)
    on_torch = noise.labels(tensor, torch.from_numpy(DIGITS.train_labels[some]), tensor)
    assert on_torch.dtype == torch.int64
    assert np.array_equal(on_torch.numpy(), whole[some])
    assert (whole != DIGITS.train_labels).any()


def test_a_run_trains_on_the_labels_of_the_file_by_the_images_numbers(mine: tuple[dict[str, Any], LabelFiles]) -> None:
    options, files = mine
    data = DeviceData(DIGITS, torch.device("cpu"))
    trained = TrainingSet(data, recipe(noise=options), seeds(3), files=files)
    image, label = trained.given()
    numbers = trained.identity[image].numpy()
    assert np.array_equal(label.numpy(), noisy_digits()[numbers])
    assert trained.noise_facts["realised_wrong"] == pytest.approx((numbers < 130).mean())
    assert trained.noise_facts["table"]["wrong"] == 0.1


def test_the_record_has_the_tables_checksum_its_share_and_its_counts(mine: tuple[dict[str, Any], LabelFiles]) -> None:
    options, files = mine
    table = describe(told(options, files=files), DIGITS.train_labels, NUMBERS)["table"]
    labels = noisy_digits()
    assert table["sha256"] == hashlib.sha256(labels.astype(np.uint8).tobytes()).hexdigest()
    assert table["wrong"] == 130 / 1300 and table["images"] == 1300
    expected = np.zeros((10, 10), dtype=int)
    for true, label in zip(DIGITS.train_labels, labels, strict=True):
        expected[true, label] += 1
    assert table["transition"] == expected.tolist()
    assert str(files.root) not in str(table), "where a file lies is not part of a record"


def test_more_than_ten_classes_leave_the_counts_out(tmp_path: Path) -> None:
    labels = np.arange(1300, dtype=np.int64) % 300
    data = replace(DIGITS, train_labels=labels, classes=300)
    digest = write_labels(tmp_path / "wide.npy", labels)
    options = {"kind": "labels_file", "sha256": digest}
    table = told(options, data=data, files=LabelFiles(tmp_path, {digest: str(tmp_path / "wide.npy")})).facts()["table"]
    assert "transition" not in table
    assert table["sha256"] == hashlib.sha256(labels.astype("<u2").tobytes()).hexdigest()


def test_labels_before_the_data_set_is_known_are_an_error() -> None:
    kind = catalog.find("noise", "hard_images").load()
    noise = kind(10, 10, 0, HARD)
    assert noise.size == 10  # a run is priced without its data
    with pytest.raises(ValueError, match=r"call noise\.on first"):
        noise.labels(NUMBERS, DIGITS.train_labels, NUMBERS)


# ---- class by class


def test_each_class_gets_the_labels_of_its_row() -> None:
    """Chi-squared against the matrix, class by class, over 40 seeds; p below 1e-4 in none of ten classes."""
    rows = np.full((10, 10), 0.03)
    rows[np.arange(10), np.arange(10)] = 0.6
    rows[np.arange(10), (np.arange(10) + 4) % 10] += 1 - rows.sum(axis=1)
    options = {"kind": "class_conditional", "matrix": rows.tolist()}
    counts = np.zeros((10, 10))
    for seed in range(40):
        np.add.at(counts, (DIGITS.train_labels, of_images(told(options, seed=seed))), 1)
    for row, expected in zip(counts, rows, strict=True):
        assert stats.chisquare(row, row.sum() * expected / expected.sum()).pvalue > 1e-4
    nominal = sum((1 - rows[y, y]) * (DIGITS.train_labels == y).mean() for y in range(10))
    assert told(options).nominal_wrong() == pytest.approx(nominal, abs=1e-9)


def test_a_law_of_zeros_and_ones_is_exact_and_the_same_for_every_seed() -> None:
    rows = np.roll(np.eye(10), 3, axis=1)  # y -> y + 3
    options = {"kind": "class_conditional", "matrix": rows.tolist()}
    for seed in (0, 1):
        noise = told(options, seed=seed)
        assert np.array_equal(of_images(noise), (DIGITS.train_labels + 3) % 10)
    assert noise.nominal_wrong() == 1.0
    assert noise.facts()["table"]["drawn"] is False
    assert told(ROWS).facts()["table"]["drawn"] is True


def test_a_rate_brings_a_matrix_to_a_share_and_keeps_its_structure() -> None:
    """Two classes that are wrong in 10 % and 30 %, at 0.4 in the mean: 20 % and 60 %, by hand."""
    law = law_of([[0.9, 0.1], [0.3, 0.7]], 0.4)
    assert [[float(share) for share in row] for row in law] == [[0.8, 0.2], [0.6, 0.4]]
    with pytest.raises(ValueError, match=r"class 1 would be wrong more often than always; at most 0\.6667"):
        law_of([[0.9, 0.1], [0.3, 0.7]], 0.7)
    with pytest.raises(ValueError, match="has no wrong label"):
        law_of([[1, 0], [0, 1]], 0.1)


def test_with_a_higher_rate_what_was_wrong_stays_wrong() -> None:
    low, high = (of_images(told({**ROWS, "rate": rate})) != DIGITS.train_labels for rate in (0.1, 0.3))
    assert low.sum() < high.sum() and not (low & ~high).any()


# ---- hard images


def test_margins_are_those_of_means_worked_out_one_by_one() -> None:
    """Distances to the mean of half of each class, in exact fractions of Python for a few images."""
    from fractions import Fraction

    from lnbench.randomness import Stream, u32

    true, pixels = DIGITS.train_labels, DIGITS.train_images.reshape(1300, -1)
    hashes = u32(5, Stream.NOISE, 0, NUMBERS)
    means = []
    for label in range(10):
        own = sorted(np.flatnonzero(true == label), key=lambda image: hashes[image])
        half = own[: -(-len(own) // 2)]
        means.append([Fraction(sum(int(pixels[image, p]) for image in half), len(half)) for p in range(64)])
    found, other = margins(DIGITS.train_images, true, 10, 5)
    for image in range(0, 1300, 130):
        distances = [sum((int(x) - m) ** 2 for x, m in zip(pixels[image], mean, strict=True)) for mean in means]
        own = int(true[image])
        nearest = min((label for label in range(10) if label != own), key=lambda label: distances[label])
        assert other[image] == nearest
        assert found[image] == pytest.approx(float(distances[nearest] - distances[own]), abs=1e-6)


@pytest.mark.parametrize("rate, moved", [(0.0, 0), (0.001, 1), (0.29, 377), (1.0, 1300)])
def test_an_exact_number_of_images_moves_and_it_is_the_hardest(rate: float, moved: int) -> None:
    noise = told({"kind": "hard_images", "rate": rate}, seed=1)
    wrong = of_images(noise) != DIGITS.train_labels
    assert wrong.sum() == moved
    assert noise.nominal_wrong() == moved / 1300
    margin, other = margins(DIGITS.train_images, DIGITS.train_labels, 10, 1)
    if 0 < moved < 1300:
        assert margin[wrong].max() <= margin[~wrong].min()
    assert np.array_equal(of_images(noise)[wrong], other[wrong])


def test_two_seeds_of_hard_images_agree_on_most_wrong_labels_and_not_on_all() -> None:
    first, second = (of_images(told(HARD, seed=seed)) for seed in (0, 1))
    both = (first != DIGITS.train_labels) & (second != DIGITS.train_labels)
    assert 0.7 * 260 < both.sum() < 260
    assert not np.array_equal(first, second)


def test_the_margins_that_are_kept_are_those_of_the_very_same_images_and_seed() -> None:
    turned = replace(DIGITS, train_images=DIGITS.train_images[::-1].copy())  # with the checksum of the others
    first, other, again = (of_images(told(HARD, data=data)) for data in (DIGITS, turned, DIGITS))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_a_class_without_images_is_nobodys_neighbour() -> None:
    data = replace(DIGITS, classes=12, checksum="with two more classes")
    assert of_images(told({"kind": "hard_images", "rate": 1.0}, data=data)).max() <= 9


def test_given_labels_are_no_sign_of_an_idle_seed_and_drawn_ones_are() -> None:
    def record(law: dict[str, Any], noise: Any) -> Any:
        facts = describe(noise, DIGITS.train_labels, NUMBERS)
        outcome = {"status": "ok", "examples": {"test": 497}, "classes": 10, "noise": facts}
        return {"outcome": outcome, "content": {"recipe": {"noise": law}}}

    for law, idle in ((ROWS, True), (HARD, False), ({**ROWS, "matrix": np.roll(np.eye(10), 1, 1).tolist()}, False)):
        one = record(law, told(law, seed=0))
        assert bool(twins([("cell", 0, one), ("cell", 1, one)])) is idle


# ---- the published labels

RATES = {"aggregate": 9.01, "random1": 17.234, "random2": 18.122, "random3": 17.64, "worst": 40.208}


def cifar(name: str) -> tuple[ImageData, LabelFiles]:
    root = os.environ.get("LNBENCH_DATA")
    file = Path(root or "", "cifar_n", f"{name}n_labels.npz")
    if not root or not file.is_file():
        pytest.skip("LNBENCH_DATA has no CIFAR-N labels to read")
    try:
        return load(name, root=root), LabelFiles(Path(root))
    except DataError as error:
        pytest.skip(f"LNBENCH_DATA has no {name} to read: {error}")


@pytest.mark.parametrize("labels", RATES)
def test_the_published_labels_of_cifar_10_are_wrong_as_often_as_published(labels: str) -> None:
    data, files = cifar("cifar10")
    numbers = np.arange(50_000, dtype=np.int64)
    noise = told({"kind": "human", "labels": labels}, data=data, files=files)
    facts = describe(noise, data.train_labels, numbers)
    assert round(100 * facts["realised_wrong"], 3) == RATES[labels]
    assert facts["table"]["source"] == f"cifar10n {labels}"
    assert facts["table"]["sha256"] == facts["labels_sha256"], "all images, in order"


def test_the_worst_labels_confuse_what_the_authors_say_they_confuse() -> None:
    """Truck for automobile .282, automobile for truck .247, cat for dog .206, dog for cat .183, deer for horse .152;
    right from .487 (cat) to .722 (horse). A synthetic arm `like: worst` has these shares and other wrong images."""
    data, files = cifar("cifar10")
    human = told({"kind": "human", "labels": "worst"}, data=data, files=files)
    drawn = told({"kind": "class_conditional", "like": "worst"}, data=data, files=files)
    for noise, within in ((human, 5e-4), (drawn, 0.03)):  # 5,000 images a class: four deviations of a share are 0.028
        shares = np.array(noise.facts()["table"]["transition"]) / 5000
        for (true, label), share in {(9, 1): 0.282, (1, 9): 0.247, (3, 5): 0.206, (5, 3): 0.183, (4, 7): 0.152}.items():
            assert shares[true, label] == pytest.approx(share, abs=within)
        assert shares[3, 3] == pytest.approx(0.487, abs=within) and shares[7, 7] == pytest.approx(0.722, abs=within)
    assert drawn.nominal_wrong() == pytest.approx(0.40208)
    numbers = np.arange(50_000, dtype=np.int64)
    wrong = [noise.labels(numbers, data.train_labels, numbers) != data.train_labels for noise in (human, drawn)]
    assert (wrong[0] & wrong[1]).mean() < 0.2, "which image is wrong is drawn: about 0.16 are wrong in both"


def test_the_published_labels_of_cifar_100() -> None:
    data, files = cifar("cifar100")
    noise = told({"kind": "human", "labels": "noisy"}, data=data, files=files)
    assert round(100 * noise.nominal_wrong(), 2) == 40.2
    assert "transition" not in noise.facts()["table"]
