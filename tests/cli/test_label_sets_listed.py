"""`lnbench data` knows the human label sets: present, missing or damaged, and where they are available."""

from __future__ import annotations

from pathlib import Path

from tests.toys.trained_study import Call


def test_status_and_check_list_the_label_sets(home: Path, call: Call) -> None:
    code, out, _ = call("data", "status")
    assert code == 0
    assert (
        "missing    cifar10n: 50,000 labels of cifar10 by people (aggregate, random1, random2, random3, worst)" in out
    )
    code, out, _ = call("data", "check", "cifar100n")
    assert code == 6 and "download CIFAR-100_human.pt" in out and "mnist" not in out
    (home / "no-data" / "cifar_n").mkdir(parents=True)
    (home / "no-data" / "cifar_n" / "cifar10n_labels.npz").write_bytes(b"x")
    code, out, _ = call("data", "check")
    assert code == 6 and "cifar10n: damaged: " in out and "mnist: missing" in out
    code, _, err = call("data", "fetch", "cifar100n")
    assert code == 6 and "CIFAR-100_human.pt" in err and "lnbench does not fetch them" in err
