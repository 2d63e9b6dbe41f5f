"""Trainings in stages: on the examples that an earlier one keeps, or from the weights that it ended with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lnbench.data.images import load
from lnbench.errors import SpecError
from lnbench.execute.groups import Grouping
from lnbench.execute.local import execute
from lnbench.execute.work import Execution
from lnbench.given import Given
from lnbench.judge import gather, judge
from lnbench.loss_curves.kept import low_aul
from lnbench.pipeline import Quiet
from lnbench.plan import Derived, Plan, Run, plan_runs, plan_study
from lnbench.spec import load_study
from lnbench.stats import Verdict
from lnbench.store import Store
from lnbench.training import train
from lnbench.training.batches import DeviceData, TrainingSet
from lnbench.training.engine import Group
from tests.toys.small_runs import recipe, seeds, write_study

NOISE = "noise: {kind: replace_uniform, rate: 0.4, include_true_class: false}"
CLEAN = "clean: {kind: low_aul, drop: 0.4, of: {optimizer.lr: 0.2, epochs: 4}, per: seed}"
TWICE = f"inputs: {{{CLEAN}, cleaner: {{kind: low_aul, drop: 0.1, of: {{dataset.only: clean}}, per: seed}}}}"
WARM = "inputs: {before: {kind: weights, of: {optimizer.lr: 0.1, epochs: 3}, per: seed}}"


def study_file(folder: Path, inputs: str, vary: str, at: str, **changes: Any) -> Path:
    """The small study with an input, and the axis that says who reads it."""
    path = write_study(folder, **changes)
    text = path.read_text().replace("noise: {kind: dilute_uniform, alpha: 2, include_true_class: true}", NOISE)
    text = text.replace("  vary: {noise.alpha: [0, 2]}", f"  {inputs}\n  vary: {{{vary}}}")
    text = text.replace("    batch_size: 32", "    start: null\n    batch_size: 32")
    text = text.replace("at: {noise.alpha: 0}", f"at: {{{at}}}")
    axis = vary.partition(":")[0]
    text = text.replace("along: {noise.alpha: drop}", f"at: {{{at}}}, minus: {{{axis}: null}}")
    path.write_text(text)
    return path


def small(folder: Path, inputs: str = f"inputs: {{{CLEAN}}}", **changes: Any) -> Plan:
    """Plain training, and training on what the input keeps."""
    options = {"vary": "dataset.only: [null, clean]", "at": "dataset.only: clean", **changes}
    return plan_study(load_study(study_file(folder, inputs, **options)).tiers["smoke"])


def sweep(plan: Plan, store: Store, workers: int = 0, **options: Any) -> Execution:
    return execute([plan], store, Quiet(), workers=workers, **options)


def readers(plan: Plan) -> list[Run]:
    return [run for run in plan.provisional_runs() if run.inputs]


def array(store: Store, record_id: str, name: str) -> np.ndarray[Any, Any]:
    record = store.get(record_id)
    assert record is not None
    return store.array(record, name)


# ---- the plan


def test_every_seed_has_an_input_made_on_its_own_images_and_labels(tmp_path: Path) -> None:
    plan = small(tmp_path, seeds=3)
    assert len(plan.inputs) == len(readers(plan)) == 3 and len(plan.input_runs) == 3
    for reader, derived in zip(readers(plan), plan.inputs, strict=True):
        assert reader.inputs == {"clean": derived.id}
        (behind,) = derived.runs
        for stream in ("split", "noise", "augment"):
            assert behind.seeds[stream] == reader.seeds[stream]
        for stream in ("order", "init"):
            assert behind.seeds[stream] != reader.seeds[stream]
        assert behind.recipe["epochs"] == 4 and behind.recipe["probes"] == ["example_loss"]
        without = {key: value for key, value in reader.recipe["dataset"].items() if key != "only"}
        assert behind.recipe["dataset"] == without and behind.inputs == {}
    assert len(plan_runs(plan)) == 3 + 6


def test_the_options_of_an_input_are_in_its_id_and_its_runs_are_shared(tmp_path: Path) -> None:
    one, two = small(tmp_path / "one"), small(tmp_path / "two", f"inputs: {{{CLEAN}}}".replace("0.4", "0.2"))
    assert {run.id for run in one.input_runs} == {run.id for run in two.input_runs}
    assert not {derived.id for derived in one.inputs} & {derived.id for derived in two.inputs}
    assert one.inputs[0].content["options"] == {"drop": 0.4} and one.inputs[0].content["input"] == "low_aul"


def test_what_is_not_used_is_no_part_of_a_run(tmp_path: Path) -> None:
    plain = [run for run in small(tmp_path).provisional_runs() if not run.inputs]
    assert plain and all("only" not in run.recipe["dataset"] and "start" not in run.recipe for run in plain)


def test_a_chain_of_inputs_is_planned_link_by_link(tmp_path: Path) -> None:
    plan = small(tmp_path, TWICE, vary="dataset.only: [null, cleaner]", at="dataset.only: cleaner", seeds=1)
    first, second = plan.inputs
    assert (first.name, second.name) == ("clean", "cleaner")
    assert second.runs[0].inputs == {"clean": first.id}
    (reader,) = readers(plan)
    assert reader.inputs == {"cleaner": second.id}
    assert first.runs[0].seeds["noise"] == second.runs[0].seeds["noise"] == reader.seeds["noise"]
    assert len({run.seeds["order"] for run in (first.runs[0], second.runs[0], reader)}) == 3


def test_where_a_choice_decides_the_recipe_it_decides_what_the_input_is_made_of(tmp_path: Path) -> None:
    choose = (
        "{key: optimizer.lr, from: [0.01, 0.1], per: [dataset.only], by: validation_accuracy, validation: 50, seeds: 1}"
    )
    own = f"inputs: {{{CLEAN}}}".replace("optimizer.lr: 0.2, ", "")
    plan = small(tmp_path, own, choose=choose, seeds=1)
    for run in plan.choosing_runs:
        for derived in run.reads.values():
            assert derived.runs[0].recipe["optimizer"] == run.recipe["optimizer"]
            assert derived.runs[0].recipe["dataset"]["validation"] == 50
            assert derived.runs[0].seeds["split"] == run.seeds["split"]
    store = Store(tmp_path / "store")
    came = sweep(plan, store)
    # of 2 candidates for each of 2 cells those of the second read an input; then a run for each cell, and an input
    assert (came.trained, came.failures) == (4 + 2 + 2 + 1, {})
    evidence = gather(plan, store.get)
    assert evidence.missing == 0
    assert {derived.id for derived in evidence.inputs} <= {record["id"] for record in store.records()}


# ---- what is wrong is said where it stands


@pytest.mark.parametrize(
    ("inputs", "what", "where"),
    [
        ("", "dataset.only: no input 'clean' in runs.inputs", "vary:"),
        (f"inputs: {{{CLEAN}}}".replace("drop", "drip"), "unknown key 'drip'; did you mean 'drop'?", "inputs:"),
        (f"inputs: {{{CLEAN}}}".replace("drop: 0.4, ", ""), "missing key 'drop'", "inputs:"),
        (f"inputs: {{{CLEAN}}}".replace("0.4", "1.5"), "drop: must be less than 1, not 1.5", "inputs:"),
        (
            f"inputs: {{{CLEAN}}}".replace("low_aul", "low_all"),
            "inputs: 'low_all' is not known; did you mean",
            "inputs:",
        ),
        (f"inputs: {{{CLEAN}}}".replace("per: seed", "seeds: 2"), "give clean `per: seed`", "vary:"),
        (
            f"inputs: {{{CLEAN}}}".replace(", per: seed", ""),
            "or `per: seed` (one for each run that reads it)",
            "inputs:",
        ),
        (f"inputs: {{{CLEAN}}}".replace("epochs: 4", "noise.rate: 0.1"), "inputs: noise.rate must stay", "inputs:"),
        (f"inputs: {{{CLEAN}}}".replace("epochs: 4", "epochs: 0"), "epochs: must be greater than", "inputs:"),
        ("inputs: {clean: {kind: weights, of: {}, per: seed}}", "(weights) gives no kept; use low_aul", "vary:"),
        (
            f"inputs: {{{CLEAN}}}".replace("epochs: 4", "dataset.only: clean"),
            "inputs: clean would be made of runs that read it (clean <- clean); break the circle",
            "inputs:",
        ),
        (
            TWICE.replace("epochs: 4", "dataset.only: cleaner"),
            "inputs: clean would be made of runs that read it (clean <- cleaner <- clean); break the circle",
            "inputs:",
        ),
    ],
)
def test_a_wrong_input_is_refused_with_its_place(tmp_path: Path, inputs: str, what: str, where: str) -> None:
    path = study_file(tmp_path, inputs, "dataset.only: [null, clean]", "dataset.only: clean")
    with pytest.raises(SpecError) as caught:
        load_study(path)
    found = [problem for problem in caught.value.problems if what in problem.what]
    assert found, [problem.what for problem in caught.value.problems]
    line = path.read_text().splitlines()[found[0].line - 1]
    assert line.strip().startswith(where) and found[0].column > len(where)


def test_a_start_is_of_one_run_of_the_same_network(tmp_path: Path) -> None:
    for change, what in (
        (("per: seed", "seeds: 2"), "made from 2 runs"),
        (("epochs: 3", "model: mlp1"), "model must stay"),
    ):
        path = study_file(tmp_path, WARM.replace(*change), "start: [null, before]", "start: before")
        with pytest.raises(SpecError, match=what):
            load_study(path)


# ---- the examples that an input keeps


def outcome(losses: list[list[float]], **arrays: Any) -> dict[str, Any]:
    """A training's outcome, as an input's function sees it."""
    given = {"example_loss": np.array(losses, dtype=np.float32), **arrays}
    return {"status": "ok", "noise": {"examples": 5, "labels_sha256": "a"}, "arrays": given}


def test_the_examples_of_highest_aul_are_left_out() -> None:
    made = low_aul([outcome([[1, 9, 1, 3, 1], [1, 0, 1, 3, 5]])], {"drop": 0.4})  # AUL 2, 9, 2, 6, 6
    assert made["arrays"]["kept"].tolist() == [True, False, True, True, False]  # of equals the higher number goes
    assert (made["status"], made["kept_examples"]) == ("ok", 3)


def test_what_an_earlier_stage_left_out_stays_out() -> None:
    again = outcome([[1, 9, 2]], example_number=np.array([0, 2, 4], dtype=np.int32))
    assert low_aul([again], {"drop": 0.34})["arrays"]["kept"].tolist() == [True, False, False, False, True]


def test_nothing_is_kept_of_a_diverged_run_or_where_nothing_is_left() -> None:
    assert low_aul([{"status": "diverged"}], {"drop": 0.5})["status"] == "failed"
    assert low_aul([outcome([[1.0]])], {"drop": 0.9})["status"] == "failed"


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.long)])
def test_a_run_trains_on_what_the_first_one_kept(tmp_path: Path, workers: int) -> None:
    plan = small(tmp_path, seeds=1)
    store = Store(tmp_path / "store")
    came = sweep(plan, store, workers)
    assert (came.trained, came.failures) == (3, {})
    (reader,), (derived,) = readers(plan), plan.inputs
    kept = array(store, derived.id, "kept")
    losses = array(store, derived.runs[0].id, "example_loss").sum(0, dtype=np.float64)
    assert kept.sum() == 180 and losses[kept].max() <= losses[~kept].min()
    record, first = store.get(reader.id), store.get(derived.runs[0].id)
    assert record is not None and first is not None
    facts = record["outcome"]["noise"]
    assert record["outcome"]["examples"]["train"] == facts["kept_examples"] == 180
    assert facts["labels_sha256"] == first["outcome"]["noise"]["labels_sha256"]
    true, label = (array(store, derived.runs[0].id, name) for name in ("example_true", "example_label"))
    assert facts["kept_wrong"] == pytest.approx((true != label)[kept].mean())
    assert facts["kept_wrong"] < facts["realised_wrong"] / 2  # the losses do tell the wrong labels
    again = sweep(plan, store)
    assert (again.trained, again.reused) == (0, 3)
    evidence = gather(plan, store.get)
    assert evidence.missing == 0 and derived.id in evidence.records


def test_training_again_on_what_is_kept_does_better_and_is_judged(tmp_path: Path) -> None:
    """A network that is wide enough to learn wrong labels by heart, and one that never saw most of them."""
    own = f"inputs: {{{CLEAN}}}".replace("optimizer.lr: 0.2, epochs: 4", "epochs: 6")
    path = study_file(tmp_path, own, "dataset.only: [null, clean]", "dataset.only: clean", epochs=40, seeds=4)
    text = path.read_text().replace("delta: -0.9", "delta: 0.02").replace("model: perceptron", "model: mlp1_w32")
    path.write_text(text)
    plan, store = plan_study(load_study(path).tiers["full"]), Store(tmp_path / "store")
    assert sweep(plan, store).failures == {}
    evidence = gather(plan, store.get)
    (member,) = evidence.members(plan.study.spec.effects["loss"])
    assert len(member.values) == 4 and min(member.values) > 0.02
    claim = next(claim for claim in judge(evidence).claims if claim.claim.id == "T-2")
    assert claim.verdict == Verdict.REPRODUCED, (member.values, claim.why)


def test_in_a_chain_each_stage_trains_on_fewer(tmp_path: Path) -> None:
    plan = small(tmp_path, TWICE, vary="dataset.only: [null, cleaner]", at="dataset.only: cleaner", seeds=1)
    store = Store(tmp_path / "store")
    assert sweep(plan, store).failures == {}
    first, second = (array(store, derived.id, "kept") for derived in plan.inputs)
    assert first.sum() == 180 and second.sum() == 180 - 18 and not (second & ~first).any()
    numbers = array(store, plan.inputs[1].runs[0].id, "example_number")
    assert numbers.tolist() == np.flatnonzero(first).tolist()
    (reader,) = readers(plan)
    record = store.get(reader.id)
    assert record is not None and record["outcome"]["examples"]["train"] == 162
    assert gather(plan, store.get).missing == 0


def test_the_kept_examples_are_seen_once_an_epoch_and_no_others() -> None:
    noisy = {"kind": "replace_uniform", "rate": 0.4, "include_true_class": False}
    only = {"dataset": {"name": "digits", "clean": 300, "validation": 0, "only": "some"}}
    data = DeviceData(load("digits"), torch.device("cpu"))
    whole = train(recipe(noise=noisy, probes=["example_loss"]), seeds(), data)
    kept = np.arange(300) % 3 == 0
    about = {"status": "ok", "labels_sha256": whole["noise"]["labels_sha256"]}
    some = {"some": Given(about, {"kept": kept})}
    part = recipe(noise=noisy, probes=["example_loss", "example_loss_eval"], **only)
    arrays = train(part, seeds(), data, inputs=some)["arrays"]
    assert arrays["example_loss"].shape == arrays["example_loss_eval"].shape == (1, 100)
    assert arrays["example_number"].tolist() == np.flatnonzero(kept).tolist()
    for name in ("example_image", "example_label", "example_true"):
        assert arrays[name].tolist() == whole["arrays"][name][kept].tolist()
    for epoch in (0, 1):
        batches = list(TrainingSet(data, part, seeds(), some).batches(epoch, 32))
        place, image, label = (
            torch.cat([getattr(batch, name) for batch in batches]).numpy() for name in ("example", "image", "label")
        )
        assert sorted(place) == list(range(100)) and list(place) != sorted(place)
        assert (image == arrays["example_image"][place]).all() and (label == arrays["example_label"][place]).all()
    for wrong, what in (
        (Given({**about, "labels_sha256": "b"}, {"kept": kept}), "other labels"),
        (Given(about, {"kept": kept[:299]}), "each of 300 examples"),
        (Given(about, {"kept": kept & False}), "keeps no example"),
        (Given(about, {}), "not given its array 'kept'"),
    ):
        with pytest.raises(ValueError, match=what):
            train(part, seeds(), data, inputs={"some": wrong})


def test_all_examples_kept_is_the_plain_training_to_the_bit() -> None:
    plain = train(recipe(epochs=2, augment="crop_flip"), seeds(), load("digits"))
    every = Given({"labels_sha256": plain["noise"]["labels_sha256"]}, {"kept": np.ones(600, dtype=np.bool_)})
    only = {"dataset": {"name": "digits", "clean": 300, "validation": 0, "only": "every"}}
    again = train(recipe(epochs=2, augment="crop_flip", **only), seeds(), load("digits"), inputs={"every": every})
    assert again["curves"] == plain["curves"]


def test_runs_on_kept_examples_are_not_stacked(tmp_path: Path) -> None:
    rule = Grouping(backend="stacked")
    plan = small(tmp_path, seeds=4)
    plain = [run for run in plan.provisional_runs() if not run.inputs]
    assert rule.way(plain[0])[0] == "stacked" and rule.way(readers(plan)[0])[0] == "loop"


# ---- weights to start from


@pytest.mark.parametrize(("backend", "workers"), [("loop", 0), pytest.param("stacked", 1, marks=pytest.mark.long)])
def test_a_run_goes_on_from_the_weights_of_another(tmp_path: Path, backend: str, workers: int) -> None:
    """A second stage whose rate is nearly 0 tests as the first one did at its end, to the bit."""
    path = study_file(tmp_path, WARM, "start: [null, before]", "start: before", epochs=1)
    path.write_text(path.read_text().replace("lr: 0.05", "lr: 1.0e-30"))
    plan = plan_study(load_study(path).tiers["smoke"])
    store = Store(tmp_path / "store")
    assert sweep(plan, store, workers, backend=backend).failures == {}
    for reader, derived in zip(readers(plan), plan.inputs, strict=True):
        first, second = store.get(derived.runs[0].id), store.get(reader.id)
        assert first is not None and second is not None
        for curve in ("test_accuracy", "test_loss"):
            assert second["outcome"]["curves"][curve] == first["outcome"]["curves"][curve][-1:]
        assert second["outcome"]["curves"]["test_accuracy"][0] > 0.5  # it has learnt: 1 epoch at that rate would not
    assert gather(plan, store.get).missing == 0


def test_the_weights_of_a_network_with_normalisations_are_all_that_it_answers_by() -> None:
    """Before it trains a step, the second network tests to the bit as the first one did at its end."""
    data = DeviceData(load("digits"), torch.device("cpu"))
    first = train(recipe(model="resnet8_w8", probes=["final_weights"], epochs=2), seeds(), data)
    weights = first["arrays"]["final_weights"]
    assert len(weights) > first["parameters"]  # the statistics of its normalisations too
    again = recipe(model="resnet8_w8", start="before")
    second = Group([again], [seeds(5)], data, inputs=[{"before": Given({"status": "ok"}, {"weights": weights})}])
    ((right, loss),) = second.backend.evaluate([second.sets[0].test]).tolist()
    count = len(second.sets[0].test)
    assert [right / count, loss / count] == [first["curves"][curve][-1] for curve in ("test_accuracy", "test_loss")]
    short = Given({"status": "ok"}, {"weights": weights[:-1]})
    with pytest.raises(ValueError, match="start: "):
        train(again, seeds(5), data, inputs={"before": short})


# ---- after a kill, a change, a loss


def made(folder: Path) -> tuple[Plan, Store, Run, Derived]:
    """A sweep that is done: its plan, its store, the run that reads, the input."""
    plan = small(folder, seeds=1)
    store = Store(folder / "store")
    assert sweep(plan, store).failures == {}
    return plan, store, readers(plan)[0], plan.inputs[0]


def lose(store: Store, record_id: str, *suffixes: str) -> None:
    for suffix in suffixes:
        (store.path / "records" / record_id[:2] / f"{record_id}{suffix}").unlink()


def spoil(store: Store, record_id: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Put another outcome in place of a record's, as another machine might have given it."""
    from lnbench.store import make_record

    record = store.get(record_id)
    assert record is not None
    lose(store, record_id, ".json")
    store.put(make_record(record["content"], change(record["outcome"]), record["provenance"]))


