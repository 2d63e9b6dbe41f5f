"""docs/claims.md: every example validates in the page's frame, and is judged, reported and explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

from lnbench import catalog
from lnbench.judge import judge
from lnbench.judge.power import powers
from lnbench.report import junit, markdown, result_to_json
from lnbench.report.explain import explain
from lnbench.report.folder import json_text
from lnbench.spec.effects import Reducer
from lnbench.stats import Verdict
from tests.toys.claims_page import believable, blocks, evidence_of, load_in_frame

EXAMPLES = {name: example for name, example in blocks().items() if name != "frame"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_reproduced_in_a_world_where_it_is_true(name: str, tmp_path: Path) -> None:
    study = load_in_frame(tmp_path, EXAMPLES[name])
    result = judge(evidence_of(study, believable))
    (claim,) = result.claims
    assert {part: found.verdict for part, found in claim.parts.items()} == dict.fromkeys(claim.parts, "reproduced")
    assert claim.verdict == Verdict.REPRODUCED
    data = result_to_json(result)
    assert "not measured" not in markdown(data)
    assert "reproduced" in explain(result, "EX-01")
    assert junit(data) and json_text(data) and powers(result)


def test_every_kind_and_every_reducer_has_an_example() -> None:
    page = str(EXAMPLES)
    kinds = catalog.names("check")
    mirrored = {"below": "above", "every_run_below": "every_run_above"}  # the same the other way round
    assert {kind for kind in kinds if f"'kind': '{mirrored.get(kind, kind)}'" not in page} == set()
    words = blocks_text()
    assert {reducer for reducer in get_args(Reducer) if f"`{reducer}`" not in words} == set()
    assert {
        key for key in ("minus", "over", "rises_to", "falls_to", "interpolate", "with") if f"`{key}" not in words
    } == set()


def blocks_text() -> str:
    from tests.toys.claims_page import PAGE

    return PAGE.read_text(encoding="utf-8")


def test_the_first_part_of_an_example_is_the_claim() -> None:
    for name, example in EXAMPLES.items():
        first: Any = next(iter(example["parts"]))
        assert first == "claim", name
