"""A study of image files, from the command line: trained and judged on real JPEG files, with one clear line for what is
wrong with them."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from lnbench.cli.commands.progress import listing
from lnbench.errors import Exit
from tests.toys.picture_folder import CLASSES, IN_YAML, NAMES, TEST, TRAIN, folder_data, make_folder
from tests.toys.project import paper, write_project
from tests.toys.trained_study import Call

STUDY = f"""\
schema: 1
paper: toy
title: A toy study of image files
choices: []
runs:
  base:
    dataset: {{name: image_folder, clean: 72, size: 32, folder: {IN_YAML}}}
    noise: {{kind: dilute_uniform, alpha: 5, include_true_class: true}}
    model: resnet8_w8
    method: standard
    optimizer: {{kind: adadelta, lr: 1.0, rho: 0.95, eps: 1.0e-8, weight_decay: 0}}
    schedule: {{kind: constant}}
    batch_size: 32
    epochs: 1
    augment: resized_crop_flip
    precision: fp32
    selection: last_epoch
    probes: [top5]
  seeds: {{n: 4, pair: [split, noise, order, init, augment]}}
effects:
  five: {{metric: top5_accuracy, at: {{}}}}
claims:
  - id: TOY-01
    says: Most images have their class among the five likeliest of six.
    quote: "it learns"
    where: {{section: "1"}}
    verdict: most
    parts:
      most: {{kind: above, effect: five, threshold: 0.5}}
tiers:
  full: {{deviations: []}}
"""


@pytest.fixture
def pictures(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the study and its data root, in which the folder lies."""
    write_project(home, STUDY, paper())
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    make_folder(home / "no-data" / "birds")
    return home


