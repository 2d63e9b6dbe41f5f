"""docs/detect.md: its example runs as it stands there and gives the numbers that it shows; it names what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lnbench.cli.commands.detect import detect as verb
from lnbench.detect.data import FEWEST
from lnbench.detect.options import Options
from tests.toys.planted_digits import FILES, detect

PAGE = (Path(__file__).parents[2] / "docs/detect.md").read_text(encoding="utf-8")
PROGRESS = re.compile(r"\d+/\d+ runs, |reading (headers|images): ")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def numbers(line: str) -> list[float]:
    return [float(number.replace(",", "")) for number in NUMBER.findall(line)]


def test_the_example_runs_and_gives_what_it_shows(away: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plant, check, *_ = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    (command,) = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
    (shown,) = re.findall(r"```text\n(.*?)```", PAGE, re.S)
    exec(compile(plant, "docs/detect.md", "exec"), {})
    assert command == "lnbench detect digits\n"
    assert detect("digits") == 0
    exec(compile(check, "docs/detect.md", "exec"), {})
    out = capsys.readouterr().out.replace(f"{away}/", "")
    printed = [line for line in out.splitlines() if not PROGRESS.match(line)]  # how far it is, by the clock
    lines = shown.splitlines()
    assert [NUMBER.sub("N", line) for line in printed] == [NUMBER.sub("N", line) for line in lines]
    for got, line in zip(printed, lines, strict=True):
        for one, other in zip(numbers(got), numbers(line), strict=True):
            # counts of suspects move with the share: 1.5 points of 1,797 images
            assert abs(one - other) <= (1.5 if "%" in line and other <= 100 else 27), (got, line)


def test_the_page_names_every_file_and_no_option_that_is_not_there() -> None:
    for file in FILES:
        assert f"`{file}`" in PAGE
    there = {name for parameter in verb.params for name in parameter.opts if name.startswith("--")}
    named = set(re.findall(r"`(--[a-z-]+)", PAGE))
    assert named and named <= there
    assert f"At least {FEWEST} images" in PAGE
    assert f"`--runs` | {Options().runs} |" in PAGE and f"`--top` ({Options().top})" in PAGE
