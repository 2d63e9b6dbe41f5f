"""The verb `detect`: its options, its output folder, its exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lnbench.detect.data import Labelled
from lnbench.detect.options import Options, channel_statistics, settled, usual_augment, usual_model
from tests.toys.trained_study import Call

QUICK = ("--runs", "1", "--epochs", "2", "--model", "perceptron", "--top", "8", "--device", "cpu")


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """129 random images of two classes, in a working directory of their own."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 129)
    images = rng.integers(0, 100, (129, 12, 12)) + 100 * labels[:, None, None]
    np.savez(tmp_path / "shades.npz", images=images.astype(np.uint8), labels=labels)
    return tmp_path / "shades.npz"


def labelled(shape: tuple[int, int, int], count: int = 100) -> Labelled:
    images = np.zeros((count, *shape), np.uint8)
    return Labelled(images, np.arange(count) % 2, [""] * count, ["a", "b"], lambda index, size: images[index])


def test_the_result_lies_beside_the_data(data: Path, call: Call) -> None:
    code, out, _ = call("detect", "shades.npz", *QUICK)
    assert code == 0
    assert "129 images of 2 classes (grey, 12×12); perceptron, 2 epochs, 1 run, 3 folds\n" in out
    assert (data.parent / "shades.npz.detect/report.md").is_file()
    assert out.endswith("shades.npz.detect/report.md\n")


