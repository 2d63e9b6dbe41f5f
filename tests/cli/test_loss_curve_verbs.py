"""Numbers that are read from arrays, by every verb that judges: where the arrays lie, and where they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.store import Store
from tests.toys.project import REPLACED, base
from tests.toys.trained_study import AsItems, Call

STUDY = (
    """\
schema: 1
paper: toy
title: Loss curves of a toy
"""
    + base(clean=300, noise=REPLACED, epochs=4, probes="[example_loss]")
    + """\
  seeds: {n: 3, pair: [split, noise]}
effects:
  auc: {metric: aul_auc, at: {epoch: 3}}
claims:
  - id: TOY-03
    says: The area under the loss tells wrong labels from right ones better than chance.
    quote: "it tells"
    where: {section: "1"}
    verdict: tells
    parts:
      tells: {kind: above, effect: auc, threshold: 0.5}
tiers:
  smoke: {deviations: [all of it]}
"""
)


@pytest.fixture
def curves(home: Path, call: Call) -> Path:
    """`home` with this study alone, done and judged."""
    (home / "claims" / "toy.yaml").unlink()
    (home / "claims" / "curves.yaml").write_text(STUDY)
    code, out, err = call("verify", "curves", "--tier", "smoke")
    assert code == 0 and "smoke-pass" in out, out + err
    return home


def readings(store: Path) -> int:
    return Store(store).status().records.get("reading", 0)


def test_verify_keeps_what_it_reads_and_a_second_call_reads_nothing(curves: Path, call: Call) -> None:
    assert readings(curves / ".lnbench") == 3
    for file in (curves / ".lnbench").rglob("*.npz"):
        file.unlink()
    code, out, _ = call("verify", "curves", "--tier", "smoke")
    assert code == 0 and "nothing to train" in out and "smoke-pass" in out


@pytest.mark.long
def test_claims_on_loss_curves_are_pytest_items(curves: Path, as_items: AsItems) -> None:
    code, out = as_items("smoke", "--lnbench-store", "fresh")
    assert code == 0, out
    assert "TOY-03 PASSED" in out and readings(curves / "fresh") == 3


def test_an_export_is_judged_where_the_arrays_are_not(curves: Path, call: Call) -> None:
    for file in (curves / ".lnbench" / "records").rglob("*.json"):
        if '"kind": "reading"' in file.read_text():
            file.unlink()  # nothing was judged yet: the export must read what a verdict needs
    code, out, err = call("store", "export", "out.jsonl.gz", "--study", "curves", "--tier", "smoke", "--compact")
    assert code == 0 and "6 records" in out, out + err
    assert call("store", "import", "out.jsonl.gz", "--store", "other")[0] == 0
    code, out, _ = call("report", "curves", "--tier", "smoke", "--store", "other", "-o", "reports")
    assert code == 0 and "smoke-pass" in out
    assert call("judge", "--check", "reports/curves-smoke")[0] == 0


def test_the_other_verbs_read_them_too(curves: Path, call: Call) -> None:
    code, out, _ = call("explain", "TOY-03", "--tier", "smoke")
    assert code == 0 and "epoch 3: aul_auc" in out
    code, out, _ = call("power", "TOY-03", "--tier", "smoke")
    assert code == 0 and "none yet" not in out
