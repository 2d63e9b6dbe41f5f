"""The site of the committed reports: every claim has a page, links resolve, and a real browser shows and filters it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lnbench.cli.commands.site import without_runs
from lnbench.report import read_results
from lnbench.report.headlines import HEADLINES
from lnbench.site import Contents, render, write_site
from lnbench.spec import LoadedStudy, load_questions
from tests.toys.browser import browser, complaints, prefer, resize, wait_for
from tests.toys.html_pages import Page, broken_links, pages_of

Json = dict[str, Any]
MOST_BYTES = 200_000  # of the front page, without pictures


@dataclass(frozen=True)
class Whole:
    """The site: what it was made of, and its files in a folder below another."""

    results: list[Json]
    unrun: list[Json]
    files: dict[str, bytes]
    pages: dict[str, Page]
    folder: Path

    def __repr__(self) -> str:
        return "<the site of the committed reports>"

    def address(self, name: str) -> str:
        return (self.folder / name).as_uri()


@pytest.fixture(scope="module")
def whole(repository: Path, studies: list[LoadedStudy], tmp_path_factory: pytest.TempPathFactory) -> Whole:
    results = read_results(repository / "reports")
    there = {data["study"] for data in results}
    unrun = [data for study in studies if study.name not in there for data in without_runs(study)]
    contents = Contents(
        results=results,
        unrun=unrun,
        questions=load_questions(repository / "questions.yaml"),
        studies=studies,
        headlines=HEADLINES,
    )
    files = render(contents)
    folder = tmp_path_factory.mktemp("published") / "a sub-path" / "site"
    write_site(files, folder)
    return Whole(results, unrun, files, pages_of(files), folder)


def test_every_claim_has_a_page_and_a_row(whole: Whole) -> None:
    claims = {
        (data["study"], claim["id"])
        for data in [*whole.results, *whole.unrun]
        for claim in data["claims"]
        if data["tier"] != "smoke"
    }
    assert claims
    own = [name for name in whole.pages if name.startswith("claims/")]
    assert len(own) == len(claims) == whole.pages["index.html"].rows() - 1
    titles = " ".join(whole.pages[name].text for name in own)
    assert all(f"/ {claim} " in titles for _, claim in claims)
    for paper in {data["paper"]["id"] for data in whole.results}:
        assert f"papers/{paper}.html" in whole.pages


def test_every_headline_is_on_the_front_page(whole: Whole) -> None:
    front = whole.pages["index.html"].text
    shown = front.split("Every claim")[0]
    for claim in (claim for data in whole.results for claim in data["claims"]):
        if claim["id"] in HEADLINES and claim["verdict"] != "not-run":
            assert " ".join(claim["says"].removesuffix(".").split()) in shown


def test_the_pages_are_well_formed_and_their_links_lead_somewhere(whole: Whole) -> None:
    assert not {name: page.wrong for name, page in whole.pages.items() if page.wrong}
    assert not broken_links(whole.files, whole.pages)


def test_the_front_page_is_small(whole: Whole) -> None:
    assert len(whole.files["index.html"]) < MOST_BYTES


def test_the_table_of_eight_methods_says_not_run_where_nothing_was_run(whole: Whole) -> None:
    page = whole.pages["methods/index.html"].text
    assert "Table 1: cifar10" in page and "Table 1: cifar100" in page
    if "aul_table1" not in {data["study"] for data in whole.results}:
        assert "23.2 ± 0.2 not run" in page  # standard training at 20 % uniform noise
    assert "methods/co-teaching.html" in whole.pages


# ---- in a browser


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser(tmp_path_factory.mktemp("profile")) as made:
        yield made


def one_of_each(whole: Whole) -> list[str]:
    """A page of each kind, and of claims those that have most and least on them."""
    claims = sorted(
        (name for name in whole.pages if name.startswith("claims/")), key=lambda name: len(whole.files[name])
    )
    folders = ["papers", "debates", "methods"]
    some = [next(name for name in whole.pages if name.startswith(f"{one}/") and "index" not in name) for one in folders]
    lists = [f"{one}/index.html" for one in folders]
    return ["index.html", "reading.html", claims[0], claims[len(claims) // 2], claims[-1], *some, *lists]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_load_without_complaint_and_fit_the_width(whole: Whole, driver: Any, width: int, scheme: str) -> None:
    resize(driver, width)
    prefer(driver, scheme)
    complaints(driver)
    for name in one_of_each(whole):
        driver.get(whole.address(name))
        assert not complaints(driver), name
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width, name
        ground = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        light = sum(map(int, ground[4:-1].split(","))) > 3 * 128
        assert light == (scheme == "light"), (name, ground)


def shown_rows(driver: Any) -> int:
    return int(driver.execute_script("return document.querySelectorAll('table.claims tbody tr:not([hidden])').length"))


def focused(driver: Any) -> str:
    return str(driver.execute_script("return document.activeElement.id"))


def tab_to(driver: Any, name: str) -> None:
    """Press the tabulator until an element has the focus."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    for _ in range(100):
        if focused(driver) == name:
            return
        ActionChains(driver).send_keys(Keys.TAB).perform()
    raise AssertionError(f"the tabulator never comes to {name}")


def press(driver: Any, keys: str) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(driver).send_keys(keys).perform()


