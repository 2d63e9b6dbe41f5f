"""What the pages of the site are made of: text that stays text, intervals as SVG, tables, histories."""

from __future__ import annotations

import copy
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lnbench.judge import judge
from lnbench.report import result_to_json
from lnbench.report.words import coded, escaped, unescaped
from lnbench.site import Contents, render
from lnbench.site.picture import nice_ticks, pictures
from lnbench.site.text import file_names, from_markdown, prose, sentence, web_address
from lnbench.site.verdicts import chip_of
from tests.hostile.pages import WORDS
from tests.toys.html_pages import Page, pages_of
from tests.toys.report_world import World
from tests.toys.table_world import SIDES, TABLE, as_printed, evidence_of, table_study

Json = dict[str, Any]


@pytest.mark.parametrize("words", [*WORDS, "- one", "3. of 5", "a_b*c", "100 % of $x$ | `noise.alpha` < 3 & more"])
def test_what_was_made_safe_for_markdown_comes_back_as_it_was(words: str) -> None:
    from lnbench.errors import visible

    line = visible(" ".join(words.split()))
    assert unescaped(escaped(words)) == line
    assert unescaped(coded("noise.alpha")) == "`noise.alpha`" and unescaped(coded("a|b")) == "`a|b`"


def test_text_is_text_and_code_is_code() -> None:
    assert prose("`a<b>` & <i>c</i> ``") == "<code>a&lt;b&gt;</code> &amp; &lt;i&gt;c&lt;/i&gt; ``"
    assert from_markdown(escaped("`x|y` is **no** <b>")) == "<code>x|y</code> is **no** &lt;b&gt;"
    assert prose("a\u202eb\x1b") == "a\\u202eb\\x1b"
    assert sentence("the paper's own") == "The paper's own." and sentence("`x` is.") == "`x` is." and not sentence(" ")
    assert web_address("https://a.example/b?c=1") and not web_address("javascript:alert(1)")


def test_file_names_are_all_different_and_of_safe_letters() -> None:
    found = file_names(["A.b", "a b", "../..", "", "index", "é" * 200, "x" * 200])
    assert found[:3] == ["a-b", "a-b-2", "unnamed"] and len(set(found)) == 7
    assert "index" not in found and all(re.fullmatch("[a-z0-9-]{1,70}", name) for name in found)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1e-9, 3e-9), (93.17, 97.4), (-250_000, 1e6), (0.1, 0.1001)])
def test_ticks_are_round_few_and_on_the_axis(low: float, high: float) -> None:
    ticks, width = nice_ticks(low, high, 5), high - low
    assert 2 <= len(ticks) <= 6 and low - 1e-6 * width <= ticks[0] and ticks[-1] <= high + 1e-6 * width
    steps = {round((b - a) / (ticks[1] - ticks[0]), 6) for a, b in pairwise(ticks)}
    assert steps == {1.0}


def dots(part: Json, member: Json) -> list[tuple[float, float]]:
    """The places of the seeds' dots in the pictures of a comparison."""
    html = "".join(str(picture) for _, picture in pictures(part, member, "yes", "as said"))
    return [
        (float(x), float(y))
        for x, y in re.findall(r'<svg x="([\d.]+)%" y="([\d.]+)" overflow="visible"><path class="seed', html)
    ]


def test_seeds_of_equal_numbers_do_not_hide_each_other(full: World) -> None:
    part = full.json()["claims"][0]["parts"][0]
    member = copy.deepcopy(part["members"][0])
    assert len(dots(part, member)) == 5
    member["values"] = [0.8] * 5
    places = dots(part, member)
    assert len({x for x, _ in places}) == 1 and len({y for _, y in places}) == 5
    member["values"] = [0.8] * 40  # the last line takes what has no line of its own
    member["seeds"], member["collapsed"] = list(range(40)), [False] * 40
    assert len(dots(part, member)) == 40