def test_what_was_killed_between_the_stages_goes_on_and_ends_alike(tmp_path: Path) -> None:
    plan, store, reader, derived = made(tmp_path)
    before = {record["id"]: record["outcome"] for record in store.records()}
    lose(store, reader.id, ".json")
    lose(store, derived.id, ".json")  # its side file was written, its record not
    assert gather(plan, store.get).missing == 1
    came = sweep(plan, store)
    assert (came.trained, came.reused, came.failures) == (1, 2, {})
    assert {record["id"]: record["outcome"] for record in store.records()} == before


def test_without_the_first_stages_arrays_what_is_done_stands_and_the_rest_says_what_to_do(tmp_path: Path) -> None:
    plan, store, reader, derived = made(tmp_path)
    lose(store, derived.runs[0].id, ".npz")
    assert sweep(plan, store).failures == {} and gather(plan, store.get).missing == 0  # the input is there
    lose(store, reader.id, ".json")
    assert sweep(plan, store).failures == {}
    lose(store, reader.id, ".json")
    lose(store, derived.id, ".json", ".npz")
    came = sweep(plan, store)
    (message,) = came.failures.values()
    assert "not there (an export holds none)" in message and f"lnbench store remove {derived.runs[0].id}" in message
    assert list(gather(plan, store.get, came.failures).failed_jobs.values()) == [message]
    lose(store, derived.runs[0].id, ".json")
    assert sweep(plan, store).failures == {} and gather(plan, store.get).missing == 0


