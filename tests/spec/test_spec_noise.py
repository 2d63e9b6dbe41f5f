"""What a study says of noise, methods with options, arms and parts of an axis: what is right; where a mistake is."""

from __future__ import annotations

from typing import Any

import pytest

from lnbench.judge import alternatives
from lnbench.noise.entries import DiluteForeign
from lnbench.plan import plan_study
from lnbench.spec import Recipe, variant
from tests.toys.edited_study import Folder

NOISE = "noise: {kind: dilute_uniform, alpha: 10, include_true_class: true}"
STRUCTURED = "noise: {kind: dilute_structured, alpha: 10, delta: 0.5, order: random}"
METHOD = "method: standard"
LOSS = "method: {kind: noisy_loss, alpha: 10, form: definition}"
NET = "net: {metric: test_accuracy, at: {model: convnet4, noise.alpha: 10}}"
GAP = "along: {noise.alpha: drop}, minus: {model: perceptron}}"
ALPHAS = "vary: {model: [perceptron, mlp1, convnet4], noise.alpha: [0, 10]}"


def recipe(toy: Folder, *edits: tuple[str, str]) -> Recipe:
    found = toy.load(*edits).tiers["full"].cells[-1].recipe
    assert isinstance(found, Recipe)
    return found


# ---- noise


@pytest.mark.parametrize(
    ("noise", "gist"),
    [
        (STRUCTURED.replace("0.5", "»1.5"), "delta: must be less than or equal to 1, not 1.5"),
        (STRUCTURED.replace("0.5", "»-0.1"), "delta: must be greater than or equal to 0, not -0.1"),
        (STRUCTURED.replace("random", "»sideways"), "order: 'sideways' is not known"),
        (STRUCTURED.replace("alpha: 10", "alpha: »-1"), "alpha: must be greater than or equal to 0"),
        ("noise: {kind: »dilute_structure, alpha: 10}", "did you mean 'dilute_structured'?"),
        ("noise: »{kind: dilute_structured, alpha: 10, order: random}", "missing key 'delta' in noise"),
    ],
)
def test_structured_noise_out_of_its_bounds(toy: Folder, noise: str, gist: str) -> None:
    toy.refuses((NOISE, noise), because=gist)


def test_a_rate_of_pair_flips_is_a_probability(toy: Folder) -> None:
    """The axis goes too, as this noise has no alpha."""
    study = (
        toy.study.read_text().replace(NOISE, "noise: {kind: pair_flip, rate: »1.2}").replace("noise.alpha", "epochs")
    )
    study = study.replace("- {at: {epochs: 0}, epochs: 5}", "- {at: {epochs: 10}, batch_size: 90}")
    toy.refuses_text(
        study.replace("epochs: [0, 10]", "epochs: [5, 10]"), "rate: must be less than or equal to 1, not 1.2"
    )


def test_more_novel_images_than_the_data_set_has(toy: Folder) -> None:
    novel = "noise: {kind: dilute_novel, alpha: 1, include_true_class: true}"
    shared = (NOISE, novel), ("digits, clean: 1000", "digits, clean: 500")
    toy.refuses(
        *shared, (ALPHAS, ALPHAS.replace("[0, 10]", "[0, »10]")),
        ("vary: {model: [perceptron, convnet4], noise.alpha: [0, 10]}",
         "vary: {model: [perceptron, convnet4], noise.alpha: [0, »10]}"),
        because=["alpha: 5000 novel images beside 500 others, but digits has 1300 for training"] * 2,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("noise", "gist"),
    [
        ("source: »nowhere", "source: no data set 'nowhere'; known: cifar10, "),
        ("source: »synthetic_othr", "did you mean 'synthetic_other'?"),
        ("source: »digits", "source: digits is the study's own data set; write `own`"),
        ("source: »mnist", "source: mnist has images of 1×28×28, up to 255, and digits of 1×8×8, up to 16"),
    ],
)
def test_images_from_elsewhere_need_a_source_of_the_same_form(toy: Folder, noise: str, gist: str) -> None:
    toy.refuses((NOISE, f"noise: {{kind: dilute_foreign, alpha: 10, {noise}}}"), because=gist)


def test_without_foreign_images_all_sources_share_a_run() -> None:
    pairs = ((0, "white"), (1, "white"), (1, "own"))
    none, some, own = (DiluteForeign(kind="dilute_foreign", alpha=a, source=b).identity() for a, b in pairs)
    assert own == {**none, "alpha": 1}
    assert none == {"kind": "dilute_uniform", "alpha": 0, "include_true_class": True}
    assert some == {"kind": "dilute_foreign", "alpha": 1, "source": "white"}


