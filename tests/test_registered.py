"""Every committed study is registered as it stands: an edited region turns this red until `lnbench lock` is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.spec import LoadedStudy
from lnbench.spec.locks import FOLDER, read_lock
from lnbench.spec.registration import registration

STUDIES = sorted((Path(__file__).parents[1] / "claims").glob("*.yaml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_committed_study_is_registered_as_it_stands_at_every_tier_but_smoke(
    path: Path, studies: list[LoadedStudy]
) -> None:
    (loaded,) = (study for study in studies if study.path == path)
    for tier, study in loaded.tiers.items():
        if tier != "smoke":
            covered = read_lock(study).covers(registration(study.spec, study.baseline))
            assert covered, f"{study.key} was changed: run `lnbench lock {path.stem}` and commit claims/{FOLDER}/"


def test_every_lock_is_of_a_study_and_a_tier_that_are_there(studies: list[LoadedStudy]) -> None:
    """A study that is taken out leaves its lock behind, which must then be looked at."""
    keys = {study.key for loaded in studies for study in loaded.tiers.values()}
    assert {file.stem for file in (STUDIES[0].parent / FOLDER).glob("*")} <= keys
