"""Which claims of which studies a short time is for: what is there, what is shared, what is in the way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lnbench import catalog, forked
from lnbench.budget import ESTIMATED, MEASURED, PARTLY, TOO_SHORT, Machine
from lnbench.errors import LnbenchError, SpecError
from lnbench.plan.devices import DEVICES
from lnbench.plan.rates import Prices
from tests.toys.short_of_time import ShortOfTime, record_of, study, told, why


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ShortOfTime:
    """Two studies whose runs at noise level 0 are the same."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LNBENCH_DATA", str(tmp_path / "no-data"))
    made = ShortOfTime(tmp_path)
    made.write("one", study({"A-0": 0, "A-1": 1}))
    made.write("two", study({"B-0": 0, "B-2": 2}))
    return made


# ---- what is counted, and what it costs


def test_a_run_that_two_studies_need_is_trained_and_priced_once(world: ShortOfTime) -> None:
    budget = world.plan()
    assert told(budget) == [
        ("one-full", "A-0", 4),
        ("two-full", "B-0", 0),
        ("one-full", "A-1", 4),
        ("two-full", "B-2", 4),
    ]
    each = Prices(world.device).of(world.runs("one")[0]).seconds
    assert [row.seconds for row in budget.rows] == [
        pytest.approx(4 * each),
        0.0,
        *[pytest.approx(4 * each, rel=0.1)] * 2,
    ]
    assert budget.rows[-1].until == pytest.approx(world.device.start + sum(row.seconds for row in budget.rows))
    assert budget.verdicts == 4 and not budget.left


def test_what_the_time_is_too_short_for_is_left_out_with_what_it_takes(world: ShortOfTime) -> None:
    whole = world.plan()
    budget = world.plan(whole.rows[1].until + 0.01)
    assert told(budget) == told(whole)[:2]
    late = {left.claims: left for left in budget.left}
    assert set(late) == {("A-1",), ("B-2",)} and {left.why for left in late.values()} == {TOO_SHORT}
    assert late["A-1",].seconds == pytest.approx(whole.rows[2].seconds)
    assert told(world.plan(1.0)) == []


def test_smoke_gives_no_verdict_and_each_tier_gives_its_own(world: ShortOfTime) -> None:
    world.write("two", study({"B-0": 0, "B-2": 2}, paper_tiers="full lite"))
    found = [row for row in told(world.plan()) if row[0].startswith("two")]
    assert sorted({key for key, *_ in found}) == ["two-full", "two-lite"]
    assert world.plan(tiers=("smoke",)).rows == ()
    assert {row.study.tier for row in world.plan(tiers=("lite",)).rows} == {"lite"}


def test_a_claim_that_a_report_has_judged_is_neither_counted_nor_trained(world: ShortOfTime) -> None:
    world.report("one-full", A_0="inconclusive", A_1="not-run")
    budget = world.plan()
    assert budget.judged == 1
    assert ("one-full", "A-1", 4) in told(budget) and not any("A-0" in claims for _, claims, _ in told(budget))
    assert ("two-full", "B-0", 4) in told(budget), "its runs are in no store, so they are trained"


def test_a_claim_that_came_after_its_runs_is_no_verdict_to_train_for(world: ShortOfTime) -> None:
    world.report("one-full", post_hoc="its range came late", A_0="reproduced", A_1="not-run")
    budget = world.plan()
    assert why(budget, "A-1") == (
        "it would be post hoc, as its range came late; new seeds would not (`seeds: {fresh: …}`)"
    )
    assert budget.judged == 1 and {key for key, *_ in told(budget)} == {"two-full"}


def test_a_report_of_other_seeds_has_judged_nothing_of_these(world: ShortOfTime) -> None:
    world.report("one-full", post_hoc="its range came late", fresh=1, A_0="reproduced", A_1="not-run")
    assert world.plan().judged == 0 and world.plan().verdicts == 4


def test_runs_in_the_store_cost_nothing_and_a_claim_with_all_of_them_is_none_to_train_for(world: ShortOfTime) -> None:
    world.keep(world.runs("one", 0))
    world.keep(world.runs("one", 1)[:3])
    budget = world.plan()
    assert told(budget) == [("one-full", "A-1", 1), ("two-full", "B-2", 4)]
    assert [(left.study, left.claims) for left in budget.ready] == [("one-full", ("A-0",)), ("two-full", ("B-0",))]


