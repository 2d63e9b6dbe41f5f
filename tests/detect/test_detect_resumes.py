"""Stopped at any moment, the same command goes on, and ends with the bytes of one that was left alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import lnbench.cli.commands.detect as command
from lnbench.detect import training
from lnbench.detect.options import Options, settled
from lnbench.detect.output import MARK, MARK_TEXT, place, take
from lnbench.detect.reading import read
from lnbench.detect.runs import planned
from lnbench.detect.training import Material, TooLarge
from lnbench.errors import LnbenchError, StoreError
from lnbench.store import Store
from tests.toys.planted_digits import Planted, detect

SMALL = ("--runs", 2, "--epochs", 8, "--model", "mlp1_w32", "--top", 8)


@pytest.fixture(scope="module")
def undisturbed(digits: Planted, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    assert detect(digits.folder, "-o", out, *SMALL) == 0
    return {name: (out / name).read_bytes() for name in ("scores.csv", "suspects.csv", "contact_sheet.png")}


def same(out: Path, undisturbed: dict[str, bytes]) -> bool:
    return {name: (out / name).read_bytes() for name in undisturbed} == undisturbed


def test_after_kill_9_the_same_command_goes_on(
    digits: Planted, tmp_path: Path, undisturbed: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["detect", str(digits.folder), "-o", str(out), *map(str, SMALL), "--device", "cpu"]
    code = (
        "import lnbench.detect.training as t; from lnbench.cli.main import main; "
        f"t.SECONDS_BETWEEN_CHECKPOINTS = 0.0; main({arguments!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    store = out / ".runs"
    # killed while the second run has left a checkpoint, the first is finished
    while True:
        finished = {file.stem for file in store.glob("records/*/[!.]*.json")}
        if finished and {file.stem for file in store.glob("checkpoints/[!.]*.npz")} - finished:
            break
        assert process.poll() is None and time.monotonic() < deadline
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not (out / "scores.csv").exists()
    assert detect(digits.folder, "-o", out, *SMALL) == 0
    assert "4 trainings to do; 1 already done" in capsys.readouterr().out
    assert [run["resumed"] for run in json.loads((out / "result.json").read_text())["runs"]] == [False, True]
    assert same(out, undisturbed)
    assert not list(store.glob("checkpoints/*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_a_checkpoint_and_says_how_to_go_on(
    digits: Planted,
    tmp_path: Path,
    undisturbed: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
) -> None:
    out, before = tmp_path / "out", signal.getsignal(number)
    with monkeypatch.context() as patch:
        steps = iter(range(10_000))

        def tell(*arguments: Any) -> None:
            if next(steps) == 13:
                os.kill(os.getpid(), number)

        patch.setattr(command._Shown, "tell", tell)
        assert detect(digits.folder, "-o", out, *SMALL) == 130
    err = capsys.readouterr().err
    assert "give the same command to go on" in err and "Traceback" not in err
    assert len(list((out / ".runs/checkpoints").glob("*.npz"))) == 1 and not (out / "scores.csv").exists()
    assert signal.getsignal(number) is before
    assert detect(digits.folder, "-o", out, *SMALL) == 0
    assert [run["resumed"] for run in json.loads((out / "result.json").read_text())["runs"]] == [True, False]
    assert same(out, undisturbed)


def test_a_damaged_run_or_checkpoint_is_done_again(
    digits: Planted, tmp_path: Path, undisturbed: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert detect(digits.folder, "-o", out, *SMALL) == 0
    file = next((out / ".runs/records").glob("*/*.json"))
    file.write_text(file.read_text()[:500])
    checkpoint = out / ".runs/checkpoints" / f"{file.stem}.npz"
    checkpoint.parent.mkdir(exist_ok=True)
    checkpoint.write_bytes(b"not a checkpoint")
    assert detect(digits.folder, "-o", out, *SMALL) == 0
    out_text, err = capsys.readouterr()
    assert "set aside" in err and "1 training to do; 4 already done" in out_text
    assert same(out, undisturbed)


def test_what_a_run_hangs_on_is_in_its_name(digits: Planted) -> None:
    data = read(digits.archive, None, lambda line: None)
    options, _ = settled(Options(), data)

    def ids(**changes: Any) -> set[str]:
        return {run.id for run in planned(settled(Options(**changes), data)[0], data)}

    assert len({run.id for run in planned(options, data)}) == 3
    assert ids(runs=4) > ids() == ids(top=3)
    for change in ({"seed": 1}, {"epochs": 31}, {"lr": 0.2}, {"batch_size": 32}, {"model": "mlp2"}):
        assert not ids() & ids(**change), change
    other = data.labels.copy()
    other[5] = (other[5] + 1) % 10
    assert data.checksum != type(data)(data.images, other, data.names, data.classes, data.view).checksum


def test_two_at_once_do_not_train_the_same_run(
    digits: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = read(digits.folder, None, lambda line: None)
    run = planned(settled(Options(runs=2, epochs=8, model="mlp1_w32"), data)[0], data)[0]
    with Store(tmp_path / "out/.runs").lock(run.id):
        (tmp_path / "out/.runs/made-by-lnbench-detect").touch()
        assert detect(digits.folder, "-o", tmp_path / "out", *SMALL) == 3
    assert "another lnbench is training run 1: mlp1_w32" in capsys.readouterr().err


def test_a_training_that_diverges_is_3_and_asks_for_a_lower_rate(
    digits: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert detect(digits.folder, "-o", tmp_path / "out", "--lr", 1e6, "--runs", 1) == 3
    err = capsys.readouterr().err
    assert "diverged in epoch 1 of 30" in err and "such as --lr 0.1\n" in err and len(err.splitlines()) == 1
    assert not (tmp_path / "out/scores.csv").exists()


def test_memory_that_runs_out_is_one_line(digits: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import lnbench.training.engine as engine

    def too_much(*arguments: Any, **options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(engine, "train", too_much)
    monkeypatch.setattr("lnbench.training.train", too_much, raising=False)
    data = read(digits.folder, None, lambda line: None)
    (run,) = planned(settled(Options(runs=1), data)[0], data)
    trainer = training.Trainer(Material.of(data, None), Store(tmp_path), "cpu", lambda *_: None, lambda: False)
    with pytest.raises(TooLarge, match="smaller --batch-size"):
        trainer.record(run)


@pytest.mark.parametrize(
    ("number", "advice"), [(28, "the disk is full"), (13, "may not be written; name a folder of yours with -o")]
)
def test_a_disk_that_takes_nothing_is_one_line(
    digits: Planted,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: int,
    advice: str,
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("lnbench.store.files.tempfile.mkstemp", refuse)
    assert detect(digits.folder, "-o", tmp_path / "out", *SMALL) == StoreError.exit_code
    err = capsys.readouterr().err
    assert advice in err and len(err.splitlines()) == 1


def test_a_disk_that_fills_up_while_a_run_ends_keeps_what_is_done(
    digits: Planted,
    tmp_path: Path,
    undisturbed: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import tempfile

    make, out = tempfile.mkstemp, tmp_path / "out"

    def full_at_the_second(*arguments: Any, **options: Any) -> Any:
        if list(out.glob(".runs/records/*/*.json")):
            raise OSError(28, os.strerror(28))
        return make(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr("lnbench.store.files.tempfile.mkstemp", full_at_the_second)
        assert detect(digits.folder, "-o", out, *SMALL) == 6
    assert "the disk is full; free some space and give the same command again" in capsys.readouterr().err
    assert detect(digits.folder, "-o", out, *SMALL) == 0
    assert "4 trainings to do; 1 already done" in capsys.readouterr().out
    assert same(out, undisturbed)


def test_a_detection_killed_before_its_mark_had_its_name_is_ours(tmp_path: Path) -> None:
    """The folder was called somebody else's from then on."""
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    (out / ".runs").mkdir(parents=True)
    assert place(data, out) == out
    (out / f".runs/.{MARK}.x1y2").write_bytes(MARK_TEXT[:7])
    assert place(data, out) == out
    take(out, lambda line: None)
    assert (out / ".runs" / MARK).read_bytes() == MARK_TEXT and place(data, out) == out
    for name in (".runs/records", "notes.txt"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        with pytest.raises(LnbenchError, match="has files that `lnbench detect` did not write"):
            place(data, tmp_path / "mine")
