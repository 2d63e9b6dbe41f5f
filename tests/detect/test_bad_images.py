"""Whatever lies in the folder or the archive: a clear outcome, never a traceback, never a silent number."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lnbench.detect import decode
from lnbench.detect.data import Labelled, usual_size
from lnbench.detect.decode import Room, Unreadable, header, picture, watchful
from lnbench.detect.reading import read
from lnbench.errors import DataError, visible
from tests.toys.planted_digits import Planted, detect, rows

QUICK = ("--runs", 1, "--epochs", 2, "--model", "perceptron", "--top", 8)


def load(path: Path, size: int | None = None) -> Labelled:
    return read(path, size, lambda line: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of 40 noisy grey images of 12×12 pixels."""
    rng = np.random.default_rng(0)
    for name, level in (("dark", 40), ("light", 200)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(40):
            pixels = rng.integers(level - 30, level + 30, (12, 12)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{number:02d}.png")
    return tmp_path / "data"


def test_what_is_no_image_is_skipped_listed_and_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "dark/notes.txt").write_text("not an image")
    (folder / "dark/empty.png").touch()
    whole = (folder / "dark/01.png").read_bytes()
    (folder / "dark/torn.png").write_bytes(whole[: len(whole) // 2])
    (folder / "light/gone.png").symlink_to("nowhere.png")
    os.mkfifo(folder / "light/pipe.png")
    (folder / ".hidden").mkdir()
    (folder / "dark/.DS_Store").write_text("nothing to speak of")
    (folder / "README").write_text("beside the classes")
    out = folder.with_name("out")
    assert detect(folder, "-o", out, *QUICK) == 0
    result, page = json.loads((out / "result.json").read_text()), (out / "report.md").read_text()
    assert result["data"]["images"] == 80
    skipped = {one["file"]: one["why"] for one in result["data"]["skipped"]}
    assert set(skipped) == {"dark/notes.txt", "dark/empty.png", "dark/torn.png", "light/gone.png", "light/pipe.png"}
    assert skipped["dark/notes.txt"] == "not a PNG, JPEG, GIF, BMP, TIFF, WebP, AVIF, PPM or JPEG 2000 image"
    assert skipped["light/gone.png"] == "no such file" and skipped["light/pipe.png"] == "not a file"
    assert "damaged" in skipped["dark/torn.png"]
    assert "5 files could not be read" in page and "Skipped files (5)" in page and "dark/torn.png" in page
    assert any("1 file next to the class folders" in note for note in result["notes"])
    assert "5 skipped, the first: dark/empty.png" in capsys.readouterr().err


def test_a_folder_that_may_not_be_read_is_listed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "dark/closed").mkdir()
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    data = load(folder)
    assert len(data.labels) == 80
    assert data.skipped == [("dark/closed", "a folder that may not be read")]


def test_nothing_but_unreadable_files_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(60):
            (tmp_path / "data" / name / f"{number}.jpg").write_bytes(b"\xff\xd8 no more")
    assert detect(tmp_path / "data") == 6
    err = capsys.readouterr().err
    assert "none of 120 files could be read as an image (a/0.jpg: " in err and len(err.splitlines()) == 1
    assert not (tmp_path / "data.detect").exists()


def test_an_empty_class_folder_is_left_out_and_named(folder: Path) -> None:
    (folder / "empty").mkdir()
    (folder / "scraps").mkdir()
    (folder / "scraps/a.txt").write_text("x")
    data = load(folder)
    assert data.classes == ["dark", "light"] and data.counts() == [40, 40]
    assert "class folders without an image are left out: empty and scraps" in data.notes


@pytest.mark.parametrize(
    ("make", "gist"),
    [
        (lambda path: None, "no such folder or file"),
        (lambda path: path.mkdir(), "has no class folders"),
        (lambda path: (path / "a").mkdir(parents=True), "its class folders are empty"),
        (lambda path: path.write_text("labels"), "no NumPy archive"),
        (lambda path: np.save(path.open("wb"), np.zeros(3)), "is one array"),
    ],
)
def test_what_holds_no_data_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Any, gist: str
) -> None:
    make(tmp_path / "data")
    assert detect(tmp_path / "data") == (6 if (tmp_path / "data").exists() else 2)
    err = capsys.readouterr().err
    assert gist in err and len(err.splitlines()) == 1


def test_one_class_or_too_few_images_are_errors(folder: Path) -> None:
    shutil.copytree(folder / "dark", folder / "light", dirs_exist_ok=True)
    for number in range(16):
        (folder / f"light/{number:02d}.png").unlink()
        (folder / f"dark/{number:02d}.png").unlink()
    with pytest.raises(DataError, match="48 images are too few; at least 50"):
        load(folder)
    shutil.copytree(folder / "dark", folder / "light/more")
    shutil.rmtree(folder / "dark")
    with pytest.raises(DataError, match="48 images are too few"):
        load(folder)
    shutil.copytree(folder / "light/more", folder / "light/again")
    with pytest.raises(DataError, match=r"all images are of one class \('light'\), so no label can be wrong"):
        load(folder)


def test_images_of_any_mode_and_size_become_alike(folder: Path) -> None:
    rng = np.random.default_rng(1)
    base = Image.fromarray(rng.integers(0, 255, (40, 30, 3)).astype(np.uint8))
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "YCbCr", "HSV"):
        image = base.convert(mode)
        image.save(folder / f"dark/{mode}.{'tiff' if mode in ('CMYK', 'YCbCr', 'HSV', 'LA') else 'png'}") if (
            mode != "HSV"
        ) else base.save(folder / "dark/HSV.bmp")
    base.save(folder / "dark/photo.jpg", quality=90)
    base.save(folder / "dark/moving.gif", save_all=True, append_images=[base.rotate(90), base.rotate(180)])
    data = load(folder)
    assert data.images.shape == (91, 3, 12, 12) and not data.skipped
    assert any("1 file with several pictures" in note for note in data.notes)
    assert any("scaled to 12×12" in note for note in data.notes)
    # the colours survive: the RGB file's mean is that of the middle of the original
    place = data.names.index("dark/RGB.png")
    middle = np.asarray(base)[5:35].mean((0, 1))
    assert np.abs(data.images[place].mean((1, 2)) - middle).max() < 8