def test_without_the_inputs_own_array_its_reader_says_what_to_do(tmp_path: Path) -> None:
    plan, store, reader, derived = made(tmp_path)
    lose(store, derived.id, ".npz")
    lose(store, reader.id, ".json")
    (message,) = sweep(plan, store).failures.values()
    assert message.startswith("its input clean: ") and f"lnbench store remove {derived.id}" in message
    lose(store, derived.id, ".json")
    assert sweep(plan, store).failures == {} and gather(plan, store.get).missing == 0


def test_a_first_stage_that_changed_is_noticed_step_by_step(tmp_path: Path) -> None:
    plan, store, reader, derived = made(tmp_path)
    spoil(store, derived.runs[0].id, lambda outcome: {**outcome, "parameters": 1})
    evidence = gather(plan, store.get)
    (message,) = evidence.failed_jobs.values()
    assert "was made of other outcomes than its runs have now; remove its record" in message
    lose(store, reader.id, ".json")
    assert [message] == list(sweep(plan, store).failures.values())
    lose(store, derived.id, ".json", ".npz")
    assert sweep(plan, store).failures == {} and gather(plan, store.get).missing == 0


def test_a_run_that_was_given_another_input_counts_for_nothing(tmp_path: Path) -> None:
    plan, store, _, derived = made(tmp_path)
    spoil(store, derived.id, lambda outcome: {**outcome, "kept_examples": 1})
    (message,) = gather(plan, store.get).failed_jobs.values()
    assert "it was trained with another clean than its runs give; remove its record" in message


