"""The pages of a small site, from made-up reports: what each shows, and that names and messages stay text."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lnbench.site import Contents, render
from lnbench.site.verdicts import LOOKS, MEANINGS, chip
from lnbench.spec import Question
from lnbench.verdict import Verdict
from tests.hostile.pages import ADDRESSES, hostile_words, leaves, with_words
from tests.toys.html_pages import Page, broken_links, pages_of
from tests.toys.report_world import World

Json = dict[str, Any]
QUESTIONS = {"how-robust": Question(title="How robust?", about="One says so.", confound="The length.")}


def of_another_paper(data: Json) -> Json:
    """The same report as if it were another paper's, with other ids."""
    other = copy.deepcopy(data)
    other["paper"] |= {"id": "someone2021", "citation": "Someone 2021, Else"}
    other |= {"study": "else", "key": f"else-{data['tier']}"}
    for claim, name in zip(other["claims"], ("S1", "S2", "S3"), strict=True):
        claim["id"] = name
    for claim, name in zip(
        other["registration"]["claims"] if "registration" in other else (), ("S1", "S2", "S3"), strict=False
    ):
        claim["id"] = name
    return other


def site(*results: Json, **more: Any) -> dict[str, Page]:
    return pages_of(render(Contents(results=results, questions=QUESTIONS, **more)))


def test_the_front_page_has_the_headlines_and_a_row_for_every_claim(full: World) -> None:
    data = full.json()
    front = site(data, headlines=("n-2", "N1", "not-known"))["index.html"]
    assert front.rows() == 1 + len(data["claims"])
    assert front.text.index("The perceptron fails") < front.text.index("The MLP stays above 70 % | with noise")
    assert "The paper's own scale, on a processor; 5 seeds" in front.text
    assert "reproduced" in front.text and "3 claims" in front.text
    assert not site(data)["index.html"].text.count("What holds, what does not")  # no headline, no section


def test_a_claim_has_a_page_with_quote_evidence_alternatives_and_commands(full: World) -> None:
    pages = site(full.json())
    page = pages["claims/n1.html"]
    assert "It stays <b>above</b> 70 | percent." in page.text
    assert "Nobody et al. 2020, Noise | and <labels> of $nobody$, §2, Figure 1" in page.text
    assert "The measured interval lies inside the range that the claim requires." in page.text
    assert "required: at least 70 %; the interval lies inside the required range." in page.text
    assert "epochs Ours: 2 | passes." in page.text and "Alternative epochs: {times: 2} : not run" in page.text
    assert "lnbench judge reports/nothing-full --check" in page.text
    assert "lnbench explain N1 --report reports/nothing-full" in page.text
    assert "lnbench verify N1 --tier full" in page.text
    assert "2026-01-02 03:04 UTC" in page.text  # when its runs were finished
    assert "How robust?" in page.text


def test_the_pictures_have_every_seed_as_a_dot_and_a_sentence_as_their_text(full: World) -> None:
    data = full.json()
    page = site(data)["claims/n1.html"]
    labels = [attributes["aria-label"] for tag, attributes in page.elements if attributes.get("role") == "img"]
    assert labels and all("required: " in label for label in labels)
    part = data["claims"][0]["parts"][0]
    assert len(part["members"][0]["seeds"]) == 5
    for seed in range(5):
        assert f"seed {seed}: " in page.text
    places = [attributes["x"] for tag, attributes in page.elements if tag == "svg" and "x" in attributes]
    assert places and all(0 <= float(place.removesuffix("%")) <= 100 for place in places)


def test_a_claim_is_shown_at_its_largest_judged_tier_and_all_tiers_are_there(full: World) -> None:
    one = full.json()
    lite = {**copy.deepcopy(one), "tier": "lite", "key": "nothing-lite"}
    one["claims"][0]["verdict"] = "not-run"
    lite["claims"][0] |= {"verdict": "inconclusive", "says": "It stays, at lite."}
    pages = site(one, lite)
    rows = [a for tag, a in pages["index.html"].elements if tag == "tr" and "data-pairs" in a]
    assert {"full:not-run lite:inconclusive"} <= {row["data-pairs"].strip() for row in rows}
    page = pages["claims/n1.html"]
    assert "It stays, at lite" in page.text.split("What the paper says")[0]
    assert "tier-lite" in page.ids and "tier-full" not in page.ids  # nothing was measured there
    assert page.text.count("lnbench verify N1 --tier lite") == 1


def test_smoke_says_nothing_and_is_not_shown(full: World, smoke: World) -> None:
    assert site(full.json(), smoke.json()).keys() == site(full.json()).keys()
    assert "smoke" not in "".join(page.text for name, page in site(smoke.json()).items() if name != "reading.html")


