"""INCV as a chain of stages on digits, end to end: planned, priced, trained, killed, resumed, judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lnbench.cli.main import main
from lnbench.errors import SpecError
from lnbench.execute.local import execute
from lnbench.execute.work import Execution
from lnbench.judge import FromStore, gather
from lnbench.pipeline import Quiet
from lnbench.plan import Derived, Plan, Run, inputs_behind, plan_runs, plan_study, seconds_of
from lnbench.spec import load_study
from lnbench.store import Store
from tests.toys.small_runs import write_study

NOISE = "noise: {kind: replace_uniform, rate: 0.4, include_true_class: false}"
FIRST = "{kind: half, half: 0, input: null}"
AGAIN = FIRST.replace("null", "one")
ROUNDS = f"""inputs:
    one: {{kind: incv_round, symmetric: true, of: {{method: {FIRST}, epochs: 3, optimizer.lr: 0.5}}, per: seed}}
    two: {{kind: incv_round, symmetric: true, of: {{method: {AGAIN}, epochs: 3}}, per: seed}}"""
INCV = "{kind: incv, input: two, gradual: 2, warm_up: 1, symmetric: true, answer: first}"


def study_file(folder: Path, inputs: str = ROUNDS, incv: str = INCV, seeds: int = 1) -> Path:
    """The small study with three arms: INCV's training, and two runs on both halves of all examples."""
    path = write_study(folder, epochs=4, seeds=seeds)
    text = path.read_text().replace("noise: {kind: dilute_uniform, alpha: 2, include_true_class: true}", NOISE)
    arms = "vary: {arm: [incv, half-0, half-1]}"
    half = "epochs: 3, optimizer.lr: 0.5, probes: [left_out]"
    rules = f"""set:
    - {{at: {{arm: incv}}, method: {incv}}}
    - {{at: {{arm: half-0}}, method: {FIRST}, {half}}}
    - {{at: {{arm: half-1}}, method: {FIRST.replace("half: 0", "half: 1")}, {half}}}"""
    text = text.replace("vary: {noise.alpha: [0, 2]}", f"{inputs}\n  {arms}\n  {rules}").replace("  set: []\n", "")
    text = text.replace("    batch_size: 32", "    arm: incv\n    probes: []\n    batch_size: 32")
    text = text.replace("pair: [split, noise, order, init, augment]", "pair: [split, noise]")
    text = text.replace("{metric: test_accuracy, at: {noise.alpha: 0}}", "{metric: test_accuracy, at: {arm: incv}}")
    pairs = "{metric: incv_noise_error, along: {arm: pairs}, levels: {arm: [half-0, half-1]}}"
    text = text.replace("{metric: test_accuracy, along: {noise.alpha: drop}}", pairs)
    path.write_text(
        text.replace("kind: ordered, effect: loss, delta: -0.9", "kind: above, effect: loss, threshold: 0.01")
    )
    return path


def planned(folder: Path, **changes: Any) -> Plan:
    return plan_study(load_study(study_file(folder, **changes)).tiers["smoke"])


def sweep(plan: Plan, store: Store, **options: Any) -> Execution:
    return execute([plan], store, Quiet(), workers=0, **options)


def incv_of(plan: Plan) -> Run:
    (found,) = (run for run in plan.provisional_runs() if run.inputs)
    return found


def chain(plan: Plan) -> tuple[Derived, Derived]:
    first, second = plan.inputs
    return first, second


def lose(store: Store, *ids: str) -> None:
    for record_id in ids:
        (store.path / "records" / record_id[:2] / f"{record_id}.json").unlink()


def outcome(store: Store, record_id: str) -> dict[str, Any]:
    record = store.get(record_id)
    assert record is not None
    found: dict[str, Any] = record["outcome"]
    return found


