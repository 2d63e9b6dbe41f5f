"""Judging costs no GPU hour and hardly any time: what `lnbench judge` and `--help` rely on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import lnbench.stats
from lnbench import stats
from lnbench.stats import Printed, Verdict

SOURCE = Path(lnbench.stats.__file__).parents[2]


def test_importing_does_not_import_the_slow_parts() -> None:
    code = "import sys, lnbench.stats; print(sorted({m.split('.')[0] for m in sys.modules} | set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    for slow in ("'scipy.stats'", "'torch'", "'pandas'", "'matplotlib'", "'sklearn'"):
        assert slow not in run.stdout, f"lnbench.stats imports {slow}"


def test_a_hundred_claims_of_ten_seeds_take_less_than_a_second() -> None:
    rng = np.random.default_rng(0)
    started = time.perf_counter()
    checks = []
    for _ in range(25):
        x = rng.normal(0.93, 0.01, 10)
        checks += [
            stats.above(x, 0.925, step=1e-4),
            stats.agrees(x, Printed(0.91, 0.01, 0.01, 0.01, "sd", 5), 0.02, step=1e-4),
            stats.equivalent(x - 0.93, 0.004, step=1e-4),
            stats.partial_conjunction([stats.ordered(x - edge, step=1e-4) for edge in (0.91, 0.92, 0.93)]),
        ]
    for check in checks:
        if check.verdict() is Verdict.INCONCLUSIVE:
            stats.seeds_to_decide(check)
    stats.holm([check.p_contradicted for check in checks])
    took = time.perf_counter() - started
    assert took < 1.0, f"{took:.2f} s"


def test_every_public_name_is_there_and_sorted() -> None:
    assert all(hasattr(stats, name) for name in stats.__all__)
    assert len(set(stats.__all__)) == len(stats.__all__)


def test_modules_stay_small() -> None:
    for path in Path(lnbench.stats.__file__).parent.glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path.name
