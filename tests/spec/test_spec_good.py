"""What a valid study becomes: tiers, points, families, identities, and the claims that lnbench ships."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from lnbench.errors import SpecError, did_you_mean
from lnbench.plan import plan_study
from lnbench.spec import Effect, LoadedStudy, Recipe, load_study
from lnbench.spec import baseline as references
from lnbench.spec.tiers import at_tier
from lnbench.yamlfile import reader as specfile
from lnbench.yamlfile.tree import position_of
from tests.toys.edited_study import STUDY, Folder, edited


def refuse(place: tuple[int, int], what: str) -> None:
    pytest.fail(f"{place}: {what}")


def test_a_tier_changes_base_key_by_key(toy: Folder) -> None:
    tiers = toy.load().tiers
    cpu, full = tiers["cpu"].spec.runs.base, tiers["full"].spec.runs.base
    assert (full.epochs, cpu.epochs) == (3, 1)
    assert cpu.model_copy(update={"epochs": 3}) == full


def test_a_tier_replaces_the_other_run_blocks_whole(toy: Folder) -> None:
    tiers = toy.load().tiers
    assert tiers["cpu"].spec.runs.set == ()
    assert tiers["cpu"].spec.runs.vary["model"] == ("perceptron", "convnet4")
    assert tiers["smoke"].spec.runs.seeds.pair == ()
    assert tiers["cpu"].spec.runs.choose == tiers["full"].spec.runs.choose  # not named: as it was


def test_a_tier_takes_a_choice_away_with_null(toy: Folder) -> None:
    study = toy.load(("smoke: {runs: {", "smoke: {runs: {choose: null, "))
    assert study.tiers["smoke"].spec.runs.choose is None
    assert study.tiers["full"].spec.runs.choose is not None


def test_a_tier_changes_effects_and_parts_key_by_key_and_omits_parts(toy: Folder) -> None:
    change = "claims: {T-01: {says: Smaller., omit: [near], parts: {good: {threshold: 0.3}}}}"
    tiers = toy.load(("claims: {T-01: {omit: [near]}}", change)).tiers
    full, cpu = tiers["full"].spec, tiers["cpu"].spec
    assert cpu.effects["gap"] == full.effects["gap"].model_copy(update={"at": {"model": "convnet4"}})
    assert cpu.claims[0].says == "Smaller."
    assert list(cpu.claims[0].parts) == ["good"]
    assert cpu.claims[0].parts["good"] == full.claims[0].parts["good"].model_copy(update={"threshold": 0.3})
    assert list(full.claims[0].parts) == ["good", "near"]
    assert cpu.claims[1] == full.claims[1]


def test_an_effect_whose_parts_a_tier_omits_is_not_needed_there(toy: Folder) -> None:
    spare = "      loses: {kind: ordered, effect: gap}\n"
    tiers = toy.load(
        ("effects:\n", "effects:\n  mlp: {metric: test_accuracy, at: {model: mlp1, noise.alpha: 10}}\n"),
        (spare, f"{spare}      mlp-good: {{kind: above, effect: mlp, threshold: 0.5}}\n"),
        ("claims: {T-01: {omit: [near]}}", "claims: {T-02: {omit: [mlp-good]}}"),
    ).tiers
    assert set(tiers["full"].spec.effects) - set(tiers["cpu"].spec.effects) == {"mlp"}


def test_the_places_of_a_merged_tier_are_the_tiers_own_lines(toy: Folder) -> None:
    tree = specfile.load(toy.study)
    lines = STUDY.split("\n")
    merged = at_tier(tree, "cpu", refuse)

    def line(*path: str | int, key: bool = False) -> str:
        number, column = position_of(merged, path, key=key)
        return lines[number - 1][column - 1 :]

    assert line("runs", "base", "epochs") == "1}"
    assert line("runs", "base", "epochs", key=True) == "epochs: 1}"
    assert line("runs", "base", "batch_size") == "100"
    assert line("runs", "vary", "model", 1) == "convnet4], noise.alpha: [0, 10]}"
    assert line("effects", "gap", "at", "model") == "convnet4}}}"
    assert line("effects", "gap", "minus") == "{model: perceptron}}"
    assert line("deviations", 1) == "two networks]"


def test_merging_a_tier_changes_neither_the_file_nor_another_tier(toy: Folder) -> None:
    tree = specfile.load(toy.study)
    before = repr(tree)
    first = repr(at_tier(tree, "full", refuse))
    at_tier(tree, "cpu", refuse)
    assert repr(tree) == before
    assert repr(at_tier(tree, "full", refuse)) == first


def test_merge_keys_work_in_a_study(toy: Folder) -> None:
    study = toy.load(
        ("choose: {key", "choose: &lr {key"),
        ("      set: []\n", "      set: []\n      choose: {<<: *lr, from: [0.1]}\n"),
    )
    assert study.tiers["cpu"].spec.runs.choose is not None
    assert study.tiers["cpu"].spec.runs.choose.from_ == (0.1,)
    assert study.tiers["cpu"].spec.runs.choose.validation == 100


def test_cells_are_the_grid_with_the_set_rules_put_in(toy: Folder) -> None:
    full = toy.load().tiers["full"]
    assert len(full.cells) == 6
    epochs = {(cell.point["model"], cell.point["noise.alpha"]): cell.recipe.epochs for cell in full.cells}
    assert epochs == {(model, alpha): 5 if alpha == 0 else 3
                      for model in ("perceptron", "mlp1", "convnet4") for alpha in (0, 10)}  # fmt: skip
    assert all(cell.recipe.model == cell.point["model"] for cell in full.cells)


def test_a_later_set_rule_wins(toy: Folder) -> None:
    study = toy.load(("epochs: 5}\n", "epochs: 5}\n    - {at: {noise.alpha: 0, model: mlp1}, epochs: 7}\n"))
    assert study.tiers["full"].at({"model": "mlp1", "noise.alpha": 0}).recipe.epochs == 7
    assert study.tiers["full"].at({"model": "convnet4", "noise.alpha": 0}).recipe.epochs == 5


def test_a_cell_is_found_by_its_point(toy: Folder) -> None:
    full = toy.load().tiers["full"]
    for cell in full.cells:
        assert full.at(cell.point) is cell
    assert full.at({"noise.alpha": 10.0, "model": "mlp1"}).point == {"model": "mlp1", "noise.alpha": 10}


def test_an_axis_of_one_value_may_be_left_out_and_no_other(toy: Folder) -> None:
    alone = (
        "alpha: [0, 10]}\n  set:\n    - {at: {noise.alpha: 0}, epochs: 5}",
        "alpha: [0, 10], epochs: [3]}\n  set: []",
    )
    full = toy.load(alone).tiers["full"]
    assert full.at({"model": "mlp1", "noise.alpha": 10}).recipe.epochs == 3
    for point in (
        {"model": "mlp1"},
        {"model": "mlp9", "noise.alpha": 0},
        {"model": "mlp1", "noise.alpha": 0, "x": None},
    ):
        with pytest.raises(KeyError, match="is not one cell of toy-full"):
            full.at(point)


def test_a_family_has_a_member_for_each_value_of_its_lists() -> None:
    effect = Effect.model_validate(
        {"metric": "test_accuracy", "at": {"model": ("a", "b"), "x": 1}, "minus": {"model": ("c", "d")}}
    )
    assert effect.members() == [
        ({"model": "a", "x": 1}, {"model": "c", "x": 1}),
        ({"model": "a", "x": 1}, {"model": "d", "x": 1}),
        ({"model": "b", "x": 1}, {"model": "c", "x": 1}),
        ({"model": "b", "x": 1}, {"model": "d", "x": 1}),
    ]


def test_an_effect_without_lists_has_one_member() -> None:
    effect = Effect.model_validate({"metric": "test_accuracy", "at": {"x": 1}})
    assert effect.members() == [({"x": 1}, None)]


def test_whole_numbers_and_fractions_give_one_identity(toy: Folder) -> None:
    written = toy.load().tiers["full"].cells[0].recipe
    edits = [("alpha: 10, inc", "alpha: 10.0, inc"), ("weight_decay: 0}", "weight_decay: 0.0}")]
    edits += [("noise.alpha: [0, 10]}\n  set", "noise.alpha: [0.0, 10]}\n  set")]
    same = toy.load(*edits).tiers["full"].cells[0].recipe
    assert same.identity() == written.identity()
    assert repr(same.identity()) == repr(written.identity())  # 0.0 and 0.0, not 0


def test_how_a_curve_is_read_is_no_part_of_the_identity(toy: Folder) -> None:
    last = toy.load().tiers["full"].cells[0].recipe
    best = toy.load(("selection: last_epoch", "selection: best_test")).tiers["full"].cells[0].recipe
    assert last != best
    assert last.identity() == best.identity()
    # no part of the identity where they are not used; `arm` never
    later = {"pixels", "probes", "average", "repeat", "start", "arm"}
    assert set(Recipe.model_fields) - set(last.identity()) == {"selection", *later}


def test_a_candidate_of_a_choice_is_one_run_however_it_is_written(toy: Folder) -> None:
    plans = [plan_study(toy.load(("from: [0.05, 0.1]", f"from: [{one}, 0.1]")).tiers["full"]) for one in ("1", "1.0")]
    assert [run.id for run in plans[0].choosing_runs] == [run.id for run in plans[1].choosing_runs]
    assert [choice.id for choice in plans[0].choices] == [choice.id for choice in plans[1].choices]


def test_text_beyond_ascii_is_kept(toy: Folder) -> None:
    study = toy.load(("says: The network is good.", "says: Ein Netz mit α = 10 – «gut» 好 🙂."))
    assert study.any.spec.claims[0].says == "Ein Netz mit α = 10 – «gut» 好 🙂."


def test_a_quote_of_25_words_is_short_enough(toy: Folder) -> None:
    assert toy.load(('quote: "a good network"', f'quote: "{"word " * 25}"'))


def test_a_margin_of_half_a_printed_digit_is_wide_enough(toy: Folder) -> None:
    assert toy.load(("margin: 0.05", "margin: 0.0005"))


# the claims and numbers that lnbench ships


def test_all_claims_load_together_without_a_warning(studies: list[LoadedStudy]) -> None:
    assert studies
    for study in studies:
        if study.name == "engine_smoke":  # a study of no paper, for smoke alone
            assert set(study.tiers) == {"smoke"}
            continue
        assert [str(warning) for warning in study.warnings] == []
        assert {"smoke", "full"} <= set(study.tiers)


def test_all_baselines_load_and_every_reference_that_is_used_is_a_number(
    repository: Path, studies: list[LoadedStudy]
) -> None:
    baselines = {path.stem: references.load_baseline(path) for path in (repository / "baselines").glob("*.yaml")}
    for study in (loaded.any for loaded in studies):
        for claim in study.spec.claims:
            for part in claim.parts.values():
                reference = getattr(part, "reference", None)
                if reference is not None:
                    assert baselines[study.spec.paper].references[reference].number() is not None


def test_a_study_loads_in_less_than_a_second(repository: Path) -> None:
    path = repository / "claims" / "rolnick_mnist.yaml"
    load_study(path)
    took = []
    for _ in range(3):
        start = time.process_time()
        load_study(path)
        took.append(time.process_time() - start)
    assert min(took) < 1.0


PINNED = "Records of trainings hang on these ids: a change must be meant, and raises a version in the catalog."


def digest(ids: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()


@pytest.mark.parametrize(
    ("tier", "runs", "expected"),
    [
        ("cpu", 30, "4f603a7b88084eec60ffac3025e7ecdf975f5565e42faa3de559b9687a570da9"),
        ("full", 125, "f98cc158286ff34298c2d0118823a8d6b2dc63a1735a5b302d64a33aaaf9033a"),
    ],
)
def test_the_runs_of_the_first_long_study_keep_their_ids(repository: Path, tier: str, runs: int, expected: str) -> None:
    """A pin goes with the study's own text: whoever changes a recipe in that tier on purpose, changes it here."""
    study = load_study(repository / "claims" / "rolnick_mnist.yaml").tiers[tier]
    ids = [run.id for run in plan_study(study).provisional_runs()]
    assert len(ids) == runs
    assert digest(ids) == expected, PINNED


