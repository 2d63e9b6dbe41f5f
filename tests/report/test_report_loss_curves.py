"""What a report shows of loss curves: entries of result.json, the figures, and that they say no more than was read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from lnbench.judge import judge
from lnbench.report import markdown, result_to_json
from lnbench.report.explain import explain
from lnbench.report.figures.all import draw_all
from lnbench.report.names import figures_of
from lnbench.report.plain import Json
from tests.toys.loss_curve_world import EPOCHS, EXAMPLES, World, world_in


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return world_in(tmp_path_factory.mktemp("curves"))


@pytest.fixture(scope="module")
def data(world: World) -> Json:
    return result_to_json(judge(world.evidence()))


def test_each_epoch_that_was_read_has_an_entry_of_the_first_seed(world: World, data: Json) -> None:
    entries = data["detection"]
    assert [(entry["point"]["model"], entry["seed"], entry["epoch"]) for entry in entries] == [
        ("mlp1", 0, epoch) for epoch in (2, 6, 12)
    ]
    arrays = world.arrays("mlp1", 0)
    for entry in entries:
        area = arrays["example_loss"][: entry["epoch"]].sum(0, dtype=float)
        drawn = entry["aul_histogram"]
        assert sum(drawn["clean"]) + sum(drawn["mislabeled"]) == EXAMPLES
        assert drawn["edges"][0] == pytest.approx(area.min(), rel=1e-4)
        assert drawn["edges"][-1] == pytest.approx(area.max(), rel=1e-4)
    assert ["auc" in entry for entry in entries] == [False, False, True]
    assert entries[-1]["epochs"] == list(range(1, EPOCHS + 1))


def test_the_page_shows_the_figures_that_are_drawn(data: Json) -> None:
    names = ["detection-histograms.png", "detection-curves.png"]
    assert list(figures_of(data).detection) == names
    page, drawn = markdown(data), draw_all(data)
    for name in names:
        assert f"figures/{name})" in page
        picture = imread(io.BytesIO(drawn[name]))
        assert picture.shape[1] == 1350 and picture[..., :3].std() > 0.05
    assert "suspects" not in data and "detection-suspects.png" not in drawn


def test_equal_results_give_equal_pictures(data: Json) -> None:
    first, second = draw_all(data), draw_all(data)
    assert {name: first[name] for name in figures_of(data).detection} == {
        name: second[name] for name in figures_of(data).detection
    }


def test_a_study_without_loss_curves_has_none_of_it(data: Json) -> None:
    bare = {name: value for name, value in data.items() if name != "detection"}
    assert figures_of(bare).detection == {}
    assert "detection-" not in markdown(bare)


def test_the_contact_sheet_shows_the_suspects_and_their_labels(tmp_path: Path) -> None:
    edit = ("probes: [example_loss]", "probes: [example_loss, suspects]")
    more = ("  learnt: {metric", "  sheet: {metric: suspects_mislabeled, at: {model: mlp1}}\n  learnt: {metric")
    part = (
        "      learnt: {kind: ordered, effect: learnt}",
        "      learnt: {kind: ordered, effect: learnt}\n      sheet: {kind: above, effect: sheet, threshold: 0.5}",
    )
    world = world_in(tmp_path, edit, more, part)
    data = result_to_json(judge(world.evidence()))
    sheet = data["suspects"]
    arrays = world.arrays("mlp1", 0)
    ranked = np.argsort(-arrays["example_loss"].sum(0, dtype=float), kind="stable")[: len(sheet["examples"])]
    assert sheet["examples"] == ranked.tolist()
    assert sheet["label"] == arrays["example_label"][ranked].tolist()
    assert "figures/detection-suspects.png)" in markdown(data)
    picture = imread(io.BytesIO(draw_all(data)["detection-suspects.png"]))
    assert picture[..., :3].std() > 0.05


def test_a_claim_that_only_a_figure_makes_is_in_our_words(tmp_path: Path) -> None:
    world = world_in(tmp_path, ('    quote: "finds"\n', ""))
    result = judge(world.evidence())
    words = "*The paper shows this (§1) and has no sentence for it: the words are ours.*"
    assert words in markdown(result_to_json(result))
    assert "shows it and has no sentence for it; the words are ours" in explain(result, "T-01")
