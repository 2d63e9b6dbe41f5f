"""Numbers that are read from the arrays beside records: made once, kept as records, judged again without the arrays."""

from __future__ import annotations

import itertools
import statistics
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr, rankdata

from lnbench import catalog
from lnbench.errors import SpecError
from lnbench.judge import Stored, gather, judge
from lnbench.judge.labels import label
from lnbench.judge.readings import content_of
from lnbench.plan import Run, plan_study
from lnbench.report import load_report, report_differs, result_to_json, write_report
from lnbench.report.folder import json_text
from lnbench.store import StoreUnwritable
from tests.toys.loss_curve_world import EPOCHS, EXAMPLES, World, arrays_of, loaded, world_in

pytestmark = pytest.mark.usefixtures("no_drawing")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return world_in(tmp_path)


def auc(scores: np.ndarray, wrong: np.ndarray) -> float:
    """The share of (clean, mislabeled) pairs in the right order, ties half: by ranks (Mann & Whitney 1947)."""
    n = int(wrong.sum())
    return float((rankdata(scores)[wrong].sum() - n * (n + 1) / 2) / (n * (len(wrong) - n)))


def wrong(arrays: dict[str, np.ndarray]) -> np.ndarray:
    return arrays["example_label"] != arrays["example_true"]


def test_an_effect_reads_the_epoch_that_it_names(world: World) -> None:
    for effect, epoch in (("early", 6), ("last", EPOCHS)):
        expected = [
            auc(a["example_loss"][:epoch].sum(0, dtype=float), wrong(a))
            for a in (world.arrays("mlp1", s) for s in range(4))
        ]
        assert world.values(effect) == pytest.approx(expected, abs=1e-6)


def test_one_metric_less_another(world: World) -> None:
    expected = []
    for seed in range(4):
        arrays = world.arrays("mlp1", seed)
        losses, bad = arrays["example_loss"].astype(float), wrong(arrays)
        expected.append(auc(losses.sum(0), bad) - auc(losses[-1], bad))
    assert world.values("gain") == pytest.approx(expected, abs=1e-6)


def test_one_metric_per_another_is_the_log_of_their_ratio(world: World) -> None:
    expected = []
    for seed in range(4):
        arrays = world.arrays("mlp1", seed)
        losses, bad = arrays["example_loss"][5], wrong(arrays)
        expected.append(np.log(np.median(losses[bad]) / np.median(losses[~bad])))
    assert world.values("higher") == pytest.approx(expected, abs=1e-6)


def test_along_epochs_is_a_slope_over_epochs(world: World) -> None:
    expected = []
    for seed in range(4):
        arrays = world.arrays("mlp1", seed)
        curve = [auc(arrays["example_loss"][epoch - 1], wrong(arrays)) for epoch in (2, 6, 12)]
        expected.append(np.polyfit([2, 6, 12], curve, 1)[0])
    assert world.values("decline") == pytest.approx(expected, abs=1e-6)


def test_of_two_runs_it_is_the_median_over_the_pairs_of_one_seed(world: World) -> None:
    expected, gaps = [], []
    for seed in range(4):
        losses = [world.arrays(model, seed)["example_loss"].astype(float) for model in ("mlp1", "mlp2", "mlp4")]
        pairs = list(itertools.combinations(losses, 2))
        areas = [pearsonr(one.sum(0), other.sum(0))[0] for one, other in pairs]
        now = [pearsonr(one[-1], other[-1])[0] for one, other in pairs]
        expected.append(statistics.median(areas))
        gaps.append(statistics.median(areas) - statistics.median(now))
    assert world.values("alike") == pytest.approx(expected, abs=1e-6)
    assert world.values("more-alike") == pytest.approx(gaps, abs=1e-6)


def test_a_curve_is_read_at_an_epoch_too(world: World) -> None:
    assert world.values("learnt") == pytest.approx([0.002 * (12**2 - 2**2)] * 4)


def test_a_report_is_judged_again_without_the_arrays(world: World) -> None:
    result = judge(world.evidence())
    assert result.claims[0].verdict == "reproduced", [part.why for part in result.claims[0].parts.values()]
    folder = world.folder / "report"
    write_report(result, folder)
    study, tier, seeds, get = load_report(folder)
    assert (study, tier, seeds) == ("toy", "full", 4)
    again = judge(gather(plan_study(world.study), get))
    assert report_differs(folder, again) == []
    assert json_text(result_to_json(again)) == json_text(result_to_json(result))  # to the byte
    kinds = {record["kind"] for record in again.evidence.records.values()}
    assert kinds == {"training", "reading"}


def test_a_reading_is_kept_and_not_made_again(world: World) -> None:
    first = world.values("early")
    for file in (world.folder / "store").rglob("*.npz"):
        file.unlink()
    assert world.values("early") == first
    (member,) = world.evidence().members(world.study.spec.effects["last"])
    assert member.values == ()
    assert "not there" in member.failures[0] and "copy it from the store" in member.failures[0]
    verdict = judge(world.evidence()).claims[0]
    assert verdict.verdict == "error" and "not there" in verdict.why


def test_an_array_that_was_exchanged_is_never_read(world: World) -> None:
    record = world.runs["mlp1", 0]
    file = next((world.folder / "store").rglob(f"{record.id}.npz"))
    np.savez(file, **{**arrays_of(record), "example_loss": np.zeros((EPOCHS, EXAMPLES), np.float32)})
    (member,) = world.evidence().members(world.study.spec.effects["early"])
    assert len(member.values) == 3
    assert "not the array that its record describes" in member.failures[0]


