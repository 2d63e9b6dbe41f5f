"""Names, titles and messages that are Markdown, HTML, formulas or a terminal's commands: they stay text."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lnbench.detect import html, issues, page, tables
from lnbench.detect.copies import copies_in
from lnbench.detect.data import Labelled
from lnbench.detect.options import Options, settled
from lnbench.detect.preferred import Preferred
from lnbench.detect.scoring import Scores, scored
from lnbench.report import debates_page, find_debates, junit, markdown, scoreboard
from lnbench.report.words import coded, escaped, link, path_link
from lnbench.spec import Question
from tests.hostile.pages import ADDRESSES, UNSEEN, WORDS, hostile_words, leaves, with_words, wrongs
from tests.toys.report_world import World
from tests.toys.seen_page import Seen

Json = dict[str, Any]


@pytest.mark.parametrize("words", WORDS)
def test_escaped_words_begin_nothing_and_end_nothing(words: str) -> None:
    for text in (escaped(words), coded(words), escaped(f"- {words}"), escaped(f"1. {words}"), f"`x` {escaped(words)}"):
        lines = ["| a | b |", "| --- | --- |", f"| {text} | {text} |", "", text, "", f"- {text}", "", f"**{text}**"]
        assert not wrongs("\n".join(lines)), text


def test_what_is_no_trick_stays_as_it_was() -> None:
    assert escaped("`noise.alpha` 10 − 2, at least 90 % (§ 3)") == "`noise.alpha` 10 − 2, at least 90 % (§ 3)"
    assert escaped("- one") == "\\- one" and escaped("-0.5") == "-0.5" and escaped("3. of 5") == "3\\. of 5"
    assert coded("noise.alpha") == "`noise.alpha`" and coded("a|b") == "`a\\|b`" and coded("a`b") == "a\\`b"
    assert coded("a\\|b") == "a\\\\\\|b"


@pytest.mark.parametrize("address", ADDRESSES)
def test_only_addresses_of_the_web_are_links(address: str) -> None:
    assert link("a paper", address) == "a paper"


def test_a_link_leads_where_it_says() -> None:
    for address in ("https://arxiv.org/abs/1705.10694", "http://a.example/x?y=1&z=%20#part"):
        assert link("a paper", address) == f"[a paper]({address})"
    assert (
        path_link("full", "reports", "rolnick-full", "report.md#claim-1")
        == "[full](reports/rolnick-full/report.md#claim-1)"
    )
    assert not wrongs(path_link("full", "reports", "a) [x](javascript:y) <evil>\u202e", "report.md"))


# ---- pages of reports


def rendered(data: Json) -> dict[str, Callable[[], str]]:
    """Return the pages that show a result, by name."""

    def debates() -> str:
        other = {**data, "paper": {**data["paper"], "id": "another"}, "key": "another-full", "study": "another"}
        asked = {claim["question"] for claim in data["claims"] if claim["question"]}
        questions = {name: Question(title=f"Is {name[:40]} so?", about="It | is.", confound=None) for name in asked}
        return debates_page(find_debates([data, other], questions, ()))

    return {
        "report.md": lambda: markdown(data),
        "README": lambda: scoreboard([data]),
        "debates.md": debates,
        "junit.xml": lambda: junit(data),
    }


def tried(data: Json, seed: int, count: int) -> Counter[str]:
    """Put hostile words into `count` leaves and look at every page that is still written."""
    found, rng = Counter[str](), np.random.default_rng(seed)
    places = list(leaves(data))
    for number in range(count):
        path, key = places[int(rng.integers(len(places)))]
        words = hostile_words(rng) if "url" not in path else str(rng.choice(ADDRESSES))
        for name, render in rendered(with_words(data, path, key, words)).items():
            try:
                text = render()
            except (KeyError, TypeError, ValueError, IndexError, AttributeError):
                found[f"{name}: not written"] += 1  # it is no result any more: who reads it has to say so
                continue
            found[name] += 1
            where = f"{name}, seed {seed}, number {number}, {path}{' (key)' if key else ''}: {words!r}"
            if name == "junit.xml":
                seen = "".join(ET.fromstring(text).itertext())
                assert not set(seen.replace("\n", "")) & set("\x1b\u202e\u2066\u2028"), where
            else:
                assert not wrongs(text, words), (where, wrongs(text, words))
    return found


def test_pages_with_hostile_words_in_them(full: World) -> None:
    data = json.loads(json.dumps(full.json()))
    assert not any(wrongs(render()) for name, render in rendered(data).items() if name != "junit.xml")
    found = tried(data, seed=1, count=25)
    assert found["report.md"] > 5 and found["README"] > 5, found


@pytest.mark.long
@pytest.mark.parametrize("seed", range(20, 24))
def test_many_pages_with_hostile_words_in_them(full: World, seed: int) -> None:
    found = tried(json.loads(json.dumps(full.json())), seed, count=400)
    assert min(found[name] for name in ("report.md", "README", "debates.md", "junit.xml")) > 100, found


# ---- what detect writes


def detected(seed: int, count: int = 60) -> tuple[Labelled, Scores, Json]:
    """Return a detection among images of hostile names: data, scores and result; nothing is trained."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 255, (count, 1, 8, 8)).astype(np.uint8)
    images[10:14] = images[10]
    classes = [hostile_words(rng) for _ in range(4)]
    labels = np.arange(count, dtype=np.int64) % len(classes)
    names = [f"{classes[label]}/{hostile_words(rng)}" for label in labels]
    names[:6] = ["=1+1", "+cmd", "-1+2", "@sum", "\tx", "\r=x"]
    names[6:8] = ["-1.5", "a\r=1+1"]
    skipped = [(hostile_words(rng), f"damaged: {hostile_words(rng)}") for _ in range(5)]
    data = Labelled(images, labels, names, classes, lambda index, size: images[index, 0], skipped)
    data.notes.append(f"classes of few images: {classes[0]}")
    aul = rng.normal(0, 1, (1, count)) + np.where(np.arange(count) % 3 == 0, 9.0, 0.0)
    asked = Options(runs=1, model="mlp1")
    options, notes = settled(asked, data)
    preferred = Preferred(rng.dirichlet(np.ones(len(classes)), count) + np.eye(len(classes))[labels], labels)
    scores = scored(aul.tolist(), (-aul).tolist(), options.epochs or 1, [(0.9, 0.1)], preferred)
    record = {"id": "0" * 32, "provenance": {"device": "cpu", "threads": 1, "seconds": 1.0, "resumed": False}}
    return (
        data,
        scores,
        tables.result(
            hostile_words(rng), data, asked.as_dict(), options.as_dict(), scores, [record], notes, copies_in(data)
        ),
    )