def test_filter_and_search_by_keyboard(whole: Whole, driver: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    resize(driver, 1280)
    prefer(driver, "light")
    driver.get(whole.address("index.html"))
    every = shown_rows(driver)
    assert every == whole.pages["index.html"].rows() - 1

    tab_to(driver, "f-search")
    press(driver, "mnist ConvNet")
    some = shown_rows(driver)
    assert 0 < some < every
    count = driver.find_element("id", "count")
    assert count.text == f"{some} of {every} claims"
    assert count.get_attribute("aria-live") == "polite"
    for row in driver.find_elements("css selector", "table.claims tbody tr:not([hidden])"):
        assert "mnist" in row.text.lower() and "convnet" in row.text.lower()

    tab_to(driver, "f-verdict")
    press(driver, "repro")
    assert driver.execute_script("return document.getElementById('f-verdict').value") == "reproduced"
    both = shown_rows(driver)
    assert 0 < both < some
    assert driver.execute_script("return location.hash") == "#search=mnist%20ConvNet&verdict=reproduced"

    driver.refresh()  # the address keeps what was asked
    assert shown_rows(driver) == both
    assert driver.execute_script("return document.getElementById('f-search').value") == "mnist ConvNet"

    tab_to(driver, "f-search")
    press(driver, "no such words")
    assert shown_rows(driver) == 0 and driver.find_element("id", "none").is_displayed()
    tab_to(driver, "show-all")
    press(driver, Keys.ENTER)
    assert shown_rows(driver) == every and focused(driver) == "f-search"
    assert not complaints(driver)


def test_an_address_with_filters_opens_them_and_a_wrong_one_shows_all(whole: Whole, driver: Any) -> None:
    every = whole.pages["index.html"].rows() - 1
    driver.get("about:blank")
    driver.get(whole.address("index.html") + "#paper=rolnick2018&tier=cpu&verdict=reproduced")
    found = wait_for(driver, "document.querySelectorAll('table.claims tbody tr:not([hidden])').length")
    assert 0 < found < every
    for row in driver.find_elements("css selector", "table.claims tbody tr:not([hidden])"):
        assert "Rolnick" in row.text and "reproduced" in row.text
    for wrong in ("#paper=nobody", "#verdict=%", "#=", "#tier=huge&tier", "#search=%E0%A4%A"):
        driver.get("about:blank")
        driver.get(whole.address("index.html") + wrong)
        assert shown_rows(driver) == every, wrong
    assert not complaints(driver)


def test_a_count_of_the_front_page_and_a_question_of_a_claim_lead_to_filtered_rows(whole: Whole, driver: Any) -> None:
    every = whole.pages["index.html"].rows() - 1
    driver.get(whole.address("index.html"))
    link = driver.find_element("css selector", ".tally a[href='#verdict=reproduced']")
    number = int(link.text.split()[0])
    driver.execute_script("arguments[0].click()", link)
    wait_for(driver, "document.getElementById('f-verdict').value === 'reproduced'")
    assert number <= shown_rows(driver) < every  # a smaller tier may have it, too
    driver.get(whole.address("claims/r001-01.html"))
    driver.find_element("link text", "All claims on it").click()
    wait_for(driver, "location.pathname.endsWith('index.html')")
    wait_for(driver, "document.getElementById('f-question').value === 'uniform-noise-tolerance'")
    assert 0 < shown_rows(driver) < every


def test_without_scripts_the_whole_table_is_there(whole: Whole, driver: Any) -> None:
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        driver.get("about:blank")
        driver.get(whole.address("index.html") + "#verdict=reproduced")
        assert not driver.find_element("id", "filters").is_displayed()
        rows = driver.find_elements("css selector", "table.claims tbody tr")
        assert len(rows) == whole.pages["index.html"].rows() - 1 and all(row.is_displayed() for row in rows[:10])
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_chips_and_text_can_be_read_in_both_schemes(whole: Whole, driver: Any) -> None:
    """The contrast of WCAG AA, 4.5 to 1, for every text of a verdict and for what is set back."""
    for scheme in ("light", "dark"):
        prefer(driver, scheme)
        for name in ("index.html", "reading.html", "claims/a004-05.html"):
            driver.get(whole.address(name))
            pale = driver.execute_script(CONTRASTS)
            assert not pale, (scheme, name, pale)


CONTRASTS = """
  function parts(colour) { return colour.match(/[0-9.]+/g).map(Number); }
  function ground(one) {
    for (; one; one = one.parentElement) {
      var found = parts(getComputedStyle(one).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  }
  function light(colour) {
    var shares = colour.slice(0, 3).map(function (part) {
      part /= 255;
      return part <= 0.03928 ? part / 12.92 : Math.pow((part + 0.055) / 1.055, 2.4);
    });
    return 0.2126 * shares[0] + 0.7152 * shares[1] + 0.0722 * shares[2];
  }
  var pale = [];
  document.querySelectorAll('.chip, .quiet, .scale, .would, .id, .lies, .lead, .crumbs, th, a, p, code').forEach(
    function (one) {
      var ink = light(parts(getComputedStyle(one).color)), paper = light(ground(one));
      var contrast = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
      if (contrast < 4.5) pale.push(one.className + ' ' + one.textContent.slice(0, 30) + ' ' + contrast.toFixed(2));
    });
  return pale;
"""