def test_where_nothing_can_be_written_it_lies_here(
    data: Path, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("lnbench.detect.output._writable", lambda folder: False)
    assert call("detect", str(data), *QUICK)[0] == 0
    assert (tmp_path / "here/shades.npz-detect/report.md").is_file()


def test_it_overwrites_nothing_that_it_did_not_write(data: Path, call: Call) -> None:
    (data.parent / "mine").mkdir()
    (data.parent / "mine/report.md").write_text("my own report")
    code, _, err = call("detect", "shades.npz", "-o", "mine", *QUICK)
    assert code == 2 and "has files that `lnbench detect` did not write" in err
    assert [file.name for file in (data.parent / "mine").iterdir()] == ["report.md"]
    assert call("detect", "shades.npz", "-o", "shades.npz", *QUICK)[0] == 2
    assert "is a file; name a folder" in call("detect", "shades.npz", "-o", "shades.npz", *QUICK)[2]
    code, _, err = call("detect", "shades.npz", "-o", "shades.npz/below", *QUICK)
    assert code == 6 and len(err.splitlines()) == 1
    (data.parent / "empty").mkdir()
    assert call("detect", "shades.npz", "-o", "empty", *QUICK)[0] == 0
    (data.parent / "empty/notes.txt").write_text("what I saw")  # the user's own, added later, stays
    assert call("detect", "shades.npz", "-o", "empty", *QUICK)[0] == 0
    assert (data.parent / "empty/notes.txt").read_text() == "what I saw"


def test_it_never_writes_among_the_images(data: Path, call: Call) -> None:
    from PIL import Image

    for name in "ab":
        (data.parent / "folder" / name).mkdir(parents=True)
        for number in range(30):
            Image.new("L", (8, 8), number).save(data.parent / "folder" / name / f"{number}.png")
    before = sorted((data.parent / "folder").rglob("*"))
    (data.parent / "link").symlink_to(data.parent / "folder")
    for inside in ("folder", "folder/out", "folder/a/out", "link/out"):
        code, _, err = call("detect", "folder", "-o", inside, *QUICK)
        assert code == 2 and "is inside the images' folder" in err
    assert call("detect", "folder/", *QUICK)[0] == 0
    assert sorted((data.parent / "folder").rglob("*")) == before
    assert (data.parent / "folder.detect/report.md").is_file()


@pytest.mark.parametrize(
    ("arguments", "gist"),
    [
        ((), "Missing argument"),
        (("shades.npz", "--model", "lennet"), "did you mean 'lenet'?"),
        (("shades.npz", "--model", "resnet20_aum", "--size", "10"), "choose another --size or --model"),
        (("shades.npz", "--model", "lenet"), "too small for this network"),
        (("shades.npz", "--size", "4"), "--size"),
        (("shades.npz", "--lr", "0"), "--lr"),
        (("shades.npz", "--lr", "1e300"), "--lr 1e+300: not between 1e-10 and 1e+06"),
        (("shades.npz", "--lr", "1e-300"), "--lr 1e-300: not between"),
        (("shades.npz", "--lr", "nan"), "--lr nan: not a finite number"),
        (("shades.npz", "--lr", "inf"), "--lr inf: not a finite number"),
        (("shades.npz", "--runs", "0"), "--runs"),
        (("shades.npz", "--epochs", "0"), "--epochs"),
        (("shades.npz", "--batch-size", "1"), "--batch-size"),
        (("shades.npz", "--top", "0"), "--top"),
        (("shades.npz", "--seed", "-1"), "--seed"),
        (("shades.npz", "--augment", "mixup"), "mixup"),
        (("shades.npz", "--precision", "fp8"), "fp8"),
        (("shades.npz", "--device", "tpu"), "not a device"),
        (("shades.npz", "--device", "cuda:99"), "no CUDA device"),
    ],
)
def test_wrong_usage_is_2_with_one_clear_line(data: Path, call: Call, arguments: tuple[str, ...], gist: str) -> None:
    code, _, err = call("detect", *arguments)
    assert code == 2
    assert gist in err and "Traceback" not in err
    assert not list(data.parent.glob("*.detect"))


def test_options_reach_the_training(data: Path, call: Call) -> None:
    options = ("--batch-size", "50", "--lr", "0.02", "--seed", "7", "--size", "8", "--augment", "crop_flip")
    assert call("detect", "shades.npz", *QUICK, *options, "--precision", "fast", "--top", "5")[0] == 0
    files = (data.parent / "shades.npz.detect/.runs/records").glob("*/*.json")
    records = [json.loads(file.read_text())["record"] for file in files]
    (record,) = (record for record in records if record["kind"] == "detect")
    recipe = record["content"]["recipe"]
    assert recipe["optimizer"] == {
        "kind": "sgd", "lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4,
    }  # fmt: skip
    assert (recipe["batch_size"], recipe["augment"], recipe["precision"]) == (50, "crop_flip", "fast")
    assert (recipe["epochs"], recipe["model"], recipe["dataset"]["clean"]) == (2, "perceptron", 129)
    result = json.loads((data.parent / "shades.npz.detect/result.json").read_text())
    assert result["data"]["shape"] == [1, 8, 8] and result["options"]["seed"] == 7 and result["options"]["top"] == 5


def test_batches_shrink_to_the_data_and_leave_no_image_alone(data: Path, call: Call) -> None:
    code, out, _ = call("detect", "shades.npz", *QUICK, "--batch-size", "500")
    assert code == 0 and "note: batches of 129 in place of 500: there are no more images" in out
    code, out, _ = call("detect", "shades.npz", *QUICK)  # 129 = 2 · 64 + 1
    assert code == 0 and "note: batches of 63 in place of 64, so that none has one image alone" in out
    assert "batches of 63" in (data.parent / "shades.npz.detect/report.md").read_text()


@pytest.mark.parametrize(
    ("shape", "model", "augment"),
    [
        ((1, 8, 8), "mlp1", "none"),
        ((1, 12, 12), "mlp1", "none"),
        ((1, 16, 16), "lenet", "none"),
        ((1, 28, 28), "lenet", "none"),
        ((1, 64, 64), "resnet20_aum", "none"),
        ((3, 8, 8), "resnet20_aum", "none"),
        ((3, 20, 20), "resnet20_aum", "none"),
        ((3, 24, 24), "resnet20_aum", "crop_flip"),
        ((3, 32, 32), "resnet20_aum", "crop_flip"),
    ],
)
def test_defaults_follow_the_images(shape: tuple[int, int, int], model: str, augment: str) -> None:
    assert (usual_model(shape), usual_augment(shape)) == (model, augment)
    options, notes = settled(Options(), labelled(shape))  # the network takes images of this size
    assert (options.model, options.augment, notes) == (model, augment, [])


@pytest.mark.parametrize(("count", "epochs"), [(60, 150), (240, 150), (640, 80), (1797, 30), (50_000, 30)])
def test_residual_networks_pass_few_images_more_often(count: int, epochs: int) -> None:
    assert settled(Options(), labelled((3, 8, 8), count))[0].epochs == epochs
    assert settled(Options(), labelled((1, 8, 8), count))[0].epochs == 30  # these learn wrong labels by heart
    assert settled(Options(epochs=3), labelled((3, 8, 8), count))[0].epochs == 3


def test_channels_are_standardised_by_their_own_mean_and_deviation() -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, 3, 8, 8)).astype(np.uint8)
    images[:, 2] = 77
    mean, deviation = channel_statistics(images)
    pixels = images / 255
    assert np.allclose(mean, pixels.mean((0, 2, 3))) and np.allclose(deviation[:2], pixels.std((0, 2, 3))[:2])
    assert deviation[2] == 1.0


def test_a_network_that_learns_nothing_is_said(data: Path, call: Call) -> None:
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (100, 8, 8)).astype(np.uint8), np.arange(100) % 2
    np.savez(data, images=images, labels=labels)
    code, out, _ = call("detect", "shades.npz", *QUICK, "--lr", "1e-9")
    assert code == 0 and "the networks learnt next to nothing" in out
    assert "the networks learnt next to nothing" in (data.parent / "shades.npz.detect/report.md").read_text()


def test_images_that_are_all_alike_give_no_estimate(data: Path, call: Call) -> None:
    np.savez(data, images=np.full((60, 8, 8), 9, np.uint8), labels=np.arange(60) % 3)
    code, out, _ = call("detect", "shades.npz", *QUICK)
    assert code == 0 and "what the networks learnt cannot be measured (fewer than 20 images differ)" in out


def test_help_imports_neither_torch_nor_numpy(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom lnbench.cli.main import main\n"
        "try: main(['detect', '--help'])\nexcept SystemExit: pass\n"
        "sys.exit(' '.join({'torch', 'numpy', 'PIL'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    assert "Rank your own labelled images" in done.stdout