def check_detection(seed: int) -> None:
    data, scores, result = detected(seed)
    text = page.report(result, data, scores).decode()
    assert not wrongs(text), (seed, wrongs(text))
    for raw in (tables.scores_csv(data, scores), tables.suspects_csv(data, scores, 60)):
        rows = list(csv.reader(io.StringIO(raw.decode(errors="surrogateescape"), newline="")))
        assert all(len(row) == len(tables.COLUMNS) for row in rows)
        known = {name for name in (*data.names, *data.classes) if "\ud800" not in name}
        shown = {one.removeprefix("'") for row in rows[1:] for one in (*row[1:3], row[4])}
        assert {one for one in shown if "\\ud800" not in one} <= known
        for row in rows[1:]:
            assert not any(one[:1] in "=+-@\t\r" and not is_number(one) for one in row if one), row
            assert all(is_number(one) for one in (row[0], *row[5:]) if one)
    check_page(html.page(result, data, scores).decode())
    assert (
        len(json.loads(issues.issues_json(hostile_words(np.random.default_rng(seed)), data, scores))["samples"]) == 60
    )
    text = tables.conflicts_csv(data, scores, copies_in(data)).decode(errors="surrogateescape")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len(rows) == 5 and not any(
        one[:1] in "=+-@\t\r" and not is_number(one) for row in rows for one in row if one
    )
    assert json.loads(tables.json_text(result))["data"]["source"] == result["data"]["source"]


def check_page(text: str) -> None:
    """Check that names are text on a page in HTML: no tag, no attribute and no letter that is not our own."""
    seen = Seen(text)
    assert set(seen.tags) <= TAGS and {(tag, name) for tag, name, _ in seen.attributes} <= ATTRIBUTES
    assert not set(text) & set("\x1b\u202e\u2066\u2028\x00")
    assert all((value or "").startswith("data:image/") for _, name, value in seen.attributes if name == "src")
    body = text.partition("<body>")[2].partition("<script>")[0]
    assert body.count("<script") == 0


TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "h2",
        "h3",
        "p",
        "ul",
        "li",
        "b",
        "code",
        "label",
        "select",
    ),
    *(
        "option",
        "input",
        "section",
        "small",
        "div",
        "figure",
        "img",
        "figcaption",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
    ),
    *("td", "script"),
}
ATTRIBUTES = {
    *(("meta", name) for name in ("charset", "http-equiv", "content", "name")),
    *(("img", name) for name in ("loading", "decoding", "width", "height", "alt", "src")),
    *(("figure", name) for name in ("data-rank", "data-aum", "data-sure", "data-name", "class", "title")),
    ("html", "lang"), ("p", "class"), ("select", "id"), ("option", "value"), ("input", "id"), ("input", "type"),
    ("div", "class"), ("table", "id"), ("td", "class"),
}  # fmt: skip


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_detect_writes_hostile_names_as_text() -> None:
    for seed in range(2):
        check_detection(seed)


@pytest.mark.long
def test_detect_writes_many_hostile_names_as_text() -> None:
    for seed in range(100, 400):
        check_detection(seed)


def test_a_figure_shows_no_hostile_name() -> None:
    import re

    from lnbench.detect.figures import shortened

    assert not any(re.search(UNSEEN, shortened(words)) for words in WORDS)
    assert shortened("cat\u202egnp.exe", 40) == "cat\\u202egnp.exe"
