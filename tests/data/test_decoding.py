"""Image files into pixels: the law of the crops, torchvision's pixels, and processes that give the same and end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lnbench.data import decoding
from lnbench.data.decoding import Decoders, Order, crop_box, decoded, processes_wanted
from lnbench.errors import DataError, LnbenchError
from tests.toys.picture_folder import NAMES, make_folder

BITS = [int(bits) for bits in np.random.default_rng(0).integers(0, 2**32, 4000)]


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("root") / "birds")


@pytest.fixture
def orders(birds: Path) -> list[Order]:
    files = [str(birds / "train" / name / f"{number:03}.JPEG") for name in NAMES for number in range(5)]
    return [(file, None if place % 3 == 0 else BITS[place]) for place, file in enumerate(files)]


def test_a_crop_has_torchvisions_law() -> None:
    """The share of the area is uniform in 8 % to all and the ratio log-uniform, given that the crop fits: compared with
    torchvision's own draws by the quantiles of both."""
    torch = pytest.importorskip("torch")
    transforms = pytest.importorskip("torchvision.transforms.v2")
    wide, tall = 500, 375
    ours = np.array([crop_box(bits, wide, tall) for bits in BITS], dtype=float)
    torch.manual_seed(0)
    random = transforms.RandomResizedCrop(224)
    drawn = [random.make_params([torch.zeros(3, tall, wide)]) for _ in range(4000)]
    theirs = np.array(
        [(one["left"], one["top"], one["left"] + one["width"], one["top"] + one["height"]) for one in drawn],
        dtype=float,
    )
    assert (ours[:, :2] >= 0).all() and (ours[:, 2] <= wide).all() and (ours[:, 3] <= tall).all()

    def facts(boxes: np.ndarray) -> list[np.ndarray]:
        width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
        return [width * height / (wide * tall), np.log(width / height), boxes[:, 0] / wide, boxes[:, 1] / tall]

    for mine, other in zip(facts(ours), facts(theirs), strict=True):
        shares = np.linspace(0.05, 0.95, 19)
        assert np.abs(np.quantile(mine, shares) - np.quantile(other, shares)).max() < 0.05


@pytest.mark.parametrize(("wide", "tall"), [(10, 400), (400, 10), (1, 1), (3, 2)])
def test_an_image_of_any_form_has_a_crop(wide: int, tall: int) -> None:
    for bits in BITS[:200]:
        left, top, right, bottom = crop_box(bits, wide, tall)
        assert 0 <= left < right <= wide and 0 <= top < bottom <= tall


def test_the_same_bits_give_the_same_crop_for_ever() -> None:
    """Runs on record were trained on these."""
    assert [crop_box(bits, 500, 375) for bits in (0, 1, 2**32 - 1)] == PINNED


PINNED = [(85, 27, 383, 295), (166, 26, 478, 336), (46, 51, 271, 318)]


