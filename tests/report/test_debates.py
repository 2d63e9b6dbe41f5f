"""The page of debates: claims of two papers on one question, what confounds them, what is not run, and our bridge."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from lnbench.report import debates_page, find_debates, scoreboard
from lnbench.spec import LoadedStudy, Question, load_study
from tests.toys.edited_study import edited
from tests.toys.project import write_project
from tests.toys.report_world import BASELINE, STUDY, World

QUESTIONS = {"how-robust": Question(title="How robust?", about="One says so. One does not.", confound="The length.")}


def of_another_paper(data: dict[str, Any], paper: str = "someone2021", claim: str = "S1") -> dict[str, Any]:
    """The same report as if it were another paper's, whose first claim, the only one with a question, is `claim`."""
    other = copy.deepcopy(data)
    other["paper"] |= {"id": paper, "citation": f"{paper.title()}, Else"}
    other |= {"study": paper, "key": f"{paper}-{data['tier']}"}
    other["claims"][0]["id"] = claim
    return other


def bridge(data: dict[str, Any], verdict: str = "held") -> dict[str, Any]:
    """A report of lnbench's own hypothesis on the same question."""
    own = of_another_paper(data, "lnbench", "LNB-99")
    own["claims"][0] |= {"standing": "hypothesis", "says": "The length explains it.", "verdict": verdict}
    return own


def page(*results: dict[str, Any], studies: tuple[LoadedStudy, ...] = ()) -> str:
    return debates_page(find_debates(results, QUESTIONS, studies))


@pytest.fixture
def waiting(tmp_path: Path) -> LoadedStudy:
    """A study of another paper of which there is no report: N1 and a hypothesis have the question."""
    study = edited(
        STUDY,
        ("paper: nobody2020", "paper: later2022"),
        ("  - id: N1\n", "  - id: L1\n"),
        ("  - id: N.2\n", "  - id: L2\n"),
        ("    says: Depth helps.\n    quote: \"Deep networks lose less.\"\n    where: {}\n",
         "    says: Depth helps.\n    standing: hypothesis\n    question: how-robust\n"),
        ("  - id: n-2\n", "  - id: L3\n"),
    )  # fmt: skip
    paper = edited(BASELINE, ("paper: nobody2020", "paper: later2022"), ("year: 2020", "year: 2022"))
    return load_study(write_project(tmp_path / "later", study, paper, name="later", paper="later2022"))


def test_claims_of_two_papers_stand_side_by_side_under_their_question(full: World) -> None:
    one = full.json()
    other = of_another_paper(one)
    other["claims"][0] |= {"says": "It falls.", "verdict": "inconclusive"}
    text = page(other, one)
    assert text == page(one, other)
    assert "- [How robust?](#how-robust)\n\n## How robust?\n\nOne says so. One does not.\n" in text
    assert "**The confound: what else differs.** The length.\n" in text
    assert text.count("\n## ") == 1
    assert "**[N1](nothing-full/report.md#claim-n1)**, tier full: ✅ reproduced" in text
    assert "**[S1](someone2021-full/report.md#claim-s1)**, tier full: ➖ inconclusive" in text
    assert "The MLP stays above 70 % \\| with noise, at the learning rate chosen on 1 seed.\n" in text
    assert "\nIt falls, at the learning rate chosen on 1 seed.\n" in text
    assert re.search(
        r"\n- `above` \(mlp1, noise\.alpha 10: test\\_accuracy\): measured \d\d\.\d % \(90 % interval .*\); "
        r"required: at least 70 %; the interval lies inside the required range\.\n",
        text,
    )
    assert "n-2" not in text  # it has no question
    assert "| Nobody et al. 2020, Noise \\| and &lt;labels&gt; of \\$nobody\\$ | ✅ 1 reproduced | – |" in text
    assert "| Someone2021, Else | ➖ 1 inconclusive | – |" in text
    assert "Not yet run" not in text and "What may explain both" not in text


def test_each_tier_of_a_claim_is_there_and_smoke_never(full: World, smoke: World) -> None:
    one = full.json()
    lite = {**copy.deepcopy(one), "tier": "lite", "key": "nothing-lite"}
    text = page(smoke.json(), lite, one, of_another_paper(one))
    assert text.index("(nothing-full/") < text.index("(nothing-lite/")
    assert "(nothing-lite/report.md#claim-n1)**, tier lite: " in text
    assert "smoke" not in text
    only_smoke = page(smoke.json(), of_another_paper(one))
    assert "## " not in only_smoke  # the first paper has no report that counts


def test_a_question_of_one_paper_has_no_section_even_with_a_bridge(full: World) -> None:
    one = full.json()
    twice = of_another_paper(one, "nobody2020", "N9")  # two studies of the same paper
    for results in ([one], [one, twice], [one, bridge(one)]):
        assert page(*results) == "# Debates\n\nClaims of no two papers ask the same question here yet.\n"
        assert "Debates" not in scoreboard(results, debates=find_debates(results, QUESTIONS, ()))


@pytest.mark.parametrize("standing", ["surrogate", "identity", "authors_code"])
def test_what_is_no_papers_claim_makes_no_debate_and_is_said_to_be_none(full: World, standing: str) -> None:
    one = full.json()
    other = of_another_paper(one)
    other["claims"][0]["standing"] = standing
    assert "## " not in page(one, other)
    text = page(one, other, of_another_paper(one, "third2023", "T1"))
    (block,) = re.findall(r"\*\*\[S1\].*?- `above`", text, re.S)
    assert "\n*" in block and ("never counted" in block or "not counted" in block or "tests no result" in block)
    assert "| Someone2021, Else |" not in text  # the table counts claims of papers only