def test_a_probe_that_looks_at_images_by_their_numbers_wants_no_foreign_ones(toy: Folder) -> None:
    toy.refuses(
        (NOISE, "noise: {kind: dilute_foreign, alpha: 10, source: white}"),
        ("    augment: none", "    augment: none\n    probes: »[example_loss_eval]"),
        because="probes: example_loss_eval looks at the training images of digits, and this noise shows others",
    )


def test_more_clean_images_than_there_are(toy: Folder) -> None:
    toy.refuses(
        ("digits, clean: 1000", "digits, clean: »1301"),
        because="clean: 1301 clean images, but digits has 1300 for training",
    )


def test_alpha_below_the_number_of_classes_is_no_error(toy: Folder) -> None:
    """The law is clipped, and the record says so (tests/noise/test_structured_noise.py)."""
    noise = STRUCTURED.replace("0.5", "1").replace("alpha: 10", "alpha: 2")
    assert recipe(toy, (NOISE, noise)).noise.model_dump()["delta"] == 1


# ---- methods


@pytest.mark.parametrize(
    ("method", "gist"),
    [
        ("method: »noisy_loss", "method: noisy_loss takes options; write {kind: noisy_loss, alpha: …, form: …}"),
        ("method: »standart", "method: 'standart' is not known; did you mean 'standard'?"),
        ("method: »3", "method: expected text, not 3; quote it"),
        (LOSS.replace("10", "»-1"), "alpha: must be greater than or equal to 0, not -1"),
        (LOSS.replace("definition", "»second"), "form: 'second' is not known"),
        (LOSS.replace("form", "»from"), "unknown key 'from'; did you mean 'form'?"),
    ],
)
def test_what_is_wrong_with_a_method(toy: Folder, method: str, gist: str) -> None:
    because = [gist] if "from" not in method else [gist, "missing key 'form' in method"]
    if len(because) > 1:
        method = method.replace("method: {", "method: »{")
        because.reverse()
    toy.refuses((METHOD, method), because=because)


def test_a_methods_options_are_part_of_the_identity_and_a_plain_name_stays_one(toy: Folder) -> None:
    assert recipe(toy).identity()["method"] == "standard"
    loss: dict[str, Any] = {"kind": "noisy_loss", "alpha": 10.0, "form": "definition"}
    assert recipe(toy, (METHOD, LOSS)).identity()["method"] == loss
    assert recipe(toy, (METHOD, LOSS.replace("10", "0"))).identity()["method"] == "standard"  # the cross-entropy


def test_an_alternative_may_change_an_option_of_the_method(toy: Folder) -> None:
    choice = "{key: optimizer.momentum, ours: 0.9, try: {optimizer.momentum: 0.5}}"
    other = "{key: method.form, ours: definition, try: {method.form: proportional}}"
    toy.load((METHOD, LOSS), (choice, other))
    toy.refuses(
        (METHOD, LOSS), (choice, other.replace("proportional}", "»double}")), because="form: 'double' is not known"
    )


# ---- probes


def test_a_number_that_no_run_measures_is_refused(toy: Folder) -> None:
    asked = NET.replace("test_accuracy", "»gradient_cosine_end")
    because = "effect net: gradient_cosine_end, but a run does not measure it; give it `probes: [gradient_cosine]`"
    parts = "good: {kind: above, effect: net, reference: table1/net}"
    near = 'near: {kind: agrees, effect: net, reference: table1/net, margin: 0.05, because: "n unknown"}'
    edits = [
        (parts, "good: {kind: above, effect: net, threshold: 0.5}"),
        (near, "near: {kind: above, effect: net, threshold: 0.4}"),
    ]
    toy.refuses((NET, asked), *edits, because=because)
    toy.load((NET, asked.replace("»", "")), *edits, ("epochs: 3\n", "epochs: 3\n    probes: [gradient_cosine]\n"))


# ---- arms


