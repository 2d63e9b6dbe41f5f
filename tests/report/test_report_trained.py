"""What was trained: every option of the recipe in result.json and on the page, and how each arm differs."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lnbench.pipeline import study_at
from lnbench.report import markdown, write_report
from lnbench.report.page.trained import trained_section
from lnbench.report.result.trained import trained_to_json
from lnbench.resources import study_paths
from lnbench.spec import LoadedStudy, Study, load_study
from tests.report.test_report_folder import judged_again
from tests.report.test_report_page import assert_tables_are_whole
from tests.toys.report_world import World

pytestmark = pytest.mark.usefixtures("no_drawing")


def section(study: Study, linked: bool = False) -> str:
    data = {"trained": trained_to_json(study), "cells": [], "claims": [], "seeds": {"n": 5}}
    return "\n".join(trained_section(data, linked))


def leaves(tree: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return dotted key -> value of every leaf."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        found |= leaves(value, f"{path}{key}.") if isinstance(value, dict) else {f"{path}{key}": value}
    return found


def restored(base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return base with a cell's changes, as the module's docstring says they are to be read."""
    recipe: dict[str, Any] = json.loads(json.dumps(base))
    for key, value in changes.items():
        block, _, option = key.partition(".")
        if option:
            recipe[block][option] = value
        else:
            recipe[block] = value
    return recipe


STUDIES = [
    (path.stem, tier)
    for path in study_paths()
    for tier in ("smoke", "full")
    if (path.stem, tier) != ("engine_smoke", "full")
]


def of(studies: list[LoadedStudy], name: str, tier: str) -> Study:
    """Return a committed study at a tier."""
    return next(loaded for loaded in studies if loaded.name == name).tiers[tier]


@pytest.mark.parametrize(("name", "tier"), STUDIES)
def test_base_and_changes_are_the_recipe_of_every_cell(name: str, tier: str, studies: list[LoadedStudy]) -> None:
    study = of(studies, name, tier)
    trained = trained_to_json(study)
    assert [cell["point"] for cell in trained["cells"]] == [dict(cell.point) for cell in study.cells]
    for told, cell in zip(trained["cells"], study.cells, strict=True):
        recipe = json.loads(json.dumps(cell.recipe.model_dump(mode="json", exclude={"arm"})))
        assert restored(trained["base"], told["changes"]) == recipe


@pytest.mark.parametrize(("name", "tier"), STUDIES)
def test_every_committed_study_can_be_told_and_no_number_is_a_machines(
    name: str, tier: str, studies: list[LoadedStudy]
) -> None:
    text = section(of(studies, name, tier))
    assert_tables_are_whole(text + "\n")
    assert "None" not in text and "e-0" not in text and "nan" not in text.lower().split()


def test_no_option_of_an_optimiser_a_noise_or_a_schedule_is_left_out(full: World) -> None:
    text = section(full.study)
    assert "| optimiser | `sgd`: learning rate chosen (below), weight decay 0, momentum 0.9, nesterov: no |" in text
    assert "| label noise | `dilute_uniform` (alpha copies of each image with a uniform random label): " in text
    assert "alpha 0 or 10 (varied), the true class may be drawn: yes |" in text
    assert "| network | `perceptron` (one layer, softmax), `mlp1` (1 hidden layer of 512, ReLU) or `convnet4`" in text
    assert "training images: 1,000, of 1,300; test images: 497 |" in text
    assert "from 0.1 or 0.5, for each `model` and `noise.alpha`, by validation accuracy on 100 images" in text
    for row in (
        "batch size | 50",
        "epochs | 2",
        "augmentation | none",
        "pixels | scaled to 0 … 1",
        "precision | float32",
    ):
        assert f"| {row}" in text


def test_the_number_of_weights_is_told_where_a_run_is_there(full: World) -> None:
    assert "`mlp1` (1 hidden layer of 512, ReLU; 1,000 parameters)" in markdown(full.json())


def test_an_arm_is_told_by_what_set_changes_for_it() -> None:
    text = section(study_at("rolnick_counts", "cpu"))
    assert "| `diluted-10` | nothing |" in text
    assert "| `few-20` | data, training images: 500<br>label noise, alpha: 20<br>epochs: 4 |" in text
    assert "| `replaced-10` | label noise: `replace_uniform`" in text
    assert "| epochs | 1 (differs by arm, below) |" in text