@pytest.mark.parametrize(
    ("tier", "records", "expected"),
    [
        ("full", 33, "e15a9d285da6f158c938d20ce67779d0cf4f5ca7ee24b969f0254a3118478495"),
        ("cpu", 22, "a8e8c0e3f8ff2867a1a68c3b8e5c12426130a733bdb60b3191dabab8d0ab8408"),
        ("smoke", 27, "5d8eab25c8bd68a8f14abb69440d19b99703675062f7e3e9f2bd75432c387d6c"),
    ],
)
def test_a_study_whose_text_is_the_same_keeps_the_ids_of_its_runs_and_choices(
    toy: Folder, tier: str, records: int, expected: str
) -> None:
    plan = plan_study(toy.load().tiers[tier])
    ids = [record.id for record in (*plan.provisional_runs(), *plan.choosing_runs, *plan.choices)]
    assert len(ids) == records
    assert digest(ids) == expected, PINNED


# hints


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("sedes", "did you mean 'seeds'?"),
        ("last", "did you mean 'last_epoch'?"),
        ("zzz", "known: last_epoch, seeds"),
        ("s" * 200, "known: last_epoch, seeds"),
    ],
)
def test_a_hint_names_what_is_near_or_else_what_there_is(word: str, hint: str) -> None:
    assert did_you_mean(word, ["seeds", "last_epoch"]) == hint


