"""Every claim of Rolnick et al. 2018 that MNIST can show, and of Pleiss et al. 2020 on the area under the loss (AUL) as
a detector of wrong labels, stands in one study, with a tier for each scale."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.plan import plan_runs, plan_study
from lnbench.spec import LoadedStudy, Recipe, load_studies

ROOT = Path(__file__).parent.parent
NUMBERS = ("01", "04", "06", "07", "11", "13", "14", "15", "17", "18", "19", "20", "21", "22", "23", "25", "27", "28")
ON_MNIST = {
    *(f"R001-{number}" for number in NUMBERS),
    "R001-24-mnist",  # its steps on MNIST; the claim's others are CIFAR-10's
    "R001-06-law", "R001-18-law",  # the identities behind R001-06 and R001-18
}  # fmt: skip

ABOUT_THE_AUL = {
    *(f"A004-{number:02}" for number in [*range(1, 17), 23, 24, 25, 26]),
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
    assert runs["cpu"]["aul_dynamics"] == runs["cpu"]["aul_detection"]
    assert runs["smoke"]["aul_dynamics"] == runs["smoke"]["aul_mnist"]
    assert runs["smoke"]["aul_dynamics"] < runs["smoke"]["aul_consistency"]
    assert (
        runs["smoke"]["aul_detection_levels"] | runs["smoke"]["aul_detection_cifar100"] < runs["smoke"]["aul_detection"]
    )
    for tier in ("lite", "full"):
        assert runs[tier]["aul_detection_levels"] < runs[tier]["aul_detection"]
        assert len(runs[tier]["aul_consistency"] & runs[tier]["aul_detection"]) == 5
