"""Paths that are too long, in the way, forbidden or nowhere: one line and no traceback, wherever a user gives one."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lnbench.cli.main import main
from lnbench.errors import Exit, StoreError
from lnbench.pipeline import judge, open_store
from lnbench.store import NoStore, Store, checked_place
from tests.toys.records import training

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "reports" / "rolnick_identities-full"
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Be a user who may not read everything; root may."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def _long(folder: Path) -> Path:
    return Path("/" + "a/" * 3000)


def _long_name(folder: Path) -> Path:
    return folder / ("b" * 300)


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def _file(folder: Path) -> Path:
    (folder / "file").write_text("x")
    return folder / "file"


def _below_a_file(folder: Path) -> Path:
    return _file(folder) / "below"


def _loop(folder: Path) -> Path:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop"


PATHS = [_long, _long_name, _pipe, _file, _below_a_file, _loop, lambda folder: Path("/dev/zero")]
IDS = ["too long", "a name too long", "a pipe", "a file", "below a file", "a loop", "a device"]


@pytest.mark.parametrize("make", PATHS, ids=IDS)
def test_no_store_is_one_line_for_every_verb(tmp_path: Path, call: Call, make: Callable[[Path], Path]) -> None:
    place = make(tmp_path)
    for arguments in (
        ["store", "status"], ["store", "check"], ["store", "export", tmp_path / "out.jsonl"],
        ["store", "import", REPORT / "records.jsonl"], ["store", "remove", "ab", "--why", "x"],
        ["report", "rolnick_identities"],
    ):  # fmt: skip
        code, out, err = call(*arguments, "--store", place)
        assert code == 2 and out == "" and len(err.splitlines()) == 1 and "is no store" in err, (arguments, err)
    with pytest.raises(NoStore):
        open_store(place)
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("make", [_long, _pipe, _below_a_file, _loop])
def test_no_report_is_one_line_for_every_verb(
    tmp_path: Path, call: Call, make: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = make(tmp_path)
    monkeypatch.setattr("lnbench.cli.commands.judging.study_paths", list)
    for arguments in (["judge"], ["audit"], ["explain", "R001-01", "--report"]):
        code, _, err = call(*arguments, place)
        assert code in (2, 6) and len(err.splitlines()) == 1 and err.startswith("lnbench: "), (arguments, err)
    (tmp_path / "reports").mkdir()
    board = ["scoreboard", "--check", "--reports", tmp_path / "reports"]
    for arguments in (["validate"], board, ["store", "import", "--store", tmp_path / "new"]):
        code, _, err = call(*arguments, place)
        assert code in (2, 6) and "Traceback" not in err and 1 <= len(err.splitlines()) <= 4, (arguments, err)


@pytest.mark.parametrize("make", [_long, _long_name, _file, _below_a_file, _loop])
def test_an_output_that_cannot_be_made_is_one_line(
    tmp_path: Path, call: Call, make: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lnbench.report.folder.draw", lambda data: {})
    assert call("store", "import", REPORT / "records.jsonl", "--store", tmp_path / "store")[0] == 0
    code, _, err = call("report", "rolnick_identities", "--tier", "full", "--store", tmp_path / "store", "-o",
                        make(tmp_path))  # fmt: skip
    assert code in (2, 6) and len(err.splitlines()) == 1 and "Traceback" not in err, err


def test_a_path_with_a_nul_is_one_line(tmp_path: Path, call: Call) -> None:
    for arguments in (["store", "status", "--store", "a\x00b"], ["judge", "a\x00b"]):
        code, _, err = call(*arguments)
        assert code == 2 and "the path holds a NUL" in err and len(err.splitlines()) == 1, err
    with pytest.raises(NoStore, match="the path holds a NUL"):
        checked_place(Path("a\x00b"))


def test_a_store_that_is_not_there_is_an_error_of_whoever_only_reads(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "claims", "claims")
    shutil.copytree(ROOT / "baselines", "baselines")
    monkeypatch.delenv("LNBENCH_STORE", raising=False)
    backup = tmp_path / "backup.jsonl"
    shutil.copy(REPORT / "records.jsonl", backup)
    before = backup.read_bytes()
    for arguments in (
        ["store", "status"], ["store", "check"], ["store", "export", backup], ["store", "remove", "ab", "--why", "x"],
        ["report", "rolnick_identities"], ["explain", "R001-01"],
    ):  # fmt: skip
        code, _, err = call(*arguments, "--store", "mistyped")
        assert code == 2 and err.startswith("lnbench: mistyped: no store is there; name "), (arguments, err)
        assert not Path("mistyped").exists()
    for arguments in (["store", "status"], ["store", "export", backup]):
        assert call(*arguments)[0] == 2  # nor is there one at the default place
    with pytest.raises(NoStore):
        judge("rolnick_identities", tier="full", store="mistyped")
    assert backup.read_bytes() == before
    Path("empty").mkdir()
    code, out, _ = call("store", "export", backup, "--store", "empty")
    assert code == Exit.NOTHING_SELECTED and "is not written" in out and backup.read_bytes() == before


@pytest.mark.parametrize("inside", ["", "records", "records/xx"])
def test_a_store_that_may_not_be_read_is_not_taken_for_an_empty_one(tmp_path: Path, inside: str) -> None:
    store = Store(tmp_path / "store")
    store.put(training(1))
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and not folder.stat().st_mode & 0o001 and len(folder.parts) > 2:
            folder.chmod(folder.stat().st_mode | 0o055)
    closed = store.path / inside.replace("xx", training(1)["id"][:2])
    closed.chmod(0)
    try:
        with as_nobody(), pytest.raises(StoreError, match="no permission"):
            list(Store(checked_place(store.path)).records())
    finally:
        closed.chmod(0o755)
