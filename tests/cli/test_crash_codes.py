"""A crash, no memory, an output that nobody takes: never an exit code that stands for a verdict."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lnbench.cli import main as command_line
from lnbench.errors import Exit
from tests.toys.trained_study import Call

VERDICTS = set(Exit) - {Exit.CRASHED, Exit.UNWRITABLE, Exit.TIME_OVER, Exit.INTERRUPTED, Exit.PIPE_CLOSED}


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let `lnbench list` fail in a way that nobody foresaw."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("lnbench.cli.commands.catalogue.list_.callback", fail)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("nobody foresaw this"),
        RecursionError("too deep"),
        OSError(28, "No space left on device"),
        EOFError("nobody foresaw this: click calls it an interrupt"),
        BrokenPipeError(32, "a worker's pipe: click would exit with 1"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_nobody_foresaw_is_70_with_its_traceback(
    error: BaseException, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, error)
    code, _, err = call("list")
    assert code == 70
    assert "Traceback (most recent call last)" in err
    assert type(error).__name__ in err
    assert "this is a bug in lnbench; please report it, with the lines above. finished runs are kept" in err


class OutOfMemoryError(RuntimeError):
    """As torch's: known by its name."""


def masked() -> Exception:
    """What the end of a CUDA graph's capture raises where memory ran out inside it."""
    try:
        try:
            raise OutOfMemoryError("CUDA out of memory")
        finally:
            raise RuntimeError("CUDA error: operation failed due to a previous error during capture")
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("CUDA out of memory"),
        RuntimeError("can't allocate memory: 9 GB"),
        RuntimeError("CUDA error: out of memory\nCompile with TORCH_USE_CUDA_DSA"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        masked(),
    ],
)
def test_no_memory_left_is_70_and_called_no_bug(error: Exception, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, error)
    code, _, err = call("list")
    assert code == 70
    assert err.startswith(f"lnbench: no memory left ({type(error).__name__}); finished runs are kept")
    assert "Traceback" not in err


def test_no_crash_has_the_exit_code_of_a_verdict() -> None:
    assert max(VERDICTS) < 8 and min(set(Exit) - VERDICTS) > 64
    assert len(set(Exit)) == len(Exit.__members__)  # no code has two names


def test_help_names_every_exit_code(call: Call) -> None:
    _, out, _ = call("--help")
    for code in Exit:
        assert f"\n    {code.value:<5}" in out


@pytest.mark.parametrize("buffered", [True, False])
def test_a_reader_that_has_gone_is_141_and_says_nothing(tmp_path: Path, buffered: bool) -> None:
    command = [sys.executable, *([] if buffered else ["-u"]), "-m", "lnbench", "list"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == b""


@pytest.mark.parametrize("arguments", [("list",), ("--version",)], ids=" ".join)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_an_output_that_takes_nothing_is_74(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "lnbench", *arguments]
        done = subprocess.run(command, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 74
    assert done.stderr == "lnbench: the output cannot be written: No space left on device; finished runs are kept\n"


def test_rich_does_not_end_the_process_with_a_verdicts_code(
    call: Call, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rich exits with 1 where a pipe is closed, unless it never sees the pipe's error."""

    class Closed:
        encoding = "utf-8"

        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "Broken pipe")

        def flush(self) -> None:
            return

        def isatty(self) -> bool:
            return False

    def print_a_table() -> None:
        from rich.console import Console

        Console().print("a table")

    monkeypatch.setattr("lnbench.cli.commands.catalogue.list_.callback", lambda *_, **__: print_a_table())
    monkeypatch.setattr(sys, "stdout", Closed())
    with pytest.raises(SystemExit) as stop:
        command_line.main(["list"])
    assert stop.value.code == 141


def test_an_installation_that_cannot_be_imported_is_70(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lnbench.__main__ import main

    monkeypatch.setitem(sys.modules, "lnbench.cli.main", None)
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 70
    assert "install it again" in capsys.readouterr().err


def test_the_streams_are_as_before(call: Call) -> None:
    before = sys.stdout, sys.stderr
    call("list")
    assert (sys.stdout, sys.stderr) == before