def test_a_study_of_image_files_is_trained_and_judged(pictures: Path, call: Call) -> None:
    code, out, err = call("verify", "toy", "--tier", "full")
    assert code in (0, 4), out + err  # whether so few pictures teach anything is no matter here
    assert f"image_folder: looked into {TRAIN // CLASSES} of {TRAIN + TEST} image files" in out
    assert f"image_folder: looked into all {TRAIN + TEST} image files" in out
    assert "TOY-01" in out
    lines = (pictures / ".lnbench/reports/toy-full/records.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line)["record"] for line in lines]
    checksum = folder_data(pictures / "no-data").checksum
    assert {record["outcome"]["data_sha256"] for record in records} == {checksum}
    assert all(record["outcome"]["examples"]["train"] == 6 * TRAIN for record in records)
    assert {record["content"]["recipe"]["dataset"]["size"] for record in records} == {32}
    page = (pictures / ".lnbench/reports/toy-full/report.md").read_text(encoding="utf-8")
    assert f"`image_folder` (32×32, colour, {CLASSES} classes)" in page and checksum[:12] in page
    again, out, _ = call("verify", "toy", "--tier", "full")
    assert again == code and "nothing to train" in out and "looked into" not in out
    shutil.rmtree(pictures / "no-data")
    again, out, _ = call("judge", ".lnbench/reports/toy-full")
    assert again == code, "judging needs no data"


def test_the_study_of_the_page_is_valid(tmp_path: Path, call: Call) -> None:
    page = (Path(__file__).parents[2] / "docs/training.md").read_text(encoding="utf-8")
    (study,) = (block for block in re.findall(r"```yaml\n(.*?)```", page, re.S) if block.startswith("schema: 1"))
    (tmp_path / "birds.yaml").write_text(study, encoding="utf-8")
    code, out, err = call("validate", str(tmp_path / "birds.yaml"))
    assert code == 0, err
    assert "1 study with 1 claim: valid" in out


@pytest.mark.parametrize("change", ["moved between classes", "overwritten", "renamed"])
def test_runs_of_other_files_are_not_taken_for_runs_of_those_that_are_there(
    pictures: Path, call: Call, change: str
) -> None:
    """A run's id has the folder's path: with all runs in the store, nobody looked into the folder."""
    assert call("verify", "toy", "--tier", "full")[0] in (0, 4)
    one, other = (pictures / "no-data" / "birds" / "train" / NAMES[number] for number in (0, 1))
    if change == "moved between classes":
        (one / "003.JPEG").rename(other / "900.JPEG")
        (other / "003.JPEG").rename(one / "900.JPEG")
    elif change == "overwritten":
        file = one / "003.JPEG"
        file.unlink()
        shutil.copy(one / "004.JPEG", file)
    else:
        (one / "003.JPEG").rename(one / "zzz.JPEG")
    code, out, err = call("verify", "toy", "--tier", "full")
    assert code == Exit.UNUSABLE, out
    assert "4 of its 4 runs in the store are of other files (sha256 of the list: " in err and "another store" in err
    assert call("verify", "toy", "--tier", "full", "--store", "other")[0] in (0, 4)
    shutil.rmtree(pictures / "no-data" / "birds")
    assert "nothing to train" in call("verify", "toy", "--tier", "full")[1], "the store has what is judged"


@pytest.mark.parametrize("spoilt", ["damaged", "cut short", "missing class", "missing folder", "link"])
def test_what_is_wrong_with_the_files_is_one_line(pictures: Path, call: Call, spoilt: str) -> None:
    birds = pictures / "no-data" / "birds"
    file = birds / "train" / NAMES[2] / "003.JPEG"
    if spoilt == "damaged":
        file.write_bytes(b"no picture")
        told = f"{file}: is damaged"
    elif spoilt == "cut short":  # its header is whole, so that only the training sees it
        file.write_bytes(file.read_bytes()[:-300])
        told = f"{file}: is damaged"
    elif spoilt == "missing class":
        shutil.rmtree(birds / "val" / NAMES[5])
        told = f"the class {NAMES[5]} is missing from {birds / 'val'}"
    elif spoilt == "missing folder":
        shutil.rmtree(birds)
        told = f"{birds / 'train'} is not there; put your own files there, as train/CLASS/FILE"
    else:
        file.unlink()
        file.symlink_to("/nowhere")
        told = f"{file}: is a broken link"
    code, out, err = call("verify", "toy", "--tier", "full")
    assert code != 0 and told in out + err
    assert len([line for line in out.splitlines() if "failed" in line and told in line]) == (spoilt == "cut short")
    assert "Traceback" not in out + err


def test_the_verbs_of_data_know_image_files(pictures: Path, call: Call) -> None:
    _, out, _ = call("data", "status")
    assert "missing    imagenet: 1,000 classes, 1,281,167 + 50,000 image files, not downloaded" in out
    assert "image_folder" not in out, "where it lies is for a study to say"
    code, _, err = call("data", "fetch", "imagenet")
    assert code == 6 and "ask for the files of ILSVRC 2012 at image-net.org and put them there" in err
    code, _, err = call("data", "check", "image_folder")
    assert code != 0 and "is a folder of your own that a study names" in err
    (pictures / "no-data" / "imagenet").symlink_to(pictures / "no-data" / "birds")
    code, out, _ = call("data", "check", "imagenet")
    assert code == 6 and f"has {CLASSES} class folders, not 1,000" in out


def test_a_plan_says_what_is_missing_and_what_it_costs(pictures: Path, call: Call) -> None:
    code, out, err = call("plan", "toy", "--tier", "full", "--device", "h200")
    assert code == 0 and "4 runs" in out and not err
    shutil.rmtree(pictures / "no-data" / "birds")
    code, out, err = call("plan", "toy", "--tier", "full", "--device", "h200")
    assert code == 0 and "4 runs" in out
    assert "note: image_folder is missing: " in err and "training needs it, judging does not" in err
    code, out, err = call("plan", "toy", "--tier", "full", "--minutes", "10")
    assert "image_folder is not here: put your own files there" in (out + err).replace("\n", " ")


def test_listing_is_shown_as_a_bar_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with listing("birds") as heard:
        heard(12, 108)
        heard(108, 108)
    out = capsys.readouterr().out
    assert "birds: looking into image files" in out and "108/108" in out and "━" in out


def test_nothing_is_shown_where_nothing_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with listing("birds"):
        pass
    assert capsys.readouterr().out == ""
    with listing("birds") as heard:
        for done in range(1, 101):
            heard(done, 100)
    lines = ["birds: looked into 1 of 100 image files", "birds: looked into all 100 image files"]
    assert capsys.readouterr().out.splitlines() == lines, "a line every ten seconds, and one at the end"


def test_a_listing_that_failed_is_not_called_done(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError), listing("birds") as heard:
        heard(1, 100)
        heard(2, 100)
        raise ValueError
    assert capsys.readouterr().out == "birds: looked into 1 of 100 image files\n"