ARMS = (
    ("    dataset: {name: digits", "    arm: one\n    dataset: {name: digits"),
    ("vary: {model: [perceptron, mlp1, convnet4],", "vary: {arm: [one, two], model: [perceptron, mlp1, convnet4],"),
    ("vary: {model: [perceptron, convnet4],", "vary: {arm: [one, two], model: [perceptron, convnet4],"),
    ("    - {at: {noise.alpha: 0}, epochs: 5}", "    - {at: {arm: two}, epochs: 5, dataset.clean: 900}"),
    ("set: []", "set: [{at: {arm: two}, epochs: 5, dataset.clean: 900}]"),
    (NET, NET.replace("at: {", "at: {arm: one, ")),
    ("gap: {metric: test_accuracy, at: {", "gap: {metric: test_accuracy, at: {arm: two, "),
    ("effects: {gap: {at: {model: convnet4}}}", "effects: {gap: {at: {arm: two, model: convnet4}}}"),
)


def test_of_a_grid_with_arms_only_the_cells_that_an_effect_reads_are_run(toy: Folder) -> None:
    study = toy.load(*ARMS).tiers["full"]
    points = [(cell.point["arm"], cell.point["model"], cell.point["noise.alpha"]) for cell in study.cells]
    assert sorted(points) == [
        ("one", "convnet4", 10), ("two", "convnet4", 0), ("two", "convnet4", 10), ("two", "mlp1", 0),
        ("two", "mlp1", 10), ("two", "perceptron", 0), ("two", "perceptron", 10),
    ]  # fmt: skip
    assert {job.recipe["dataset"]["clean"] for job in plan_study(study).jobs} == {900, 1000}
    assert all("arm" not in job.recipe for job in plan_study(study).jobs)


READ = (
    "loses: {kind: ordered, effect: gap}",
    "loses: {kind: ordered, effect: gap}\n      other: {kind: ordered, effect: other}",
)
OTHER = ("effects:\n  net:", "effects:\n  other: {metric: test_accuracy, at: {arm: one, model: [mlp1, convnet4]}, "
         "along: {noise.alpha: drop}, minus: {model: perceptron}}\n  net:")  # fmt: skip
STAND_IN = ("try: {optimizer.momentum: 0.5}", "try: {arm: {two: one}}")


def test_an_alternative_trains_some_arms_as_others_are(toy: Folder) -> None:
    edits = (
        *ARMS,
        READ,
        OTHER,
        ("effects: {gap:", "effects: {other: {at: {arm: one, model: convnet4}}, gap:"),
        STAND_IN,
    )
    study = toy.load(*edits).tiers["full"]
    tried = variant(study, "arm")
    assert [cell.point for cell in tried.cells] == [cell.point for cell in study.cells]
    for cell in tried.cells:
        assert cell.recipe == study.at({**cell.point, "arm": "one"}).recipe
    assert study.at({"arm": "two", "model": "mlp1", "noise.alpha": 10}).recipe.dataset.clean == 900  # type: ignore[union-attr]
    assert alternatives(study) == ["arm"]


@pytest.mark.parametrize(
    ("tries", "gist"),
    [
        ("{arm: {two: »three}}", "no run visits arm = three"),
        ("{arm: {»three: one}}", "no run visits arm = three"),
        ("{arm: {two: »two}}", "cannot stand in for itself"),
        ("{arm: »one}", "arm takes {ARM: the arm that is trained in its place}"),
        ("{arm: {two: »one}}", "no effect reads the arm one"),
    ],
)
def test_an_arm_that_cannot_stand_in_for_another(toy: Folder, tries: str, gist: str) -> None:
    toy.refuses(*ARMS, (STAND_IN[0], f"try: {tries}"), because=gist)


# ---- part of an axis


LEVELS = (ALPHAS, ALPHAS.replace("[0, 10]", "[0, 5, 10]"))


def test_an_effect_may_run_along_a_part_of_an_axis(toy: Folder) -> None:
    mean = GAP.replace("drop}", "mean}, levels: {noise.alpha: [0, 5]}")
    models = "vary: {model: [perceptron, convnet4], noise.alpha: "
    study = toy.load(LEVELS, (GAP, mean), (f"{models}[0, 10]}}", f"{models}[0, 5, 10]}}"))
    assert study.tiers["full"].spec.effects["gap"].levels_of("noise.alpha", (0, 5, 10)) == (0, 5)


@pytest.mark.parametrize(
    ("levels", "gist"),
    [
        ("levels: {noise.alpha: [0, »7]}", "no run visits noise.alpha = 7; it takes 0, 10"),
        ("levels: {noise.alpha: [0, 10, »10]}", "noise.alpha = 10 is given twice"),
        ("levels: »{model: [mlp1]}", "levels: the effect does not run along model"),
    ],
)
def test_levels_are_those_of_an_axis_it_runs_along(toy: Folder, levels: str, gist: str) -> None:
    toy.refuses((GAP, GAP.replace("drop}", f"drop}}, {levels}")), because=gist)