def test_a_study_without_a_report_is_there_as_not_run(full: World, empty: Callable[[str], World]) -> None:
    unrun = of_another_paper(empty("full").json())
    pages = site(full.json(), unrun=(unrun,))
    page = pages["claims/s1.html"]
    assert "Not run at any scale yet." in page.text and "What tier full would measure" in page.text
    assert "required: at least 70 %" in page.text
    assert "lnbench judge" not in page.text.split("Check it yourself")[1].split("Made by")[0]
    assert "lnbench plan S1 --tier full" in page.text
    assert not [one for one in page.elements if one[0] == "svg" and one[1].get("class") == "interval"]


def test_two_papers_on_one_question_have_a_debate(full: World) -> None:
    pages = site(full.json(), of_another_paper(full.json()))
    page = pages["debates/how-robust.html"]
    assert "What else differs between the papers. The length." in page.text
    assert "Someone 2021, Else" in page.text and "Nobody et al. 2020" in page.text
    assert "claims/s1.html" in " ".join(page.links)
    assert "Claims of no two papers ask the same question here yet." in site(full.json())["debates/index.html"].text


def test_every_link_leads_somewhere_and_every_page_is_well_formed(full: World) -> None:
    files = render(
        Contents(results=(full.json(), of_another_paper(full.json())), questions=QUESTIONS, headlines=("N1",))
    )
    pages = pages_of(files)
    assert not {name: page.wrong for name, page in pages.items() if page.wrong}
    assert not broken_links(files, pages)
    for name, page in pages.items():
        assert sum(tag == "h1" for tag, _ in page.elements) == 1, name
        assert sum(tag == "main" for tag, _ in page.elements) == 1, name
        fields = [a["id"] for tag, a in page.elements if tag in ("input", "select")]
        assert set(fields) <= {a.get("for") for tag, a in page.elements if tag == "label"}, name


def test_the_same_reports_in_any_order_give_the_same_bytes(full: World) -> None:
    one, other = full.json(), of_another_paper(full.json())
    assert render(Contents(results=(one, other))) == render(Contents(results=(other, one)))


def test_claims_whose_ids_make_one_file_name_have_pages_of_their_own(full: World) -> None:
    data = full.json()  # N.2 and n-2
    pages = site(data)
    assert {"claims/n-2.html", "claims/n-2-2.html"} <= pages.keys()
    assert "Depth helps" in pages["claims/n-2.html"].text and "slope" in pages["claims/n-2-2.html"].text
    odd = copy.deepcopy(data)
    odd["claims"][0]["id"] = "../../évil \u202e/index"
    found = [name for name in site(odd) if name.startswith("claims/")]
    assert len(found) == 3 and all(re.fullmatch(r"claims/[a-z0-9-]+\.html", name) for name in found)


def test_every_verdict_has_a_symbol_and_a_meaning() -> None:
    symbols = (Page((_templates() / "symbols.html").read_text(encoding="utf-8"))).ids
    for verdict in Verdict:
        assert f"s-{LOOKS[verdict][0]}" in symbols
        assert verdict in MEANINGS or verdict.value.startswith("smoke")
    for one, other in (("reproduced", "held"), ("contradicted", "failed"), ("inconclusive", "open")):
        assert chip(one).symbol != chip(other).symbol  # nobody takes one for the other


def _templates() -> Any:
    from lnbench.site.render import HERE

    return HERE / "templates"


def tried(data: Json, seed: int, count: int) -> int:
    """Put hostile words into `count` leaves, one at a time, and look at all pages; return how many were written."""
    rng, written = np.random.default_rng(seed), 0
    places = [place for place in leaves(data) if place[0][0] not in ("cells", "records")]
    for number in range(count):
        path, key = places[int(rng.integers(len(places)))]
        words = hostile_words(rng) if "url" not in path else str(rng.choice(ADDRESSES))
        try:
            files = render(Contents(results=(with_words(data, path, key, words),), questions=QUESTIONS))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError):
            continue  # it is no result any more: who reads it says so
        written += 1
        where = f"seed {seed}, number {number}, {path}{' (key)' if key else ''}: {words!r}"
        pages = pages_of(files)
        assert not {name: page.wrong for name, page in pages.items() if page.wrong}, where
        assert not broken_links(files, pages), where
    return written


def test_hostile_words_stay_text(full: World) -> None:
    data = json.loads(json.dumps(full.json()))
    assert tried(data, seed=3, count=25) > 10


@pytest.mark.parametrize("address", ADDRESSES)
def test_only_addresses_of_the_web_are_links(full: World, address: str) -> None:
    data = full.json()
    data["paper"] |= {"url": address, "code": address}
    pages = site(data)
    for name in ("claims/n1.html", "papers/nobody2020.html"):
        assert address not in pages[name].links
        assert not pages[name].wrong