def test_a_collapsed_run_is_a_cross_and_a_share_of_runs_shows_each_run(full: World) -> None:
    full.collapse("mlp1", 10, 1)
    data = full.json()
    parts = {part["name"]: part for part in data["claims"][0]["parts"]}
    html = str(pictures(parts["above"], parts["above"]["members"][0], "no", "as said")[0][1])
    assert html.count('class="seed dead"') == 1 and html.count("collapsed</title>") == 1
    both = pictures(parts["every"], parts["every"]["members"][0], "no", "as said")
    assert [caption for caption, _ in both] == ["Each run, and the range that is asked of it", "The share of such runs"]
    assert str(both[0][1]).count('class="seed') == 5 and 'class="seed' not in str(both[1][1])


def test_a_seed_without_a_number_is_told(full: World) -> None:
    data = full.json()
    member = data["claims"][0]["parts"][0]["members"][0]
    member["values"][2] = None
    page = pages_of(render(Contents(results=(data,))))["claims/n1.html"]
    assert "1 of 5 seeds has no number, and so no dot." in page.text


def test_nothing_measured_has_no_picture(full: World) -> None:
    data = full.json()
    part = data["claims"][0]["parts"][0]
    member = part["members"][0] | {"values": [], "seeds": [], "collapsed": []}
    member["check"] = member["check"] | {"effect": None, "interval": None, "n": 0}
    assert pictures(part, member, "plain", "as said") == []


def test_a_contradiction_that_stands_in_its_study_only_says_so(full: World) -> None:
    claim = full.json()["claims"][0] | {"verdict": "contradicted"}
    assert chip_of(claim).note == ""
    assert chip_of(claim, 24).note == "in its study, but not among the 24 rows of its paper (Holm)"


def test_a_table_shows_printed_ours_and_what_was_not_run(tmp_path: Path) -> None:
    parts = f"      claim: {{{TABLE}, cells: *cells}}\n      sides: {{{SIDES}, cells: *cells}}\n"
    study = table_study(tmp_path, parts=parts)
    lacking = evidence_of(study, as_printed(study), lambda point, seed: point["method"] == "oracle" and seed > 1)
    data = result_to_json(judge(lacking))
    pages = pages_of(render(Contents(results=(data,))))
    printed = {cell["reference"]: cell for cell in data["claims"][0]["parts"][0]["matrix"]["cells"]}
    for name in ("claims/tb-01.html", "methods/index.html", "methods/oracle.html", "methods/random-weights.html"):
        assert not pages[name].wrong
    page = pages["methods/index.html"]
    whole, half = printed["t1/standard-u20"], printed["t1/oracle-u20"]
    assert f"{whole['printed']} ± 0.5 ours {100 * whole['ours']:.1f} agrees" in page.text
    assert f"{half['printed']} ± 0.5 ours {100 * half['ours']:.1f} 2 of 5 seeds" in page.text
    assert "u20 each label replaced, at a rate, by a uniform random one; rate 0.02" in page.text
    assert f"{half['printed']} ± 0.5" in pages["methods/oracle.html"].text
    assert "agrees" not in pages["methods/oracle.html"].text.split("Claims whose runs")[0]


def test_the_history_tells_what_was_changed_after_the_first_record(full: World) -> None:
    data = full.json()
    assert "Nothing is known of a registration." in pages_of(render(Contents(results=(data,))))["claims/n1.html"].text
    times = {"registered": "2026-01-03T00:00:00+00:00", "first_record": "2026-01-02T03:04:00+00:00"}
    changed = {"what": "margin", "part": "above", "was": "0.1 <b>", "now": "0.2"}
    found = {
        "id": "N1", "status": "changed", "post_hoc": "changed", "records": 5, "records_of": {}, "commit": "abcdef1234",
        "first_registered": "2026-01-01T00:00:00+00:00", "first_commit": None, "earlier": [], "shared": [],
        "changed": ["2026-01-03T00:00:00+00:00"], "changes": [changed], **times,
    }  # fmt: skip
    data["registration"] = {"claims": [found]}
    page: Page = pages_of(render(Contents(results=(data,))))["claims/n1.html"]
    story = page.text.split("History of its records")[1]
    assert story.index("First registered, in other terms.") < story.index("The first record that this verdict uses")
    assert "registered, after the first record (commit abcdef1 )" in story
    assert "margin of above changed on 2026-01-03 00:00 UTC after the first record: was “0.1 <b>”, is “0.2”" in (
        story.replace("Margin", "margin").replace(" ,", ",")
    )
