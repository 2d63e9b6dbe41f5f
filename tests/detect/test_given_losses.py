"""Scores from what a training of anybody's recorded."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax

import lnbench.detect
from lnbench.detect.scoring import Scores
from lnbench.errors import DataError
from tests.toys.planted_digits import Planted, detect, rows

PAGE = (Path(__file__).parents[2] / "docs/detect.md").read_text(encoding="utf-8")
CLASSES = 4


def recorded(count: int = 400, epochs: int = 12, wrong_share: float = 0.3, seed: int = 0) -> dict[str, np.ndarray]:
    """Logits (epochs, count, 4) of a model that finds the true class soon, and the given one late."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, CLASSES, count)
    wrong = rng.random(count) < wrong_share
    labels = np.where(wrong, (true + rng.integers(1, CLASSES, count)) % CLASSES, true)
    logits = rng.normal(0, 0.7, (epochs, count, CLASSES))
    for epoch in range(epochs):
        logits[epoch, np.arange(count), true] += 2 + 0.2 * epoch
        logits[epoch, np.arange(count), labels] += 0.15 * epoch
    return {"logits": logits.astype(np.float32), "labels": labels, "wrong": wrong}


def losses_of(found: dict[str, np.ndarray]) -> np.ndarray:
    rows_of = np.arange(len(found["labels"]))
    return -log_softmax(found["logits"].astype(np.float64), axis=-1)[:, rows_of, found["labels"]]


def test_logits_give_losses_margins_and_an_estimate() -> None:
    found = recorded()
    scores = lnbench.detect.scores(logits=found["logits"], labels=found["labels"])
    losses = losses_of(found)
    other = found["logits"].astype(np.float64).copy()
    other[:, np.arange(400), found["labels"]] = -np.inf
    own = found["logits"][:, np.arange(400), found["labels"]]
    assert scores.mean_loss == pytest.approx(losses.mean(0))
    assert scores.aum == pytest.approx((own - other.max(2)).mean(0), abs=1e-6)
    assert scores.aul == pytest.approx((losses.sum(0) - losses.sum(0).mean()) / losses.sum(0).std())
    assert scores.probability is not None and scores.interval is not None and scores.learnt is not None
    assert abs(scores.interval.estimate - found["wrong"].mean()) < 0.05 and scores.learnt.shown
    assert (scores.suspects() == found["wrong"]).mean() > 0.95


def test_several_trainings_are_averaged_and_one_alone_is_itself() -> None:
    one, other = recorded(seed=1), recorded(seed=1)
    both = np.stack([one["logits"], other["logits"] + 1])  # a constant changes neither losses nor margins
    scores = lnbench.detect.scores(logits=both, labels=one["labels"])
    alone = lnbench.detect.scores(logits=one["logits"], labels=one["labels"])
    assert scores.aul == pytest.approx(alone.aul, abs=1e-5) and scores.agreement == pytest.approx(1)
    assert len(scores.runs) == 2 and len(alone.runs) == 1 and alone.agreement is None


def test_losses_alone_and_margins_alone_are_enough_for_a_ranking() -> None:
    found = recorded()
    whole = lnbench.detect.scores(logits=found["logits"], labels=found["labels"])
    losses = lnbench.detect.scores(losses_of(found))
    assert np.array_equal(losses.rank, whole.rank) and not losses.has_margins and losses.learnt is None
    assert losses.suspects().sum() == losses.likely().sum() > 0
    margins = lnbench.detect.scores(margins=whole.aum[None])
    assert np.array_equal(margins.rank[np.argsort(whole.aum)], np.arange(1, 401)) and np.isnan(margins.mean_loss).all()
    assert np.array_equal(margins.suspects(), whole.aum < 0)


def test_an_epoch_that_did_not_see_an_example_counts_as_its_mean_and_what_the_example_has_above_it() -> None:
    losses = losses_of(recorded())
    some = losses.copy()
    some[3, 7] = math.nan
    scores = lnbench.detect.scores(some)
    seen, means = np.delete(np.arange(12), 3), np.nanmean(some, axis=1)
    assert scores.mean_loss[7] == pytest.approx(means.mean() + (losses[seen, 7] - means[seen]).mean())
    assert np.array_equal(np.delete(scores.mean_loss, 7), np.delete(lnbench.detect.scores(losses).mean_loss, 7))