def test_without_its_reading_a_report_says_where_to_make_it(world: World) -> None:
    evidence = gather(plan_study(world.study), world.store.get, reads=Stored(world.store.get))
    (member,) = evidence.members(world.study.spec.effects["early"])
    assert member.values == () and "epoch 6" in member.failures[0] and "lnbench report" in member.failures[0]


def test_a_run_that_diverged_before_the_epoch_has_no_such_number(tmp_path: Path) -> None:
    def cut(run: Run) -> int:
        return 4 if run.recipe["model"] == "mlp1" and run.seeds["noise"] == 2 else EPOCHS

    world = world_in(tmp_path, cut=cut)
    (member,) = world.evidence().members(world.study.spec.effects["early"])
    assert member.collapsed == (False, False, True, False)
    assert np.isnan(member.values[2])
    (pair,) = world.evidence().members(world.study.spec.effects["alike"])
    assert pair.collapsed == (False, False, True, False)


def test_the_id_names_runs_epoch_and_version(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    record = world.store.get(world.runs["mlp1", 0].id)
    other = world.store.get(world.runs["mlp1", 1].id)
    assert record is not None and other is not None
    known = [content_of("detection", [record], 3), content_of("detection", [record], 4)]
    known += [content_of("detection", [other], 3), content_of("agreement", [record, other], 3)]
    entry = catalog.find("reading", "detection")
    monkeypatch.setitem(catalog.entries()["reading"], "detection", type(entry)("reading", "detection", version=2))
    known.append(content_of("detection", [record], 3))
    assert len({str(content) for content in known}) == len(known)


def test_the_words_name_what_is_read(world: World) -> None:
    effects = world.study.spec.effects

    def words(name: str) -> str:
        ((at, other),) = effects[name].members()
        return label(effects[name], at, other)

    assert words("gain") == "mlp1, epoch 12: aul_auc − loss_auc"
    assert words("higher") == "mlp1, epoch 6: mislabeled_loss_median / clean_loss_median"
    assert words("more-alike") == "epoch 12: aul_pearson − train_loss_pearson, median over pairs of model"
    assert words("decline") == "mlp1: slope of loss_auc along epoch (2, 6, 12)"


EARLY = "early: {metric: aul_auc, at: {model: mlp1, epoch: 6}}"
ALIKE = "alike: {metric: aul_pearson, at: {epoch: 12}, along: {model: pairs}}"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (EARLY, EARLY.replace("epoch: 6", "epoch: 13"), "early: epoch 13, but a run that it reads has 12"),
        (EARLY, EARLY.replace("epoch: 6", "epoch: 0"), "early: epoch 0 is not an epoch; they count 1, 2, 3, …"),
        (EARLY, EARLY.replace("epoch: 6", "epoch: 1.5"), "early: epoch 1.5 is not an epoch"),
        (EARLY, EARLY.replace("epoch: 6", "epoch: true"), "early: epoch true is not an epoch"),
        (EARLY, EARLY.replace("aul_auc", "aul_pearson"), "aul_pearson is a number of two runs; write along"),
        (EARLY, EARLY.replace("aul_auc", "aum_auc"), "give it `probes: [example_margin]`"),
        (EARLY, EARLY.replace("at: {model: mlp1, epoch: 6}", "at: {model: mlp1}, along: {epoch: slope}"),
         "along which epochs? name them"),
        (ALIKE, ALIKE.replace("aul_pearson", "aul_auc"), "aul_auc is a number of one run; pairs are for those of two"),
        (ALIKE, ALIKE.replace("pairs}}", "pairs}, levels: {model: [mlp1]}}"), "there are no pairs"),
        (EARLY, EARLY[:-1] + ", less: aul_auc}", "less: aul_auc minus itself is 0"),
        (EARLY, EARLY[:-1] + ", less: loss_auc, minus: {epoch: 2}}", "`less` subtracts already"),
        (EARLY, EARLY[:-1] + ", per: aul_auc}", "per: aul_auc over itself is 1"),
        (EARLY, EARLY[:-1] + ", per: loss_auc, over: {epoch: 2}}", "`per` divides already"),
        (EARLY, EARLY[:-1] + ", per: loss_auc, less: aum_auc}", "per: a ratio, and `less` a difference"),
        (EARLY, EARLY[:-1] + ", per: loss_auc}", "is the log of a ratio (`per`); judge it by kind: ratio"),
        (EARLY, EARLY[:-1] + ", per: loss_distance}", "loss_distance (-inf to inf) can lie below"),
        (EARLY, EARLY[:-1] + ", per: aum_auc}", "give it `probes: [example_margin]`"),
        ("kind: ratio, effect: higher", "kind: ratio, effect: gain", "or `per` in place of `less`"),
        ("vary: {model:", "vary: {epoch: [1, 2], model:", "epoch"),
        ("probes: [example_loss]", "probes: []", "give it `probes: [example_loss]`"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_where_it_stands(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        loaded(tmp_path, (old, new))
    assert said in str(caught.value)
    assert "toy.yaml:" in str(caught.value)


def test_a_store_that_takes_nothing_gives_its_numbers_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    world.store.warn = warned.append

    def full(file: Path, data: bytes) -> None:
        raise StoreUnwritable(f"{file}: the disk is full")

    first = world.values("last")
    for file in (world.folder / "store").rglob("*.json"):
        if '"kind": "reading"' in file.read_text():
            file.unlink()
    monkeypatch.setattr(world.store, "write", full)
    assert world.values("last") == first
    assert len(warned) == 4 and "the disk is full; a number read from arrays is not kept" in warned[0]
