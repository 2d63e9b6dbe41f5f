"""How long the verbs that train nothing take, as ratios against a bare interpreter in the same run.

    pytest tests/benchmarks/test_startup.py -n 0 -m "" --benchmark-enable --benchmark-only

Aims: `list` and `--help` at most 4 times an interpreter that imports click, yaml and rich; `validate` and `show`
under 1.5 s. Nothing is asserted of time: the ratio stands in the table's `extra_info` and is printed.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import Any

import pytest

BARE = [sys.executable, "-c", "import click, yaml, rich"]
VERBS = [
    ["--help"],
    ["list"],
    # seconds each, and what they say is held by tests/cli
    *(
        pytest.param(verb, marks=pytest.mark.long)
        for verb in (
            ["validate"],
            ["show", "R001-01"],
            ["plan", "rolnick_mnist", "--tier", "full"],
            ["plan", "--device", "h200", "--minutes", "60", "--all-data", "--json", "-"],
        )
    ),
]


def seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_startup(benchmark: Any, verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-m", "lnbench", *verb]
    ratios = []

    def pair() -> None:
        ratios.append(seconds(command) / seconds(BARE))  # interleaved: a busy machine slows both

    benchmark.pedantic(pair, rounds=5, warmup_rounds=1)
    ratio = statistics.median(ratios)
    benchmark.extra_info["ratio_to_bare_interpreter"] = round(ratio, 2)
    with capsys.disabled():
        print(f"\n{' '.join(verb):<32} {ratio:.2f} times a bare interpreter with click, yaml and rich")
