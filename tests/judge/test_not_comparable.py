"""A printed number of something else than our runs measure: not comparable, in words, and warned of at its line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lnbench import catalog
from lnbench.errors import SpecError
from lnbench.judge import gather, judge
from lnbench.plan import plan_study
from lnbench.report import result_to_json
from lnbench.spec import LoadedStudy, Study, load_study
from lnbench.spec.comparable import differences
from lnbench.spec.registration import registration
from tests.toys.judged_world import BASELINE, STUDY, World, from_table
from tests.toys.project import write_project

AGREES = 'agrees: {kind: agrees, effect: accuracy, reference: ninety, margin: 0.02, because: "test"}'
ABOVE = "above: {kind: above, effect: accuracy, reference: eighty}"
TRUE = "dataset: digits, noise: dilute_uniform, level: 2, true_class: true, selection: last_epoch, split: test"


def written(folder: Path, estimand: str, *edits: tuple[str, str]) -> Path:
    """A study whose printed numbers all have this estimand."""
    text = STUDY
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    assert BASELINE.count("protocol: {}") == 2
    return write_project(folder, text, BASELINE.replace("protocol: {}", f"protocol: {{}}, estimand: {{{estimand}}}"))


def loaded(folder: Path, estimand: str, *edits: tuple[str, str], tier: str = "full") -> Study:
    return load_study(written(folder, estimand, *edits)).tiers[tier]


def judged(study: Study, missing: bool = False) -> Any:
    """The first claim, its parts `above` and `agrees` against printed numbers."""
    return judge(World(study, from_table).evidence(study)).claims[0]


def test_what_is_the_same_is_compared(tmp_path: Path) -> None:
    claim = judged(loaded(tmp_path, TRUE))
    assert claim.verdict == "reproduced"
    assert claim.parts["agrees"].verdict == "reproduced"


@pytest.mark.parametrize(
    ("estimand", "words"),
    [
        ("selection: best_test", "printed: best test epoch; ours: last epoch"),
        ("selection: best_validation", "printed: best validation epoch; ours: last epoch"),
        ("epochs: 2", "printed: epoch 2; ours: epoch 3"),
        ("epochs: [1, 2]", "printed: epochs 1 to 2; ours: epoch 3"),
        ("split: train", "printed: train; ours: test"),
        ("split: [train, validation]", "printed: train or validation; ours: test"),
        ("noise: replace_uniform, level: 2", "printed: replace_uniform; ours: dilute_uniform"),
        ("noise: none", "printed: none; ours: dilute_uniform"),
        ("noise: dilute_uniform, level: 100", "printed: 100; ours: 2"),
        (
            "noise: dilute_uniform, true_class: false",
            "printed: never the true label; ours: a random label may be the true one",
        ),
        ("dataset: mnist", "printed: mnist; ours: digits"),
        ("best_of: 3", "printed: the best of 3 runs; ours: every run counts"),
        (
            "selection: best_test, split: train",
            "printed: best test epoch; ours: last epoch; printed: train; ours: test",
        ),
    ],
)
def test_another_estimand_is_not_comparable_and_says_what_differs(tmp_path: Path, estimand: str, words: str) -> None:
    claim = judged(loaded(tmp_path, estimand))
    part = claim.parts["agrees"]
    assert (part.verdict, part.why) == ("not-comparable", words)
    assert (part.check.p_reproduced, part.check.p_contradicted) == (1.0, 1.0)
    assert part.check.effect is not None  # our number is shown all the same
    assert (claim.verdict, claim.why) == ("not-comparable", f"above: {words}")
    assert claim.parts["every"].verdict != "not-comparable"  # a threshold of our own


@pytest.mark.parametrize(
    "estimand",
    [
        "",
        "epochs: [1, 3]",
        "epochs: 3",
        "split: [validation, test]",
        "noise: [replace_uniform, dilute_uniform], level: [2, 10]",
        "best_of: 1",
    ],
)
def test_what_the_paper_does_not_say_and_what_is_among_what_it_says_is_compared(tmp_path: Path, estimand: str) -> None:
    assert judged(loaded(tmp_path, estimand)).verdict == "reproduced"


def test_the_best_epoch_of_ours_is_no_last_epoch(tmp_path: Path) -> None:
    study = loaded(tmp_path, "selection: last_epoch", ("selection: last_epoch", "selection: best_test"))
    assert judged(study).why == "above: printed: last epoch; ours: best test epoch"
    study = loaded(tmp_path, "selection: best_test", ("selection: last_epoch", "selection: best_test"))
    assert judged(study).verdict == "reproduced"


def test_an_epoch_that_an_effect_names_is_the_last_one_or_it_is_not(tmp_path: Path) -> None:
    at = "accuracy: {metric: test_accuracy, at: {model: mlp1, noise.alpha: 2"
    study = loaded(tmp_path, "selection: last_epoch", (at, f"{at}, epoch: 3"))
    assert judged(study).verdict == "reproduced"
    study = loaded(tmp_path, "selection: last_epoch", (at, f"{at}, epoch: 2"))
    assert judged(study).why == "above: printed: last epoch; ours: epoch 2"


def test_the_arm_without_noise_is_no_difference(tmp_path: Path) -> None:
    drop = "accuracy: {metric: test_accuracy, at: {model: mlp1}, along: {noise.alpha: drop}}"
    study = loaded(
        tmp_path,
        "noise: dilute_uniform, level: 2",
        ("accuracy: {metric: test_accuracy, at: {model: mlp1, noise.alpha: 2}}", drop),
    )
    assert all(differences(part, study) == [{}] for part in study.spec.claims[0].parts.values())


def test_scale_is_compared_at_the_papers_own_scale_only(tmp_path: Path) -> None:
    tiers = ("  full: {deviations: []}\n", "  full: {deviations: []}\n  cpu: {deviations: [a smaller scale]}\n")
    for estimand in ("dataset: mnist", "noise: dilute_uniform, level: 100", "epochs: 100"):
        assert judged(loaded(tmp_path, estimand, tiers, tier="cpu")).verdict == "reproduced"
        assert judged(loaded(tmp_path, estimand, tiers)).verdict == "not-comparable"
    for estimand in ("selection: best_test", "split: train", "noise: replace_uniform"):
        assert judged(loaded(tmp_path, estimand, tiers, tier="cpu")).verdict == "not-comparable"


def test_smoke_compares_with_no_paper(tmp_path: Path) -> None:
    tiers = ("  full: {deviations: []}\n", "  full: {deviations: []}\n  smoke: {deviations: []}\n")
    study = loaded(tmp_path, "selection: best_test", tiers, tier="smoke")
    assert differences(study.spec.claims[0].parts["agrees"], study) == [{}]


def test_a_threshold_of_our_own_is_no_printed_number(tmp_path: Path) -> None:
    study = loaded(tmp_path, "selection: best_test", (ABOVE, ABOVE.replace("}", ", threshold: 0.8}")))
    assert judged(study).verdict == "reproduced"


def test_a_part_may_say_why_it_is_compared_all_the_same(tmp_path: Path) -> None:
    excused = AGREES.replace("}", ", despite: {selection: accuracy does not change after epoch 2}}")
    claim = judged(loaded(tmp_path, "selection: best_test", (AGREES, excused)))
    assert claim.parts["agrees"].verdict == "reproduced"
    assert claim.parts["above"].verdict == "not-comparable"
    claim = judged(loaded(tmp_path, "selection: best_test, split: train", (AGREES, excused)))
    assert claim.parts["agrees"].why == "printed: train; ours: test"  # the other difference is not excused


def test_what_is_excused_is_registered_and_its_words_are_not(tmp_path: Path) -> None:
    hashes = []
    for words in ("", ", despite: {selection: a reason}", ", despite: {selection: another reason}"):
        study = loaded(tmp_path, "selection: best_test", (ABOVE, ABOVE.replace("}", words + "}")))
        hashes.append(registration(study.spec, study.baseline)["claims"]["T-01"]["sha256"])
    assert hashes[0] != hashes[1] == hashes[2]


def test_runs_that_are_missing_need_not_be_made_for_a_number_that_cannot_be_compared(tmp_path: Path) -> None:
    study = loaded(tmp_path, "selection: best_test")
    (claim, *_) = judge(gather(plan_study(study), lambda record_id: None)).claims
    assert claim.parts["agrees"].verdict == "not-comparable"
    assert claim.parts["loss"].verdict == "not-run"


def test_result_and_words_are_kept(tmp_path: Path) -> None:
    study = loaded(tmp_path, "selection: best_test")
    data = result_to_json(judge(World(study, from_table).evidence(study)))
    assert data["claims"][0]["verdict"] == "not-comparable"
    assert data["claims"][0]["parts"][0]["why"] == "printed: best test epoch; ours: last epoch"


# What `validate` says


def test_validate_warns_at_the_line_that_names_the_reference(tmp_path: Path) -> None:
    path = written(tmp_path, "selection: best_test")
    lines = path.read_text().split("\n")
    found = [(warning.line, warning.column, warning.what) for warning in load_study(path).warnings]
    expected = []
    for number, line in enumerate(lines, start=1):
        for name in ("eighty", "ninety"):
            if f"reference: {name}" in line:
                what = f"not comparable with '{name}' (printed: best test epoch, ours: last epoch)"
                hint = "say why it can be all the same: `despite: {selection: WHY}`"
                expected.append((number, line.index(name) + 1, f"{what}; {hint}"))
    assert [one for one in found if "comparable" in one[2]] == expected
    assert len(expected) == 2


def test_an_excuse_for_nothing_is_refused_at_its_line(tmp_path: Path) -> None:
    excused = AGREES.replace("}", ", despite: {split: no reason}}")
    path = written(tmp_path, "split: test", (AGREES, excused))
    with pytest.raises(SpecError) as caught:
        load_study(path)
    (problem,) = caught.value.problems
    line = path.read_text().split("\n")[problem.line - 1]
    assert line[problem.column - 1 :].startswith("split: no reason")
    assert "despite: split does not differ from what is printed" in problem.what


@pytest.mark.parametrize(
    ("estimand", "gist"),
    [
        ("selection: best", "selection"),
        ("noise: dilution", "noise: 'dilution' is not known"),
        ("dataset: MNIST", "dataset: 'MNIST' is not known"),
        ("level: 2", "name the noise too"),
        ("noise: none, true_class: true", "name the noise too"),
        ("epochs: [5, 2]", "5 comes after 2"),
        ("epochs: 0", "epochs"),
        ("selection: last_epoch, epochs: 3", "keep this or `selection`"),
        ("best_of: 0", "best_of"),
        ("splits: test", "splits"),
    ],
)
def test_an_estimand_is_a_closed_vocabulary(tmp_path: Path, estimand: str, gist: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_study(written(tmp_path, estimand))
    assert all(problem.line > 0 and problem.path.name == "toy.yaml" for problem in caught.value.problems)
    assert gist in str(caught.value)


# What the repository says


def test_every_number_that_a_claim_is_held_against_says_what_it_is_a_number_of(studies: list[LoadedStudy]) -> None:
    named = 0
    for loaded in studies:
        for study in loaded.tiers.values():
            for claim in study.spec.claims:
                for part in claim.parts.values():
                    for reference in part.references():
                        named += 1
                        estimand = study.baseline.references[reference].estimand
                        assert estimand.model_dump(exclude_none=True), f"{study.key}: {reference}"
                        assert not any(differences(part, study)), f"{study.key}: {claim.id} {part.kind}"
    assert named > 20


def test_where_an_alternative_changes_what_is_measured_it_is_not_comparable(tmp_path: Path) -> None:
    study = loaded(tmp_path, "noise: dilute_uniform, true_class: true")
    never = study.cells[0].recipe.identity()["noise"] | {"include_true_class": False}
    noise = catalog.find("noise", "dilute_uniform").options
    assert noise is not None
    law = noise.model_validate(never)
    at_two = law.model_copy(update={"alpha": 2})
    other = tuple(replace(cell, recipe=cell.recipe.model_copy(update={"noise": at_two})) for cell in study.cells)
    assert judged(replace(study, cells=other)).verdict == "not-comparable"
