"""Trainings in processes of their own: the same bytes, the same ends, and batches that fit into the memory."""

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
import lnbench.training.engine as engine
from lnbench.detect import crew
from lnbench.detect.crew import usual_workers
from lnbench.errors import LnbenchError
from tests.toys.planted_digits import Planted, detect

SMALL = ("--runs", 1, "--epochs", 8, "--model", "mlp1_w32", "--folds", 2, "--top", 8)
LONG = ("--runs", 2, "--epochs", 2000, "--model", "mlp1_w32")
TABLES = ("scores.csv", "suspects.csv")


@pytest.fixture(scope="module")
def alone(digits: Planted, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process writes that trains all, one after the other."""
    out = tmp_path_factory.mktemp("alone") / "out"
    assert detect(digits.archive, "-o", out, *SMALL, "--workers", 0) == 0
    return {name: (out / name).read_bytes() for name in TABLES}


def same(out: Path, alone: dict[str, bytes]) -> bool:
    return {name: (out / name).read_bytes() for name in TABLES} == alone


def test_processes_side_by_side_write_the_same_bytes(
    digits: Planted, tmp_path: Path, alone: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert detect(digits.archive, "-o", out, *SMALL, "--workers", 2) == 0
    assert "3 trainings to do\n" in capsys.readouterr().out
    assert same(out, alone)
    assert [run["threads"] for run in json.loads((out / "result.json").read_text())["runs"]] == [1]


def test_ctrl_c_lets_them_write_checkpoints(
    digits: Planted,
    tmp_path: Path,
    alone: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(command._Shown, "tell", lambda *arguments: os.kill(os.getpid(), signal.SIGINT))
        patch.setattr(crew, "SECONDS_BETWEEN_REPORTS", 0.0)
        assert detect(digits.archive, "-o", tmp_path / "out", *LONG, "--workers", 2) == 130
    assert "give the same command to go on" in capsys.readouterr().err
    assert list((tmp_path / "out/.runs/checkpoints").glob("*.npz"))


@pytest.mark.long
def test_processes_end_with_a_checkpoint_when_the_first_is_killed(digits: Planted, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["detect", str(digits.archive), "-o", str(out), "--runs", "2", "--epochs", "5000",
                 "--model", "mlp1_w32", "--workers", "2", "--device", "cpu"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-c", f"from lnbench.cli.main import main\nif __name__ == '__main__': main({arguments!r})"],
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (children := _children(process.pid)) or len(children) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(6)  # until they train; were they slower, they would end without a checkpoint, which is right too
    process.kill()
    process.wait()
    while any(Path(f"/proc/{child}").exists() for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not (out / "scores.csv").exists()


def _children(pid: int) -> list[int]:
    """The worker processes of a process; multiprocessing's own helper is none."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == pid and b"spawn_main" in words:
            found.append(int(entry.name))
    return found


def test_an_error_of_a_process_is_the_commands(
    digits: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert detect(digits.archive, "-o", tmp_path / "out", "--lr", 1e6, "--runs", 2, "--workers", 2) == 3
    err = capsys.readouterr().err
    assert "diverged in epoch 1" in err and "such as --lr 0.1\n" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("batches", [[64, 32, 32, 32], []])
def test_a_memory_that_is_too_small_halves_the_batches(
    digits: Planted,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    batches: list[int],
) -> None:
    real, tried = engine.train, []

    def small(recipe: dict[str, Any], *arguments: Any, **options: Any) -> Any:
        tried.append(recipe["batch_size"])
        if recipe["batch_size"] > (32 if batches else 0):
            raise MemoryError
        return real(recipe, *arguments, **options)

    monkeypatch.setattr("lnbench.training.train", small, raising=False)
    code = detect(digits.archive, "-o", tmp_path / "out", *SMALL)
    out, err = capsys.readouterr()
    if batches:
        assert code == 0 and tried == batches
        assert "batches of 32 in place of 64: larger ones do not fit into the memory of cpu" in out
        result = json.loads((tmp_path / "out/result.json").read_text())
        assert result["options"]["batch_size"] == 32 and "larger ones do not fit" in result["notes"][-1]
    else:
        assert code == 3 and tried == [64, 32, 16, 8] and "give a smaller --batch-size" in err


def test_the_usual_workers_fill_the_cores_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LNBENCH_WORKERS", raising=False)
    monkeypatch.setattr(crew, "available_cores", lambda: 8)
    assert usual_workers("cpu", 1, 6) == 6 and usual_workers("cpu", 1, 12) == 8 and usual_workers("cpu", 4, 12) == 2
    assert usual_workers("cpu", 8, 12) == 0 and usual_workers("cpu", 1, 1) == 0 and usual_workers("cuda", 1, 6) == 0
    monkeypatch.setenv("LNBENCH_WORKERS", "3")
    assert usual_workers("cuda", 1, 6) == 3
    monkeypatch.setenv("LNBENCH_WORKERS", "many")
    with pytest.raises(LnbenchError, match="LNBENCH_WORKERS: 'many' is not a whole number"):
        usual_workers("cpu", 1, 6)
