"""docs/training.md: its example runs as it stands there, and goes on after it was stopped."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lnbench.execute.groups import BACKENDS
from lnbench.identity import canonical_json

PAGE = (Path(__file__).parents[2] / "docs/training.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The example sets threads and a signal handler, and writes where it stands."""
    monkeypatch.chdir(tmp_path)
    threads, handler = torch.get_num_threads(), signal.getsignal(signal.SIGINT)
    yield
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, handler)


def run(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, "docs/training.md", "exec"), names)
    return names


def plain(outcomes: list[dict[str, Any]]) -> str:
    return canonical_json([{**one, "arrays": one["arrays"]["example_loss"].tolist()} for one in outcomes])


def test_the_example_runs_and_goes_on_after_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    whole = run(example)
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert len(lines) == 6 + 3 and all(" ok, 0." in line for line in lines[:6])
    shares = [int(line.split(": ")[1].split("%")[0]) for line in lines[6:]]
    assert max(shares) > 75  # small-loss selection works, or the example shows nothing
    assert not Path("sweep.npz").exists()

    steps = iter(range(10_000))

    def interrupting(progress: Any) -> bool:
        if next(steps) == 130:
            os.kill(os.getpid(), signal.SIGINT)
        return False

    stopping = example.replace("    tick=tick,\n", "    tick=interrupting,\n")
    assert stopping != example
    with pytest.raises(SystemExit, match="start me again"):
        names = {"interrupting": interrupting, "__name__": "__main__"}
        exec(compile(stopping, "docs/training.md", "exec"), names)
    assert Path("sweep.npz").exists()
    again = run(example)
    assert capsys.readouterr().out.endswith(out)
    assert plain(again["outcomes"]) == plain(whole["outcomes"])


def test_the_page_names_every_backend() -> None:
    for backend in BACKENDS:
        assert f"`{backend}`" in PAGE or f"--backend {backend}" in PAGE
