"""Figures: the ones that are announced, the same for the same data, and no text outside the picture."""

from __future__ import annotations

import copy
from typing import Any
from xml.etree import ElementTree

import pytest

from lnbench import drawing
from lnbench.report.figures.all import draw_all
from lnbench.report.figures.curves import centre, chance_line, curves
from lnbench.report.figures.forest import _typical_words, forest, limits, role_of, verdict_of
from lnbench.report.names import MOST_HEIGHT, curve_axis, figures_of, forest_height, forest_rows, svg_name
from lnbench.report.units import shown
from tests.toys.report_world import World, fake_outcome

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def bad(full: World) -> World:
    full.collapse("mlp1", 10, 1)
    full.collapse("perceptron", 10, 2, diverged=True)
    del full.records[full.runs("convnet4", 0)[0].id]
    return full


def test_all_that_is_announced_is_drawn_and_nothing_else(bad: World) -> None:
    data = bad.json()
    drawn = draw_all(data)
    names = figures_of(data).all()
    assert sorted(drawn) == sorted(figures_of(data).files())
    for name in names:
        assert drawn[name].startswith(PNG)
        assert ElementTree.fromstring(drawn[svg_name(name)]).tag == "{http://www.w3.org/2000/svg}svg"
    assert draw_all(data) == drawn


def test_a_study_of_which_nothing_ran_has_no_figure(empty: Any) -> None:
    data = empty("full").json()
    assert figures_of(data).all() == []
    assert draw_all(data) == {}


def test_settings_of_the_user_change_no_picture_and_are_left_alone(full: World) -> None:
    import matplotlib

    data = full.json()
    before = draw_all(data)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "text.usetex": False}):
        assert draw_all(data) == before
        assert matplotlib.rcParams["font.size"] == 30


