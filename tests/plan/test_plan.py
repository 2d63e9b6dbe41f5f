"""Plans: what a run is called, which seeds it has, what is paired, and how a hyper-parameter is chosen."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lnbench import catalog
from lnbench.catalog import registry
from lnbench.identity import canonical_json, content_id
from lnbench.plan import CHOOSING_SEEDS, Choice, Plan, Run, plan_study
from lnbench.plan.run import stream_seeds
from lnbench.randomness import SEED_STREAMS, derived_seed
from lnbench.spec import load_study
from lnbench.spec.dotted import put
from tests.toys.small_runs import recipe, run, seeds, small_plan, write_study

CHOOSE = "{key: optimizer.lr, from: [0.01, 0.1], per: [noise.alpha], by: validation_accuracy, validation: 50, seeds: 2}"


def ids(plan: Plan, chosen: Any = 0.01) -> list[str]:
    return [job.run(chosen).id for job in plan.jobs]


def all_keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in all_keys(inner)}
    return set()


# ---- names


def test_a_runs_id_is_pinned() -> None:
    """Ids name stored records: when this test is red, every store in the world has become worthless."""
    assert run().id == "7b515eaa24c369c2dce57b4e2c2ed3e2"
    assert run(7, model="convnet4", epochs=3).id == "58b1a6308594887231defb7c02d98c23"
    assert run().content["versions"] == {
        "engine": 1, "dataset": 1, "noise": 1, "model": 1, "method": 1, "optimizer": 1, "schedule": 1,
    }  # fmt: skip


def test_the_id_is_the_hash_of_the_content_and_of_nothing_else() -> None:
    one = run()
    assert one.id == content_id(one.content)
    shuffled = Run(dict(reversed(one.recipe.items())), dict(reversed(one.seeds.items())))
    assert shuffled.id == one.id
    assert not {"selection", "tier", "study", "device"} & all_keys(one.content)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "mlp1"}, {"epochs": 2}, {"batch_size": 31}, {"precision": "fast"},
        {"dataset": {"name": "digits", "clean": 301, "validation": 0}},
        {"dataset": {"name": "digits", "clean": 300, "validation": 1}},
        {"noise": {"kind": "dilute_uniform", "alpha": 1.5, "include_true_class": True}},
        {"noise": {"kind": "dilute_uniform", "alpha": 1.0, "include_true_class": False}},
        {"optimizer": {**recipe()["optimizer"], "lr": 0.051}},
    ],
    ids=str,
)  # fmt: skip
def test_whatever_changes_a_training_changes_its_id(change: dict[str, Any]) -> None:
    assert Run(recipe(**change), seeds()).id != run().id


@pytest.mark.parametrize("stream", SEED_STREAMS)
def test_every_seed_is_in_the_id(stream: str) -> None:
    assert Run(recipe(), seeds(0, **{stream: 1})).id != run().id


def test_inputs_are_in_the_id() -> None:
    assert Run(recipe(), seeds(), {"aul": "0" * 32}).id != run().id


@pytest.mark.parametrize("kind", ["dataset", "noise", "model", "method", "optimizer", "schedule"])
def test_a_raised_version_changes_the_id(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = run().id
    honest = registry.find

    def find(wanted: str, name: str) -> catalog.Entry:
        entry = honest(wanted, name)
        return replace(entry, version=2) if wanted == kind else entry

    monkeypatch.setattr(registry, "find", find)
    assert run().content["versions"][kind] == 2
    assert run().id != before


def test_a_raised_engine_version_changes_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    before = run().id
    monkeypatch.setattr(registry, "ENGINE_VERSION", 2)
    assert run().id != before


def test_canonical_json_is_one_text_for_one_value() -> None:
    assert canonical_json({"b": 1, "a": [1.0, None, "é"]}) == '{"a":[1.0,null,"é"],"b":1}'
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="Out of range"):
            canonical_json({"x": bad})
    with pytest.raises(TypeError):
        canonical_json({"x": object()})


def test_two_studies_with_the_same_recipe_share_their_runs(tmp_path: Path) -> None:
    one = small_plan(tmp_path / "one")
    two = small_plan(tmp_path / "two", alphas="[0, 2, 5]", selection="best_test", tier="full")
    assert set(ids(one)) < set(ids(two))


def test_a_whole_number_and_the_same_number_with_a_point_are_one_run(tmp_path: Path) -> None:
    assert ids(small_plan(tmp_path / "one", alphas="[0, 2]")) == ids(small_plan(tmp_path / "two", alphas="[0.0, 2.0]"))


def test_a_whole_number_among_the_candidates_is_the_same_run_too(tmp_path: Path) -> None:
    one = small_plan(tmp_path / "one", choose=CHOOSE.replace("0.1]", "1]"))
    two = small_plan(tmp_path / "two", choose=CHOOSE.replace("0.1]", "1.0]"))
    assert {r.id for r in one.choosing_runs} == {r.id for r in two.choosing_runs}


# ---- seeds


def test_a_jobs_run_is_one_object_and_one_for_each_chosen_value(tmp_path: Path) -> None:
    """It is asked for at every pass over a plan, and its id is a hash."""
    (job, *_) = small_plan(tmp_path, choose=CHOOSE).jobs
    assert job.run(0.1) is job.run(0.1) and job.provisional() is job.run(0.01)
    assert job.run(0.1).recipe["optimizer"]["lr"] == 0.1 and job.run(0.01).recipe["optimizer"]["lr"] == 0.01
    assert type(job.run(1.0).recipe["optimizer"]["lr"]) is not type(job.run(1).recipe["optimizer"]["lr"])
    assert replace(job, seed=5).run(0.1).seeds != job.run(0.1).seeds


def test_more_seeds_only_add_runs(tmp_path: Path) -> None:
    study = load_study(write_study(tmp_path, seeds=5)).tiers["smoke"]
    five, eight = set(ids(plan_study(study))), set(ids(plan_study(study, 8)))
    assert five < eight
    assert (len(five), len(eight)) == (10, 16)  # two cells


def test_seeds_come_one_after_the_other_over_the_whole_grid(tmp_path: Path) -> None:
    """So that what is there after an interruption is whole seeds."""
    plan = small_plan(tmp_path, seeds=3)
    assert [job.seed for job in plan.jobs] == [0, 0, 1, 1, 2, 2]


def test_paired_streams_are_shared_by_all_arms(tmp_path: Path) -> None:
    for job in small_plan(tmp_path).jobs:
        assert job.run().seeds == dict.fromkeys(SEED_STREAMS, job.seed)


def test_unpaired_streams_differ_between_arms_and_seeds() -> None:
    arms = [recipe(), recipe(model="mlp1")]
    drawn = [stream_seeds(seed, arm, ("split", "noise")) for arm in arms for seed in range(3)]
    for stream in ("order", "init", "augment"):
        assert len({streams[stream] for streams in drawn}) == 6
    assert [streams["split"] for streams in drawn] == [0, 1, 2, 0, 1, 2]
    assert len({drawn[0][stream] for stream in ("order", "init", "augment")}) == 3
    assert all(0 <= value < 2**32 for streams in drawn for value in streams.values())
    own = f"order:0:{canonical_json(arms[0])}"
    assert drawn[0]["order"] == derived_seed(own)


def test_a_choices_seeds_are_used_by_no_verdict(tmp_path: Path) -> None:
    plan = small_plan(tmp_path, choose=CHOOSE)
    choosing = {seed for r in plan.choosing_runs for seed in r.seeds.values()}
    judged = {seed for job in plan.jobs for seed in job.run(0.1).seeds.values()}
    assert choosing == {CHOOSING_SEEDS, CHOOSING_SEEDS + 1}
    assert not choosing & judged
    most = 1000  # seeds.n
    assert max(judged) < most <= CHOOSING_SEEDS


# ---- choices


def test_choosing_runs_hold_their_validation_images_out_of_the_clean_ones(tmp_path: Path) -> None:
    plan = small_plan(tmp_path, choose=CHOOSE)
    assert [choice.point for choice in plan.choices] == [{"noise.alpha": 0}, {"noise.alpha": 2}]
    assert len(plan.choosing_runs) == 2 * 2 * 2
    for r in plan.choosing_runs:
        assert r.recipe["dataset"] == {"name": "digits", "clean": 250, "validation": 50}
    for job in plan.jobs:
        assert job.run(0.1).recipe["dataset"] == {"name": "digits", "clean": 300, "validation": 0}
        assert job.choice is not None
        assert job.choice.point["noise.alpha"] == job.point["noise.alpha"]


def test_a_job_waits_for_its_choice_and_then_takes_what_was_chosen(tmp_path: Path) -> None:
    plan = small_plan(tmp_path, choose=CHOOSE)
    assert all(r is None for _, r in plan.resolve({}))
    first, second = plan.choices
    made = {first.id: {"chosen": 0.1}}
    resolved = list(plan.resolve(made))
    assert [r is None for _, r in resolved] == [False, True, False, True]
    assert all(r.recipe["optimizer"]["lr"] == 0.1 for _, r in resolved if r is not None)
    both = {**made, second.id: {"chosen": 0.01}}
    assert [r.recipe["optimizer"]["lr"] for _, r in plan.resolve(both) if r is not None] == [0.1, 0.01, 0.1, 0.01]
    assert len(plan.provisional_runs()) == 4


def scores(*values: list[float] | None) -> tuple[Choice, dict[str, Any]]:
    """A choice among 0, 1, 2 … and the outcomes of its runs: validation curves that end at the scores."""
    candidates, outcomes = [], {}
    for number, ends in enumerate(values):
        runs = []
        for seed, end in enumerate(ends if ends is not None else [None, None]):
            one = run(seed, epochs=number + 1)
            runs.append(one)
            curves = {"validation_accuracy": [0.99, end]} if end is not None else {}
            outcomes[one.id] = {"status": "ok" if end is not None else "diverged", "curves": curves}
        candidates.append((number, tuple(runs)))
    return Choice("epochs", "validation_accuracy", {}, tuple(candidates)), outcomes


def test_the_highest_mean_of_the_last_epoch_is_chosen() -> None:
    choice, outcomes = scores([0.5, 0.7], [0.8, 0.6], [0.9, 0.1])
    made = choice.decide(outcomes)
    assert made["chosen"] == 1
    assert made["scores"] == pytest.approx([0.6, 0.7, 0.5])
    assert made["margin"] == pytest.approx(0.1)


def test_of_equals_the_first_is_chosen() -> None:
    choice, outcomes = scores([0.5, 0.5], [0.75, 0.75], [0.75, 0.75])
    made = choice.decide(outcomes)
    assert (made["chosen"], made["margin"]) == (1, 0.0)


def test_a_candidate_that_diverged_once_is_not_chosen() -> None:
    choice, outcomes = scores([0.4, 0.4], [0.9, None], [0.3, 0.3])  # type: ignore[list-item]
    made = choice.decide(outcomes)
    assert (made["chosen"], made["scores"]) == (0, [0.4, None, 0.3])


def test_a_candidate_alone_has_no_margin() -> None:
    choice, outcomes = scores(None, [0.3, 0.3])
    assert choice.decide(outcomes) == {"status": "ok", "chosen": 1, "scores": [None, 0.3], "margin": None}


def test_where_all_diverge_the_first_is_taken_and_said_to_have_no_score() -> None:
    choice, outcomes = scores(None, None)
    assert choice.decide(outcomes) == {"status": "ok", "chosen": 0, "scores": [None, None], "margin": None}


def test_a_choices_id_hangs_on_its_candidates_alone() -> None:
    one, _ = scores([0.5, 0.5], [0.6, 0.6])
    two, _ = scores([0.1, 0.1], [0.2, 0.2])
    three, _ = scores([0.5, 0.5], [0.6, 0.6], [0.7, 0.7])
    assert one.id == two.id != three.id


def test_putting_a_value_into_a_tree_leaves_the_tree() -> None:
    tree = {"a": {"b": 1, "c": 2}}
    assert put(tree, "a.b", 9) == {"a": {"b": 9, "c": 2}}
    assert tree == {"a": {"b": 1, "c": 2}}


# ---- pricing, without torch


def test_a_runs_cost_follows_from_its_recipe() -> None:
    one = run(model="perceptron", epochs=3, noise={"kind": "dilute_uniform", "alpha": 9.0, "include_true_class": True})
    assert one.examples == 3000
    assert one.steps_flop == pytest.approx(6 * 640 * 3000 * 3)
    assert one.flop == pytest.approx(one.steps_flop + 2 * 640 * 497 * 3), "497 test images after each epoch"
    held = run(model="perceptron", epochs=3, dataset={"name": "digits", "clean": 300, "validation": 100, "test": 50})
    assert held.flop - held.steps_flop == pytest.approx(2 * 640 * 150 * 3)
    assert one.describe() == "perceptron alpha=9 lr=0.05 seed=0"


def test_planning_needs_no_torch(tmp_path: Path) -> None:
    path = write_study(tmp_path, choose=CHOOSE)
    code = (
        "import sys; from pathlib import Path; from lnbench.plan import plan_study; "
        "from lnbench.spec import load_study; "
        f"p = plan_study(load_study(Path({str(path)!r})).tiers['smoke']); "
        "[r.flop for r in p.provisional_runs()]; "
        "import lnbench.store, lnbench.execute.local; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
