"""`verify` by shares, for a time, and what of a cluster is one line."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lnbench.cli.commands import ending
from lnbench.errors import Exit
from lnbench.store import Store
from tests.execute.sweep_tools import SUITE
from tests.toys.trained_study import Call


def test_shares_train_what_one_call_trains_and_judge_nothing(home: Path, call: Call) -> None:
    command = ("verify", "toy", "--tier", "full")
    assert call(*command, "--no-try", "--store", "whole")[0] != Exit.RUN_FAILED
    for number in (1, 2, 3):
        code, out, _ = call(*command, "--shard", f"{number}/3", "--store", "shared")
        assert code == Exit.OK
        assert f"toy-full: share {number} of 3: " in out and "nothing is judged" in out
    assert not (home / "shared" / "reports").exists()
    whole, shared = (
        {one["id"]: one["outcome"] for one in Store(home / name).records()} for name in ("whole", "shared")
    )
    assert whole.items() <= shared.items()
    code, out, _ = call(*command, "--no-try", "--store", "shared")
    assert "nothing to train: all 12 runs are in the store" in out


@pytest.mark.parametrize("shard", ["0/3", "4/3", "1", "one/two", "1/0", "-1/3"])
def test_what_is_no_share_is_one_line(home: Path, call: Call, shard: str) -> None:
    code, _, err = call("verify", "toy", "--tier", "full", "--shard", shard)
    assert code == Exit.USAGE
    assert f"lnbench: --shard {shard}: not a share; write 1/3, 2/3 or 3/3 for one of three, of at most 999999" in err


def test_after_its_time_it_stops_as_for_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {number: signal.getsignal(number) for number in (*ending.ENDING, signal.SIGALRM)}
    try:
        assert (ending.why(), ending.exit_code()) == ("interrupted", Exit.INTERRUPTED)
        with pytest.raises(KeyboardInterrupt):
            ending.stop_after(0.001)
            time.sleep(30)
        assert (ending.why(), ending.exit_code()) == ("the time that it was given is over", Exit.TIME_OVER)
        ending.as_interrupt()  # another command of the same process
        assert ending.why() == "interrupted"
    finally:
        monkeypatch.setattr(ending, "_end", math.inf)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def test_the_time_that_is_given_ends_a_training(home: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float] = []
    monkeypatch.setattr("lnbench.cli.commands.verify.stop_after", given.append)
    assert call("verify", "toy", "--tier", "smoke", "--until", "30")[0] == Exit.OK
    assert given == [30.0]
    for nonsense in ("0", "nan", "inf", "-1"):
        assert call("verify", "toy", "--tier", "smoke", "--until", nonsense)[0] == Exit.USAGE, nonsense


def test_a_training_that_runs_out_of_time_says_so_and_ends_with_its_own_code(home: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "lnbench",
        "verify",
        "toy",
        "--tier",
        "full",
        "--workers",
        "0",
        "--until",
        "0.0001",
    ]
    environment = {**os.environ, "PYTHONPATH": str(SUITE), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=120)
    assert ended.returncode == Exit.TIME_OVER == 75, ended.stderr
    assert "the time that it was given is over" in ended.stderr and "give the same command to go on" in ended.stderr


@pytest.mark.parametrize(
    "options, error",
    [
        (("--address", "127.0.0.1:6379"), "--address: is of a Ray cluster; give --crew ray with it"),
        (("--crew", "ray", "--device", "cuda:1"), "--device cuda:1: with --crew ray the cluster picks the GPU"),
        (("--crew", "ray", "--workers", "0"), "--workers 0: trains in this process, not on a cluster"),
        (("--crew", "ray", "--address", "nowhere"), "--address nowhere: not an address; write host:port"),
    ],
)
def test_what_a_cluster_cannot_be_is_one_line(home: Path, call: Call, options: tuple[str, ...], error: str) -> None:
    pytest.importorskip("ray")
    code, _, err = call("verify", "toy", "--tier", "smoke", *options)
    assert code == Exit.USAGE
    assert err.strip().splitlines()[-1].startswith(f"lnbench: {error}")


def test_without_ray_it_says_how_to_get_it(home: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    find: Any = __import__("importlib.util").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "ray" else find(name))
    code, _, err = call("verify", "toy", "--tier", "smoke", "--crew", "ray")
    assert code == Exit.USAGE
    assert "--crew ray: Ray is not installed; pip install 'lnbench[ray]'" in err
