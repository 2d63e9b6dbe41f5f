"""result.json: lossless, finite, the same bytes for the same records, no folder of the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lnbench.report import differences, result_to_json
from lnbench.report.folder import json_text
from lnbench.report.plain import plain, without_paths
from tests.toys.report_world import World


def test_the_same_records_give_the_same_bytes_in_any_order(full: World) -> None:
    first = json_text(full.json())
    full.records = dict(reversed(full.records.items()))
    assert json_text(full.json()) == first


def test_no_number_is_infinite_or_missing_its_digits(full: World) -> None:
    data = json.loads(json_text(full.json()))
    part = data["claims"][0]["parts"][0]
    member = part["members"][0]
    check = full.result().claims[0].parts["above"].check
    assert part["region"] == {"low": 0.7, "high": None, "words": "at least 0.7"}
    assert member["values"] == list(full.result().claims[0].parts["above"].members[0].values)
    assert check.interval is not None
    low, high = check.interval.low, check.interval.high
    assert member["check"]["interval"] == {"low": low, "high": high, "confidence": 0.9}
    assert (part["p_reproduced"], part["p_contradicted"]) == (check.p_reproduced, check.p_contradicted)


def test_every_claim_part_cell_and_choice_is_there(full: World) -> None:
    data = full.json()
    assert [claim["id"] for claim in data["claims"]] == ["N1", "N.2", "n-2"]
    assert [part["name"] for part in data["claims"][0]["parts"]] == ["above", "printed", "every"]
    assert len(data["cells"]) == 6
    assert len(data["choices_made"]) == 6
    assert data["choices_made"][0]["chosen"] == 0.5
    assert data["choices_open"][0]["try"] == {"epochs": {"times": 2}}
    assert data["seeds"] == {"n": 5, "paired": ["split", "noise", "order", "init", "augment"], "choosing": 1}
    cell = data["cells"][3]
    assert cell["chosen"] == {"optimizer.lr": 0.5}
    assert len(set(cell["noise"]["labels_sha256"])) == 5
    assert data["runs"]["planned"] == data["runs"]["done"] == 42
    assert data["runs"]["seconds"] == pytest.approx(42 * 1.5)
    # 30 runs for the verdict and 12 for the choices, two epochs each, half with eleven times the images
    assert data["runs"]["examples"] == 2 * (21 * 1000 + 21 * 11000)


def test_collapsed_diverged_failed_and_missing_runs_are_counted_apart(full: World) -> None:
    full.collapse("mlp1", 10, 2)
    full.collapse("perceptron", 10, 1, diverged=True)
    gone, failed = full.runs("convnet4", 0)[:2]
    del full.records[gone.id], full.records[failed.id]
    full.failures = {failed.id: "RuntimeError: out of luck", "0" * 32: "a run of some other study"}
    runs = full.json()["runs"]
    assert (runs["collapsed"], runs["diverged"], runs["missing"], runs["done"]) == (2, 1, 2, 40)
    assert runs["failed"] == [{"id": failed.id, "message": "RuntimeError: out of luck"}]


def test_a_message_loses_the_folders_of_its_machine_and_nothing_else() -> None:
    assert without_paths("/home/me/data/mnist.gz: cut off") == "mnist.gz: cut off"
    assert without_paths("see 'C:\\Users\\me\\x.py', line 3") == "see 'x.py', line 3"
    for text in (
        "baselines/measured/smoke/x.json is missing",
        "https://example.org/a/b",
        "1/N and n/a",
        "a / b",
    ):
        assert without_paths(text) == text


def test_a_failed_run_tells_no_folder(full: World) -> None:
    run = full.runs("mlp1", 10)[0]
    del full.records[run.id]
    full.failures = {run.id: "FileNotFoundError: /home/someone/data/x is not there"}
    data = full.json()
    assert data["claims"][0]["verdict"] == "error"
    assert "someone" not in json_text(data)
    assert "x is not there" in data["claims"][0]["why"]


def test_plain_has_no_infinity_no_nan_and_no_minus_zero() -> None:
    assert plain((float("inf"), float("nan"), -0.0, 1)) == [None, None, 0.0, 1]
    assert str(plain(-0.0)) == "0.0"


def test_differences_name_the_place_and_both_values() -> None:
    old = {"claims": [{"p": 0.01, "verdict": "reproduced"}], "gone": 1}
    new = {"claims": [{"p": 0.0100001, "verdict": "error"}], "new": 2}
    assert differences(old, new) == [
        "claims[0].p: 0.0100001, was 0.01",
        "claims[0].verdict: 'error', was 'reproduced'",
        "gone: gone, was 1",
        "new: 2, was not there",
    ]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        (0.123456789, 0.1234568, True),
        (0.123456, 0.123457, False),
        (1e-12, 2e-12, True),
        (1, 1.0, True),
        (1, True, False),
        (0, None, False),
        ("1", 1, False),
        (123456.7, 123456.8, True),
        (123456, 123458, False),
        ([1, 2], [1], False),
    ],
)
def test_numbers_are_the_same_to_six_digits(old: object, new: object, same: bool) -> None:
    assert (differences({"x": old}, {"x": new}) == []) is same


def test_reports_are_written_without_torch_and_judged_without_matplotlib(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "import lnbench.report, lnbench.report.figures\n"
        "assert 'matplotlib' not in sys.modules\n"
        "from tests.toys.report_world import World, write_study\n"
        "world = World(write_study(pathlib.Path(sys.argv[1])), 'full').run_all()\n"
        "lnbench.report.write_report(world.result(), pathlib.Path(sys.argv[1]) / 'report')\n"
        "assert 'torch' not in sys.modules and 'torchvision' not in sys.modules\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_result_of_an_unfinished_study_is_written_too(empty) -> None:  # type: ignore[no-untyped-def]
    data = result_to_json(empty("full").result())
    assert data["verdicts"] == {"not-run": 3}
    assert data["runs"]["done"] == 0
    assert data["environments"] == data["data"] == []