def test_our_hypotheses_come_last_and_count_for_no_paper(full: World) -> None:
    one = full.json()
    text = page(bridge(one), one, of_another_paper(one))
    _, head, end = text.partition("### What may explain both\n")
    assert head and "No paper says this. These are hypotheses of lnbench" in end
    assert "**[LNB-99](lnbench-full/report.md#claim-lnb-99)**, tier full: 🟩 held" in end
    assert "LNB-99" not in text.partition("### What may")[0]
    assert "| Lnbench, Else |" not in text and "### Lnbench" not in text
    assert "[N1]" not in end and "[S1]" not in end


def test_claims_that_no_report_judges_are_named_and_not_shown(full: World, waiting: LoadedStudy) -> None:
    one = full.json()
    text = page(one, studies=(waiting,))  # a second paper asks: there is a debate, though it is not run
    assert (
        "Not yet run here: L1 (study `later`) of Nobody et al. 2022, Noise \\| and &lt;labels&gt; of \\$nobody\\$."
        in text
    )
    assert "[L1]" not in text and "L3" not in text
    assert re.search(r"\| Nobody et al\. 2022, .* \| – \| 1 \|", text)
    ours = text.partition("### What may explain both")[2]
    assert "Not yet run here: L2 (study `later`) of" in ours and "L1" not in ours
    judged = of_another_paper(one, "later2022", "L1") | {"study": "later", "key": "later-full"}
    text = page(one, judged, studies=(waiting,))
    assert "[L1](later-full/" in text and "Not yet run here: L1" not in text
    only_ours = page(judged, studies=(waiting,))
    assert "## " not in only_ours  # later2022 alone, its hypothesis is no paper


def test_a_claim_that_smoke_alone_judged_is_not_yet_run(full: World, waiting: LoadedStudy) -> None:
    one = full.json()
    smoke = of_another_paper(one, "later2022", "L1") | {"study": "later", "key": "later-smoke", "tier": "smoke"}
    assert "Not yet run here: L1 (" in page(one, smoke, studies=(waiting,))


def test_our_checks_next_to_a_claim_are_shown_as_ours(full: World) -> None:
    one = full.json()
    every = next(part for part in one["claims"][0]["parts"] if part["name"] == "every")
    every["because"] = "the same | with more epochs"
    text = page(one, of_another_paper(one))
    check = "- Extra check (ours, not the paper's), the same \\| with more epochs: `every` (mlp1, noise.alpha 10: "
    assert check in text
    assert "`printed` (" not in text  # an extra check that is the paper's own is in the report


def test_a_set_up_is_told_once_where_several_claims_share_it(full: World) -> None:
    one = full.json()
    one["claims"][1]["question"] = one["claims"][2]["question"] = "how-robust"
    one["claims"][1]["parts"] = copy.deepcopy(one["claims"][0]["parts"])
    text = page(one, of_another_paper(one))
    assert "- Set-up: 1,000 images of `digits`; network: `mlp1`" in text
    assert text.count("- Set-up: as for N1 at tier full.") == 1
    other = text.partition("### Someone2021")[2]
    assert "as for N1" not in other  # another paper's set-up is told in full


def test_what_stands_in_its_study_only_is_said(full: World) -> None:
    one = full.json()
    one["claims"][0] |= {"verdict": "contradicted", "p_contradicted": 0.04}
    text = page(one, of_another_paper(one))
    assert "❌ contradicted in its study, but not among the 3 rows of its paper (Holm)" in text
    assert "| ❌ 1 contradicted in its study only | – |" in text


def test_hostile_text_stays_text(full: World) -> None:
    one = full.json()
    evil = "<script>alert(1)</script> | [x](javascript:y) **b** `code` $m$ # h\n\n## Not a heading"
    one["claims"][0] |= {"says": evil, "why": evil}
    one["paper"]["citation"] = evil
    questions = {"how-robust": Question(title=evil, about=evil, confound=evil)}
    debates = find_debates([one, of_another_paper(full.json())], questions, ())
    for text in (debates_page(debates), scoreboard([one], debates=debates)):
        assert "<script>" not in text and not re.search(r"(?<!\\)\]\(javascript", text)
        assert not re.search(r"^#+ Not a heading", text, re.M)
        assert not re.search(r"(?<!\\)\*\*b(?<!\\)\*\*", text)
    rows = [line for line in debates_page(debates).splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}


def test_a_question_without_words_has_its_name(full: World) -> None:
    one = full.json()
    text = debates_page(find_debates([one, of_another_paper(one)], {}, ()))
    assert "\n## how-robust\n\n| paper |" in text


def test_readme_links_to_each_section_in_one_line(full: World) -> None:
    one = full.json()
    results = [one, of_another_paper(one)]
    table = scoreboard(results, debates=find_debates(results, QUESTIONS, ()))
    (line,) = (line for line in table.splitlines() if line.startswith("**Debates.**"))
    assert "[side by side](./debates.md)" in line
    assert line.endswith("[How robust?](./debates.md#how-robust).")
