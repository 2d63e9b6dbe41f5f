"""What somebody who had never seen `lnbench detect` was told wrongly, or not at all, each with its small input."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import lnbench.detect
from lnbench.detect.reading import From, read
from lnbench.detect.tensors import as_array
from lnbench.detect.wording import counted, named
from lnbench.errors import DataError, LnbenchError
from tests.toys.planted_digits import detect

QUICK = ("--runs", 1, "--epochs", 1, "--model", "perceptron", "--top", 8, "--workers", 0)
IN_PYTHON: dict[str, Any] = {"runs": 1, "epochs": 1, "model": "perceptron", "top": 8, "device": "cpu"}


@pytest.fixture
def shades(away: Path) -> dict[str, Any]:
    """60 images of two classes, 8×8, as arrays and as shades.npz."""
    labels = np.arange(60) % 2
    noise = np.random.default_rng(0).integers(0, 100, (60, 8, 8))
    arrays = {"images": (noise + 100 * labels[:, None, None]).astype(np.uint8), "labels": labels}
    np.savez(away / "shades.npz", **arrays)
    return arrays


def folder_of(root: Path, side: int, names: tuple[str, ...] = ("a", "b")) -> Path:
    rng = np.random.default_rng(0)
    for name in names:
        (root / name).mkdir(parents=True)
        for number in range(30):
            Image.fromarray(rng.integers(0, 255, (side, side)).astype(np.uint8)).save(root / name / f"{number}.png")
    return root


def notes_of(path: Path) -> list[str]:
    return read(path, None, lambda line: None, From()).notes


def test_only_images_that_were_scaled_are_said_to_be(away: Path) -> None:
    for side, scaled in ((8, False), (12, True)):
        folder_of(away / f"of{side}", side)
        assert detect(away / f"of{side}", *QUICK, "--size", 8) == 0
        page = (away / f"of{side}.detect/report.md").read_text()
        assert "What a picture of 8×8 pixels does not show" in page
        assert ("scaled down" in page) == scaled and ("was scaled to 8×8" in page) == scaled


def test_images_of_a_data_set_in_memory_are_said_to_be_scaled(away: Path) -> None:
    rng = np.random.default_rng(0)
    pairs = [(rng.integers(0, 255, (14, 14)).astype(np.uint8), number % 2) for number in range(60)]
    found = lnbench.detect.detect(pairs, away / "out", size=8, **IN_PYTHON)
    assert found.data.scaled_down and "each image's middle square was scaled to 8×8 pixels" in found.data.notes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from-losses", "none.npz"), "--from-losses none.npz: no such file"),
        (("shades.npz", "--labels-file", "none.npy"), "--labels-file none.npy: no such file"),
        (("list.csv", "--images", "none"), "--images none: no such folder"),
    ],
)
def test_a_file_that_is_not_there_is_wrong_usage(
    shades: dict[str, Any], away: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (away / "list.csv").write_text("path,label\n")
    assert detect(*arguments) == 2
    assert said in capsys.readouterr().err


def test_which_labels_is_said_for_the_command_line_too(
    shades: dict[str, Any], away: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(away / "labels.npz", ours=shades["labels"], theirs=shades["labels"])
    assert detect("shades.npz", "--labels-file", "labels.npz") == 6
    assert "--labels-key; it has ours, theirs" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [
        ("--epochs", "3"), ("--runs", "3"), ("--lr", "0.1"), ("--model", "mlp1"), ("--seed", "0"), ("--folds", "3"),
        ("--batch-size", "64"), ("--augment", "none"), ("--precision", "fp32"), ("--size", "8"), ("--images", "."),
        ("--labels-file", "x.npy"), ("--labels-key", "x"), ("--data-dir", "."),
    ],
)  # fmt: skip
def test_an_option_that_losses_leave_nothing_to_do_for_is_refused(
    away: Path, option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(away / "run.npz", losses=np.random.default_rng(0).random((3, 60)))
    assert detect("--from-losses", "run.npz", *option) == 2
    assert f"{option[0]}: is of" in capsys.readouterr().err and not list(away.glob("*.detect"))


def test_losses_of_images_take_what_says_where_these_are(shades: dict[str, Any], away: Path) -> None:
    np.savez(away / "run.npz", losses=np.random.default_rng(0).random((3, 60)))
    assert detect("shades.npz", "--from-losses", "run.npz", "--size", 8, "--top", 5) == 0
    assert "scaled down" not in (away / "run.npz.detect/report.md").read_text()


def test_cleaned_labels_never_lie_among_the_images(away: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder_of(away / "pictures", 8)
    (away / "link").symlink_to(away / "pictures")
    lines = [f"{name}/{number}.png,{name}" for name in "ab" for number in range(30)]
    (away / "list.csv").write_text("\n".join(["path,label", *lines]))
    for file in ("pictures/cleaned.csv", "pictures/a/cleaned.npz", "link/cleaned.csv"):
        assert detect("pictures", *QUICK, "--write-cleaned", file) == 2
        assert "is inside the images' folder" in capsys.readouterr().err
        assert detect("list.csv", "--images", "pictures", *QUICK, "--write-cleaned", file) == 2
    assert detect("list.csv", "--images", "pictures", *QUICK, "-o", "pictures/out") == 2
    assert sorted(one.name for one in (away / "pictures").iterdir()) == ["a", "b"]
    (away / "pictures/list.csv").write_text((away / "list.csv").read_text())  # a CSV's own folder is its user's
    assert detect("pictures/list.csv", "--images", "pictures", *QUICK, "--write-cleaned", "pictures/cleaned.csv") == 0


def test_two_classes_of_one_name_are_refused(shades: dict[str, Any], away: Path) -> None:
    said = "`classes` has the name 'cat' 2 times, as number 0 and 2; give each class its own name"
    np.savez(away / "twice.npz", **shades, classes=["cat", "dog", "cat"])
    with pytest.raises(DataError, match=re.escape(f"twice.npz: {said}")):
        notes_of(away / "twice.npz")
    with pytest.raises(DataError, match=re.escape(f"the data: {said}")):
        lnbench.detect.detect(shades["images"], away / "out", labels=shades["labels"], classes=["cat", "dog", "cat"])


def test_two_spellings_of_one_name_are_noted(away: Path) -> None:
    names = tuple(unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    (note,) = notes_of(folder_of(away / "pictures", 8, names))
    assert "look the same" in note and "café (2 classes)" in note
    assert not notes_of(folder_of(away / "others", 8, ("cafe", "café")))


def test_a_second_run_says_what_it_replaces(
    shades: dict[str, Any], away: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert detect("shades.npz", *QUICK) == detect("shades.npz", *QUICK) == 0
    assert "replaced" not in capsys.readouterr().out
    assert detect("shades.npz", *QUICK, "--seed", 1) == 0
    assert (
        "note: page and tables of an earlier run are replaced (seed 0, now 1); its trainings are kept\n"
        in capsys.readouterr().out
    )
    images = shades["images"][::-1]
    given: dict[str, Any] = {**IN_PYTHON, "labels": shades["labels"][::-1], "seed": 1}
    found = lnbench.detect.detect(images, away / "shades.npz.detect", **given)
    assert "other images or labels" in found.replaced
    assert not lnbench.detect.detect(images, away / "shades.npz.detect", **given).replaced


def test_a_result_that_is_damaged_replaces_nothing_worth_a_word(shades: dict[str, Any], away: Path) -> None:
    from lnbench.detect.output import replaced

    for text in ("", "[]", "{}", '{"options": 3}', '{"options": {}, "data": 1}'):
        (away / "result.json").write_text(text)
        assert replaced(away, {"options": {}, "data": {"checksum": None}}) == ""


def test_lists_of_names_are_short(away: Path) -> None:
    labels = np.repeat(np.arange(300), 2)
    np.savez(
        away / "many.npz", images=np.zeros((600, 8, 8), np.uint8), labels=labels, classes=np.arange(900).astype(str)
    )
    absent, small = notes_of(away / "many.npz")
    assert absent.endswith("are left out: 300, 301, 302, 303, 304 and 595 more")
    assert small.endswith("whatever their labels: 0, 1, 2, 3, 4 and 295 more")
    assert named(["a", "b", "c"]) == "a, b and c" and named(["a"]) == "a"


def test_one_is_no_plural(shades: dict[str, Any], away: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from lnbench.detect.page import suspects_counted

    assert [counted(number, "image") for number in (0, 1, 2_000)] == ["0 images", "1 image", "2,000 images"]
    assert [suspects_counted({"suspects": count}) for count in (1, 2)] == ["1 label is suspect", "2 labels are suspect"]
    assert detect("shades.npz", *QUICK) == 0
    assert "perceptron, 1 epoch, 1 run, 3 folds" in capsys.readouterr().out
    assert "no augmentation, 1 epoch, batches" in (away / "shades.npz.detect/report.md").read_text()
    page = (away / "shades.npz.detect/page.html").read_text()
    assert "60 images of 2 classes" in page and "examples" not in page


def test_the_current_folder_is_named(away: Path) -> None:
    (away / "list.csv").write_text("path,label\n../x.png,a\n")
    with pytest.raises(DataError, match=f"lies outside the folder {re.escape(str(away.resolve()))} "):
        read(Path("list.csv"), None, lambda line: None, From())


def test_a_page_of_the_current_folder_has_its_name(away: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder_of(away / "pictures", 8))
    assert detect(".", *QUICK) == 0
    title = (away / "pictures.detect/report.md").read_text().splitlines()[0]
    assert title.startswith("# Likely label errors in ") and title.endswith("pictures")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"runs": 0}, "--runs 0: is not between 1 and 100"),
        ({"epochs": 0}, "--epochs 0: is not between 1 and 10000"),
        ({"size": 4}, "--size 4: is not between 8 and 224"),
        ({"batch_size": 1}, "--batch-size 1: is not"),
        ({"folds": 1}, "--folds 1: is not"),
        ({"top": 0}, "--top 0: is not"),
        ({"seed": -1}, "--seed -1: is not"),
        ({"workers": -1}, "--workers -1: is not"),
        ({"threads": 0}, "--threads 0: is not"),
        ({"runs": 2.5}, "--runs 2.5: is no whole number"),
        ({"runs": True}, "--runs True: is no whole number"),
        ({"lr": "big"}, "--lr big: is no number"),
        ({"lr": 0}, "--lr 0: not between"),
        ({"augment": "mixup"}, "--augment mixup: is none of none, crop_flip"),
        ({"precision": "fp8"}, "--precision fp8: is none of fp32, fast"),
    ],
)
def test_python_knows_the_ranges_of_the_command_line(away: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(LnbenchError, match=re.escape(said)):
        lnbench.detect.detect("nowhere", away / "out", **options)


def test_a_number_of_numpy_is_one(shades: dict[str, Any], away: Path) -> None:
    found = lnbench.detect.detect("shades.npz", away / "out", **{**IN_PYTHON, "seed": np.int64(3)})
    assert json.loads((away / "out/result.json").read_text())["options"]["seed"] == 3 and len(found.scores.aul) == 60


def test_missing_labels_are_called_so(shades: dict[str, Any], away: Path) -> None:
    with pytest.raises(DataError, match="has no labels; give them with `labels`"):
        lnbench.detect.detect(shades["images"], away / "out")
    with pytest.raises(DataError, match="item 0 is one array and no pair"):
        lnbench.detect.detect(list(shades["images"]), away / "out")
    with pytest.raises(LnbenchError, match="`labels` and `classes` are for arrays"):
        lnbench.detect.detect("shades.npz", away / "out", labels=shades["labels"])


def test_a_tensor_may_need_a_gradient() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.ones(3, requires_grad=True)
    for one in (tensor, tensor.bfloat16(), [1.0, 1.0, 1.0]):
        assert as_array(one).tolist() == [1, 1, 1]


def test_the_help_gives_the_rule_of_the_rate(capsys: pytest.CaptureFixture[str]) -> None:
    from lnbench.detect.options import usual_rate

    assert detect("--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "0.1 with batch normalisation; 0.01 without: mlp1, lenet, the convnets" in text
    rates = [usual_rate(model) for model in ("resnet20_aum", "mlp1", "lenet", "convnet4")]
    assert rates == [0.1, 0.01, 0.01, 0.01]