@pytest.mark.parametrize("size", [64, 96])
def test_pixels_are_torchvisions(birds: Path, size: int) -> None:
    functional = pytest.importorskip("torchvision.transforms.v2.functional")
    from PIL import Image

    for number in range(4):
        file = str(birds / "train" / NAMES[number] / "001.JPEG")
        with Image.open(file) as opened:
            image = opened.convert("RGB")
        middle = functional.center_crop(functional.resize(image, [size * 256 // 224]), [size, size])
        assert np.array_equal(decoded(file, size, None), np.asarray(middle))
        left, top, right, bottom = crop_box(BITS[number], *image.size)
        crop = functional.resized_crop(image, top, left, bottom - top, right - left, [size, size])
        assert np.array_equal(decoded(file, size, BITS[number]), np.asarray(crop))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1"])
def test_images_of_any_mode_are_coloured(tmp_path: Path, mode: str) -> None:
    from PIL import Image

    file = tmp_path / ("a.tiff" if mode == "CMYK" else "a.png")
    Image.new(mode, (30, 20)).save(file)
    assert decoded(str(file), 16, None).shape == (16, 16, 3)


@pytest.mark.parametrize("processes", [1, 3])
def test_any_number_of_processes_gives_the_same_pixels(orders: list[Order], processes: int) -> None:
    here = Decoders(0).order(orders, 64).ready()
    decoders = Decoders(processes)
    again = [decoders.order(orders, 64) for _ in range(3)]
    for pending in reversed(again):  # in whatever order they are asked for
        assert np.array_equal(pending.ready(), here)
    assert here.shape == (len(orders), 64, 64, 3) and len(np.unique(here)) > 100
    decoders.close()


@pytest.mark.parametrize("processes", [0, 2])
def test_a_damaged_file_is_named_by_whoever_asks_for_its_batch(
    orders: list[Order], tmp_path: Path, processes: int
) -> None:
    file = tmp_path / "cut.JPEG"
    file.write_bytes(Path(orders[0][0]).read_bytes()[:-200])
    decoders = Decoders(processes)
    bad = decoders.order([*orders[:9], (str(file), None), *orders[9:]], 64)
    good = decoders.order(orders, 64)
    with pytest.raises(DataError) as error:
        bad.ready()
    assert str(error.value).startswith(f"{file}: is damaged (image file is truncated")
    assert good.ready().any(), "the process goes on"
    gone = decoders.order([(str(tmp_path / "gone.JPEG"), None)], 64)
    with pytest.raises(DataError, match=r"gone.JPEG: is not there any more"):
        gone.ready()
    decoders.close()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that decoders start."""
    found: list[subprocess.Popen[bytes]] = []
    start: Callable[[], subprocess.Popen[bytes]] = decoding._started

    def noted() -> subprocess.Popen[bytes]:
        found.append(start())
        return found[-1]

    monkeypatch.setattr(decoding, "_started", noted)
    return found


def test_a_process_that_is_killed_is_replaced(orders: list[Order], started: list[subprocess.Popen[bytes]]) -> None:
    decoders = Decoders(1)
    first = decoders.order(orders, 64).ready().copy()
    started[0].send_signal(signal.SIGKILL)
    assert np.array_equal(decoders.order(orders, 64).ready(), first)
    assert len(started) == 2
    decoders.close()
    assert [process.poll() is not None for process in started] == [True, True], "none is left behind"


def test_one_that_dies_each_time_is_an_error_and_no_loop(orders: list[Order], monkeypatch: pytest.MonkeyPatch) -> None:
    def dead() -> subprocess.Popen[bytes]:
        return subprocess.Popen(["false"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    monkeypatch.setattr(decoding, "_started", dead)
    decoders = Decoders(1)
    with pytest.raises(LnbenchError, match=r"died twice \(exit code -?\d+\) at .*000.JPEG"):
        decoders.order(orders[:4], 64).ready()
    decoders.close()


def test_a_process_ends_when_whoever_started_it_is_killed(birds: Path, tmp_path: Path) -> None:
    """Nobody closes the pipe then but the system."""
    code = f"""
import time
from lnbench.data import decoding
started = decoding._started
def noted():
    process = started()
    open({str(tmp_path / "pid")!r}, "w").write(str(process.pid))
    return process
decoding._started = noted
decoders = decoding.Decoders(1)
decoders.order([({str(birds / "train" / NAMES[0] / "000.JPEG")!r}, None)], 64).ready()
print("ready", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        try:
            assert parent.stdout is not None and parent.stdout.readline() == b"ready\n"
            pid = int((tmp_path / "pid").read_text())
            os.kill(pid, 0)
        finally:
            parent.kill()
    for _ in range(600):
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return
            time.sleep(0.1)
        except FileNotFoundError:
            return
    pytest.fail("the process is still there")


def test_what_nobody_waits_for_is_not_decoded(orders: list[Order], started: list[subprocess.Popen[bytes]]) -> None:
    decoders = Decoders(1)
    decoders.order(orders, 64).ready()
    waiting = [decoders.order([(orders[0][0] + ".gone", None)] * 8, 64) for _ in range(20)]
    for pending in waiting:
        pending.cancel()
    assert decoders.order(orders, 64).ready().any()
    assert sum(pending.error is not None for pending in waiting) <= 1, "one may have been begun"
    decoders.close()


def test_how_many_processes_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LNBENCH_DECODERS", raising=False)
    monkeypatch.setattr(decoding, "available_cores", lambda: 8)
    assert (processes_wanted("cpu"), processes_wanted("cuda")) == (1, 8)
    monkeypatch.setenv("LNBENCH_DECODERS", "0")
    assert processes_wanted("cuda") == 0
    for wrong in ("-1", "many", "1.5", "257", "٣"):
        monkeypatch.setenv("LNBENCH_DECODERS", wrong)
        with pytest.raises(LnbenchError, match=r"LNBENCH_DECODERS: .* is no number of processes; give one from 0"):
            processes_wanted("cpu")