def test_an_input_is_not_made_of_a_run_that_was_given_another(tmp_path: Path) -> None:
    plan = small(tmp_path, TWICE, vary="dataset.only: [null, cleaner]", at="dataset.only: cleaner", seeds=1)
    store = Store(tmp_path / "store")
    assert sweep(plan, store).failures == {}
    second = plan.inputs[1]
    (reader,) = readers(plan)
    spoil(store, second.runs[0].id, lambda outcome: {**outcome, "inputs": {"clean": "0" * 64}})
    lose(store, second.id, ".json", ".npz")
    lose(store, reader.id, ".json")
    came = sweep(plan, store)
    assert came.trained == 0 and all("another clean than its runs give" in what for what in came.failures.values())
    assert set(came.failures) == {second.runs[0].id, reader.id}


def test_a_report_is_judged_where_no_array_is(tmp_path: Path) -> None:
    plan, store, _, _ = made(tmp_path)
    file = tmp_path / "records.jsonl.gz"
    store.export(file, list(gather(plan, store.get).records))
    other = Store(tmp_path / "other")
    other.import_(file)
    here, there = gather(plan, store.get), gather(plan, other.get)
    assert there.missing == 0 and set(there.records) == set(here.records)
    effect = plan.study.spec.effects["loss"]
    assert there.members(effect)[0].values == here.members(effect)[0].values
    shutil.rmtree(store.path)