def test_committed_records_are_counted_as_there_and_named_for_import(world: ShortOfTime) -> None:
    shared, more = world.runs("one", 0), world.runs("one", 1)
    file = world.commit("unfinished-one-full.jsonl", [record_of(run) for run in (*shared, *more[:3])])
    assert world.runs("two", 2)[0].id not in {run.id for run in (*shared, *more)}
    budget = world.plan()
    assert told(budget) == [("one-full", "A-1", 1), ("two-full", "B-2", 4)]
    assert {path.name: set(ids) for path, ids in budget.imports.items()} == {file.name: {run.id for run in more[:3]}}
    new, _, refused = world.store.import_(file, budget.imports[file])
    assert (new, refused) == (3, []) and not world.plan().imports


def test_a_committed_record_whose_arrays_are_elsewhere_is_trained_again(world: ShortOfTime) -> None:
    arrays = {"example_loss": {"shape": [1], "dtype": "float32", "sha256": "0" * 64}}
    world.commit("one-full/records.jsonl", [record_of(run, arrays=arrays) for run in world.runs("one", 0)])
    assert told(world.plan())[0] == ("one-full", "A-0", 4)


def test_a_damaged_report_or_export_is_as_if_it_were_not_there(world: ShortOfTime) -> None:
    world.report("one-full", A_0="reproduced")
    (world.root / "reports/one-full/result.json").write_text("{")
    (world.root / "reports/one-full/records.jsonl").write_text('not json\n{"record": 1}\n')
    assert world.plan().verdicts == 4


def test_runs_behind_a_choice_are_known_once_it_can_be_made(world: ShortOfTime) -> None:
    choose = (
        "{key: optimizer.lr, from: [0.01, 0.05], per: [noise.alpha], by: validation_accuracy, validation: 50, seeds: 1}"
    )
    world.write("two", study({"B-0": 0}, choose=choose))
    (world.root / "claims/one.yaml").unlink()
    assert told(world.plan()) == [("two-full", "B-0", 6)]
    world.keep(run for run in world.runs("two") if not run.held_out)  # as if the first candidate were chosen
    assert told(world.plan()) == [("two-full", "B-0", 6)], "which runs are needed is not known yet"
    choosing = [run for run in world.runs("two") if run.held_out]
    assert len(choosing) == 2
    best = next(run for run in choosing if run.recipe["optimizer"]["lr"] == 0.05)
    for run in choosing:
        value = 0.9 if run is best else 0.1
        world.store.put(record_of(run, curves={"test_accuracy": [value] * 2, "validation_accuracy": [value] * 2}))
    assert told(world.plan()) == [("two-full", "B-0", 4)]


# ---- what is in the way


def test_what_cannot_be_trained_here_is_left_out_with_the_reason(world: ShortOfTime) -> None:
    world.write("two", study({"B-0": 0}).replace("name: digits", "name: mnist"))
    assert why(world.plan(), "B-0") == "mnist is not here: lnbench data fetch mnist"
    world.machine = Machine(has_all=True)
    assert ("two-full", "B-0", 4) in told(world.plan())
    assert next(row for row in world.plan().rows if row.study.name == "two").needs == ["mnist"]


def test_a_claim_that_no_run_can_decide_is_left_out(world: ShortOfTime) -> None:
    text = study({"A-0": 0, "A-1": 1})
    world.write("one", text.replace("{id: A-1,", "{id: A-1, not_testable: 'a constant is not printed',"))
    assert why(world.plan(), "A-1") == "not testable at this tier: a constant is not printed"
    assert not any("A-1" in claims for _, claims, _ in told(world.plan()))


def test_what_does_not_fit_into_the_devices_memory_is_said(world: ShortOfTime) -> None:
    world.device = replace(DEVICES["h200"], memory=1e5)
    assert "GB of memory; NVIDIA H200 has 0.0001" in why(world.plan(), "A-0")
    assert told(world.plan()) == []


def test_a_backend_that_nobody_has_tested_waits_for_a_parity_study(world: ShortOfTime) -> None:
    assert "the backend recorded is untested on a GPU" in why(world.plan(backend="recorded"), "A-0")
    world.device = DEVICES["cpu"]
    assert world.plan(backend="recorded").verdicts == 4, "on the CPU there is no such question"


