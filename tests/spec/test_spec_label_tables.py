"""What a study says of labels from tables: what is right, where a mistake is, and what is part of a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.plan import plan_study
from lnbench.spec import Recipe, load_study, variant
from lnbench.spec.registration import registration
from tests.toys.edited_study import STUDY, Folder, edited
from tests.toys.labelled import MATRIX, noisy_digits, write_labels
from tests.toys.labelled import STUDY as LABELLED
from tests.toys.project import paper, write_project

NOISE = "noise: {kind: dilute_uniform, alpha: 10, include_true_class: true}"
STANDS = [("noise.alpha: [0, 10]", "batch_size: [100, 50]"), ("{noise.alpha: 0}", "{batch_size: 50}"),
          ("noise.alpha", "batch_size"), ("batch_size: 10}", "batch_size: 100}")]  # fmt: skip
ZERO = "0000000000000000000000000000000000000000000000000000000000000000"


def with_noise(noise: str) -> str:
    """The toy study with this noise, which has no alpha: its axis becomes the batch size."""
    text = edited(STUDY, (NOISE, f"noise: {noise}"))
    for old, new in STANDS:
        text = text.replace(old, new)
    return text


def of_cifar(text: str, name: str = "cifar10") -> str:
    return text.replace("name: digits", f"name: {name}").replace("convnet4", "mlp2")


@pytest.mark.parametrize(
    ("noise", "gist"),
    [
        ("{kind: human, labels: »worst}", "labels: digits has no human labels; cifar10 and cifar100 have some"),
        ("{kind: human, labels: »wurst}", "labels: 'wurst' is not known; did you mean 'worst'?"),
        ("»{kind: human}", "missing key 'labels' in noise"),
        ("{kind: hard_images, rate: »1.5}", "rate: must be less than or equal to 1, not 1.5"),
        ("»{kind: hard_images}", "missing key 'rate' in noise"),
        ("{kind: »class_conditional}", "give `matrix`, rows of shares, or `like`"),
        ("{kind: class_conditional, like: »worst}", "like: digits has no human labels"),
        (
            "{kind: class_conditional, matrix: [[1, 0], [0, 1]], like: »worst}",
            "give `matrix`, rows of shares, or `like`",
        ),
        ("{kind: class_conditional, matrix: »[[1, 0], [0, 1]]}", "matrix: a matrix of 2 classes, but digits has 10"),
        ("{kind: class_conditional, matrix: »[[1, 0], [0.5, 0.4]]}", "row 1 sums to 0.9; its shares must sum to 1"),
        ("{kind: class_conditional, matrix: »[[1, 0], [1]]}", "row 1 has 1 numbers; the matrix needs 2"),
        ("{kind: class_conditional, matrix: [[»1.5, 0.5], [0, 1]]}", "must be less than or equal to 1"),
        ("{kind: class_conditional, matrix: [[0.9, 0.1], [0, 1]], rate: »0.6}", "class 0 would be wrong more often"),
        ("{kind: labels_file, path: a.npy, sha256: »12ab}", "a file's sha256 has 64 digits"),
        ("»{kind: labels_file, path: a.npy}", "write the file's sha256; there is no file"),
        ("»{kind: labels_file}", "write the file's sha256; and its path"),
        (f'{{kind: labels_file, path: »"", sha256: "{ZERO}"}}', "path: "),
        (f'{{kind: labels_file, path: claims, sha256: "{ZERO}", »kye: a}}', "unknown key 'kye'; did you mean 'key'?"),
    ],
)
def test_what_is_wrong_with_such_noise(toy: Folder, noise: str, gist: str) -> None:
    toy.refuses_text(with_noise(noise), gist)


@pytest.mark.parametrize(
    ("name", "noise", "gist"),
    [
        ("cifar10", "{kind: human, labels: »noisy}", "'noisy' are no human labels of cifar10"),
        ("cifar100", "{kind: human, labels: »worst}", "'worst' are no human labels of cifar100; cifar100 has noisy"),
        ("cifar10", "{kind: class_conditional, like: »wrost}", "did you mean 'worst'?"),
    ],
)
def test_labels_of_another_data_set(toy: Folder, name: str, noise: str, gist: str) -> None:
    toy.refuses_text(of_cifar(with_noise(noise), name), gist)


@pytest.mark.parametrize(
    ("noise", "identity"),
    [
        ("{kind: human, labels: aggregate}", {"kind": "human", "labels": "aggregate"}),
        ("{kind: class_conditional, like: worst}", {"kind": "class_conditional", "like": "worst"}),
        ("{kind: class_conditional, like: worst, rate: null}", {"kind": "class_conditional", "like": "worst"}),
        (
            f"{{kind: class_conditional, matrix: {MATRIX}, rate: 0.1}}",
            {"kind": "class_conditional", "matrix": MATRIX, "rate": 0.1},
        ),
        ("{kind: hard_images, rate: 0.4}", {"kind": "hard_images", "rate": 0.4}),
        (f'{{kind: labels_file, path: no.npy, sha256: "{ZERO}"}}', {"kind": "labels_file", "sha256": ZERO}),
        (
            f'{{kind: labels_file, path: no.npz, sha256: "{ZERO}", key: a, check_order: false}}',
            {"kind": "labels_file", "sha256": ZERO, "key": "a", "check_order": False},
        ),
    ],
)
def test_what_decides_a_run(toy: Folder, noise: str, identity: dict[str, object]) -> None:
    toy.study.write_text(of_cifar(with_noise(noise)))
    recipe = load_study(toy.study).tiers["full"].cells[0].recipe
    assert isinstance(recipe, Recipe)
    assert recipe.identity()["noise"] == identity
    again = Recipe.model_validate({"selection": "last_epoch", **recipe.identity()})
    assert again.identity() == recipe.identity()


# ---- files


def test_a_wrong_or_missing_checksum_prints_the_files_own(toy: Folder) -> None:
    real = write_labels(toy.study.parent / "mine.npy", noisy_digits())
    toy.refuses_text(with_noise("»{kind: labels_file, path: mine.npy}"), f"write the file's sha256; it is {real}")
    wrong = with_noise(f'{{kind: labels_file, path: mine.npy, sha256: »"{ZERO}"}}')
    toy.refuses_text(wrong, f"sha256: that of mine.npy is {real}")
    toy.study.write_text(with_noise(f"{{kind: labels_file, path: mine.npy, sha256: {real}}}"))
    study = load_study(toy.study).tiers["full"]
    assert study.label_files == {real: str(toy.study.parent / "mine.npy")}


def test_a_folder_is_no_file_of_labels(toy: Folder) -> None:
    toy.refuses_text(with_noise(f'{{kind: labels_file, path: »".", sha256: "{ZERO}"}}'), "is not a file")


def study_with(folder: Path, path: str) -> Path:
    digest = write_labels(folder / "claims" / path, noisy_digits())
    noise = f'{{kind: labels_file, path: "{path}", sha256: {digest}}}'
    return write_project(folder, LABELLED.replace("FILE", noise), paper(), name="labelled")


def test_the_alternatives_of_a_study_read_its_file_too(tmp_path: Path) -> None:
    study = load_study(study_with(tmp_path, "mine.npy")).tiers["full"]
    for run in plan_study(variant(study, "epochs")).provisional_runs():
        assert dict(run.files) == (study.label_files if run.recipe["noise"]["kind"] == "labels_file" else {})


def test_where_the_file_lies_is_no_part_of_a_run_nor_of_what_is_registered(tmp_path: Path) -> None:
    studies = [load_study(study_with(tmp_path / name, f"{name}.npy")).tiers["full"] for name in ("one", "other")]
    runs = [plan_study(study).provisional_runs() for study in studies]
    assert [run.id for run in runs[0]] == [run.id for run in runs[1]]
    assert registration(studies[0].spec, studies[0].baseline) == registration(studies[1].spec, studies[1].baseline)
    for study, name in zip(studies, ("one", "other"), strict=True):
        (digest,) = study.label_files
        plan = plan_study(study)
        found = {run.recipe["noise"]["kind"]: run.files for run in plan.provisional_runs()}
        path = str(tmp_path / name / "claims" / f"{name}.npy")
        assert found == {"labels_file": {digest: path}, "hard_images": {}, "class_conditional": {}}
