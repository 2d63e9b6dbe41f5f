"""Trains runs without a fault in ways that round otherwise, and asks whether drift is found: none should be.

    python -m tests.faults.false_alarms [WAY ...]      # writes the table into docs/drift.md

Libraries are told by their environment variables to use older instructions than the processor has: that is as near to
another processor as one machine comes. Some minutes on two cores.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.faults.world import CLAIMS, WORLDS, World, claims_of, evidence_of, seen_shares

PAGE = Path(__file__).parents[2] / "docs" / "drift.md"
BEGIN, END = "<!-- alarms: written by tests/faults/false_alarms.py -->", "<!-- alarms: end -->"
NO_AVX512 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell"}
SSE = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "OPENBLAS_CORETYPE": "Nehalem"}
WAYS: dict[str, tuple[str, dict[str, str]]] = {
    "again": ("the same way again", {}),
    "threads": ("two threads in place of one", {}),
    "stacked": ("dense networks by the backend `stacked`", {}),
    "avx2": ("kernels for AVX2 in place of AVX-512", {**NO_AVX512, "MKL_ENABLE_INSTRUCTIONS": "AVX2"}),
    "sse": ("kernels for SSE4 in place of AVX-512", {**SSE, "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}),
}
LOOKED_AT = [
    *(WORLDS[name] for name in ("sharpness", "residual", "dense", "linear", "ntk", "counts")),
    *(
        World(name)
        for name in ("label_noise_sgd_cifar", "rolnick_batch_size", "rolnick_counts", "rolnick_repeated_images")
    ),
]


def found(way: str) -> list[float]:
    """Return of each effect how far its seeds moved at most, over the tolerance."""
    shares: list[float] = []
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        if way == "threads":
            import torch

            torch.set_num_threads(2)
            patch.setattr(torch, "set_num_threads", lambda count: None)
        for world in LOOKED_AT:
            backend = "stacked" if way == "stacked" else "auto"
            evidence = evidence_of(world, Path(folder), backend=backend)
            shares += seen_shares(evidence, claims_of(evidence))
    return shares


def row(way: str, shares: list[float]) -> str:
    alarms, moved = sum(share > 1 for share in shares), sum(share > 0 for share in shares)
    return f"| {WAYS[way][0]} | {len(shares)} | {moved} | {max(shares):.2g} | {alarms} |"


def main(ways: list[str]) -> None:
    rows = []
    for way in ways:
        code = f"import json; from tests.faults.false_alarms import found; print(json.dumps(found({way!r})))"
        environment = {**os.environ, **WAYS[way][1]}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=CLAIMS.parent, capture_output=True, text=True, check=True
        )
        shares: Any = json.loads(done.stdout.splitlines()[-1])
        rows.append(row(way, shares))
        print(rows[-1], flush=True)
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    header = "| how | effects | moved at all | furthest, moved / tolerance | alarms |\n|---|---:|---:|---:|---:|"
    table = "\n".join([header, *rows])
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:] or list(WAYS))
