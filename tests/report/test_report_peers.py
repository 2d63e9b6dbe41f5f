"""Methods that find wrong labels, beside each other: tables of the page and of docs/detect.md, from records alone."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lnbench.judge import gather, judge
from lnbench.plan import plan_study
from lnbench.report import markdown, peers_in_docs, result_to_json
from lnbench.report.peers import METHODS, NUMBERS, peers_section
from lnbench.report.plain import Json
from lnbench.resources import find_study
from lnbench.spec import load_study
from lnbench.store import make_record

ROOT = Path(__file__).parents[2]
OF_METHOD = {"aul": 0.90, "aum": 0.94, "confident": 0.92, "confident_margin": 0.91, "logistic": 0.80}
TOOK = {"network": 20.0, "loss_curves": 0.5, "folds": 21.0, "confident_learning": 0.25, "pixels_model": 3.0}


def metrics(kind: str, seed: int) -> dict[str, float]:
    """Made-up numbers: pair flips are harder for all, and every estimate is 0.1 too high there."""
    pair, luck = kind == "pair_flip", 0.001 * (seed % 3)
    found = {f"{method}_error_auc": auc - 0.2 * pair + luck for method, auc in OF_METHOD.items()}
    for method in ("aul", "aum", "confident", "logistic"):
        people = method == "confident" and kind == "human"  # two parts of the study ask for these arms
        found[f"{method}_error_noise_bias"] = 0.1 * (pair or people) + luck
        found[f"{method}_error_noise_error"] = abs(found[f"{method}_error_noise_bias"])
        found[f"{method}_error_recall"] = (0.5 if method == "aul" else 0.95) + luck
        found[f"{method}_error_precision"] = (0.849 if method == "logistic" else 0.9) + luck  # across its edge
    return found


@cache
def result() -> Json:
    study = load_study(find_study("peers_by_noise")).tiers["cpu"]
    made = {}
    for run in plan_study(study).provisional_runs():
        outcome: dict[str, Any] = {
            "status": "ok", "diverged_at": None, "diverged": [], "steps": [1], "classes": 10, "data_sha256": "0" * 64,
            "metrics": metrics(run.recipe["noise"]["kind"], run.seeds["init"]),
            "curves": {"train_loss": [1.0], "train_accuracy": [0.5], "test_accuracy": [0.5]},
            "noise": {"examples": 6000, "realised_wrong": 0.4, "labels_sha256": run.id * 2, "right_labels": 3600},
        }  # fmt: skip
        provenance = {"environment": {}, "device": "cpu", "backend": "experiment", "threads": 1, "seconds": 45.0}
        record = make_record(run.content, outcome, {**provenance, "took": TOOK})
        made[run.id] = json.loads(json.dumps(record))
    return result_to_json(judge(gather(plan_study(study), made.get)))


def row(lines: list[str], heading: str, arm: str) -> list[str]:
    start = next(number for number, line in enumerate(lines) if line.startswith(f"**{heading}"))
    line = next(line for line in lines[start:] if line.startswith(f"| `{arm}` |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_is_a_kind_of_noise_and_a_column_a_method() -> None:
    lines = peers_section(result())
    arms = [
        "fashion-uniform", "fashion-pair", "fashion-class", "cifar-uniform", "cifar-pair", "cifar-class",
        "cifar-random1", "cifar-worst",
    ]  # fmt: skip
    for heading, _ in NUMBERS.values():  # in the study's order, whichever part names an arm first
        below = lines[lines.index(f"**{heading}**") :]
        assert [line.split("`")[1] for line in below if line.startswith("| `")][:8] == arms, heading
    header = next(line for line in lines if line.startswith("| noise |"))
    assert [cell.strip() for cell in header.strip("|").split("|")][1:] == list(METHODS.values())
    found = row(lines, "ROC AUC", "cifar-pair")
    assert found[1].startswith("0.701 [0.7") and found[2].startswith("0.741 [") and found[5].startswith("0.601 [")
    assert row(lines, "ROC AUC", "cifar-worst")[2].startswith("0.941 [")
    assert len(row(lines, "Recall", "cifar-worst")) == 5  # a ranking by margin has no cut of its own


def test_where_each_fails_is_said_by_intervals_that_lie_outside() -> None:
    said = {line.split("**")[1]: line for line in peers_section(result()) if line.startswith("- **")}
    pair = "estimates a share that is off by more than 0.05 under `fashion-pair` and `cifar-pair`"
    assert pair in said["AUM"] and "finds less" not in said["AUM"]
    assert pair in said["AUL"] and "finds less than 0.85 of the wrong labels under `fashion-uniform`," in said["AUL"]
    assert "of what it finds" not in said["logistic regression on pixels"]
    pairs_and_people = "under `fashion-pair`, `cifar-pair`, `cifar-random1` and `cifar-worst`"
    assert pairs_and_people in said["confident learning"], "each arm once, in the study's order"
    margin = said["the same, by normalised margin"]
    assert margin.endswith("fails nowhere by this measure (ROC AUC alone is measured).")


def test_what_each_took_is_the_work_that_it_needs() -> None:
    assert row(peers_section(result()), "Seconds", "cifar-worst")[1:] == ["20.5", "21.2", "3.0"]


def test_the_page_has_the_section_and_a_report_of_one_ranking_has_none() -> None:
    assert "## Methods beside each other" in markdown(result())
    known = json.loads((ROOT / "reports" / "peers_label_errors-cpu" / "result.json").read_text(encoding="utf-8"))
    assert peers_section(known) == []


def test_docs_take_the_largest_tier_that_was_run_and_say_when_there_is_none() -> None:
    cpu = result()
    lite = cpu | {"tier": "lite", "key": "peers_by_noise-lite"}
    smoke = cpu | {"tier": "smoke", "key": "peers_by_noise-smoke"}
    other = cpu | {"study": "another", "tier": "full"}
    for order in ([cpu, lite, smoke, other], [other, smoke, lite, cpu]):
        assert "](../reports/peers_by_noise-lite/report.md)" in peers_in_docs(order, "../reports")
    words = peers_in_docs([cpu], "../reports")
    assert "Scale: reduced to two processor cores." in words
    assert "ROC AUC" in words and "Estimated less true share" in words and "Recall: " not in words
    assert peers_in_docs([smoke, other], "../reports").startswith("*Not run yet")


@pytest.mark.parametrize("marker", ["<!-- peers:begin -->", "<!-- peers:end -->"])
def test_docs_have_a_place_for_it(marker: str) -> None:
    assert (ROOT / "docs" / "detect.md").read_text(encoding="utf-8").count(marker) == 1
