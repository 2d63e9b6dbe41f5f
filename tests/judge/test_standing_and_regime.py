"""Who says a claim, and whether the runs are where it could be tested: words, marks and verdicts that follow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lnbench.errors import SpecError
from lnbench.judge import ClaimResult, judge
from lnbench.spec import LoadedStudy, load_study, variant
from lnbench.verdict import Counts, Standing, Verdict, counts_as, worded
from tests.toys.judged_world import BASELINE, STUDY, World, from_table
from tests.toys.project import write_project

FIRST = """\
  - id: T-01
    says: The MLP stays above 80 %.
    quote: "above 80"
"""
REGIME = """\
      learned: {kind: above, effect: clean, threshold: EDGE, because: "it has learned"}
"""


def with_regime(folder: Path, edge: float, more: str = "") -> World:
    """The toy study, of which the first claim asks that the MLP has learned without noise: above `edge`."""
    text = STUDY.replace(
        "  accuracy: {", "  clean: {metric: test_accuracy, at: {model: mlp1, noise.alpha: 0}}\n  accuracy: {", 1
    )
    text = text.replace(FIRST, f'{FIRST}    requires: {{learned: "train longer"{more}}}\n').replace(
        "      above: {kind: above, effect: accuracy, reference: eighty}\n",
        "      above: {kind: above, effect: accuracy, reference: eighty}\n" + REGIME.replace("EDGE", str(edge)),
    )
    return World(load_study(write_project(folder, text, BASELINE)).tiers["full"], from_table)


def first(world: World, **options: Any) -> ClaimResult:
    return judge(world.evidence(), **options).claims[0]


def lower(by: float) -> Any:
    return lambda recipe, seed: (from_table(recipe, seed) or 0) - by


def test_a_claim_whose_regime_holds_is_judged_as_without_one(tmp_path: Path) -> None:
    claim = first(with_regime(tmp_path, 0.9))
    assert (claim.verdict, claim.why) == ("reproduced", "")
    assert claim.check.p_reproduced == max(claim.parts[name].check.p_reproduced for name in ("above", "learned"))


def test_a_claim_out_of_its_regime_is_neither_for_nor_against_the_paper(tmp_path: Path) -> None:
    world = with_regime(tmp_path, 0.99)
    claim = first(world)
    assert (claim.verdict, claim.why) == ("not-in-regime", "learned: train longer")
    world.accuracy = lower(0.4)  # the claim itself would be contradicted, under every alternative
    tries = {key: world.evidence(variant(world.study, key)) for key in ("epochs", "optimizer.lr")}
    claim = first(world, tries=tries)
    assert claim.verdict == "not-in-regime" and claim.p_contradicted == 1.0 and not claim.tried


def test_a_regime_that_is_not_decided_decides_no_claim(tmp_path: Path) -> None:
    world = with_regime(tmp_path, 0.97)  # 0.97 on average
    claim = first(world)
    assert claim.verdict == "inconclusive"
    assert claim.why == "whether the runs are in the claim's regime is not decided: learned"
    world.accuracy = lambda recipe, seed: 0.5 if recipe["noise"]["alpha"] else from_table(recipe, seed)
    tries = {key: world.evidence(variant(world.study, key)) for key in ("epochs", "optimizer.lr")}
    assert first(world, tries=tries).verdict == "inconclusive"


def test_a_contradiction_does_not_survive_an_alternative_that_is_out_of_the_regime(tmp_path: Path) -> None:
    world = with_regime(tmp_path, 0.9)
    world.accuracy = lambda recipe, seed: 0.5 if recipe["noise"]["alpha"] else from_table(recipe, seed)
    tries = {"epochs": world.evidence(variant(world.study, "epochs"))}
    dead = World(variant(world.study, "optimizer.lr"), lower(0.4))
    claim = first(world, tries={**tries, "optimizer.lr": dead.evidence()})
    assert claim.tried == {"epochs": "contradicted", "optimizer.lr": "not-in-regime"}
    assert claim.verdict == "inconclusive"


def test_a_run_of_the_regime_that_is_missing_makes_the_claim_not_run(tmp_path: Path) -> None:
    world = with_regime(tmp_path, 0.9)
    clean = {"model": "mlp1", "noise.alpha": 0}
    world.missing = {job.run().id for job in world.evidence().plan.jobs if job.point == clean and job.seed == 1}
    claim = first(world)
    assert (claim.verdict, claim.why) == ("not-run", "learned: 4 of 5 seeds have all their runs")


@pytest.mark.parametrize(
    ("requires", "what"),
    [
        ('{leaned: "train longer"}', "requires: no part 'leaned'; did you mean 'learned'?"),
        ('{above: "train longer"}', "requires: the part 'above' is the claim's verdict"),
        ("{learned: 3}", "learned: expected text, not 3"),
    ],
)
def test_a_regime_names_another_part_of_the_claim(tmp_path: Path, requires: str, what: str) -> None:
    with_regime(tmp_path, 0.9)
    file = next(tmp_path.glob("claims/*.yaml"))
    file.write_text(file.read_text().replace('requires: {learned: "train longer"}', f"requires: {requires}"))
    with pytest.raises(SpecError) as caught:
        load_study(file)
    line = next(n for n, text in enumerate(file.read_text().splitlines(), start=1) if "requires" in text)
    assert f":{line}:" in str(caught.value) and what in str(caught.value)


def test_a_tier_cannot_omit_what_a_claim_requires_unless_it_requires_something_else(tmp_path: Path) -> None:
    with_regime(tmp_path, 0.9)
    file = next(tmp_path.glob("claims/*.yaml"))
    text = file.read_text()
    file.write_text(text.replace("{deviations: []}", "{deviations: [], claims: {T-01: {omit: [learned]}}}"))
    with pytest.raises(SpecError, match=r"'learned' is a requirement of T-01; give the tier another requires"):
        load_study(file)
    free = "{deviations: [], claims: {T-01: {omit: [learned], requires: {}}}}"
    file.write_text(text.replace("{deviations: []}", free))
    world = World(load_study(file).tiers["full"], from_table)
    assert first(world).verdict == "reproduced" and not first(world).claim.requires


def standing_of(folder: Path, standing: str, accuracy: Any = from_table) -> ClaimResult:
    quote = "" if standing == "hypothesis" else '    quote: "above 80"\n'
    text = STUDY.replace(FIRST, FIRST.replace('    quote: "above 80"\n', quote + f"    standing: {standing}\n"))
    world = World(load_study(write_project(folder, text, BASELINE)).tiers["full"], accuracy)
    tries = {key: world.evidence(variant(world.study, key)) for key in ("epochs", "optimizer.lr")}
    return first(world, tries=tries)


@pytest.mark.parametrize("standing", ["surrogate", "identity", "hypothesis"])
def test_what_is_no_papers_claim_is_held_failed_or_open(tmp_path: Path, standing: str) -> None:
    claim = standing_of(tmp_path / "held", standing)
    assert claim.verdict == "held" and {part.verdict for part in claim.parts.values()} == {"held"}
    claim = standing_of(tmp_path / "failed", standing, lower(0.4))
    assert claim.verdict == "failed" and claim.tried == {"epochs": "failed", "optimizer.lr": "failed"}
    edge = standing_of(tmp_path / "open", standing, lambda recipe, seed: 0.8 + 0.01 * (seed % 5 - 2))
    assert edge.verdict == "open" and edge.open and edge.parts["above"].seeds_to_decide is None


@pytest.mark.parametrize("standing", ["paper", "authors_code"])
def test_what_others_say_is_reproduced_or_contradicted(tmp_path: Path, standing: str) -> None:
    assert standing_of(tmp_path / "reproduced", standing).verdict == "reproduced"
    assert standing_of(tmp_path / "contradicted", standing, lower(0.4)).verdict == "contradicted"


@pytest.mark.parametrize(("standing", "words"), [("hypothesis", "failed"), ("paper", "contradicted")])
def test_what_is_not_yet_held_against_alternatives_is_said_in_the_claims_own_words(
    tmp_path: Path, standing: str, words: str
) -> None:
    quote = "" if standing == "hypothesis" else '    quote: "above 80"\n'
    text = STUDY.replace(FIRST, FIRST.replace('    quote: "above 80"\n', quote + f"    standing: {standing}\n"))
    world = World(load_study(write_project(tmp_path, text, BASELINE)).tiers["full"], lower(0.4))
    claim = first(world)
    why = f"outside the claimed range; not called {words}, as not run with: epochs, optimizer.lr"
    assert (claim.verdict, claim.why) == ("outside-as-run", why)
    saved = World(variant(world.study, "epochs"), from_table).evidence()
    claim = first(world, tries={"epochs": saved, "optimizer.lr": world.evidence(variant(world.study, "optimizer.lr"))})
    whose = "what is left open" if standing == "hypothesis" else "what the paper leaves open"
    assert claim.why == f"it depends on {whose}: inside the claimed range with epochs"


def test_an_extra_check_of_ours_beside_a_papers_claim_is_said_in_our_words(tmp_path: Path) -> None:
    text = STUDY.replace("threshold: 1.0}", "threshold: 1.0, ours: true}")
    world = World(load_study(write_project(tmp_path, text, BASELINE)).tiers["full"], from_table)
    parts = first(world).parts
    assert (parts["above"].verdict, parts["loss"].verdict) == ("reproduced", "held")


def test_a_hypothesis_quotes_no_paper(tmp_path: Path) -> None:
    text = STUDY.replace(FIRST, FIRST + "    standing: hypothesis\n")
    with pytest.raises(SpecError, match=r":\d+:\d+: quote: a hypothesis is lnbench's own sentence"):
        load_study(write_project(tmp_path, text, BASELINE))


def test_what_no_run_can_decide_is_not_testable_and_accuses_nobody(tmp_path: Path) -> None:
    text = STUDY.replace(FIRST, FIRST + '    not_testable: "its definition is not in the text"\n')
    world = World(load_study(write_project(tmp_path, text, BASELINE)).tiers["full"], lower(0.4))
    claim = first(world)
    assert (claim.verdict, claim.why) == ("not-testable", "its definition is not in the text")
    assert claim.p_contradicted == 1.0 and not claim.tried
    assert claim.parts["above"].verdict == "contradicted"  # what was measured is shown all the same
    world.missing = {job.run().id for job in world.evidence().plan.jobs}
    assert first(world).verdict == "not-run"


def test_a_tier_says_that_a_claim_is_not_testable_at_its_scale(tmp_path: Path) -> None:
    """As where the scale was chosen so that the claim holds: the other tiers judge it."""
    own = '{deviations: [smaller], claims: {T-01: {not_testable: "its scale was made to fulfil it"}}}'
    text = STUDY.replace("  full: {deviations: []}\n", f"  full: {{deviations: []}}\n  cpu: {own}\n")
    tiers = load_study(write_project(tmp_path, text, BASELINE)).tiers
    claim = first(World(tiers["cpu"], from_table))
    assert (claim.verdict, claim.why) == ("not-testable", "its scale was made to fulfil it")
    assert first(World(tiers["full"], from_table)).verdict == "reproduced"


def test_every_word_has_a_mark_of_its_own_but_for_the_two_that_need_none() -> None:
    marks = [verdict.mark for verdict in Verdict if verdict not in (Verdict.NOT_COMPARABLE, Verdict.NOT_TESTABLE)]
    assert all(marks) and len(set(marks)) == len(marks)
    assert Verdict.OUTSIDE_AS_RUN.words == "outside as run, alternatives not run"
    assert Verdict.NOT_IN_REGIME.words == "not in regime"
    assert [counts_as(word) for word in ("held", "failed", "open")] == [Counts.PASS, Counts.FAIL, Counts.NEITHER]
    assert {counts_as(word) for word in ("outside-as-run", "not-in-regime", "of-later")} == {Counts.NEITHER}
    assert worded("a word of later", "hypothesis") == "a word of later"
    assert all(standing.meaning for standing in Standing if standing is not Standing.PAPER)


def test_only_real_papers_claims_stand_as_such(studies: list[LoadedStudy]) -> None:
    """What lnbench says of itself is a hypothesis, and none of its claims is counted as a paper's."""
    for study in studies:
        for claim in study.any.spec.claims:
            own = study.any.spec.paper == "lnbench"
            assert (claim.standing == "hypothesis") == own, claim.id