def in_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the catalog say that `fast` of the MLP is shown by the study `parity` at full."""
    models = catalog.entries()["model"]
    monkeypatch.setitem(models, "mlp1", replace(models["mlp1"], fast_parity="parity-full"))


def test_a_parity_study_comes_before_what_needs_it(world: ShortOfTime, monkeypatch: pytest.MonkeyPatch) -> None:
    in_fast(monkeypatch)
    world.write("one", study({"A-0": 0}, model="mlp1").replace("precision: fp32", "precision: fast"))
    world.write(
        "parity", study({"P-0": 0, "P-1": 1}, model="mlp1", epochs=40).replace("precision: fp32", "precision: fast")
    )
    rows = [claims for key, claims, _ in told(world.plan()) if not key.startswith("two")]
    assert rows == ["P-0 P-1", "A-0"]
    world.report("parity-full", P_0="held", P_1="held")
    assert [claims for key, claims, _ in told(world.plan()) if key == "one-full"] == ["A-0"]
    world.report("parity-full", P_0="not-run", P_1="not-run")
    text = (world.root / "claims/parity.yaml").read_text()
    (world.root / "claims/parity.yaml").write_text(text.replace("name: digits", "name: mnist"))
    assert why(world.plan(), "A-0") == "needs parity-full first (mnist is not here: lnbench data fetch mnist)"


# ---- prices


def test_prices_are_estimated_until_there_are_records_of_the_device(world: ShortOfTime) -> None:
    assert world.plan().basis == ESTIMATED
    modelled = Prices(world.device).of(world.runs("one", 0)[0]).seconds
    world.write("two", study({"B-0": 0}, model="mlp1"))
    shared = world.runs("one", 0)
    world.commit("elsewhere/records.jsonl", [record_of(shared[0], "cpu", 3 * modelled)])
    assert world.plan().basis == ESTIMATED, "a CPU's record says nothing of a GPU"
    world.commit("elsewhere/records.jsonl", [record_of(shared[0], "NVIDIA H200", 3 * modelled)])
    budget = world.plan()
    found = {row.study.name: row for row in budget.rows}
    assert (found["one"].basis, found["two"].basis, budget.basis, budget.rated) == (MEASURED, ESTIMATED, PARTLY, 1)
    assert found["one"].seconds / found["one"].runs == pytest.approx(3 * modelled, rel=0.1)
    assert why(world.plan(20.0), "A-1") == TOO_SHORT


def test_a_command_names_the_claims_unless_they_are_all_of_the_study(world: ShortOfTime) -> None:
    world.report("one-full", A_0="reproduced")
    world.write("two", study({"B-2": 2}))
    commands = {row.command for row in world.plan(options="--workers 2").rows}
    assert commands == {
        "lnbench verify one --tier full --claim A-1 --workers 2",
        "lnbench verify two --tier full --workers 2",
    }


def test_only_the_claims_asked_for_are_planned_and_none_twice(world: ShortOfTime) -> None:
    assert told(world.plan(claims=("B-2",))) == [("two-full", "B-2", 4)]
    without = {("one-full", "A-0"), ("two-full", "B-2")}
    assert {claims for _, claims, _ in told(world.plan(without=without))} == {"A-1", "B-0"}


# ---- many studies


def test_several_processes_find_what_one_does(world: ShortOfTime, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = world.plan()
    monkeypatch.setattr(forked, "THINGS_EACH", 1)
    monkeypatch.setattr(forked, "available_cores", lambda: 2)
    assert world.plan() == alone
    world.write("two", study({"B-0": 0}).replace("epochs: 2", "epochs: two"))
    world.write("three", study({"C-0": 0}).replace("epochs: 2", "epochs: three"))
    with pytest.raises(SpecError) as wrong:
        world.plan()
    assert {problem.path.stem for problem in wrong.value.problems} == {"two", "three"}


def test_what_is_wrong_in_files_is_said_of_all_and_a_claim_in_two_of_them_is(world: ShortOfTime) -> None:
    world.write("three", study({"A-0": 0}))
    with pytest.raises(SpecError, match="claim id 'A-0' is already in"):
        world.plan()
    world.write("three", study({"C-0": 0}).replace("epochs: 2", "epochs: two"))
    with pytest.raises(SpecError, match=r"three\.yaml:\d+:\d+: "):
        world.plan()
    (world.root / "claims/three.yaml").unlink()
    with pytest.raises(LnbenchError, match="--claim A-9: no such claim here"):
        world.plan(claims=("A-9",))