def test_a_hint_is_never_longer_than_a_line_can_hold() -> None:
    hint = did_you_mean("zzz", [f"name{number}" for number in range(100)])
    assert hint.endswith("and 88 more")
    assert did_you_mean("x", []) == "none is defined"


def test_the_toy_study_is_valid(toy: Folder) -> None:
    assert [warning.what for warning in toy.load().warnings if "decide nothing" not in warning.what] == []
    assert edited(STUDY) == STUDY


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (("    where: {table: 1}\n", ""), "where: say where the paper says it"),
        (
            ('    quote: "a good network"\n    where: {table: 1}\n', "    where: {}\n"),
            "where: without a `quote` name the place",
        ),
        (('    quote: "a good network"\n', '    quote: ""\n'), "quote: "),
        (("says: The network is good.", 'says: ""'), "says: "),
        (("    verdict: good\n", '    not_testable: ""\n    verdict: good\n'), "not_testable: "),
        (("    verdict: good\n", '    requires: {near: ""}\n    verdict: good\n'), "near: "),
    ],
)
def test_a_papers_claim_has_a_place_and_no_text_for_a_reader_is_empty(
    toy: Folder, edit: tuple[str, str], what: str
) -> None:
    with pytest.raises(SpecError) as caught:
        toy.load(edit)
    assert what in str(caught.value) and f"{toy.study}:" in str(caught.value)


def test_a_hypothesis_needs_no_place(toy: Folder) -> None:
    new = "    standing: hypothesis\n"
    (claim, _) = toy.load(('    quote: "a good network"\n    where: {table: 1}\n', new)).any.spec.claims
    assert str(claim.where) == ""
