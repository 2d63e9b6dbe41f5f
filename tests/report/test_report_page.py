"""report.md: the right words, safe text, whole tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lnbench.report import markdown
from lnbench.report.folder import read_result
from lnbench.report.names import anchors
from lnbench.report.units import Unit, bounds_of, metric_unit
from lnbench.report.words import counted, duration, escaped, listed, p_words, position
from tests.toys.report_world import World


def columns(line: str) -> int:
    """How many cells a table's row has, by GitHub's rule: an escaped bar is no border."""
    return len(re.findall(r"(?<!\\)\|", line)) - 1


def assert_tables_are_whole(page: str) -> None:
    blocks = re.findall(r"(?:^\|.*\n)+", page, flags=re.MULTILINE)
    assert blocks
    for block in blocks:
        rows = block.splitlines()
        assert re.fullmatch(r"\|(?: -+:? \|)+", rows[1]), rows[1]
        assert {columns(row) for row in rows} == {columns(rows[0])}, block


@pytest.mark.parametrize("case", ["full", "smoke", "not run", "collapsed", "failed"])
def test_tables_are_whole_and_links_lead_somewhere(case: str, empty: Callable[[str], World]) -> None:
    world = empty("smoke" if case == "smoke" else "full")
    if case != "not run":
        world.run_all()
    if case == "collapsed":
        world.collapse("mlp1", 10, 2)
    if case == "failed":
        run = world.runs("mlp1", 10)[0]
        del world.records[run.id]
        world.failures = {run.id: "Error: with a | bar\nand a second line"}
    page = markdown(world.json())
    assert_tables_are_whole(page)
    headings = anchors(re.findall(r"^#+ (.*)$", page, flags=re.MULTILINE))
    assert set(re.findall(r"\(#([^)]*)\)", page)) <= set(headings)
    assert "nan" not in page.lower().split()
    assert "None" not in page
    assert " inf" not in page
    assert "\n\n\n" not in page


def test_the_head_says_what_was_judged_and_what_chance_alone_brings(full: World) -> None:
    page = markdown(full.json())
    assert "Claims of papers: ✅ 3 reproduced." in page
    assert "Error rates: on average at most 5 % of the false claims are called `reproduced`;" in page
    assert "the chance of any false `contradicted` is at most 5 %" in page
    assert "42 runs planned (12 of them to choose hyper-parameters), all done" in page


def test_smoke_says_nothing_about_the_paper(smoke: World) -> None:
    page = markdown(smoke.json())
    assert "**Smoke says nothing about a paper.**" in page
    assert "🔹 smoke-pass" in page
    assert "✅" not in page
    assert "❌" not in page
    assert "false `contradicted`" not in page
    assert "p against" not in page


def test_a_reproduced_claim_gives_interval_and_region_in_percent(full: World) -> None:
    page = markdown(full.json())
    interval = r"\(90 % interval \\\[(.*), (.*)\\\] %\)"
    pattern = rf"\*\*✅ reproduced\*\*: measured (.*) {interval}; required: (.*); the interval lies"
    found = re.search(pattern, page)
    assert found is not None
    low, high = float(found[2]), float(found[3])
    assert 70 < low < float(found[1].removesuffix(" %")) < high
    assert found[4] == "at least 70 %"
    assert "the interval lies inside the required range." in page
    assert "| between 77 % and 83 % |" in page  # the printed number's region stands on the metric's own scale
    assert "80.0 ± 1.0 % (Table 1)" in page


def test_an_inconclusive_claim_says_how_many_seeds_would_decide(full: World) -> None:
    near = {"perceptron": (0.8, 0.4), "mlp1": (0.9, 0.7), "convnet4": (0.91, 0.85)}
    page = markdown(full.run_all(near, wobble=0.05).json())
    assert "required: at least 70 %; the interval crosses the edge of the required range" in page
    needed = r"(about|more than) [\d,]+ seeds are needed if effect and spread stay the same"
    assert re.search(rf"`above`(, `\w+`| and `\w+`)*: {needed}", page)


def test_a_collapse_is_counted_marked_and_takes_the_interval_away(full: World) -> None:
    full.collapse("mlp1", 10, 1)
    page = markdown(full.json())
    assert "1 of 5 runs collapsed, so no mean is taken and the typical run is judged: median" in page
    assert "10.1†" in page
    assert re.search(r"\| mlp1, noise.alpha 10 \|.*median \d+\.\d %, 1 collapsed", page)


def test_texts_of_specs_cannot_break_out(full: World) -> None:
    page = markdown(full.json())
    assert "<b>" not in page
    assert "# A study of \\*nothing\\* \\| much" in page
    assert "&lt;labels&gt;" in page


def test_what_was_tried_and_what_is_left_open_are_named(full: World) -> None:
    bad = {"perceptron": (0.80, 0.75), "mlp1": (0.90, 0.6), "convnet4": (0.97, 0.85)}
    good = {"perceptron": (0.80, 0.40), "mlp1": (0.90, 0.80), "convnet4": (0.91, 0.85)}
    full.run_all(bad).run_all(good, full.alternative())
    from lnbench.report import result_to_json

    page = markdown(result_to_json(full.result(full.tries())))
    assert "🟣 depends on what the paper leaves open** (it depends on what the paper leaves open: inside" in page
    assert "with the alternative for `epochs`: ✅ reproduced" in page
    assert "## What the paper leaves open" in page


def test_a_reduced_tier_says_that_its_deviations_come_before_the_choices(full: World, smoke: World) -> None:
    words = "Where a deviation of this tier (below) says otherwise, the deviation holds."
    assert words in markdown(smoke.json())
    assert "What the paper leaves open" in markdown(full.json()) and words not in markdown(full.json())


def test_drift_is_shown_beside_what_was_before(smoke: World) -> None:
    data = smoke.json()
    member = data["claims"][0]["parts"][0]["members"][0]
    drift = {"effect": "mlp", "label": member["label"], "seeds": [0, 1], "before": [0.7, 0.71], "now": [0.6, 0.61],
             "tolerances": [0.02, 0.02], "share": 5.0, "drifted": True}  # fmt: skip
    data["claims"][0]["drift"] = [drift]
    page = markdown(data)
    assert "what noise on the gradients, of one part in 100,000, moved it then" in page
    assert "| mlp1, noise.alpha 10: test\\_accuracy | 70.5 % | 60.5 % | 5.00 | 🔻 drifted |" in page
    data["claims"][0]["drift"] = [{**drift, "share": None}]  # it had no number, or has none now
    assert "| far above | 🔻 drifted |" in markdown(data)


def test_a_chosen_value_at_the_end_of_the_list_is_told(full: World) -> None:
    assert "In 6 of 6 cases the chosen value is the smallest or the largest of those tried" in markdown(full.json())


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a | b", "a \\| b"),
        ("x_y*z", "x\\_y\\*z"),
        ("`lnbench a_b | c`!", "`lnbench a_b \\| c`!"),
        ("one `tick", "one \\`tick"),
        ("two\nlines", "two lines"),
        ("<script>&", "&lt;script&gt;&amp;"),
        ("[a](b) #1 $x$", "\\[a\\](b) \\#1 \\$x\\$"),
    ],
)
def test_escaped(text: str, safe: str) -> None:
    assert escaped(text) == safe


def test_singular_and_plural() -> None:
    assert [counted(n, "run") for n in (0, 1, 2, 1200)] == ["0 runs", "1 run", "2 runs", "1,200 runs"]
    assert counted(2, "class", "classes") == "2 classes"
    lists = ([], ["a"], ["a", "b"], ["a", "b", "c"])
    assert [listed(words) for words in lists] == ["", "a", "a and b", "a, b and c"]
    assert [duration(s) for s in (1, 42, 600, 9000)] == [
        "1 second",
        "42 seconds",
        "10.0 minutes",
        "2.5 hours",
    ]


def test_a_p_value_has_three_digits_and_is_never_put_on_the_level_that_it_misses() -> None:
    assert [p_words(p) for p in (0.0, 0.00012345, 0.0423, 0.5, 0.99961, 1)] == [
        "< 0.0001",
        "0.000123",
        "0.0423",
        "0.5",
        "> 0.999",
        "1",
    ]
    assert [p_words(p) for p in (0.05, 0.050001, 0.04999)] == ["0.05", "0.050001", "0.04999"]


def test_a_rounded_number_is_never_put_on_an_edge_that_it_is_not_on() -> None:
    unit = Unit(100.0, "%", 2)
    assert unit.interval((89.9996, 93.0), (90.0,)) == "[89.9996, 93.00] %"
    assert unit.amount(90.0, (90.0,)) == "90.00 %"
    assert unit.amount(-0.001, (0.0,)) == "−0.001 %"
    assert Unit(1.0, "", None).amount(-0.5) == "−0.500"


@pytest.mark.parametrize(
    ("along", "minus", "counted", "name", "scale"),
    [
        (None, None, True, "%", 100),
        (None, {"model": "a"}, True, "points", 100),
        ("drop", None, True, "points", 100),
        ("gain", None, True, "points", 100),
        ("slope", None, True, "points per unit", 100),
        ("argmax", None, True, "", 1),
        (None, None, False, "", 1),
    ],
)
def test_units(along: str | None, minus: Any, counted: bool, name: str, scale: float) -> None:
    unit = metric_unit({"along": along, "minus": minus, "counted": counted, "axis": "x"}, 0.0001)
    assert (unit.name, unit.scale) == (name, scale)


@pytest.mark.parametrize("compared", [{"over": {"model": "a"}}, {"per": "clean_loss_median"}])
def test_a_ratio_of_points_or_of_metrics_is_one(compared: dict[str, Any]) -> None:
    effect = {"along": None, "minus": None, "counted": False, "axis": None, "metric_bounds": [0, None], **compared}
    assert metric_unit(effect, 0.0).ratio
    assert bounds_of(effect) == bounds_of({**effect, "inner": ["any"]})  # a log has no ends


def test_position_of_an_interval() -> None:
    assert position((1.0, 2.0), (1.0, 3.0)) == "inside"
    assert position((0.9, 2.0), (1.0, 3.0)) == "across"
    assert position((0.0, 0.9), (1.0, 3.0)) == "outside"


def test_anchors_are_as_github_makes_them() -> None:
    assert anchors(["Claim R001-04", "Claim R.1", "Claim R1", "What it says?"]) == [
        "claim-r001-04",
        "claim-r1",
        "claim-r1-1",
        "what-it-says",
    ]


def test_the_summary_tells_a_familys_members_apart() -> None:
    """Two comparisons of one part with the same words would be two numbers that nobody can tell apart."""
    data = read_result(Path(__file__).parents[2] / "reports" / "rolnick_identities-full")
    (row,) = [line for line in markdown(data).splitlines() if line.startswith("| [R001-06-law]")]
    assert "`shares`, arm edge: " in row and "`shares`, arm half: " in row
    assert "`equal`: " in row


def test_a_claim_inside_its_range_is_said_to_rest_on_our_choices(full: World) -> None:
    assert "N1, N.2 and n-2 rest on our choices alone: no alternative that changes their runs" in markdown(full.json())
    data = full.json()
    for claim in data["claims"][1:]:
        claim["verdict"] = "inconclusive"
    assert "N1 rests on our choices alone: no alternative that changes its runs was run." in markdown(data)
    data["claims"][0]["tried"] = {"epochs": "inconclusive", "choose.from": "not-run"}
    assert "N1 was not contradicted under 1 of 2 alternatives; not run: `choose.from`." in markdown(data)
    data["claims"][0]["verdict"] = "outside-as-run"
    assert "on our choices alone" not in markdown(data) and "N1 was not contradicted" not in markdown(data)
