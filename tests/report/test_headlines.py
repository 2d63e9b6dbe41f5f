"""The front page: which claims it opens with, at which scale each is shown, and the picture."""

from __future__ import annotations

import copy
from typing import Any
from xml.etree import ElementTree

import pytest

from lnbench.report import find_headlines, headline_table, headlines_svg
from lnbench.report.figures.headlines import _apart
from lnbench.report.headlines import HEADLINES, largest_judged, weakest
from lnbench.spec import LoadedStudy
from tests.toys.report_world import World

SVG = "{http://www.w3.org/2000/svg}"


def at_tier(data: dict[str, Any], tier: str, verdict: str | None = None) -> dict[str, Any]:
    """Return the report as of another tier, its first claim with another verdict."""
    one = copy.deepcopy(data) | {"tier": tier, "key": f"nothing-{tier}"}
    if verdict is not None:
        one["claims"][0]["verdict"] = verdict
    return one


def test_every_headline_claim_is_a_claim_of_the_suite_once(studies: list[LoadedStudy]) -> None:
    known = {claim.id for study in studies for claim in study.any.spec.claims}
    assert len(set(HEADLINES)) == len(HEADLINES) and set(HEADLINES) <= known


def test_a_claim_is_shown_at_the_largest_tier_that_was_judged(full: World) -> None:
    data = full.json()
    cpu, lite, smoke = (at_tier(data, tier, "inconclusive") for tier in ("cpu", "lite", "smoke"))
    for order in ([cpu, lite, data], [data, lite, cpu]):
        assert largest_judged(order, "N1") == (data, data["claims"][0])
    not_run = at_tier(data, "full", "not-run")
    found = largest_judged([not_run, cpu, lite], "N1")
    assert found is not None and found[0]["tier"] == "lite"  # what is not run at full hides nothing
    assert largest_judged([smoke], "N1") is None  # smoke says nothing of a paper
    assert largest_judged([data], "N99") is None


def test_the_table_has_a_row_a_claim_with_its_scale_and_says_what_was_not_run(
    full: World, studies: list[LoadedStudy]
) -> None:
    reports = [at_tier(full.json(), "cpu")]
    found = find_headlines(reports, studies, ("N1", "S003-04", "no-such-claim"))
    assert [one.id for one in found] == ["N1", "S003-04"]
    table = headline_table(found, reports)
    row = next(line for line in table.splitlines() if line.startswith("| [N1]"))
    assert row.startswith("| [N1](reports/nothing-cpu/report.md#claim-n1) | The MLP stays above 70 % \\| with noise")
    assert row.endswith("| ✅ reproduced | reduced to two processor cores |")
    assert "| S003-04 | After training, a network is more than 10 points more" in table
    assert "| ⚪ not run | – |" in table
    assert "Of 2 headline claims: 1 reproduced; 1 not run." in table
    assert (
        "In all 3 claims of papers were judged, each at the largest scale run so far: 3 reproduced; 0 contra" in table
    )
    assert "](reports/README.md)" in table


def test_claims_are_counted_once_at_their_largest_scale_and_only_a_papers(full: World) -> None:
    cpu = at_tier(full.json(), "cpu")
    whole = at_tier(full.json(), "full", "contradicted")
    whole["claims"][1] |= {"standing": "surrogate"}
    cpu["claims"][1] |= {"standing": "surrogate"}
    words = headline_table(find_headlines([cpu, whole], (), ("N1",)), [cpu, whole])
    assert "In all 2 claims of papers were judged" in words and "1 reproduced; 1 contradicted" in words


def test_the_picture_shows_the_comparison_that_is_least_sure_and_speaks(full: World) -> None:
    data = full.json()
    (one,) = find_headlines([data], (), ("N1",))
    (part, member) = weakest(one) or ({}, {})
    deciding = [m["check"]["p_reproduced"] for p in data["claims"][0]["parts"] if p["decides"] for m in p["members"]]
    assert part["decides"] and member["check"]["p_reproduced"] == max(deciding)
    tree = ElementTree.fromstring(headlines_svg([one]))
    texts = ["".join(node.itertext()) for node in tree.iter(f"{SVG}text")]
    assert any(text.startswith("N1") for text in texts)
    assert any(text.startswith("required: at least 70 %") for text in texts)
    assert "reproduced" in texts
    described = tree.find(f"{SVG}desc")
    assert described is not None and (described.text or "").startswith("N1 reproduced, ")
    rings = [node for node in tree.iter(f"{SVG}circle") if node.get("r") == "3"]
    assert len(rings) == len([value for value in member["values"] if value is not None]) + 1  # and the legend's


def test_two_edges_close_together_have_one_label() -> None:
    assert _apart([(100.0, "−2 points"), (131.0, "2 points")], "points") == [(115.5, "−2 to 2 points")]
    assert _apart([(100.0, "0.85"), (131.0, "0.97")], "") == [(100.0, "0.85"), (131.0, "0.97")]
    assert _apart([(100.0, "90 %")], "%") == [(100.0, "90 %")]


def test_nothing_judged_gives_no_picture_and_markup_stays_text(full: World, studies: list[LoadedStudy]) -> None:
    assert headlines_svg(find_headlines([], studies)) == ""
    assert "headlines.svg" not in headline_table(find_headlines([], studies), [])
    assert headline_table([], []) == "No report is stored yet."
    data = full.json()
    for part in data["claims"][0]["parts"]:
        part["effect"]["metric_words"] = part["members"][0]["label"] = "<script>alert(1)</script>&"
    picture = headlines_svg(find_headlines([data], (), ("N1",)))
    assert "<script" not in picture and ElementTree.fromstring(picture) is not None


@pytest.mark.parametrize("missing", ["effect", "interval"])
def test_a_row_without_a_number_is_drawn_without_it(full: World, missing: str) -> None:
    data = full.json()
    for part in data["claims"][0]["parts"]:
        for member in part["members"]:
            member["check"][missing] = None
            member["check"]["typical"] = True
    assert ElementTree.fromstring(headlines_svg(find_headlines([data], (), ("N1",)))) is not None
