"""Whatever calls itself an image: a picture of the right shape, or one line; no other program is ever started."""

from __future__ import annotations

import collections
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lnbench.detect.decode import Unreadable, header, picture, watchful
from lnbench.detect.reading import read
from lnbench.errors import DataError
from tests.hostile.bad_images import bad_images, bomb, name_for, postscript, write_images

STARTS = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.startfile"}
_started: list[tuple[str, object]] = []
_watching = False


def _hook(event: str, arguments: object) -> None:
    if _watching and event in STARTS:
        _started.append((event, arguments))


sys.addaudithook(_hook)  # there is no way to take one away: it minds nothing but what a test below does


@pytest.fixture
def started() -> Iterator[list[tuple[str, object]]]:
    """The programs that are started meanwhile."""
    global _watching
    _started.clear()
    _watching = True
    yield _started
    _watching = False


def outcome(file: Path) -> str:
    """Return what reading a file came to. Fails where that is neither a picture nor a reason of one line."""
    try:
        about = header(file)
        pixels = picture(file, 20)
    except Unreadable as error:
        assert str(error) and len(str(error).splitlines()) == 1
        return str(error)
    assert about.width > 0 and about.height > 0
    assert pixels.shape == (20, 20, 3) and pixels.dtype == np.uint8
    return "a picture"


def outcomes(folder: Path, seed: int, count: int) -> collections.Counter[str]:
    found: collections.Counter[str] = collections.Counter()
    with watchful():
        for number, (words, raw) in enumerate(bad_images(seed, count)):
            file = folder / name_for(seed, number)
            file.write_bytes(raw)
            try:
                found[outcome(file).partition(":")[0]] += 1
            except Exception as error:
                raise AssertionError(words) from error
    return found


def test_no_program_is_started_for_a_file_of_any_name(tmp_path: Path, started: list[tuple[str, object]]) -> None:
    """Pillow hands an EPS to Ghostscript, whatever it is called; its program may do what a user may."""
    for name in ("a.png", "a.jpg", "a.eps", "a"):
        (tmp_path / name).write_bytes(postscript(np.random.default_rng(0), str(tmp_path / "mark")))
        assert outcome(tmp_path / name).startswith("not a PNG, JPEG, ")
    assert not started and not (tmp_path / "mark").exists()


def test_a_slice_of_bad_images(tmp_path: Path, started: list[tuple[str, object]]) -> None:
    found = outcomes(tmp_path, seed=1, count=60)
    assert not started
    assert found["a picture"] and found["damaged"], found


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10, 15))
def test_many_bad_images(tmp_path: Path, started: list[tuple[str, object]], seed: int) -> None:
    found = outcomes(tmp_path, seed, count=500)
    assert not started
    assert found["a picture"] > 100 and found["damaged"] > 50, found


@pytest.mark.long
def test_a_bomb_takes_no_gigabytes(tmp_path: Path) -> None:
    """A PNG of some hundred kilobytes took 2 GB in each thread: now three of them, in as many threads, take less."""
    import subprocess

    for number in range(3):
        folder = tmp_path / "data" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}.png").write_bytes(bomb(np.random.default_rng(2), side=9400))
    code = (
        "import resource, sys; from pathlib import Path; from lnbench.detect import folders; "
        "folders.available_cores = lambda: 3; before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "folders.read(Path(sys.argv[1]), 32, print); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "data")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < 1_000_000  # kilobytes


def test_a_folder_of_bad_images_is_read_or_refused_in_one_line(
    tmp_path: Path, started: list[tuple[str, object]]
) -> None:
    files = [*write_images(tmp_path / "data/a", 2, 30), *write_images(tmp_path / "data/b", 3, 30)]
    try:
        data = read(tmp_path / "data", 16, lambda line: None)
    except DataError as error:
        assert "images are too few" in str(error) and len(str(error).splitlines()) == 1
    else:
        assert len(data.labels) + len(data.skipped) == len(files)
    assert not started
