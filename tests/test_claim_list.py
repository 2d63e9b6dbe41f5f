"""Every claim of Rolnick et al. 2018 that MNIST can show, and of Pleiss et al. 2020 on the area under the loss (AUL) as
a detector of wrong labels, stands in one study, with a tier for each scale."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.plan import plan_runs, plan_study
from lnbench.spec import LoadedStudy, Recipe, load_studies

ROOT = Path(__file__).parent.parent
NUMBERS = ("01", "04", "06", "07", "11", "13", "14", "15", "17", "18", "19", "20", "21", "22", "23", "25")
ON_MNIST = {
    *(f"R001-{number}" for number in NUMBERS),
    "R001-24-mnist",  # its steps on MNIST; the claim's others are CIFAR-10's
    "R001-06-law", "R001-18-law",  # the identities behind R001-06 and R001-18
}  # fmt: skip

ABOUT_THE_AUL = {
    *(f"A004-{number:02}" for number in [*range(1, 17), 23, 24, 25, 26, 27, 28, 31]),
    "A004-13-bias", "A004-14-little", "A004-14-precision",  # other sentences on the same two figures
    "A004-15-pair", "A004-15-precision", "A004-15-recall",  # and on CIFAR-100
}  # fmt: skip


@pytest.fixture(scope="module")
def studies() -> list[LoadedStudy]:
    """All of claims/; loading them together fails where an id stands twice."""
    return load_studies(sorted((ROOT / "claims").glob("*.yaml")))


def test_each_claim_stands_once(studies: list[LoadedStudy]) -> None:
    rolnick = [study for study in studies if study.name.startswith("rolnick")]
    ids = [claim.id for study in rolnick for claim in study.any.spec.claims]
    assert sorted(ids) == sorted(ON_MNIST)
    assert {study.any.spec.paper for study in rolnick} == {"rolnick2018"}


def test_each_is_checked_by_smoke_and_stated_at_the_papers_scale(studies: list[LoadedStudy]) -> None:
    for study in studies:
        if study.name.startswith("rolnick"):
            assert {"smoke", "full"} <= set(study.tiers), study.name
            for tier in study.tiers.values():
                ids = [claim.id for claim in tier.spec.claims]
                assert ids == [claim.id for claim in study.any.spec.claims], tier.key


def test_what_is_trained_is_mnist_and_can_be_trained_here(studies: list[LoadedStudy]) -> None:
    """Every study of trained networks has a tier for two cores; smoke needs no download."""
    for study in studies:
        if not study.name.startswith("rolnick") or not isinstance(study.any.spec.runs.base, Recipe):
            continue
        assert "cpu" in study.tiers, study.name
        for name, tier in study.tiers.items():
            data = {dataset for cell in tier.cells for dataset in cell.recipe.datasets}
            assert data == ({"digits"} if name == "smoke" else {"mnist"}), tier.key


def test_an_ordering_has_five_seeds_at_least_on_real_data(studies: list[LoadedStudy]) -> None:
    for study in studies:
        for name, tier in study.tiers.items():
            kinds = {part.kind for claim in tier.spec.claims for part in claim.parts.values()}
            if study.name.startswith("rolnick") and name != "smoke" and kinds & {"ordered", "trend"}:
                assert tier.spec.runs.seeds.n >= 5, tier.key


def test_each_claim_about_the_aul_stands_once(studies: list[LoadedStudy]) -> None:
    aul = [study for study in studies if study.name.startswith("aul_")]
    assert sorted(claim.id for study in aul for claim in study.any.spec.claims) == sorted(ABOUT_THE_AUL)
    assert {study.any.spec.paper for study in aul} == {"aul2020"}
    for study in aul:
        assert {"smoke", "full"} <= set(study.tiers), study.name


def test_studies_of_the_aul_train_a_network_once(studies: list[LoadedStudy]) -> None:
    """All draw images and wrong labels alike, and where two need the same network it is one run."""
    runs: dict[str, dict[str, set[str]]] = {}
    for study in studies:
        for name, tier in study.tiers.items() if study.name.startswith("aul_") else ():
            assert tier.spec.runs.seeds.pair == ("split", "noise"), tier.key
            runs.setdefault(name, {})[study.name] = {run.id for run in plan_runs(plan_study(tier))}
    assert runs["cpu"]["aul_before_drop"] == runs["cpu"]["aul_detection"]
    assert runs["full"]["aul_before_drop"] == runs["full"]["aul_dynamics"]
    assert not runs["cpu"]["aul_dynamics"] & runs["cpu"]["aul_detection"]  # a scale at which wrong labels are learned
    assert runs["smoke"]["aul_dynamics"] == runs["smoke"]["aul_mnist"]
    assert runs["smoke"]["aul_dynamics"] < runs["smoke"]["aul_consistency"]
    assert (
        runs["smoke"]["aul_detection_levels"] | runs["smoke"]["aul_detection_cifar100"] < runs["smoke"]["aul_detection"]
    )
    for tier in ("lite", "full"):
        assert runs[tier]["aul_detection_levels"] < runs[tier]["aul_detection"]
        assert runs[tier]["aul_modes"] < runs[tier]["aul_detection"]
        assert runs[tier]["aul_precision_cifar100"] < runs[tier]["aul_detection_cifar100"]
        assert len(runs[tier]["aul_consistency"] & runs[tier]["aul_detection"]) == 5


def test_the_loss_of_wrong_labels_has_risen_at_both_epochs_of_the_sentence(studies: list[LoadedStudy]) -> None:
    """A004-03 names epochs 75 and 150 of 300, the latter the end of the first rate; smoke is too small for it."""
    study = next(study for study in studies if study.name == "aul_before_drop")
    for name, tier in study.tiers.items():
        (epochs, drop) = tier.spec.runs.base.epochs, tier.spec.runs.base.schedule.milestones[0]
        visited = tier.spec.effects["rise"].at["epoch"]
        assert name == "smoke" or (visited[-1] == drop and visited[0] == pytest.approx(epochs / 4, abs=0.5)), tier.key
        assert tier.spec.effects["rise"].minus == {"epoch": 1}, tier.key


def test_a_claim_about_late_training_requires_that_wrong_labels_are_memorised(studies: list[LoadedStudy]) -> None:
    """At every tier but smoke; and the claim that they are memorised does not require itself."""
    study = next(study for study in studies if study.name == "aul_dynamics")
    for name, tier in study.tiers.items():
        claims = {claim.id: claim for claim in tier.spec.claims}
        required = {claim.id for claim in claims.values() if "memorised" in claim.requires}
        assert required == (set() if name == "smoke" else {f"A004-{n}" for n in ("01", "02", "05", "16", "23")}), name
        for claim in (claims[found] for found in required):
            part = claim.parts["memorised"]
            assert (part.kind, part.effect, part.threshold) == ("below", "mislabeled-end", 0.693), tier.key
            effect = tier.spec.effects[part.effect]
            assert effect.at == {"epoch": tier.spec.runs.base.epochs}, tier.key


def test_what_a_sentence_puts_on_one_side_is_judged_on_one_side(studies: list[LoadedStudy]) -> None:
    """An AUL that gets better is no contradiction of "remains this high" or of "sufficient"."""
    claims = {claim.id: claim for study in studies for claim in study.any.spec.claims if study.name == "aul_dynamics"}
    for found, name in (("A004-02", "stays"), ("A004-23", "detects")):
        part = claims[found].parts[name]
        assert (part.kind, part.delta) == ("ordered", -0.01), found
    assert claims["A004-23"].verdict.of == ("detects",)  # nothing is said of ranks


def test_hypotheses_of_lnbench_and_surrogates_are_no_papers_claims(studies: list[LoadedStudy]) -> None:
    for study in studies:
        for claim in study.any.spec.claims:
            ours = study.any.spec.paper == "lnbench"
            assert (claim.standing == "hypothesis") == ours, claim.id
            assert not ours or str(claim.where) == "", claim.id
    (surrogate,) = (c for s in studies if s.name == "aul_mnist" for c in s.any.spec.claims)
    assert surrogate.standing == "surrogate"


def test_alternatives_of_a_hypothesis_are_tried_at_every_tier_that_can(studies: list[LoadedStudy]) -> None:
    study = next(study for study in studies if study.name == "peers_label_errors")
    for name, tier in study.tiers.items():
        tried = [choice.try_ for choice in tier.spec.choices if choice.try_ is not None]
        assert tried == ([] if name == "smoke" else [{"folds": 6}]), name  # smoke has no folds


def test_a_reduced_tiers_sentence_says_what_is_reduced(studies: list[LoadedStudy]) -> None:
    for study in studies:
        if not study.name.startswith(("aul_", "peers_", "parity_")):
            continue
        full = {claim.id: claim.says for claim in study.tiers["full"].spec.claims}
        for name, tier in study.tiers.items():
            for claim in tier.spec.claims if name != "full" else ():
                told = "digits" if name == "smoke" else "000 images"
                assert told in claim.says and claim.says != full[claim.id], (tier.key, claim.id)