@pytest.mark.parametrize("says", ["typical", "collapsed", "dollars", "long"])
def test_no_text_is_cut_off_or_overlaps(full: World, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = full.json() if says != "collapsed" else _collapsed(full).json()
    for claim in data["claims"]:
        for part in claim["parts"]:
            for member in part["members"]:
                if says == "dollars":
                    member["label"] = "$x_1$ and 100 % of ${noise}"
                if says == "long":
                    member["label"] = "a label with very many words in it " * 8
    seen: list[Any] = []
    paint_png = drawing.picture

    def spy(height: float, paint: Any) -> bytes:
        def painted(figure: Any) -> None:
            paint(figure)
            figure.canvas.draw()
            seen.append(_texts(figure))

        return paint_png(height, painted)

    for module in ("forest", "curves"):
        monkeypatch.setattr(f"lnbench.report.figures.{module}.picture", spy)
    draw_all(data)
    assert seen
    for width, height, boxes in seen:
        for words, box, size in boxes:
            assert size >= 9, words
            assert box.x0 >= 0, words
            assert box.y0 >= 0, words
            assert box.x1 <= width, words
            assert box.y1 <= height, words
        for index, (words, box, _) in enumerate(boxes):
            for other_words, other, _ in boxes[index + 1 :]:
                assert not _overlap(box, other), (words, other_words)


def _collapsed(world: World) -> World:
    world.collapse("mlp1", 10, 1)
    return world


def _texts(figure: Any) -> tuple[float, float, list[tuple[str, Any, float]]]:
    """(width, height, [(words, box in pixels, font size)]) of every text that is drawn."""
    renderer = figure.canvas.get_renderer()
    texts = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in figure.axes:
        texts += [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            texts += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    shown = [text for text in texts if text.get_visible() and text.get_text().strip()]
    boxes = [(text.get_text(), text.get_window_extent(renderer), text.get_fontsize()) for text in shown]
    return figure.bbox.width, figure.bbox.height, boxes


def _overlap(a: Any, b: Any, slack: float = 1.0) -> bool:
    across = min(a.x1, b.x1) - max(a.x0, b.x0)
    along = min(a.y1, b.y1) - max(a.y0, b.y0)
    return across > slack and along > slack


def test_an_axis_shows_interval_seeds_edges_and_the_printed_number(full: World) -> None:
    part = full.json()["claims"][0]["parts"][1]
    view = shown(part, part["members"][0])
    assert view.printed == pytest.approx(80.0)
    assert view.region == (pytest.approx(77.0), pytest.approx(83.0))
    low, high = limits(view)
    assert view.interval is not None
    assert view.wide_interval is not None
    seen = [*view.values, *view.interval, *view.wide_interval, *view.region, view.printed]
    assert low < min(seen)
    assert max(seen) < high
    assert view.effect == pytest.approx(sum(view.values) / 5)


def test_the_interval_is_cut_to_the_metric_for_display_only(full: World) -> None:
    part = full.json()["claims"][0]["parts"][0]
    member = part["members"][0]
    member["check"]["interval"] = {"low": 0.9, "high": 1.2, "confidence": 0.9}
    assert shown(part, member).interval == (90.0, 100.0)
    assert member["check"]["interval"]["high"] == 1.2


def test_a_collapsed_run_is_never_averaged_into_a_line(full: World) -> None:
    full.collapse("mlp1", 10, 1)
    cell = full.json()["cells"][3]
    values = sorted(cell["metrics"]["test_accuracy"])
    assert centre(cell) == pytest.approx(100 * values[2])


@pytest.mark.parametrize(
    ("accuracies", "drawn"), [([0.9, 0.95], False), ([0.53, 0.97], True), ([0.1, 0.12], True), ([0.1, 0.1], True)]
)
def test_chance_is_drawn_unless_all_runs_are_far_above_it(accuracies: list[float], drawn: bool) -> None:
    from matplotlib.figure import Figure

    axes = Figure().add_subplot()
    chance_line(axes, [{"classes": 10, "metrics": {"test_accuracy": [accuracy]}} for accuracy in accuracies])
    assert [line.get_ydata()[0] for line in axes.lines] == ([10.0] if drawn else [])


def test_every_run_lies_inside_the_axes_of_the_curves(full: World, monkeypatch: pytest.MonkeyPatch) -> None:
    full.run_all({model: (0.9, 0.89) for model in ("perceptron", "mlp1", "convnet4")})
    for seed, accuracy in ((3, 0.62), (4, 0.995)):  # far from the mean that the line shows
        run = full.runs("mlp1", 10)[seed]
        full.put(run, fake_outcome(run, accuracy, wobble=0.0))
    data = full.json()
    paint_png, seen = drawing.picture, []

    def spy(height: float, paint: Any) -> bytes:
        def painted(figure: Any) -> None:
            paint(figure)
            (axes,) = figure.axes
            low, high = axes.get_ylim()
            seen.extend(float(y) for line in axes.lines for y in line.get_ydata())
            assert all(low <= y <= high for y in seen)

        return paint_png(height, painted)

    monkeypatch.setattr("lnbench.report.figures.curves.picture", spy)
    curves(data, "noise.alpha")
    assert min(seen) < 62.5 and max(seen) > 99.4


def test_the_axis_of_the_curves_is_the_one_that_effects_run_along(full: World) -> None:
    data = full.json()
    assert curve_axis(data) == "noise.alpha"
    for cell in data["cells"]:
        del cell["point"]["noise.alpha"]
    assert curve_axis(data) is None


def test_a_member_of_a_family_is_coloured_by_its_own_interval(full: World) -> None:
    """The MLP falls further than the perceptron, the ConvNet less: of "the perceptron falls most" one half is true."""
    full.run_all({"perceptron": (0.80, 0.60), "mlp1": (0.95, 0.70), "convnet4": (0.91, 0.85)})
    (part,) = [part for part in full.json()["claims"][1]["parts"] if part["name"] == "depth"]
    assert part["verdict"] == "contradicted" and len(part["members"]) == 2
    words = [verdict_of(part, member, shown(part, member), "full") for member in part["members"]]
    assert words == [("outside", "contradicted"), ("inside", "reproduced")]
    unfinished = {**part, "verdict": "not-run"}  # another member lacks a run: this one has all of its own
    assert verdict_of(unfinished, part["members"][1], shown(part, part["members"][1]), "full")[0] == "inside"
    lacking = {**part["members"][0], "missing": 1}
    assert verdict_of(unfinished, lacking, shown(part, lacking), "full")[0] == "not run"
    alone = {**part, "members": part["members"][:1]}
    assert verdict_of(alone, part["members"][0], shown(part, part["members"][0]), "full")[0] == "outside"


def test_a_member_across_the_edge_is_neither_colour_and_smoke_speaks_of_directions(full: World) -> None:
    full.run_all({"perceptron": (0.80, 0.60), "mlp1": (0.9, 0.7), "convnet4": (0.91, 0.85)}, wobble=0.05)
    (part,) = [part for part in full.json()["claims"][1]["parts"] if part["name"] == "depth"]
    member = part["members"][0]
    assert verdict_of(part, member, shown(part, member), "full") == ("across the edge", "inconclusive")
    words = [verdict_of(part, one, shown(part, one), "smoke")[0] for one in part["members"]]
    assert words[1] == "direction holds"


def test_small_numbers_on_an_axis_have_their_power_of_ten(full: World, monkeypatch: pytest.MonkeyPatch) -> None:
    data = full.json()
    part = data["claims"][1]["parts"][0]
    part["effect"] = {**part["effect"], "counted": False}
    for member in part["members"]:
        member["values"] = [value * 1e-4 for value in member["values"]]
        for name in ("effect", "sd", "se"):
            member["check"][name] *= 1e-4
        member["check"]["interval"] = {end: x * 1e-4 for end, x in member["check"]["interval"].items()} | {
            "confidence": 0.9
        }
    part["members"] = part["members"][:1]
    ticks: list[str] = []
    texts: list[str] = []
    paint_png = drawing.picture

    def spy(height: float, paint: Any) -> bytes:
        def painted(figure: Any) -> None:
            paint(figure)
            ticks.extend(label.get_text() for axes in figure.axes for label in axes.get_xticklabels())
            texts.extend(words.get_text() for words in figure.texts)

        return paint_png(height, painted)

    monkeypatch.setattr("lnbench.report.figures.forest.picture", spy)
    forest([{**data["claims"][1], "parts": [part]}], "full")
    for seen in (ticks, texts):
        assert any("× 10⁻⁵" in words for words in seen), seen
        assert not any("e-0" in words or "e−0" in words for words in seen)
    assert all(len(words) < 14 for words in ticks)


def test_a_part_is_named_by_what_it_is_to_its_claim() -> None:
    part = {"name": "learned", "decides": False, "ours": True}
    assert role_of({**part, "decides": True}, {}) == "part of the claim"
    assert role_of(part, {"requires": {"learned": "train longer"}}) == "must hold first"
    assert role_of(part, {"standing": "paper"}) == "extra check, ours"
    assert role_of(part, {"standing": "hypothesis"}) == "extra check"


def test_a_typical_run_says_why_it_is_judged() -> None:
    assert _typical_words({"collapsed": 2, "n": 5, "details": {}}) == "2 of 5 collapsed: sign test"
    beyond = {"collapsed": 0, "n": 5, "details": {"censored": 1}}
    assert _typical_words(beyond) == "1 of 5 censored: sign test"


def test_a_share_of_runs_has_no_tick_beyond_100_percent(full: World) -> None:
    part = full.json()["claims"][0]["parts"][2]
    low, high = limits(shown(part, part["members"][0]))
    assert low >= -2 and high <= 102


def test_a_forest_plot_is_never_taller_than_a_screen_and_a_half(full: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many members: one row a part, the least sure, which says of how many. Many parts: no plot of all claims."""
    data = full.json()
    part = data["claims"][0]["parts"][0]
    members = [copy.deepcopy(part["members"][0]) for _ in range(30)]
    for place, member in enumerate(members):
        member["check"]["p_reproduced"] = 0.001 * place
    part["members"] = members
    assert forest_height([(data["claims"][0], [(part, member, 1) for member in members])]) > MOST_HEIGHT
    assert figures_of(data).forest == "forest.png"
    rows = next(rows for claim, rows in forest_rows(data["claims"]) if claim is data["claims"][0])
    (row,) = (row for row in rows if row[0] is part)
    assert row[1] is members[-1] and row[2] == 30
    drawn = draw_all(data)
    for name in ("forest.png", figures_of(data).claims[data["claims"][0]["id"]]):
        height = int.from_bytes(drawn[name][20:24], "big")
        assert height <= MOST_HEIGHT * drawing.DPI
    assert "the least sure of 30" in drawn["forest.svg"].decode()
    data["claims"][0]["parts"] = [part | {"name": f"part-{number}"} for number in range(20)]
    assert figures_of(data).forest is None
    assert sorted(draw_all(data)) == sorted(figures_of(data).files())
