"""Experiments in study files: what is refused and where, what a run is called, and a study from file to report."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lnbench import catalog, experiments
from lnbench.errors import SpecError
from lnbench.experiments import linear_network
from lnbench.experiments import ntk as ntk_module
from lnbench.experiments.entries import FROM_CURVES, YIELDS
from lnbench.experiments.series import mann_kendall
from lnbench.judge import Evidence, gather, judge
from lnbench.plan import Run, plan_seconds, plan_study
from lnbench.plan.devices import device_named
from lnbench.plan.rates import Prices
from lnbench.report.folder import report_differs, write_report
from lnbench.spec import Effect, Study, load_study, variant
from lnbench.store import Record, make_record
from tests.toys.experiment_cases import LINEAR, NTK, linear, ntk, seeds
from tests.toys.line_study import STUDY, study, write

CLAIMS = Path(__file__).parents[2] / "claims"


def run_all(of: Study) -> dict[str, Record]:
    """All runs of a study, done here, by id."""
    found = {}
    for run in plan_study(of).provisional_runs():
        if run.id not in found:
            outcome = experiments.run(run.recipe, run.seeds, None)
            provenance = {"environment": {}, "device": "cpu", "backend": "experiment", "threads": 1, "seconds": 0.1}
            found[run.id] = json.loads(json.dumps(make_record(run.content, outcome, provenance), allow_nan=False))
    return found


def evidence(of: Study) -> Evidence:
    return gather(plan_study(of), run_all(of).get)


# ---- what is refused, and where


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("neurons: 30", "neurons: 0", "neurons: must be greater than or equal to 1, not 0"),
        ("dimension: 5", "dimension: 0", "dimension: must be greater than or equal to 1, not 0"),
        ("    samples: 40", "    samples: 0", "samples: must be greater than or equal to 1, not 0"),
        ("sigma: 2\n", "sigma: -1\n", "sigma: must be greater than or equal to 0, not -1"),
        ("rho: null", "rho: 0", "rho: must be greater than 0, not 0"),
        ("rho: null", "rho: -0.5", "rho: must be greater than 0, not -0.5"),
        ("lr: 0.02", "lr: 0", "lr: must be greater than 0, not 0"),
        ("steps: 600", "steps: many", "steps: expected a whole number, not 'many'"),
        ("batch: one", "batch: two", "batch: 'two' is not known; known: all, one"),
        ("noise_period: 0", "noise_period: 7", "600 steps are no whole number of 7 on and as many off"),
        ("neurons: 30", "neurones: 30", "unknown key 'neurones'; did you mean 'neurons'?"),
        ("    samples: 40\n", "", "missing key 'samples' in base"),
        ("experiment: linear_network", "experiment: linear_netwrk", "did you mean 'linear_network'?"),
        (
            "metric: norm_ratio_end, at: {arm: noise",
            "metric: test_accuracy, at: {arm: noise",
            "yields no test_accuracy",
        ),
        ("metric: norm_ratio_end, at: {arm: noise", "metric: departure, at: {arm: noise", "yields no departure"),
        ("sigma: [1, 2]}", "gamma: [1, 2]}", "'gamma' is not a key of base"),
        (
            "  seeds:",
            "  choose: {key: lr, from: [0.1], per: [arm], by: validation_accuracy, validation: 5, seeds: 1}\n  seeds:",
            "an experiment holds no images out to choose by",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, old: str, new: str, what: str) -> None:
    with pytest.raises(SpecError) as error:
        study(tmp_path, old, new)
    text = str(error.value)
    assert what in text
    for problem in error.value.problems:
        assert problem.line > 1 and problem.column > 0, text
    assert "Traceback" not in text and "pydantic" not in text


def test_an_error_of_an_option_stands_at_its_value(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as error:
        study(tmp_path, "neurons: 30", "neurons: 0")
    line = next(number for number, text in enumerate(STUDY.splitlines(), 1) if "neurons: 30" in text)
    assert [(problem.line, problem.column) for problem in error.value.problems] == [(line, 14)]


def test_a_classifiers_study_is_told_that_a_metric_is_an_experiments(tmp_path: Path) -> None:
    text = (CLAIMS / "rolnick_mnist.yaml").read_text()
    path = tmp_path / "claims" / "x.yaml"
    path.parent.mkdir()
    (tmp_path / "baselines").symlink_to(CLAIMS.parent / "baselines")
    path.write_text(text.replace("convnet: {metric: test_accuracy", "convnet: {metric: departure", 1))
    with pytest.raises(SpecError, match="departure is a number of the experiment ntk"):
        load_study(path)


def test_a_choice_is_tried_in_every_cell(tmp_path: Path) -> None:
    tried = variant(study(tmp_path), "noise")
    assert {cell.recipe.identity()["noise"] for cell in tried.cells} == {"gaussian"}


# ---- what a run is


def test_a_runs_id_is_pinned() -> None:
    """Ids name stored records: when this test is red, every store in the world has become worthless."""
    assert Run(linear(), seeds()).id == "ec103cac1d558a09562446e80d9b652b"
    assert Run(ntk(), seeds()).id == "27907dad3d9e1cc680eddfee4f96b274"
    assert Run(linear(), seeds()).content["versions"] == {"experiment": 2}
    assert Run(ntk(), seeds()).content["versions"] == {"experiment": 1, "dataset": 1}


def test_an_arms_name_is_no_part_of_a_run_nor_is_the_size_of_no_noise() -> None:
    assert linear(arm="one") == linear(arm="two") == linear()
    assert linear(noisy=False, sigma=1) == linear(noisy=False, sigma=4)
    assert linear(sigma=1) != linear(sigma=4)


@pytest.mark.parametrize("options", [LINEAR, NTK], ids=["linear_network", "ntk"])
def test_every_option_is_in_the_id(options: dict[str, Any]) -> None:
    before = {**options}
    for name, value in options.items():
        if name in ("experiment", "dataset"):
            continue
        changed = not value if isinstance(value, bool) else "x" if isinstance(value, str) else (value or 0) + 1
        assert Run({**before, name: changed}, seeds()).id != Run(before, seeds()).id, name


def test_only_cells_that_an_effect_reads_are_planned_and_equal_ones_done_once(tmp_path: Path) -> None:
    of = study(tmp_path)
    assert [dict(cell.point) for cell in of.cells] == [
        {"arm": "noise", "sigma": 1},
        {"arm": "noise", "sigma": 2},
        {"arm": "control", "sigma": 1},
    ]
    runs = plan_study(of).provisional_runs()
    assert len(runs) == len({run.id for run in runs}) == 9
    assert all(set(run.seeds.values()) == {run.seeds["init"]} for run in runs)


def test_runs_are_described_and_priced_without_numba_or_torch(tmp_path: Path) -> None:
    path = write(tmp_path)
    code = (
        "import sys; from pathlib import Path; from lnbench.plan import plan_study, describe_cost; "
        "from lnbench.spec import load_study; import lnbench.judge; "
        f"plan = plan_study(load_study(Path({str(path)!r})).tiers['full']); "
        "print(plan.provisional_runs()[0].describe(), '|', describe_cost(plan, 'cpu')); "
        "assert not {'numba', 'torch'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "linear_network first_scale=1 second_scale=1 lr=0.02 sigma=1 steps=600 seed=0 |" in done.stdout
    assert "9 runs; estimated time here:" in done.stdout


def test_the_metrics_of_the_catalog_are_what_the_experiments_yield() -> None:
    for name, metrics in (("linear_network", linear_network.METRICS), ("ntk", ntk_module.METRICS)):
        assert set(metrics) == {metric for metric, (_, _, by, _) in YIELDS.items() if name in by}
        assert catalog.find("experiment", name).load() is not None
    for name in FROM_CURVES:
        assert callable(catalog.find("metric", name).load())
        assert name not in YIELDS


@pytest.mark.parametrize(("name", "most"), [("label_noise_sgd_linear", 600), ("label_noise_sgd_ntk", 1200)])
def test_the_papers_scale_fits_into_minutes_on_two_cores(name: str, most: float) -> None:
    tiers = load_study(CLAIMS / f"{name}.yaml").tiers
    total = {tier: sum(run.seconds or 0 for run in unique(tiers[tier])) for tier in ("full", "smoke")}
    assert total["full"] / 2 < most
    assert total["smoke"] / 2 < 15
    assert plan_seconds(plan_study(tiers["smoke"]), Prices(device_named("cpu"))) < 30


def unique(of: Study) -> list[Run]:
    return list({run.id: run for run in plan_study(of).provisional_runs()}.values())


# ---- from file to report


def test_a_diverged_run_is_a_collapse_without_a_number(tmp_path: Path) -> None:
    of = study(
        tmp_path,
        "{metric: norm_ratio_end, at: {arm: noise, sigma: 2}}",
        "{metric: norm_ratio_end, at: {arm: wild, sigma: 2}}",
    )
    found = evidence(of)
    (member,) = found.members(of.spec.effects["norm"])
    assert member.collapsed == (True, True, True)
    assert all(math.isnan(value) for value in member.values)
    assert {record["outcome"]["status"] for _, record in found.by_job.values()} == {"ok", "diverged"}
    verdict = judge(found).claims[0]
    assert verdict.verdict != "reproduced"


def test_a_number_that_does_not_exist_is_a_collapse(tmp_path: Path) -> None:
    of = study(tmp_path)
    found = evidence(of)
    (member,) = found.members(Effect(metric="half_life_steps", at={"arm": "control", "sigma": 1}))
    assert member.collapsed == (True, True, True)
    (member,) = found.members(Effect(metric="norm_ratio_end", at={"arm": "control", "sigma": 1}))
    assert member.collapsed == (False, False, False)
    assert all(value > 0.9 for value in member.values)


def test_a_number_of_a_runs_curves_is_computed_when_it_is_judged(tmp_path: Path) -> None:
    """So that runs from before the number was asked for have it too."""
    text = STUDY.replace(
        "metric: norm_ratio_end, at: {arm: noise, sigma: 2}", "metric: frobenius_trend, at: {arm: plain}"
    )
    a, b = text.index("runs:"), text.index("effects:")
    base = "".join(f"    {key}: {json.dumps(value)}\n" for key, value in {**NTK, "arm": "plain"}.items())
    runs = f"runs:\n  base:\n{base}  vary: {{arm: [plain, noise]}}\n  set:\n"
    runs += "    - {at: {arm: noise}, label_noise: 0.5}\n"
    runs += "  seeds: {n: 3, pair: [split, noise, order, init, augment]}\n"
    text = text[:a] + runs + text[b:]
    text = text.replace(
        "{metric: norm_ratio_end, at: {arm: control, sigma: 1}, minus: {arm: noise}}",
        "{metric: frobenius_relative_change, at: {arm: plain}, minus: {arm: noise}}",
    )
    text = text.replace("  - {key: noise, ours: signs, try: {noise: gaussian}}", "  - {key: draw, ours: random}")
    path = write(tmp_path)
    path.write_text(text.replace("threshold: 1.0", "threshold: 0.0"))
    of = load_study(path).tiers["full"]
    found = evidence(of)
    (member,) = found.members(of.spec.effects["norm"])
    curves = [
        record["outcome"]["curves"]["frobenius"] for (key, _), (_, record) in found.by_job.items() if "plain" in key
    ]
    assert "frobenius_trend" not in next(iter(found.by_job.values()))[1]["outcome"]["metrics"]
    assert sorted(member.values) == sorted(mann_kendall(curve)[0] for curve in curves)


def test_a_report_is_written_and_is_what_its_records_give(tmp_path: Path) -> None:
    result = judge(evidence(study(tmp_path)))
    folder = tmp_path / "report"
    files = {file.name for file in write_report(result, folder)}
    assert {"experiment-phases.png", "experiment-neurons.png", "report.md", "result.json"} <= files
    page = (folder / "report.md").read_text()
    assert "figures/experiment-phases.png" in page
    assert "`norm_ratio_end`" in page
    assert "test accuracy" not in page
    assert report_differs(folder, result) == []


def test_a_report_of_nothing_but_diverged_runs_is_written_too(tmp_path: Path) -> None:
    of = study(tmp_path, "lr: 0.02", "lr: 5.0")
    result = judge(evidence(of))
    write_report(result, tmp_path / "report")
    page = (tmp_path / "report" / "report.md").read_text()
    assert "3 diverged" in page
    assert "experiment-phases.png" not in page


def test_theorem_4_2_is_judged_past_its_t1_and_on_a_share_of_1_minus_1_over_m_of_the_draws() -> None:
    tiers = load_study(CLAIMS / "label_noise_sgd_linear.yaml").tiers
    for tier in ("full", "smoke"):
        cells = [cell.recipe.identity() for cell in tiers[tier].cells if cell.point["arm"] == "theorem"]
        for cell in cells:
            m, speed = cell["neurons"], (cell["lr"] * cell["sigma"]) ** 2
            t1 = linear_network.THEOREM * math.sqrt(math.log(m)) / (speed * math.sqrt(m))
            assert t1 <= cell["steps"], cell
    (claim,) = (claim for claim in tiers["full"].spec.claims if claim.id == "L002-07")
    shares = {}
    for name in ("moved", "moved-narrow", "halved", "halved-narrow"):
        effect = tiers["full"].spec.effects[claim.parts[name].effect]
        shares[name] = (claim.parts[name].pi, 1 - 1 / effect.at["neurons"])
    assert all(pi == pytest.approx(share) for pi, share in shares.values()), shares
