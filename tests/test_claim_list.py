"""Every claim of Rolnick et al. 2018 that MNIST can show stands in one study, with a tier for each scale."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.recipe import Recipe
from lnbench.studies import LoadedStudy, load_studies

ROOT = Path(__file__).parent.parent
NUMBERS = ("01", "04", "06", "07", "11", "13", "14", "15", "17", "18", "19", "20", "21", "22", "23", "25")
ON_MNIST = {
    *(f"R001-{number}" for number in NUMBERS),
    "R001-24-mnist",  # its steps on MNIST; the claim's others are CIFAR-10's
    "R001-06-law", "R001-18-law",  # the identities behind R001-06 and R001-18
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