def test_grey_images_saved_in_colour_are_grey(folder: Path) -> None:
    for file in folder.glob("*/*.png"):
        Image.open(file).convert("RGB").save(file)
    assert load(folder).images.shape == (80, 1, 12, 12)


def test_transparent_parts_lie_on_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    image.putpixel((0, 0), (255, 0, 0, 255))
    image.save(tmp_path / "a.png")
    pixels = picture(tmp_path / "a.png", 8)
    assert pixels[0, 0].tolist() == [255, 0, 0] and (pixels[1:] == 255).all()


def test_sixteen_bits_are_halved_and_not_cut_off(tmp_path: Path) -> None:
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    Image.fromarray(values).save(tmp_path / "a.png")
    assert (picture(tmp_path / "a.png", 8)[..., 0] == values >> 8).all()
    Image.fromarray(values.astype(np.float32)).save(tmp_path / "b.tiff")
    with pytest.raises(Unreadable, match="floating-point"):
        picture(tmp_path / "b.tiff", 8)


def test_a_photograph_is_turned_upright(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:4] = 255  # a bright top
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    upright = picture(tmp_path / "a.png", 16)
    assert upright[:, -4:].mean() > 250 and upright[:, :-4].mean() < 5


def test_a_picture_of_the_right_size_is_taken_pixel_by_pixel(folder: Path) -> None:
    data = load(folder)
    original = np.asarray(Image.open(folder / data.names[7]))
    assert data.shape == (1, 12, 12) and (data.images[7, 0] == original).all()


