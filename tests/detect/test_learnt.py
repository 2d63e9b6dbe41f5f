"""What the networks learnt is measured on images that they did not see; without it nothing is said of a label."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from lnbench.detect.data import Labelled
from lnbench.detect.folds import folds_of
from lnbench.detect.preferred import Learnt, Preferred, learnt
from lnbench.detect.scoring import scored
from lnbench.detect.tables import by_heart, overruled, rule
from tests.toys.planted_digits import detect, rows

QUICK = ("--runs", 1, "--epochs", 12, "--top", 8)


def archive(file: Path, labels: np.ndarray, count: int) -> Path:
    images = (load_digits().images[:count] * 255 / 16).astype(np.uint8)
    np.savez(file, images=images, labels=labels)
    return file


def data_of(labels: np.ndarray, images: np.ndarray | None = None) -> Labelled:
    made = np.arange(len(labels), dtype=np.uint32).view(np.uint8).reshape(-1, 1, 2, 2) if images is None else images
    classes = [str(label) for label in range(int(labels.max()) + 1)]
    return Labelled(made, labels, [""] * len(labels), classes, lambda index, size: made[index])


def test_labels_that_have_nothing_to_do_with_the_images_are_said_and_get_no_estimate(tmp_path: Path) -> None:
    """The network learns them by heart, so that its training accuracy is high; it stayed silent."""
    labels = np.random.default_rng(0).permutation(load_digits().target[:300])
    file = archive(tmp_path / "permuted.npz", labels, 300)
    assert detect(file, "-o", tmp_path / "out", "--runs", 1, "--epochs", 60, "--top", 8) == 0
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert result["runs"][0]["train_accuracy"] > 0.5 and not result["learnt"]["shown"]
    assert abs(result["learnt"]["balanced_accuracy"] - 0.1) < 0.05
    assert result["noise"] is None and result["suspects"] == 0
    assert "the networks learnt next to nothing of the classes" in result["notes"][-1]
    page = (tmp_path / "out/report.md").read_text()
    assert "nothing is said of any label" in page and "Given labels against preferred ones" not in page
    assert {row["suspect"] for row in rows(tmp_path / "out/scores.csv")} == {"no"}


def test_a_large_class_does_not_hide_what_was_learnt(tmp_path: Path) -> None:
    """96 of 100 images are of one class: the note was there at a training accuracy of 100 %. At the default rate it is
    there, and names the remedy."""
    digits = load_digits().target[:900]
    labels = ((digits == 0) & (np.cumsum(digits == 0) % 5 < 2)).astype(np.int64)
    assert 0.03 < labels.mean() < 0.05
    file = archive(tmp_path / "few.npz", labels, 900)
    assert detect(file, "-o", tmp_path / "out", *QUICK) == 0
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert not result["learnt"]["shown"] and any(
        "try a higher --lr (0.1, if one class" in note for note in result["notes"]
    )
    assert detect(file, "-o", tmp_path / "out", *QUICK, "--lr", 0.1) == 0
    result = json.loads((tmp_path / "out/result.json").read_text())
    assert result["learnt"]["shown"] and not any("learnt next to nothing" in note for note in result["notes"])


@pytest.mark.parametrize(
    ("counts", "right", "shown"),
    [
        ((96, 4), (96, 0), False),  # always the large class
        ((960, 40), (940, 20), True),
        ((50, 50), (27, 29), False),  # as guesses come out
        ((5000, 5000), (2560, 2540), False),  # more than chance, but next to nothing
        ((500, 500), (300, 300), True),
    ],
)
def test_a_class_counts_as_much_as_another(counts: tuple[int, int], right: tuple[int, int], shown: bool) -> None:
    given = np.repeat([0, 1], counts)
    hits = np.concatenate([np.arange(count) < some for count, some in zip(counts, right, strict=True)])
    found = learnt(given, hits, 2)
    assert found.accuracy == pytest.approx(np.mean([some / count for some, count in zip(right, counts, strict=True)]))
    assert found.chance == 0.5 and found.shown is shown


def test_one_guesser_in_a_hundred_is_taken_for_a_learner() -> None:
    rng = np.random.default_rng(0)
    given = np.repeat([0, 1, 2], [20, 20, 40])
    passed = sum(learnt(given, rng.integers(0, 3, 80) == given, 3).shown for _ in range(2000))
    assert passed < 2000 * 0.02


def test_the_given_label_is_preferred_where_it_is_as_probable_as_another() -> None:
    probabilities = np.array([[0.5, 0.5, 0.0], [0.2, 0.4, 0.4], [0.1, 0.2, 0.7]])
    found = Preferred(probabilities, np.array([1, 0, 2]))
    assert found.label.tolist() == [1, 1, 2]
    assert found.of_given.tolist() == [0.5, 0.2, 0.7] and found.confidence.tolist() == [0.5, 0.4, 0.7]
    assert found.table.tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_a_suspect_is_disliked_by_those_that_saw_it_and_by_those_that_did_not() -> None:
    labels = np.zeros(60, dtype=np.int64)
    labels[30:] = 1
    other = labels.copy()
    other[:6] = 1
    aum = np.ones(60)
    aum[3:9] = -1
    scores = scored([np.arange(60.0).tolist()], [aum.tolist()], 10, [(0.9, 0.1)], Preferred(np.eye(2)[other], labels))
    assert np.flatnonzero(scores.suspects()).tolist() == [3, 4, 5] and rule(scores).endswith("preferred out of fold")
    alone = scored([np.arange(60.0).tolist()], [aum.tolist()], 10, [(0.9, 0.1)])
    assert np.flatnonzero(alone.suspects()).tolist() == list(range(3, 9)) and rule(alone) == "AUM below 0"


def test_networks_that_disagree_with_most_labels_accuse_none() -> None:
    """Seen with CIFAR-10N: a network at a training accuracy of 29 % preferred another class for 85 % of the labels."""
    labels = np.arange(60, dtype=np.int64) % 2
    for below, suspects in ((30, 30), (31, 0)):
        aum = np.where(np.arange(60) < below, -1.0, 1.0)
        other = np.where(aum < 0, 1 - labels, labels)
        known = Learnt(0.8, 0.5, 0.6)
        aul = -aum * 9 + np.arange(60) % 7 / 7  # two groups
        scores = scored([aul.tolist()], [aum.tolist()], 10, [(0.9, 0.1)], Preferred(np.eye(2)[other], labels), known)
        assert scores.suspects().sum() == suspects
        assert bool(overruled(scores)) is (not suspects) and (scores.probability is None) is (not suspects)
    assert "preferred another class for 51.7 % of the labels" in overruled(scores)[0]


def test_labels_that_were_learnt_by_heart_are_said() -> None:
    found = [by_heart(scored([[0.0] * 60], [[1.0] * 60], 10, [(accuracy, 0.1)])) for accuracy in (0.99, 0.995)]
    assert not found[0] and "training accuracy 99.5 %" in found[1][0] and "look beyond the suspects" in found[1][0]


def test_copies_share_a_fold_and_classes_are_spread_evenly() -> None:
    labels = np.repeat([0, 1, 2], [30, 31, 29])
    data = data_of(labels)
    data.images[40] = data.images[3]  # under another label, too
    data.images[80] = data.images[79]
    fold = folds_of(data, 3, 0)
    assert fold is not None and fold[40] == fold[3] and fold[80] == fold[79]
    counts = np.array([[((fold == k) & (labels == label)).sum() for k in range(3)] for label in range(3)])
    assert np.ptp(counts, axis=1).max() <= 3
    other = folds_of(data, 3, 1)
    assert other is not None and not np.array_equal(fold, other)
    assert folds_of(data_of(labels, np.zeros((90, 1, 8, 8), np.uint8)), 3, 0) is None