# ---- validation images of the rest


@pytest.mark.parametrize(
    ("out_of", "clean", "left"),
    [("clean", 1000, 900), ("rest", 1000, 1000), ("rest", 1250, 1200), ("rest", 1300, 1200)],
)
def test_where_the_validation_images_come_from(toy: Folder, out_of: str, clean: int, left: int) -> None:
    edits = ("validation: 100, seeds: 1}", f"validation: 100, seeds: 1, out_of: {out_of}}}")
    study = toy.load(edits, ("digits, clean: 1000", f"digits, clean: {clean}")).tiers["full"]
    for run in plan_study(study).choosing_runs:
        assert run.recipe["dataset"] == {"name": "digits", "clean": left, "validation": 100}


@pytest.mark.parametrize(("share", "epochs"), [(1, {3, 5}), (0.5, {2}), (0.1, {1})])
def test_choosing_runs_may_train_for_a_share_of_the_epochs(toy: Folder, share: float, epochs: set[int]) -> None:
    edit = ("validation: 100, seeds: 1}", f"validation: 100, seeds: 1, epochs: {{times: {share}}}}}")
    plan = plan_study(toy.load(edit).tiers["full"])
    assert {run.epochs for run in plan.choosing_runs} == epochs
    assert {job.recipe["epochs"] for job in plan.jobs} == {3, 5}


def test_a_share_of_the_epochs_may_be_for_some_cells_only(toy: Folder) -> None:
    share = "epochs: {times: 0.5, at: {model: convnet4}}}"
    plan = plan_study(toy.load(("validation: 100, seeds: 1}", f"validation: 100, seeds: 1, {share}")).tiers["full"])
    found = {(run.recipe["model"], run.epochs) for run in plan.choosing_runs}
    assert found == {("perceptron", 3), ("perceptron", 5), ("mlp1", 3), ("mlp1", 5), ("convnet4", 2)}
    toy.refuses(("validation: 100, seeds: 1}", f"validation: 100, seeds: 1, {share.replace('convnet4', '»mlp3')}"),
                because="no run")  # fmt: skip


def test_choosing_for_all_epochs_may_be_an_alternative(toy: Folder) -> None:
    share = ("validation: 100, seeds: 1}", "validation: 100, seeds: 1, epochs: {times: 0.5}}")
    tries = "try: {optimizer.momentum: 0.5, choose.epochs: {times: 1}}"
    longer = ("base: {epochs: 1}", "base: {epochs: 2}")  # half of one epoch is one epoch
    study = toy.load(share, longer, ("try: {optimizer.momentum: 0.5}", tries)).tiers["full"]
    assert alternatives(study) == ["optimizer.momentum", "choose.epochs"]
    assert {run.epochs for run in plan_study(variant(study, "choose.epochs")).choosing_runs} == {3, 5}
    whole = toy.load(("try: {optimizer.momentum: 0.5}", tries)).tiers["full"]
    assert alternatives(whole) == ["optimizer.momentum"]
    toy.refuses(share, ("try: {optimizer.momentum: 0.5}", "try: {choose.epochs: »2}"), because="choose.epochs takes")


def test_a_share_of_the_epochs_would_cut_a_schedule_short(toy: Folder) -> None:
    choose = ("validation: 100, seeds: 1}", "validation: 100, seeds: 1, epochs: »{times: 0.5}}")
    cosine = ("schedule: {kind: constant}", "schedule: {kind: cosine, final: 0.0, length: 2, unit: epochs, per: epoch}")
    toy.refuses(choose, cosine, because="cut the schedule short")
    toy.refuses((choose[0], "validation: 100, seeds: 1, epochs: {times: »1.5}}"), because="less than or equal to 1")


def test_a_choice_of_an_option_that_some_cells_do_not_have(toy: Folder) -> None:
    """At alpha 0 the noisy loss is the cross-entropy, whose form there is none of: its candidates are one run."""
    choose = "{key: optimizer.lr, from: [0.05, 0.1], per: [model]"
    edits = (METHOD, LOSS.replace("10", "0")), (choose, choose.replace("optimizer.lr, from: [0.05, 0.1]",
             "method.form, from: [definition, proportional]"))  # fmt: skip
    plan = plan_study(toy.load(*edits).tiers["full"])
    assert {run.recipe["method"] for run in plan.choosing_runs} == {"standard"}
    assert len({run.id for run in plan.choosing_runs}) == 3 * 2
