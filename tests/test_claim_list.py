"""Every claim of Rolnick et al. 2018, and of Pleiss et al. 2020 on the area under the loss (AUL) as
a detector of wrong labels, stands in one study, with a tier for each scale."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lnbench.judge import alternatives
from lnbench.plan import plan_runs, plan_study
from lnbench.spec import LoadedStudy, Recipe, load_study, variant
from lnbench.training.shape import examples_an_epoch

ROOT = Path(__file__).parent.parent
CLAIMS = ROOT / "claims"
ROLNICK = sorted(["effective_batch_size", *(path.stem for path in CLAIMS.glob("rolnick_*.yaml"))])
TRAINED = [name for name in ROLNICK if name != "rolnick_identities"]
ON_CIFAR = ["rolnick_cifar", "rolnick_foreign_noise", "rolnick_learning_rate"]
DATA = {**dict.fromkeys(ON_CIFAR, "cifar10"), "rolnick_imagenet": "imagenet", "rolnick_cifar100_top5": "cifar100"}
MASSIVE_NOISE = {
    *(f"R001-{number:02}" for number in range(1, 29) if number != 24),
    "R001-03-cifar100", "R001-16-cifar100",  # surrogates for 3 and 16, which are about ImageNet
    "R001-24-mnist", "R001-24-cifar",  # its steps on MNIST and on CIFAR-10
    "R001-06-law", "R001-18-law",  # the identities behind R001-06 and R001-18
}  # fmt: skip

ABOUT_THE_AUL = {
    *(f"A004-{number:02}" for number in [*range(1, 32)]),
    "A004-13-bias", "A004-14-little", "A004-14-precision",  # other sentences on the same two figures
    "A004-15-pair", "A004-15-precision", "A004-15-recall",  # and on CIFAR-100
}  # fmt: skip

BATCH_SIZE = {f"E000-{number:02}" for number in range(1, 19) if number != 14}  # 14, the schedules, is a test

# 09 is arithmetic (tests/spec/test_baseline_sam2022.py), 12 the schedules of rho (tests/training/test_rho_schedules.py)
SAM = {f"S003-{number:02}" for number in range(1, 15) if number not in (9, 12)} | {"S003-05-double"}


def test_each_claim_stands_once(studies: list[LoadedStudy]) -> None:
    rolnick = [study for study in studies if study.name in ROLNICK]
    ids = [claim.id for study in rolnick for claim in study.any.spec.claims]
    assert sorted(ids) == sorted(MASSIVE_NOISE)
    assert {study.any.spec.paper for study in rolnick} == {"rolnick2018"}


def test_each_is_checked_by_smoke_and_stated_at_the_papers_scale(studies: list[LoadedStudy]) -> None:
    for study in studies:
        if study.name in ROLNICK:
            assert {"smoke", "full"} <= set(study.tiers), study.name
            for tier in study.tiers.values():
                ids = [claim.id for claim in tier.spec.claims]
                assert ids == [claim.id for claim in study.any.spec.claims], tier.key


def test_what_is_trained_is_the_papers_data_and_can_be_trained_here(studies: list[LoadedStudy]) -> None:
    """Every study of trained networks has a tier for two cores; smoke needs no download."""
    for study in studies:
        if study.name not in ROLNICK or not isinstance(study.any.spec.runs.base, Recipe):
            continue
        # whose ResNets are too large for it
        assert "cpu" in study.tiers or study.name in ("rolnick_cifar", "rolnick_imagenet"), study.name
        own = DATA.get(study.name, "mnist")
        for name, tier in study.tiers.items():
            data = {cell.recipe.datasets[0] for cell in tier.cells}
            assert data == ({"digits"} if name == "smoke" else {own}), tier.key


def test_an_ordering_has_five_seeds_at_least_on_real_data(studies: list[LoadedStudy]) -> None:
    for study in studies:
        for name, tier in study.tiers.items():
            kinds = {part.kind for claim in tier.spec.claims for part in claim.parts.values()}
            if study.name in ROLNICK and name != "smoke" and kinds & {"ordered", "trend"}:
                assert tier.spec.runs.seeds.n >= 5, tier.key


def test_each_claim_about_the_aul_stands_once(studies: list[LoadedStudy]) -> None:
    aul = [study for study in studies if study.name.startswith("aul_")]
    assert sorted(claim.id for study in aul for claim in study.any.spec.claims) == sorted(ABOUT_THE_AUL)
    assert {study.any.spec.paper for study in aul} == {"aul2020"}
    for study in aul:
        assert {"smoke", "full"} <= set(study.tiers), study.name


def test_studies_of_the_aul_train_a_network_once(studies: list[LoadedStudy]) -> None:
    """All draw images and wrong labels alike, and where two need the same network it is one run."""
    runs: dict[str, dict[str, set[str]]] = {}
    for study in studies:
        for name, tier in study.tiers.items() if study.name.startswith("aul_") else ():
            assert tier.spec.runs.seeds.pair == ("split", "noise"), tier.key
            runs.setdefault(name, {})[study.name] = {run.id for run in plan_runs(plan_study(tier))}
    assert runs["cpu"]["aul_before_drop"] == runs["cpu"]["aul_detection"]
    assert runs["full"]["aul_before_drop"] == runs["full"]["aul_dynamics"]
    assert not runs["cpu"]["aul_dynamics"] & runs["cpu"]["aul_detection"]  # a scale at which wrong labels are learned
    assert runs["smoke"]["aul_dynamics"] == runs["smoke"]["aul_mnist"]
    assert runs["smoke"]["aul_dynamics"] < runs["smoke"]["aul_consistency"]
    assert (
        runs["smoke"]["aul_detection_levels"] | runs["smoke"]["aul_detection_cifar100"] < runs["smoke"]["aul_detection"]
    )
    for tier in ("lite", "full"):
        assert runs[tier]["aul_detection_levels"] < runs[tier]["aul_detection"]
        assert runs[tier]["aul_modes"] < runs[tier]["aul_detection"]
        assert runs[tier]["aul_precision_cifar100"] < runs[tier]["aul_detection_cifar100"]
        assert len(runs[tier]["aul_consistency"] & runs[tier]["aul_detection"]) == 5


def test_each_claim_about_batch_size_stands_once_with_a_control(studies: list[LoadedStudy]) -> None:
    of_report = [study for study in studies if study.any.spec.paper == "eth2022"]
    assert sorted(claim.id for study in of_report for claim in study.any.spec.claims) == sorted(BATCH_SIZE)
    for study in of_report:
        assert {"smoke", "full"} <= set(study.tiers), study.name
        arms = study.tiers["full"].spec.runs.vary.get("arm", ())
        assert "cycle-epochs" in arms or study.name in ("batch_lr_ratio", "vgg_fashion_mnist"), study.name


def test_studies_of_batch_size_train_a_network_once(studies: list[LoadedStudy]) -> None:
    """The report's studies and the bridge share their runs at a scale; schedules in steps end where the runs do."""
    names = ("batch_size_reversal", "noisy_memorisation", "gradient_similarity", "batch_size_bridge")
    by_name = {study.name: study for study in studies if study.name in names}
    for tier in ("full", "lite", "cpu"):
        runs = {name: {run.id for run in plan_runs(plan_study(by_name[name].tiers[tier]))} for name in names}
        assert runs["noisy_memorisation"] <= runs["batch_size_reversal"] | runs["gradient_similarity"], tier
        new = runs["batch_size_bridge"] - runs["batch_size_reversal"] - runs["gradient_similarity"]
        recipes = [run.recipe for run in plan_runs(plan_study(by_name["batch_size_bridge"].tiers[tier]))
                   if run.id in new]  # fmt: skip
        assert all(recipe["schedule"] == {"kind": "constant"} for recipe in recipes), tier
    for cell in by_name["batch_size_reversal"].tiers["cpu"].cells:
        recipe = cell.recipe
        assert isinstance(recipe, Recipe)
        if cell.point["arm"] == "cycle":
            assert 384 <= updates(recipe) <= 384 + -(-2000 // recipe.batch_size), "no more than an epoch at rate 0"


def test_each_claim_about_sam_and_red_noise_stands_once(studies: list[LoadedStudy]) -> None:
    of_report = [study for study in studies if study.any.spec.paper == "sam2022"]
    assert sorted(claim.id for study in of_report for claim in study.any.spec.claims) == sorted(SAM)
    for study in of_report:
        assert {"smoke", "full"} <= set(study.tiers), study.name
        assert "cpu" in study.tiers or study.name == "sam_cost", study.name  # whose full tier is about a CPU


def test_human_noise_is_compared_at_its_own_rates(studies: list[LoadedStudy]) -> None:
    """The uniform arms have the published rates of the human labels, and the matrix arms their tables."""
    (study,) = (study for study in studies if study.name == "red_vs_blue")
    for name in ("full", "lite", "cpu"):
        noise = {cell.point["arm"]: cell.recipe.identity()["noise"] for cell in study.tiers[name].cells}
        for rate, human in ((17, "random1"), (40, "worst")):
            uniform = noise[f"uniform-{rate}"]
            assert (uniform["kind"], uniform["include_true_class"]) == ("replace_uniform", False)
            assert uniform["rate"] == {"random1": 0.17234, "worst": 0.40208}[human]
            assert noise[f"matrix-{rate}"] == {"kind": "class_conditional", "like": human}
            assert noise[human] == {"kind": "human", "labels": human}


def updates(recipe: Recipe) -> int:
    """The steps of a training: batches of each pass, the last one perhaps smaller."""
    return recipe.epochs * -(-examples_an_epoch(recipe.identity()) // recipe.batch_size)


@pytest.mark.parametrize("name", ROLNICK)
def test_a_reduced_tier_says_each_claim_in_words_of_its_own(name: str) -> None:
    study = load_study(CLAIMS / f"{name}.yaml")
    full = {claim.id: claim.says for claim in study.tiers["full"].spec.claims}
    for key, tier in study.tiers.items():
        for claim in tier.spec.claims if key != "full" else ():
            assert claim.says != full[claim.id], f"{claim.id} at {key} has the sentence of the full tier"


def test_a_row_of_a_reduced_tier_says_how_many_random_labels_were_there() -> None:
    cpu = load_study(CLAIMS / "rolnick_mnist.yaml").tiers["cpu"]
    assert {cell.point["noise.alpha"] for cell in cpu.cells} == {0, 10}
    assert all("10 random labels for each clean one (the paper: 100" in claim.says for claim in cpu.spec.claims)


@pytest.mark.parametrize("name", TRAINED)
@pytest.mark.parametrize("tier", ["full", "cpu"])
def test_what_the_paper_is_silent_about_stands_under_the_choices(name: str, tier: str) -> None:
    tiers = load_study(CLAIMS / f"{name}.yaml").tiers
    study = tiers[tier if tier in tiers else "lite"]
    chosen = {choice.key: choice for choice in study.spec.choices}
    drawn = chosen.get("resampling", chosen["noise"])
    silent = {"model", "noise", "augment", "epochs", "optimizer.eps", "optimizer.rho", "selection", "seeds"}
    assert silent <= set(chosen)
    assert "dropout" in str(chosen["model"].ours) and "drawn once" in str(drawn.ours)
    assert "[0, 1]" in str(chosen["augment"].ours)
    chooses = study.spec.runs.choose is not None
    assert ("choose.by" in chosen) == ("choose.from" in chosen) == chooses
    rate = "choose.from" if chooses else "optimizer.lr"
    tried = {"epochs", "optimizer.eps", *([] if "optimizer.lr" in study.spec.runs.vary else [rate])}
    assert tried <= set(alternatives(study))


@pytest.mark.parametrize(("tier", "levels"), [("full", (10, 20, 50)), ("cpu", (10,))])
def test_replaced_labels_are_tried_with_as_many_updates_as_the_diluted_ones(tier: str, levels: tuple[int, ...]) -> None:
    study = load_study(CLAIMS / "rolnick_counts.yaml").tiers[tier]
    arms = {cell.point["arm"]: cell.recipe for cell in study.cells}
    tried = {cell.point["arm"]: cell.recipe for cell in variant(study, "arm").cells}
    claim = next(claim for claim in study.spec.claims if claim.id == "R001-20")
    for alpha in levels:
        own, as_many = f"replaced-{alpha}", f"updates-{alpha}"
        judged, other = (own, as_many) if f"alpha-{alpha}" in claim.verdict.of else (as_many, own)
        assert tried[judged] == arms[other] != arms[judged]
        diluted, replaced = arms[f"diluted-{alpha}"], arms[as_many]
        assert isinstance(diluted, Recipe) and isinstance(replaced, Recipe)
        assert updates(replaced) == pytest.approx(updates(diluted), rel=0.002)


@pytest.mark.parametrize("tier", ["full", "cpu"])
def test_a_plateau_is_read_at_twice_and_four_times_the_need_in_equal_passes(tier: str) -> None:
    """And the regime says that the need is where the study measures it, and that more passes add nothing."""
    study = load_study(CLAIMS / "rolnick_dataset_size.yaml").tiers[tier]
    claim = next(claim for claim in study.spec.claims if claim.id == "R001-14")
    for part in claim.verdict.of:
        alpha = part.removeprefix("at-")
        gain, need, settled = (study.spec.effects[f"{what}-{alpha}"] for what in ("gain", "need", "settled"))
        assert {f"need-{alpha}", f"settled-{alpha}"} <= set(claim.requires)
        assert gain.minus is not None and settled.minus is not None
        sizes = [need.at["dataset.clean"], gain.minus["dataset.clean"], gain.at["dataset.clean"]]
        assert sizes == [sizes[0], 2 * sizes[0], 4 * sizes[0]]  # type: ignore[operator]
        assert f"{sizes[0]:,} images" in str(claim.parts[f"need-{alpha}"].because)
        passes = {study.at({"dataset.clean": size, "noise.alpha": int(alpha)}).recipe.epochs for size in sizes}  # type: ignore[union-attr,dict-item]
        assert passes == {settled.at["epoch"]}, "the last epoch, of all three sizes"
        last = passes.pop()
        assert settled.at["dataset.clean"] == tuple(sizes[1:])
        assert settled.minus["epoch"] == min(last - 1, round(last * 0.8))


@pytest.mark.parametrize("name", sorted(folder.name for folder in (ROOT / "reports").glob("rolnick_*")))
def test_every_training_that_a_committed_report_judged_is_still_one_of_its_study(name: str) -> None:
    study = load_study(CLAIMS / f"{name.rpartition('-')[0]}.yaml").tiers[name.rpartition("-")[2]]
    choose = study.spec.runs.choose
    ids = set()
    for key in (None, *alternatives(study)):
        plan = plan_study(variant(study, key) if key else study)
        ids |= {run.id for run in (*plan.choosing_runs, *plan.input_runs)}
        rates = choose.from_ if choose else (None,)
        ids |= {job.run(rate).id for job in plan.jobs if not job.needs for rate in rates}
    for line in (ROOT / "reports" / name / "records.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)["record"]
        if record["kind"] == "training" and not record["content"]["inputs"]:
            assert record["id"] in ids, record["content"]["recipe"]


def test_the_loss_of_wrong_labels_has_risen_at_both_epochs_of_the_sentence(studies: list[LoadedStudy]) -> None:
    """A004-03 names epochs 75 and 150 of 300, the latter the end of the first rate; smoke is too small for it."""
    study = next(study for study in studies if study.name == "aul_before_drop")
    for name, tier in study.tiers.items():
        (epochs, drop) = tier.spec.runs.base.epochs, tier.spec.runs.base.schedule.milestones[0]
        visited = tier.spec.effects["rise"].at["epoch"]
        assert name == "smoke" or (visited[-1] == drop and visited[0] == pytest.approx(epochs / 4, abs=0.5)), tier.key
        assert tier.spec.effects["rise"].minus == {"epoch": 1}, tier.key


def test_a_claim_about_late_training_requires_that_wrong_labels_are_memorised(studies: list[LoadedStudy]) -> None:
    """At every tier but smoke; and the claim that they are memorised does not require itself."""
    study = next(study for study in studies if study.name == "aul_dynamics")
    for name, tier in study.tiers.items():
        claims = {claim.id: claim for claim in tier.spec.claims}
        required = {claim.id for claim in claims.values() if "memorised" in claim.requires}
        assert required == (set() if name == "smoke" else {f"A004-{n}" for n in ("01", "02", "05", "16", "23")}), name
        for claim in (claims[found] for found in required):
            part = claim.parts["memorised"]
            assert (part.kind, part.effect, part.threshold) == ("below", "mislabeled-end", 0.693), tier.key
            effect = tier.spec.effects[part.effect]
            assert effect.at == {"epoch": tier.spec.runs.base.epochs}, tier.key


def test_what_a_sentence_puts_on_one_side_is_judged_on_one_side(studies: list[LoadedStudy]) -> None:
    """An AUL that gets better is no contradiction of "remains this high" or of "sufficient"."""
    claims = {claim.id: claim for study in studies for claim in study.any.spec.claims if study.name == "aul_dynamics"}
    for found, name in (("A004-02", "stays"), ("A004-23", "detects")):
        part = claims[found].parts[name]
        assert (part.kind, part.delta) == ("ordered", -0.01), found
    assert claims["A004-23"].verdict.of == ("detects",)  # nothing is said of ranks


def test_a_hypothesis_has_no_place_in_a_paper_and_mnist_is_a_surrogate(studies: list[LoadedStudy]) -> None:
    for study in studies:
        for claim in study.any.spec.claims if study.any.spec.paper == "lnbench" else ():
            assert str(claim.where) == "" and not study.any.baseline.authors, claim.id
    (surrogate,) = (c for s in studies if s.name == "aul_mnist" for c in s.any.spec.claims)
    assert surrogate.standing == "surrogate"


def test_alternatives_of_a_hypothesis_are_tried_at_every_tier_that_can(studies: list[LoadedStudy]) -> None:
    study = next(study for study in studies if study.name == "peers_label_errors")
    for name, tier in study.tiers.items():
        tried = [choice.try_ for choice in tier.spec.choices if choice.try_ is not None]
        assert tried == ([] if name == "smoke" else [{"folds": 6}]), name  # smoke has no folds


def test_a_reduced_tiers_sentence_says_what_is_reduced(studies: list[LoadedStudy]) -> None:
    for study in studies:
        if not study.name.startswith(("aul_", "peers_", "parity_")):
            continue
        full = {claim.id: claim.says for claim in study.tiers["full"].spec.claims}
        for name, tier in study.tiers.items():
            for claim in tier.spec.claims if name != "full" else ():
                told = "digits" if name == "smoke" else "000 images"
                assert told in claim.says and claim.says != full[claim.id], (tier.key, claim.id)
