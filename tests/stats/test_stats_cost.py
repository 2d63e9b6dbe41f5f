"""Judging costs no GPU hour and hardly any time: what `lnbench judge` and `--help` rely on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import lnbench.stats
from lnbench import stats

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


def test_every_public_name_is_there_and_sorted() -> None:
    assert all(hasattr(stats, name) for name in stats.__all__)
    assert len(set(stats.__all__)) == len(stats.__all__)


def test_modules_stay_small() -> None:
    for path in Path(lnbench.stats.__file__).parent.glob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path.name
