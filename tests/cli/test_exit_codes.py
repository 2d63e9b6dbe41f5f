"""Every exit code of the command line, and that nothing a user can mend shows a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from lnbench.execute.groups import Task
from lnbench.store import Store
from tests.toys.registered import register_long_ago
from tests.toys.trained_study import Call


def edit(home: Path, old: str, new: str) -> None:
    file = home / "claims" / "toy.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_all_claims_reproduced_is_0(trained: Path, call: Call) -> None:
    code, out, _ = call("verify", "claims/toy.yaml", "--tier", "full")
    assert code == 0
    assert "nothing to train: all 12 runs are in the store" in out
    assert (trained / ".lnbench/reports/toy-full/report.md").is_file()


def test_a_contradicted_claim_that_survives_every_try_is_1(trained: Path, call: Call) -> None:
    edit(trained, "threshold: 0.3", "threshold: 0.99")
    edit(trained, "  - {key: epochs, ours: three, try: {epochs: {times: 2}}}", "  - {key: epochs, ours: three}")
    register_long_ago(trained / "claims/toy.yaml")
    code, out, _ = call("verify", "toy", "--tier", "full")
    assert code == 1
    assert "contradicted" in out


def test_a_contradiction_is_inconclusive_until_what_is_open_was_tried(trained: Path, call: Call) -> None:
    edit(trained, "threshold: 0.3", "threshold: 0.99")
    code, out, _ = call("verify", "toy", "--tier", "full", "--no-try")
    assert code == 4
    assert "not run with: epochs" in " ".join(out.split())


def test_verify_trains_what_a_contradiction_must_survive(trained: Path, call: Call) -> None:
    edit(trained, "threshold: 0.3", "threshold: 0.99")
    register_long_ago(trained / "claims/toy.yaml")
    code, out, err = call("verify", "toy", "--tier", "full")
    assert code == 1, out + err
    assert "TOY-01: outside the claimed range; now with the alternatives of what is left open" in out
    # the report keeps the records of the tries: without them the accusation could not be checked
    code, out, err = call("judge", "--check", str(trained / ".lnbench/reports/toy-full"))
    assert code == 0, err


def test_a_smoke_check_whose_direction_fails_is_1(trained: Path, call: Call) -> None:
    edit(trained, "threshold: 0.3", "threshold: 0.99")
    code, out, _ = call("verify", "toy", "--tier", "smoke")
    assert code == 1
    assert "smoke-fail" in out


def test_an_invalid_spec_is_2_and_shows_every_error_with_its_line(home: Path, call: Call) -> None:
    edit(home, "epochs: 2\n", "epochs: 0\n")
    edit(home, "model: perceptron", "model: perzeptron")
    code, _, err = call("verify", "claims/toy.yaml")
    assert code == 2
    assert len(err.splitlines()) == 2
    assert "claims/toy.yaml:10:12:" in err
    assert "did you mean 'perceptron'?" in err


@pytest.mark.parametrize(
    ("arguments", "gist"),
    [
        (("verify",), "Missing argument"),
        (("verify", "nosuch"), "no claim or study is named 'nosuch'"),
        (("verify", "claims/nosuch.yaml"), "no such file"),
        (("verify", "claims"), "no claim or study is named 'claims'"),
        (("verfy",), "did you mean 'verify'?"),
        (("verify", "toy", "--tier", "smok"), "smok"),
        (("verify", "toy", "--device", "cuda:7"), "no CUDA device"),
        (("verify", "toy", "--device", "tpu"), "not a device"),
        (("verify", "toy", "--backend", "magic"), "'magic' is not one of 'auto', 'loop', 'stacked', 'recorded'"),
        (("verify", "toy", "--backend", "recorded", "--device", "cpu"), "recorded: is for a CUDA device"),
        (("verify", "toy", "--where", "alpha=1"), "no axis 'alpha'"),
        (("verify", "toy", "--where", "noise.alpha=9"), "no run is at that value; noise.alpha takes 0, 2"),
        (("verify", "toy", "--where", "noise.alpha"), "AXIS=VALUE"),
        (("verify", "toy", "--claim", "TOY-03"), "did you mean"),
        (("verify", "toy", "--seeds", "0"), "0"),
        (("show", "TOY-09"), "did you mean 'TOY-0"),
        (("explain", "toy"), "name one of its claims"),
    ],
)
def test_wrong_usage_is_2_with_one_clear_line(home: Path, call: Call, arguments: tuple[str, ...], gist: str) -> None:
    code, _, err = call(*arguments)
    assert code == 2
    assert gist in err
    assert "Traceback" not in err


def test_a_missing_data_set_is_6_and_names_the_command_that_fetches_it(home: Path, call: Call) -> None:
    edit(home, "dataset: {name: digits, clean: 400}", "dataset: {name: mnist, clean: 400}")
    code, _, err = call("verify", "toy", "--tier", "full")
    assert code == 6
    assert "lnbench data fetch mnist" in err
    assert "Traceback" not in err


def test_a_failed_run_is_3_and_the_others_are_kept(home: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from lnbench.execute.worker import Trainer

    train = Trainer._train

    def broken(self: Trainer, task: Task) -> None:
        (run,) = task.runs
        if run.recipe["noise"]["alpha"] == 2 and run.seeds["init"] == 1:
            raise RuntimeError("the device caught fire")
        train(self, task)

    monkeypatch.setattr(Trainer, "_train", broken)
    code, _out, err = call("verify", "toy", "--tier", "smoke")
    assert code == 3
    assert "the device caught fire" in err
    assert Store(home / ".lnbench").status().records["training"] == 5


def test_a_tier_that_the_study_lacks_selects_nothing_and_is_5(home: Path, call: Call) -> None:
    code, _, err = call("verify", "toy", "--tier", "cpu")
    assert code == 5
    assert "has no tier cpu (it has smoke, full)" in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("judge", "nowhere"),
        ("audit", "nowhere"),
        ("detect", "nowhere"),
        ("data", "check", "minst"),
        ("data", "fetch", "minst"),
        ("scoreboard", "--reports", "nowhere"),
    ],
    ids=" ".join,
)
def test_what_a_user_names_and_is_not_there_is_wrong_usage(home: Path, call: Call, arguments: tuple[str, ...]) -> None:
    code, _, err = call(*arguments)
    assert code == 2 and len(err.splitlines()) == 1 and arguments[-1] in err


def test_a_report_that_is_there_and_cannot_be_read_is_6(home: Path, call: Call) -> None:
    (home / "report").mkdir()
    for text in (None, "", "{}", '{"schema": '):
        if text is not None:
            (home / "report/result.json").write_text(text)
        code, _, err = call("judge", "report")
        assert code == 6 and "report/result.json" in err and len(err.splitlines()) == 1


def test_checking_data_where_none_is_there_is_no_success(home: Path, call: Call) -> None:
    code, out, err = call("data", "check")
    assert code == 6 and "mnist: missing" in out and "nothing is there to check" in err
    code, out, _ = call("data", "check", "digits")
    assert code == 0 and out.splitlines() == ["digits: embedded, always there"]
    assert call("data", "check", "digits", "mnist")[0] == 6
    (home / "no-data/FashionMNIST/raw").mkdir(parents=True)
    (home / "no-data/FashionMNIST/raw/train-images-idx3-ubyte.gz").write_bytes(b"cut short")
    code, out, _ = call("data", "check")
    assert code == 6 and "fashion_mnist: damaged" in out


def test_runs_left_out_make_the_claim_not_run_and_the_exit_code_4(trained: Path, call: Call) -> None:
    for file in (trained / ".lnbench/records").glob("*/*.json"):
        file.unlink()
    code, out, _ = call("verify", "toy", "--tier", "smoke", "--where", "noise.alpha=2")
    assert code == 4
    assert "3 runs to train" in out
    assert "0 of 3 seeds have all their runs" in out


def test_claim_selects_only_what_it_needs(home: Path, call: Call) -> None:
    code, out, _ = call("verify", "toy", "--tier", "smoke", "--claim", "TOY-01")
    assert code == 0
    assert "3 runs to train" in out