def test_an_arm_is_not_told_by_what_another_axis_changes() -> None:
    text = section(study_at("sam_noise", "smoke"))
    rows = [line for line in text.splitlines() if line.startswith("| `s")]
    assert rows and not any("label noise" in row for row in rows)
    assert "`hard_images`" in text and "rate 0.3" in text  # the table above the arms has it


def test_an_experiment_is_told_by_its_own_options() -> None:
    text = section(study_at("label_noise_sgd_linear", "full"))
    assert re.search(r"\| steps \| [\d,]+ \(differs by arm, below\) \|", text)
    assert re.search(r"\| `sam` \| label noise: no<br>radius ρ of SAM: [\d.]+ \| .*`sigma` 4; `lr` 0.001 \|", text)
    assert re.search(r"\| standard deviation σ of the label noise \| 1, 2 or 4 \(varied\) \|", text)
    base = study_at("label_noise_sgd_linear", "full").spec.runs.base
    rows = [line for line in text.splitlines() if line.startswith("| ") and line.count(" | ") == 1]
    assert len(rows) >= len(type(base).model_fields) - 1  # all but the arm's name


def test_what_differs_by_the_level_of_an_axis_says_where() -> None:
    text = section(study_at("rolnick_mnist", "smoke"))
    assert "| epochs | 20 for `noise.alpha` 0; 3 for `noise.alpha` 10 |" in text
    assert "nesterov: no (for `perceptron`)<br>`adadelta`: learning rate 1," in text


def test_an_input_is_told_by_its_runs() -> None:
    text = section(study_at("rolnick_structured", "cpu"))
    assert "| input confusion | `confusion`, computed from 10 runs of its own, with `dataset.clean` 1,000," in text


def test_the_hashes_are_those_of_the_files_bytes(full: World) -> None:
    files = full.json()["trained"]["files"]
    study = full.study.path
    assert files["study"] == {"name": "nothing.yaml", "sha256": hashlib.sha256(study.read_bytes()).hexdigest()}
    baseline = study.parent.parent / "baselines" / "nobody2020.yaml"
    assert files["baseline"]["sha256"] == hashlib.sha256(baseline.read_bytes()).hexdigest()
    study.write_text(study.read_text(encoding="utf-8") + "# a remark\n", encoding="utf-8")
    assert load_study(study).tiers["full"].files["study"] != files["study"]["sha256"]


def test_the_studys_file_is_linked_only_where_the_link_leads_to_it(full: World, tmp_path: Path) -> None:
    checkout = full.study.path.parent.parent
    beside, elsewhere = checkout / "reports" / "nothing-full", tmp_path / "out" / "nothing-full"
    for folder in (beside, elsewhere):
        write_report(full.result(), folder)
    link = "[`claims/nothing.yaml`](../../claims/nothing.yaml)"
    assert link in (beside / "report.md").read_text(encoding="utf-8")
    assert link not in (elsewhere / "report.md").read_text(encoding="utf-8")
    assert (beside / "result.json").read_bytes() == (elsewhere / "result.json").read_bytes()
    shutil.copytree(beside, tmp_path / "sent" / "nothing-full")  # still what its records give
    for folder in (beside, elsewhere, tmp_path / "sent" / "nothing-full"):
        assert judged_again(full, folder) == []


def test_a_study_that_changed_since_is_not_linked(full: World) -> None:
    folder = full.study.path.parent.parent / "reports" / "nothing-full"
    full.study.path.write_text(full.study.path.read_text(encoding="utf-8") + "# later\n", encoding="utf-8")
    write_report(full.result(), folder)
    assert "](../../claims/" not in (folder / "report.md").read_text(encoding="utf-8")


def test_what_was_trained_stands_before_the_claims_details(full: World) -> None:
    page = markdown(full.json())
    places = [page.index(f"\n{heading}") for heading in ("## Claims\n", "## What was trained", "### Claim N1")]
    assert places == sorted(places)
