"""Lists of files that anybody may have written: read inside their folder, or one line."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lnbench.detect.reading import From, read
from lnbench.errors import LnbenchError
from tests.hostile.pages import WORDS

PIECES = [
    b"\x00", b"\xff\xfe", b"\r", b"\n", b'"', b'""', b",", b";", b"\t", b"../", b"/etc/passwd", b"path,label\n", b"'",
    b"=1+1", b"\xe2\x80\xae", b"a" * 5000, b"00.png,cat\n", b".", b"..", b"~/x", b"\\..\\x", b"a\x00.png,cat\n",
]  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """60 pictures, and one outside that a list may not name."""
    (tmp_path / "data").mkdir()
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 255, (60, 8, 8)).astype(np.uint8)):
        Image.fromarray(pixels).save(tmp_path / "data" / f"{number:02d}.png")
    Image.new("L", (8, 8)).save(tmp_path / "outside.png")
    return tmp_path / "data"


def tried(folder: Path, seed: int, count: int) -> int:
    """Read edited lists; return how many were read."""
    draw, taken = random.Random(f"list {seed}"), 0
    sound = b"path,label\n" + b"".join(b"%02d.png,%s\n" % (number, b"cd"[number % 2 :][:1]) for number in range(60))
    for _ in range(count):
        made = bytearray(sound)
        for _ in range(draw.randrange(1, 4)):
            at = draw.randrange(len(made))
            made[at : at + draw.choice([0, 0, 1, 9])] = draw.choice(PIECES)
        (folder / "list.csv").write_bytes(made)
        try:
            data = read(folder / "list.csv", 8, lambda line: None)
        except LnbenchError as error:
            assert len(str(error).splitlines()) == 1 and len(str(error)) < 2000, made
        else:
            taken += 1
            for name in data.names:
                assert (folder / name).resolve().is_relative_to(folder), (name, made)
    return taken


def test_edited_lists_are_read_inside_their_folder_or_refused(folder: Path) -> None:
    assert tried(folder, 0, 25) > 2


@pytest.mark.long
def test_many_edited_lists_are_read_inside_their_folder_or_refused(folder: Path) -> None:
    assert tried(folder, 1, 1500) > 100


@pytest.mark.parametrize("words", WORDS[:8])
def test_a_label_is_text_whatever_it_says(folder: Path, words: str) -> None:
    import csv

    with (folder / "list.csv").open("w", newline="", errors="surrogateescape") as text:
        csv.writer(text).writerows([f"{number:02d}.png", words if number % 2 else "b"] for number in range(60))
    try:
        data = read(folder / "list.csv", 8, lambda line: None, From())
    except LnbenchError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert len(data.classes) == 2