def test_a_decompression_bomb_is_skipped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (60, 60)).save(folder / "dark/huge.png")
    Image.new("L", (200, 200)).save(folder / "dark/vast.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)  # a warning above, an error from twice as many on
    data = load(folder)
    assert data.skipped == [("dark/huge.png", "more than 3,000 pixels"), ("dark/vast.png", "more than 3,000 pixels")]
    with watchful(), pytest.raises(Unreadable):
        header(folder / "dark/huge.png")


def test_links_are_followed_inside_the_folder_only_and_circles_end(folder: Path, tmp_path: Path) -> None:
    """Who gives a folder to others could show them pictures of theirs that they never named."""
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    for name in ("far.png", "deep/away.png"):
        shutil.copy(folder / "dark/00.png", tmp_path / "elsewhere" / name)
    (folder / "dark/linked.png").symlink_to(tmp_path / "elsewhere/far.png")
    (folder / "dark/by-the-way.png").symlink_to("../../elsewhere/far.png")
    (folder / "light/inner").symlink_to(tmp_path / "elsewhere")
    (folder / "class").symlink_to(tmp_path / "elsewhere")
    (folder / "light/chain.png").symlink_to(folder / "dark/linked.png")
    (folder / "light/circle").symlink_to(folder / "light")
    (folder / "light/again.png").symlink_to("../dark/00.png")
    (folder / "light/more").symlink_to("../dark")
    data = load(folder)
    assert len(data.labels) == 121 and {"light/again.png", "light/more/00.png"} <= set(data.names)
    outside = {"dark/linked.png", "dark/by-the-way.png", "light/inner", "class", "light/chain.png"}
    assert {name for name, _ in data.skipped} == outside | {"light/more/linked.png", "light/more/by-the-way.png"}
    assert all("a link that leads out of the images' folder" in why for _, why in data.skipped)
    assert data.classes == ["dark", "light"]
    (tmp_path / "alias").symlink_to(folder)  # what the user names is the folder, wherever it leads
    assert load(tmp_path / "alias").names == data.names


def test_pixels_in_flight_are_capped_over_all_threads() -> None:
    room, most, now, lock = Room(100), 0, 0, threading.Lock()

    def decode(pixels: int) -> None:
        nonlocal most, now
        with room.of(pixels):
            with lock:
                now += pixels
                most = max(most, now)
            time.sleep(0.001)
            with lock:
                now -= pixels

    sizes = [int(one) for one in np.random.default_rng(0).integers(1, 60, 200)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(decode, sizes))
        assert 60 < most <= 100
        most = 0
        list(pool.map(decode, [*sizes[:20], 5000, *sizes[20:40]]))
    assert most == 5000 and room.taken == 0  # one that is larger than the room is decoded alone


def test_every_picture_asks_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Asked(Room):
        def of(self, pixels: int) -> Any:
            asked.append(pixels)
            return super().of(pixels)

    monkeypatch.setattr(decode, "ROOM", Asked(1000))
    for name in ("a.png", "a.jpg"):
        Image.new("RGB", (300, 400)).save(tmp_path / name)
        picture(tmp_path / name, 20)
    assert asked == [120_000, 7500]  # a JPEG is decoded at a fraction of its size


def test_bands_change_no_pixel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, files = np.random.default_rng(3), []
    for mode in ("L", "LA", "RGBA", "P", "1", "CMYK", "I;16"):
        files.append(folder / f"{mode.replace(';', '')}.tiff")
        if mode == "I;16":
            image = Image.fromarray(rng.integers(0, 65_535, (37, 23)).astype(np.uint16))
        else:
            image = Image.fromarray(rng.integers(0, 255, (37, 23, 4)).astype(np.uint8))
            image = (image.convert("RGB") if mode in ("CMYK", "1", "P") else image).convert(mode)
        image.save(files[-1])
    whole = [picture(file, 16) for file in files]
    monkeypatch.setattr(decode, "BAND", 50)
    assert all((picture(file, 16) == one).all() for file, one in zip(files, whole, strict=True))


def test_names_that_are_no_text_are_kept_as_they_are(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strange = os.fsencode(folder) + b"/dark/caf\xe9|`x`\n.png"
    shutil.copy(folder / "dark/00.png", os.fsdecode(strange))
    os.rename(folder / "light", os.fsdecode(os.fsencode(folder) + b"/li\xffght"))
    out = folder.with_name("out")
    assert detect(folder, "-o", out, *QUICK) == 0
    names = {row["image"] for row in rows(out / "scores.csv")}
    assert os.fsdecode(b"dark/caf\xe9|`x`\n.png") in names
    lines = (out / "report.md").read_text().splitlines()
    assert all(line.count(" | ") in range(1, 8) for line in lines if line.startswith("| "))


def test_the_side_is_that_of_nearly_all_images_and_a_multiple_of_four() -> None:
    assert usual_size([100] * 20) == 32
    assert usual_size([28] * 20) == 28
    assert usual_size([31] * 20) == 28
    assert usual_size([5] + [64] * 19) == 32  # one thumbnail does not make all others small
    assert usual_size([5] * 20) == 8


@pytest.mark.parametrize(
    ("change", "gist"),
    [
        ({"labels": None}, "has no `labels` (it has images)"),
        ({"images": None}, "has no `images` (it has labels)"),
        ({"images": np.zeros((80, 12, 12), np.float32)}, "`images` is float32, not uint8"),
        ({"images": np.zeros((80, 12, 12), bool)}, "`images` is bool, not uint8"),
        ({"images": np.zeros((80, 144), np.uint8)}, "`images` has shape (80, 144)"),
        ({"images": np.zeros((80, 12, 12, 2), np.uint8)}, "`images` has shape (80, 12, 12, 2)"),
        ({"images": np.zeros((0, 12, 12), np.uint8)}, "`images` has shape (0, 12, 12"),
        ({"labels": np.zeros(79, int)}, "`labels` has shape (79,), but there are 80 images"),
        ({"labels": np.zeros((80, 3), int)}, "`labels` has shape (80, 3); expected (80,); of one row per image with"),
        ({"labels": np.linspace(0, 1, 80)}, "`labels`: entry 1 is 0.012"),
        ({"labels": np.arange(80) % 2 == 0}, "`labels` is bool; expected whole numbers from 0 on, or text"),
        ({"labels": np.arange(80) % 2 + 10**12}, "label 1000000000001 is not a class number"),
        ({"labels": np.r_[np.zeros(79, int), -1]}, "label -1 of number 79 is negative"),
        (
            {"labels": np.array(["a", "b"] * 40), "classes": np.array(["a", "c"])},
            "label 'b' is not among its `classes`",
        ),
        ({"labels": np.array([None] * 80, dtype=object)}, "labels holds Python objects"),
        ({"labels": np.zeros(80, int)}, "all images are of one class ('0')"),
        ({"classes": np.array(["a"])}, "`classes` has 1 names, but labels go up to 1"),
        ({"images": np.zeros((40, 12, 12), np.uint8), "labels": np.r_[[0] * 20, [1] * 20]}, "40 images are too few"),
    ],
)
def test_an_archive_that_is_not_as_it_should_be_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], gist: str
) -> None:
    good = {"images": np.zeros((80, 12, 12), np.uint8), "labels": np.r_[np.zeros(40, int), np.ones(40, int)]}
    arrays = {name: array for name, array in {**good, **change}.items() if array is not None}
    np.savez(tmp_path / "data.npz", **arrays)
    assert detect(tmp_path / "data.npz") == 6
    err = capsys.readouterr().err
    assert gist in err and len(err.splitlines()) == 1
    assert not list(tmp_path.glob("*detect*"))


