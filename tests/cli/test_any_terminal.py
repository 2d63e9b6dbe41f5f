"""A terminal with few letters, and one of few columns: the same words in plainer signs, and never a traceback."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lnbench.cli.main import VERBS, main
from lnbench.cli.terminal import any_letter

LETTERS = "α = 10, −0.5 ± 2 × 10⁻⁵ “Größe” § 3 … ✅ \udcff 猫"


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("ascii", 'alpha = 10, -0.5 +/- 2 x 10^-^5 "Groesse" section  3 ... \\u2705 \\udcff \\u732b'),
        ("latin-1", 'alpha = 10, -0.5 ± 2 × 10^-^5 "Größe" § 3 ... \\u2705 \\udcff \\u732b'),
        ("utf-8", LETTERS.replace("\udcff", "\\udcff")),
    ],
)
def test_letters_that_an_encoding_lacks_are_plainer_ones(encoding: str, written: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    with any_letter([stream]):
        print(LETTERS, end="", file=stream, flush=True)
    assert stream.buffer.getvalue() == written.encode(encoding)  # type: ignore[attr-defined]
    with pytest.raises(UnicodeEncodeError):  # as it was
        print("\udcff", file=stream, flush=True)


@contextlib.contextmanager
def poor(encoding: str) -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """Standard output and error in an encoding of few letters, as PYTHONIOENCODING or an old locale makes them."""
    out, err = io.BytesIO(), io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        for name, buffer in (("stdout", out), ("stderr", err)):
            patch.setattr(sys, name, io.TextIOWrapper(buffer, encoding=encoding, errors="strict", write_through=True))
        yield out, err


def test_every_verb_speaks_to_any_terminal(trained: Path) -> None:
    file = trained / "claims/toy.yaml"
    words = file.read_text(encoding="utf-8").replace("title: A toy study", "title: A toy — α ≥ 10, “猫”")
    file.write_text(words.replace("it learns", "it learns ½ × α"), encoding="utf-8")
    report = ".lnbench/reports/toy-full"
    calls = [
        *(f"{verb} --help" for verb in VERBS),
        "verify toy --tier full", f"judge {report}",
        "list", "show toy", "show TOY-01", "validate claims/toy.yaml", "lock --check toy", "plan toy --tier full",
        "power toy --tier full", "report toy --tier full", "explain TOY-01 --tier full",
        "store status", "store check", "data status", "data check", "data check α", "doctor", "verify α", "α",
        "detect α", "audit α", "schema study",
    ]  # fmt: skip
    with poor("ascii") as (out, err):
        for call in calls:
            with pytest.raises(SystemExit) as stop:
                main(call.split())
            assert stop.value.code != 70, (call, err.getvalue())
        said = out.getvalue() + err.getvalue()
    assert b"Traceback" not in said and "猫".encode() not in said
    assert b"A toy - alpha >= 10" in said


def test_click_does_not_write_around_a_stream_that_says_ascii(home: Path) -> None:
    with poor("ascii") as (_, err):
        with pytest.raises(SystemExit):
            main(["data", "α"])
        assert err.getvalue().endswith(b"No such command 'alpha'.\n")
