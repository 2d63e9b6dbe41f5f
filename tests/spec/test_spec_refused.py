"""What used to be called valid and then crashed, or let a contradiction survive what was never tried: one line each."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.errors import MOST_SHOWN, LnbenchError, Problem, SpecError, visible
from lnbench.plan import demand_packages, missing_packages, plan_study, rehearse, selection
from lnbench.spec import Study, StudySpec, load_studies, load_study
from lnbench.spec.variants import alternatives, is_idle, variant
from lnbench.yamlfile import reader
from tests.toys.edited_study import STUDY, Folder, edited

RULE = "by: validation_accuracy, validation: 100, seeds: 1}"
CHOOSE = "choose: {key: optimizer.lr, from: [0.05, 0.1], per: [model], " + RULE
TRY = "try: {optimizer.momentum: 0.5}"


def chosen(key: str, values: str, rule: str = RULE) -> tuple[str, str]:
    return CHOOSE, f"choose: {{key: {key}, from: {values}, per: [model], {rule}"


@pytest.mark.parametrize(
    ("edits", "because"),
    [
        # an alternative that is none
        ([(TRY, "try: {»optimizer.lr: 0.5}")], "'optimizer.lr' would be undone by choose, which sets optimizer.lr"),
        ([(TRY, "try: {batch_size: »100}")], "try: batch_size changes no run of the study"),
        ([(TRY, "try: {choose.from: »[0.1, 0.05]}")], "try: choose.from changes no run of the study"),
        ([(TRY, "try: {epochs: »{times: 1}}")], "try: epochs changes no run of the study"),
        # fast, without the study of what it changes
        ([(TRY, "try: {precision: »fast}")], "no parity study shows what it changes (tier cpu, full)"),
        ([chosen("precision", "[fp32, »fast]")], "no parity study shows what it changes (tier cpu, full)"),
        # a recipe that base can have and a run cannot
        ([chosen("batch_size", "[100, »950]")], "batch_size: 950 is larger than the data, 900 clean images"),
        ([(TRY, "try: {batch_size: »1000}"), ("noise.alpha: 0}, epochs: 5", "noise.alpha: 0}, dataset.clean: 500")],
         "batch_size: 1000 is larger than the data, 500 clean images (tier smoke, full)"),
        ([(TRY, "try: {repeat: {times: 2}}")], None),
        # what cannot be chosen
        ([chosen("»arm", "[a, b]"), ("    epochs: 3\n", "    epochs: 3\n    arm: a\n")], "only names a place"),
        ([chosen("»repeat", "[1, 2]"), ("    epochs: 3\n", "    epochs: 3\n    repeat: 1\n")],
         "same training again"),
        ([chosen("optimizer.lr", "[0.05, 0.1]", RULE.replace("seeds: 1", "seeds: »1001"))], "or equal to 1000"),
        # too much of it
        ([("n: 3, pair", "n: 1000, pair"), ("noise.alpha: [0, 10]}\n  set", f"noise.alpha: {list(range(40))}}}\n  set"),
          ("seeds: {n: 1000", "seeds: »{n: 1000")], "runs: 120240 of them (tier full); at most 100000"),
        ([("title: A toy study", "title: »1.1e15")], "too large; at most 1.0e15"),
        # other names for a key, and for its only value
        ([(TRY, "»try_: {optimizer.momentum: 0.5}")], "unknown key 'try_'"),
        ([("schema: 1", "»schema_: 1")], None),
        ([("schema: 1", "schema: »true")], "schema: expected a whole number, not true"),
        ([("schema: 1", "schema: »1.0")], "schema: expected a whole number, not 1.0"),
        # names and texts
        ([("id: T-02", "id: »" + "T" * 101)], "at most 100 characters"),
        ([("title: A toy study", 'title: »"a\\0b"')], "the character U+0000 is not allowed in text"),
        ([("title: A toy study", 'title: »"a\\ud800b"')], "U+D800"),
        ([("title: A toy study", 'title: »"a\\u202eb"')], "the character U+202E is not allowed in text"),
        ([("  net: {metric", '  »"n\\et": {metric')], None),
    ],
)  # fmt: skip
def test_a_study_that_cannot_be_run_as_it_says_is_refused(
    toy: Folder,
    edits: list[tuple[str, str]],
    because: str | None,
) -> None:
    if because is not None:
        toy.refuses(*edits, because=because)
        return
    toy.study.write_text(edited(STUDY, *edits).replace("»", ""))
    with pytest.raises(SpecError):
        load_study(toy.study)


def test_weights_of_another_network_are_no_start(toy: Folder) -> None:
    """A warm start that was called valid, and failed at its run: shared weights of `base` for other networks."""
    start = ("    epochs: 3\n", "    epochs: 3\n    start: »»w\n")
    shared = ("  choose: {key", "  inputs: {w: {kind: weights, of: {epochs: 1}, seeds: 1}}\n  choose: {key")
    because = [f"start: w gives weights of the model mlp1, and this run has the model {name}" for name in ("c", "p")]
    toy.refuses(start, shared, because=because)
    own = ("  choose: {key", "  inputs: {w: {kind: weights, of: {epochs: 1}, per: seed}}\n  choose: {key")
    assert rehearse([toy.load((start[0], start[1].replace("»", "")), own)]) == []


def test_an_input_that_needs_itself_is_a_circle(toy: Folder) -> None:
    start = ("    epochs: 3\n", "    epochs: 3\n    start: w\n")
    circle = ("  choose: {key", "  inputs: {w: {kind: weights, of: {»start: w}, per: seed}}\n  choose: {key")
    with pytest.raises(SpecError, match="w would be made of runs that read it"):
        toy.load(start, (circle[0], circle[1].replace("»", "")))


def test_a_cell_without_the_key_keeps_its_recipe_under_an_alternative(toy: Folder) -> None:
    """An optimiser without momentum at one level: the alternative changes the others, and no plan crashes."""
    adam = "optimizer: {kind: adam, lr: 0.01, beta1: 0.9, beta2: 0.999, eps: 1.0e-8, weight_decay: 0.0}"
    edits = ("noise.alpha: 0}, epochs: 5", f"noise.alpha: 0}}, {adam}"), (CHOOSE, "choose: null")
    study = toy.load(*edits).tiers["full"]
    other = variant(study, "optimizer.momentum")
    same = [one.recipe == two.recipe for one, two in zip(study.cells, other.cells, strict=True)]
    assert any(same) and not all(same)
    assert not is_idle(study, "optimizer.momentum")


def test_candidates_of_an_alternative_are_typed_as_the_studys_are(toy: Folder) -> None:
    study = toy.load((TRY, "try: {choose.from: [1, 0.1]}")).tiers["full"]
    assert alternatives(study) == ["choose.from"]
    choose = variant(study, "choose.from").spec.runs.choose
    assert choose is not None and [repr(value) for value in choose.from_] == ["1.0", "0.1"]


def test_by_alias_only() -> None:
    """What a file calls `from`, `try`, `with` and `schema` has no second name."""
    assert "populate_by_name" not in StudySpec.model_config


# Several studies


def test_two_studies_of_one_file_name_are_refused(tmp_path: Path) -> None:
    first, second = (Folder(tmp_path / name) for name in "ab")
    second.study.write_text(STUDY.replace("T-01", "U-01").replace("T-02", "U-02"))
    with pytest.raises(SpecError, match=r"is named as .* is, and a study is known by its file's name"):
        load_studies([first.study, second.study])
    again = tmp_path / "a" / "claims" / ".." / "claims" / "toy.yaml"
    assert len(load_studies([first.study, again])) == 1  # the same file


# Sizes first


@pytest.mark.parametrize(
    "edit",
    [
        ("noise.alpha: [0, 10]}\n  set", f"noise.alpha: {list(range(27_000))}}}\n  set"),
        ("noise.alpha: [0, 10]}\n  set", f"noise.alpha: {[1] * 4000}}}\n  set"),
        ("net: {metric: test_accuracy, at: {model: convnet4,",
         f"net: {{metric: test_accuracy, at: {{model: {['x'] * 4000},"),
        ("deviations: [one epoch, two networks]", f"deviations: {[1] * 4000}"),
        ("title: A toy study", "title: A toy study\n" + "\n".join(f"k{index}: 1" for index in range(2000))),
        ("from: [0.05, 0.1]", f"from: {[0.1] * 9000}"),
    ],
    ids=["levels", "equal levels", "unknown levels", "wrong types", "unknown keys", "candidates"],
)  # fmt: skip
def test_a_file_of_thousands_of_mistakes_is_refused_in_a_screenful(
    toy: Folder,
    edit: tuple[str, str],
) -> None:
    """Each of these took a minute and more, as every value was compared with every other."""
    with pytest.raises(SpecError) as caught:
        toy.load(edit)
    assert len(str(caught.value).split("\n")) <= MOST_SHOWN + 1
    assert len(str(caught.value)) < 20_000


def test_more_problems_than_are_shown_are_counted() -> None:
    error = SpecError([Problem(Path("study.yaml"), line, 1, "wrong") for line in range(1, 61)])
    assert str(error).split("\n")[-1] == "study.yaml: and 10 more problems after these"
    assert len(error.problems) == 60


# Messages


def test_what_a_terminal_obeys_is_shown_escaped() -> None:
    assert visible("a\x1b[2Jb\u202ec\nd\u2028") == r"a\x1b[2Jb\u202ec\nd\u2028"
    assert visible("é – α名前") == "é – α名前"
    assert str(Problem(Path("a\x07.yaml"), 3, 4, "no effect 'x\x1b[31m'")) == r"a\x07.yaml:3:4: no effect 'x\x1b[31m'"


# Values on the command line


@pytest.mark.parametrize(("text", "points"), [("noise.alpha=1.0e1", 3), ("noise.alpha=10.0", 3), ("noise.alpha=00", 3)])
def test_where_compares_numbers_as_numbers(toy: Folder, text: str, points: int) -> None:
    study = toy.load().tiers["full"]
    only = selection(study, where=[text])
    assert sum(only(cell.point) for cell in study.cells) == points
    with pytest.raises(LnbenchError, match=r"no run is at that value; noise.alpha takes 0, 10"):
        selection(study, where=["noise.alpha=ten"])


def test_more_runs_than_a_plan_may_have_are_refused(toy: Folder) -> None:
    with pytest.raises(LnbenchError, match="at most 100000 in one plan"):
        plan_study(toy.load().tiers["full"], 20_000)


def test_a_missing_optional_package_is_found_before_training(monkeypatch: pytest.MonkeyPatch, repository: Path) -> None:
    study: Study = load_study(repository / "claims" / "peers_label_errors.yaml").tiers["full"]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert missing_packages(study) == [
        "peers_label_errors-full needs the package cleanlab, which is not installed: pip install 'lnbench[peers]'"
    ]
    with pytest.raises(LnbenchError, match="cleanlab"):
        demand_packages(study)


# One reader


def test_libyaml_is_not_asked_about_what_it_reads_otherwise(tmp_path: Path) -> None:
    """A tab behind a key, and a question mark in a plain word: errors with PyYAML's own parser, none with libyaml."""
    path = tmp_path / "x.yaml"
    for text, why in (("a:\n  b:\t1\n", "a tab is not allowed here"), ("a: {b? 1}\n", "a comma is missing")):
        path.write_text(text)
        with pytest.raises(SpecError, match=why):
            reader.load(path)