def test_a_damaged_archive_is_one_line(digits: Planted, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(digits.archive.read_bytes())
    (tmp_path / "torn.npz").write_bytes(data[: len(data) // 2])
    data[2000:2100] = bytes(100)
    (tmp_path / "wrong.npz").write_bytes(data)
    for name in ("torn.npz", "wrong.npz"):
        assert detect(tmp_path / name) == 6
        assert "cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["NHW", "NHW1", "NHW3", "NHW4", "N1HW", "N3HW"])
def test_archives_of_every_form_are_read_alike(tmp_path: Path, form: str) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (60, 12, 16)).astype(np.uint8)
    colour = np.stack([grey, grey // 2, grey // 3], axis=-1)
    opaque = np.full((*grey.shape, 1), 255, np.uint8)
    images = {
        "NHW": grey,
        "NHW1": grey[..., None],
        "NHW3": colour,
        "NHW4": np.concatenate([colour, opaque], axis=-1),
        "N1HW": grey[:, None],
        "N3HW": colour.transpose(0, 3, 1, 2),
    }[form]
    labels = np.array([3, 7, 9] * 20, dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=labels, classes=[f"c{number}" for number in range(12)])
    data = load(tmp_path / "a.npz")
    assert data.classes == ["c3", "c7", "c9"] and data.labels[:4].tolist() == [0, 1, 2, 0]
    assert data.shape == ((1 if form in ("NHW", "NHW1", "N1HW") else 3), 12, 12)
    assert (data.images[:, 0] == grey[:, :, 2:14]).all()  # the middle square
    assert any("classes without an image are left out: c0, c1" in note for note in data.notes)
    assert data.view(5, 160).shape == (12, 12, 3)


def test_printable_text_stays_as_it_is() -> None:
    assert visible("Käfer") == "Käfer" and visible("a\udce9") == "a\\udce9"