def test_examples_that_only_early_epochs_saw_are_not_suspect_for_that() -> None:
    """Their mean loss is higher than others', as all losses are high early: 26 of 60 were suspect, 5 of them wrong."""
    found = recorded()
    logits = found["logits"].copy()
    early = np.arange(400) < 60
    logits[6:, early] = math.nan
    scores = lnbench.detect.scores(logits=logits, labels=found["labels"])
    whole = lnbench.detect.scores(logits=found["logits"], labels=found["labels"])
    right = early & ~found["wrong"]
    assert scores.likely()[right].mean() < 0.05 and whole.likely()[right].mean() < 0.05
    assert abs(scores.aul[right].mean() - whole.aul[right].mean()) < 0.3


def test_a_note_says_how_many_were_not_seen_at_every_epoch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    losses = losses_of(recorded())
    losses[3, :7] = math.nan
    np.savez(tmp_path / "run.npz", losses=losses)
    assert detect("--from-losses", tmp_path / "run.npz") == 0
    assert "7 examples were not seen at every epoch" in (tmp_path / "run.npz.detect/report.md").read_text()


def test_tensors_are_arrays_too_as_they_come_from_a_loop_of_torch() -> None:
    torch = pytest.importorskip("torch")
    found = recorded()
    logits = torch.tensor(found["logits"], requires_grad=True)
    scores = lnbench.detect.scores(logits=logits, labels=torch.tensor(found["labels"]))
    assert np.array_equal(scores.rank, lnbench.detect.scores(logits=found["logits"], labels=found["labels"]).rank)


def test_a_model_that_learnt_nothing_gives_no_estimate() -> None:
    """What it learnt by heart later does not count: in the first epoch it does no better than chance."""
    found = recorded()
    labels = np.random.default_rng(5).permutation(found["labels"])
    scores = lnbench.detect.scores(logits=found["logits"], labels=labels)
    assert scores.learnt_nothing and scores.probability is None and not scores.suspects().any()
    probabilities = np.eye(CLASSES)[labels] * 0.9 + 0.1 / CLASSES  # as of folds that know the labels
    known = lnbench.detect.scores(logits=found["logits"], labels=labels, probabilities=probabilities)
    assert not known.learnt_nothing and known.preferred is not None