def test_the_chain_is_planned_round_by_round_and_priced(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    first, second = chain(plan)
    assert [derived.name for derived in (first, second)] == ["one", "two"]
    assert [run.recipe["method"]["half"] for run in (*first.runs, *second.runs)] == [0, 1, 0, 1]
    assert all(run.inputs == {} for run in first.runs)
    assert all(run.inputs == {"one": first.id} for run in second.runs)
    reader = incv_of(plan)
    assert reader.inputs == {"two": second.id} and second.content["options"] == {"symmetric": True}
    for run in (*first.runs, *second.runs):
        assert run.recipe["probes"] == ["left_out"] and run.seeds["noise"] == reader.seeds["noise"]
    assert len({(run.seeds["order"], run.seeds["init"]) for run in (*first.runs, *second.runs, reader)}) == 5
    assert len(plan_runs(plan)) == 3 + 4
    plain = Run({**reader.recipe, "method": "standard"}, reader.seeds)
    # two networks; and of a half run, 3 epochs for 4, a look at half of the examples on top: 3/4 · (6 + 1) / 6
    assert reader.steps_flop == pytest.approx(2 * plain.steps_flop)
    assert first.runs[0].steps_flop == pytest.approx(plain.steps_flop * 3 / 4 * 7 / 6)
    assert seconds_of(reader, "cpu") > seconds_of(plain, "cpu")


def test_the_command_line_shows_the_chain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = study_file(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["plan", str(path), "--tier", "smoke", "--store", str(tmp_path / "store")])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "toy-smoke: 7 runs" in said
    assert "input one (incv_round): 2 runs of 3 epochs; 0 in store" in said
    assert "input two (incv_round): 2 runs of 3 epochs, each on one; 0 in store" in said


def test_four_rounds_have_two_runs_each(tmp_path: Path) -> None:
    more = "".join(
        f"\n    {name}: {{kind: incv_round, symmetric: true, of: {{method: {{kind: half, half: 0, input: {before}}}}}, "
        "per: seed}"
        for name, before in (("three", "two"), ("four", "three"))
    )
    plan = planned(tmp_path, inputs=ROUNDS + more, incv=INCV.replace("two", "four"))
    assert [derived.name for derived in plan.inputs] == ["one", "two", "three", "four"]
    assert len(plan.input_runs) == 8 and len(inputs_behind([incv_of(plan)])) == 4


def test_two_rounds_and_the_training_on_what_they_select(tmp_path: Path) -> None:
    plan, store = planned(tmp_path), Store(tmp_path / "store")
    came = sweep(plan, store)
    assert (came.trained, came.failures) == (7, {})
    first, second = chain(plan)
    arrays = [store.arrays(store.get(derived.id)) for derived in (first, second)]  # type: ignore[arg-type]
    kept, candidates = ([each[name] for each in arrays] for name in ("kept", "candidates"))
    assert kept[0].sum() > 0 and not (kept[0] & ~kept[1]).any()  # what is selected stays selected
    assert not (candidates[1] & ~candidates[0]).any() and not (kept[1] & candidates[1]).any()
    about = [outcome(store, derived.id) for derived in (first, second)]
    assert [each["round"] for each in about] == [1, 2]
    assert about[0]["noise_estimate"] == about[1]["noise_estimate"] and about[0]["examined"] == 300
    assert about[1]["examined"] == about[0]["candidates"] == candidates[0].sum()
    # by what the runs predicted: of both halves, what carries the label
    for derived, made in ((first, about[0]), (second, about[1])):
        runs = [store.arrays(store.get(run.id)) for run in derived.runs]  # type: ignore[arg-type]
        at = made["epoch"]
        right = [(run["left_out_label"] >= 0) & (run["left_out_label"] == run[f"left_out_{at}"]) for run in runs]
        before = kept[0] if derived is second else np.zeros(300, dtype=np.bool_)
        assert (arrays[made["round"] - 1]["kept"] == (right[0] | right[1] | before)).all()
        for run in derived.runs:  # half of the candidates, and all that was selected
            trained = outcome(store, run.id)["examples"]["train"]
            assert abs(trained - before.sum() - made["examined"] / 2) <= 0.5
    mine = outcome(store, incv_of(plan).id)
    assert mine["status"] == "ok" and mine["examples"]["train"] == kept[1].sum()
    assert mine["noise"]["beside_examples"] == candidates[1].sum()
    e = about[0]["noise_estimate"]
    assert mine["method"]["forget_rate"] == pytest.approx(e**2 / (e**2 + 9 * (1 - e) ** 2))
    evidence = gather(plan, store.get, reads=FromStore(store))
    assert evidence.missing == 0
    # the grid has runs on both halves, too: their estimate is compared with the labels that are wrong
    (member,) = evidence.members(plan.study.spec.effects["loss"])
    (value,) = member.values
    assert 0 <= value < 1 and not member.failures
    again = sweep(plan, store)
    assert (again.trained, again.reused) == (0, 7)


def test_each_stage_that_was_killed_resumes_by_itself_and_ends_alike(tmp_path: Path) -> None:
    plan, store = planned(tmp_path), Store(tmp_path / "store")
    assert sweep(plan, store).failures == {}
    before = {record["id"]: record["outcome"] for record in store.records()}
    first, second = chain(plan)
    reader = incv_of(plan).id
    # between the runs of a round, after a round, before the last training: each time all that came later is not there
    stages = (
        [second.runs[1].id, second.id, reader],
        [second.id, reader],
        [first.id, second.runs[0].id, second.runs[1].id, second.id, reader],
    )
    for gone in stages:
        lose(store, *gone)
        runs = [record for record in gone if record not in (first.id, second.id)]
        came = sweep(plan, store)
        assert (came.trained, came.failures) == (len(runs), {})
        assert {record["id"]: record["outcome"] for record in store.records()} == before
        assert gather(plan, store.get).missing == 0


def test_a_round_whose_run_diverged_says_so_to_all_that_build_on_it(tmp_path: Path) -> None:
    wild = ROUNDS.replace("optimizer.lr: 0.5", "model: mlp1_w32, optimizer.lr: 1.0e+15")
    plan, store = planned(tmp_path, inputs=wild), Store(tmp_path / "store")
    came = sweep(plan, store)
    first, _ = chain(plan)
    made = outcome(store, first.id)
    assert made["status"] == "failed" and "a round of INCV cannot be made: the run on half 0" in made["message"]
    assert set(came.failures.values()) == {made["message"]} and "diverged" in made["message"]
    assert came.trained == 4  # two arms, and the round's two runs
    evidence = gather(plan, store.get, came.failures)
    assert made["message"] in evidence.failed_jobs.values()


@pytest.mark.parametrize(
    ("inputs", "incv", "what"),
    [
        (ROUNDS.replace("input: one", "input: none"), INCV, "no input 'none' in runs.inputs"),
        (ROUNDS.replace("input: one", "input: two"), INCV, "break the circle"),
        (ROUNDS, INCV.replace("input: two", "input: null"), "input: "),
        (ROUNDS.replace("symmetric: true, of", "of", 1), INCV, "missing key 'symmetric'"),
        (ROUNDS.replace("per: seed", "seeds: 2"), INCV, "incv_round is made for each run that reads it"),
        (
            ROUNDS.replace("kind: half, half: 0, input: null", "kind: reed_hard, beta: 0.8"),
            INCV,
            "with the option half",
        ),
        (ROUNDS.replace(f"method: {FIRST}, ", ""), INCV, "one would be made of runs that read it"),
        (ROUNDS.replace(FIRST, "standard"), INCV, "differ in method.half; give them a method with the option half"),
        ("inputs: {two: {kind: low_aul, drop: 0.1, of: {epochs: 1}, per: seed}}", INCV, "gives no selection"),
    ],
)
def test_a_wrong_chain_is_refused(tmp_path: Path, inputs: str, incv: str, what: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_study(study_file(tmp_path, inputs, incv))
    problems = [problem.what for problem in caught.value.problems]
    assert any(what in problem for problem in problems), problems