@pytest.mark.parametrize(
    ("change", "gist"),
    [
        ({}, "give losses, logits or margins"),
        ({"losses": np.zeros(400)}, r"`losses` has shape \(400,\); expected \(epochs, examples\)"),
        ({"losses": np.zeros((3, 0))}, r"`losses` has shape \(3, 0\)"),
        ({"losses": np.array([["a"] * 400])}, "`losses` is <U1; expected numbers"),
        ({"losses": np.zeros((2, 40))}, "40 examples are too few"),
        ({"losses": np.full((2, 400), np.inf)}, "`losses` of example 0 at epoch 1 is not finite; write NaN"),
        ({"losses": np.full((2, 400), np.nan)}, "example 0 has no number in `losses` at any epoch"),
        ({"losses": np.zeros((2, 400)), "margins": np.zeros((3, 400))}, "`margins` is of .* 3, 400"),
        ({"logits": np.zeros((2, 400, 4))}, "has no `labels`"),
        ({"logits": np.zeros((2, 400, 4)), "labels": np.full(400, 4)}, "has 4 names, but labels go up to 4"),
        ({"logits": np.zeros((2, 400, 4)), "labels": np.zeros(399, int)}, "but there are 400 examples"),
        ({"logits": np.zeros((2, 400, 4)), "labels": np.array(["a", "b"] * 200)},
         "labels are text, and which column of `logits` is of which class is not said; give `classes`"),
        ({"logits": np.zeros((2, 400, 4)), "labels": np.array(["a", "b"] * 200), "classes": ["b", "a"]},
         "and its labels of 2"),
        ({"losses": np.zeros((2, 400)), "labels": np.arange(400) % 2, "classes": ["a", "a"]}, "the name 'a' 2 times"),
        ({"losses": np.full((2, 400), -0.5)}, "example 0 at epoch 1 is -0.5, and no cross-entropy is below 0"),
        ({"losses": np.full((2, 400), -1e-7)}, None),  # rounding
        ({"losses": np.zeros((2, 400)), "labels": np.zeros(400, int), "probabilities": np.ones((400, 1))}, None),
        ({"losses": np.zeros((2, 400)), "labels": np.arange(400) % 3, "probabilities": np.full((400, 3), 0.5)},
         "`probabilities` of example 0 add up to 1.5; expected 1"),
        ({"losses": np.zeros((2, 400)), "labels": np.arange(400) % 3, "probabilities": np.full((400, 3), 2.0)},
         "not all between 0 and 1"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_array_is_one_line(change: dict[str, np.ndarray], gist: str | None) -> None:
    if gist is None:
        assert isinstance(lnbench.detect.scores(**change), Scores)
        return
    with pytest.raises(DataError, match=gist) as error:
        lnbench.detect.scores(**change)
    assert len(str(error.value).splitlines()) == 1


def test_the_command_reads_a_file_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, names = recorded(), [f"sentence <{number}>" for number in range(400)]
    file = tmp_path / "run.npz"
    np.savez(
        file, logits=found["logits"], labels=np.array(list("dcba"))[found["labels"]], classes=list("dcba"), names=names
    )
    assert detect("--from-losses", file, "--write-cleaned", tmp_path / "cleaned.csv") == 0
    out = tmp_path / "run.npz.detect"
    assert {one.name for one in out.iterdir()} == {
        "scores.csv", "suspects.csv", "conflicts.csv", "issues.json", "histogram.png", "page.html", "result.json",
        "report.md", ".runs",
    }  # fmt: skip
    table = rows(out / "scores.csv")
    assert [row["image"] for row in table] == names and {row["label"] for row in table} == set("abcd")
    suspects = np.array([row["suspect"] == "yes" for row in table])
    assert (suspects == found["wrong"]).mean() > 0.95 and {row["suggested"] for row in table} == {""}
    result, page = json.loads((out / "result.json").read_text()), (out / "page.html").read_text()
    assert result["learnt"]["measured"].startswith("at the first epoch") and result["data"]["shape"] is None
    assert "sentence &lt;" in page and "<img" not in page and "contact_sheet" not in (out / "report.md").read_text()
    assert "400 examples of 4 classes" in (out / "report.md").read_text()
    assert "(0 of 400 changed)" in capsys.readouterr().out  # no out-of-fold probabilities, so no suggestion


def test_pictures_come_from_the_data_in_the_same_order(digits: Planted, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", losses=rng.random((3, 600)), margins=rng.normal(1, 1, (3, 600)))
    assert detect(digits.folder, "--from-losses", tmp_path / "a.npz", "-o", tmp_path / "out", "--top", 5) == 0
    assert [row["image"] for row in rows(tmp_path / "out/scores.csv")] == digits.names
    assert detect(digits.folder, "--from-losses", tmp_path / "a.npz", "-o", digits.folder / "out") == 2
    assert "<img" in (tmp_path / "out/page.html").read_text() and (tmp_path / "out/contact_sheet.png").is_file()
    np.savez(tmp_path / "b.npz", losses=rng.random((3, 599)))
    assert detect(digits.folder, "--from-losses", tmp_path / "b.npz", "-o", tmp_path / "other") == 6


def test_the_recorder_of_the_page_works_in_a_plain_loop_of_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"<!-- a plain loop of torch -->\n```python\n(.*?)```", PAGE, re.S)
    recorder = code.partition("class Recorder")[2].partition("# the training loop")[0]
    assert len([line for line in recorder.splitlines() if line.strip()]) <= 10
    exec(compile(code, "docs/detect.md", "exec"), {})
    assert detect("--from-losses", "run.npz") == 0
    table = rows(tmp_path / "run.npz.detect/scores.csv")
    flipped = [row["suspect"] == "yes" for row in table if row["image"] in {str(n) for n in range(0, 600, 10)}]
    assert np.mean(flipped) > 0.7 and np.mean([row["suspect"] == "yes" for row in table]) < 0.2
