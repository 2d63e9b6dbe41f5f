"""What the verbs do, as a user would call them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lnbench.execute import local
from lnbench.judge import measured
from lnbench.store import Store
from tests.toys.project import paper, write_project
from tests.toys.trained_study import Call


def test_list_show_plan_explain_and_doctor_say_what_they_should(trained: Path, call: Call) -> None:
    code, out, _ = call("list")
    assert code == 0
    assert "TOY-01     A perceptron learns digits under noise." in out
    assert call("list", "costs")[1].count("TOY-") == 1
    assert call("list", "no such words")[0] == 5
    code, out, _ = call("show", "TOY-01")
    assert code == 0
    assert '"it learns" (§1)' in out and "TOY-02" not in out
    code, out, _ = call("plan", "toy", "--tier", "full")
    assert code == 0
    assert "12 runs (4 of them to choose optimizer.lr)" in out
    code, out, _ = call("explain", "TOY-01", "--tier", "full")
    assert code == 0
    assert "90 % interval =" in out and "Verdict: reproduced" in out
    code, out, _ = call("doctor", "--data-dir", "nowhere")
    assert code == 0
    assert "data         digits, " in out and "not here     mnist, " in out
    assert call("validate")[1] == "1 study with 2 claims: valid\n"
    assert json.loads(call("schema")[1])["title"] == "StudyFile"
    assert json.loads(call("schema", "baseline")[1])["title"] == "Baseline"


def test_a_plan_of_a_part_has_its_runs_and_choices_alone(trained: Path, call: Call) -> None:
    whole = [line for line in call("plan", "toy", "--tier", "full")[1].splitlines() if line.startswith(" ")]
    axis, value = whole[1].split()[:2]  # the first cell, behind the head
    code, out, _ = call("plan", "toy", "--tier", "full", "--where", f"{axis}={value}")
    cells = [line for line in out.splitlines() if line.startswith(f" {axis} ")]
    assert code == 0 and cells == [line for line in whole[1:] if line.split()[:2] == [axis, value]]
    assert 0 < len(cells) < len(whole) - 1 or len(whole) == 2
    assert call("plan", "toy", "--where", f"{axis}=nothing")[0] == 2
    assert "no such claim here" in call("plan", "toy", "--claim", "TOY-99")[2]


def test_more_seeds_train_only_what_the_store_lacks(trained: Path, call: Call) -> None:
    code, out, _ = call("verify", "toy", "--tier", "smoke", "--seeds", "8")
    assert code == 0
    assert "8 runs to train; 8 already in the store" in out  # the same rate was chosen at full, for four seeds


def test_a_damaged_record_is_set_aside_and_its_run_done_again(trained: Path, call: Call) -> None:
    file = next((trained / ".lnbench/records").glob("*/*.json"))
    kept = json.loads(file.read_text())["record"]["outcome"]
    file.write_text(file.read_text()[:100])
    for tier in ("smoke", "full"):
        code, _out, _err = call("verify", "toy", "--tier", tier)
        assert code == 0
    assert json.loads(file.read_text())["record"]["outcome"] == kept
    assert list((trained / ".lnbench/set-aside").iterdir())


def test_measure_blesses_nothing_silently(trained: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = call("verify", "toy", "--tier", "smoke")
    assert "drift was not checked" in out
    kept = sorted((trained / ".lnbench").rglob("*.json"))
    monkeypatch.setattr(measured, "REPEATS", 3)
    assert call("measure", "toy")[0] == 0
    assert sorted((trained / ".lnbench").rglob("*.json")) == kept  # what was trained with noise is in no store
    assert "drift" not in call("verify", "toy", "--tier", "smoke")[1]
    file = trained / "baselines/measured/smoke/toy.json"
    content = json.loads(file.read_text())
    effect = content["effects"][0]
    assert content["environment"][0]["torch"] and content["date"] and effect["seeds"] == [0, 1, 2]
    assert content["noise"]["repeats"] == 3 and [len(repeats) for repeats in effect["with_noise"]] == [3, 3, 3]
    effect["values"][1] -= 0.3
    effect["with_noise"][1] = [value - 0.3 for value in effect["with_noise"][1]]
    file.write_text(json.dumps(content))
    code, out, _ = call("verify", "toy", "--tier", "smoke")
    assert code == 1
    assert "has drifted" in out and "seed 1 gives" in out
    code, out, err = call("measure", "toy")
    assert code == 2
    assert "give --replace" in err
    assert call("measure", "toy", "--replace")[0] == 0
    assert call("verify", "toy", "--tier", "smoke")[0] == 0


@pytest.mark.long
def test_measure_trains_what_is_missing_and_replaces_a_reference_of_the_old_form(
    trained: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "available_cores", lambda: 0)
    file = trained / "baselines/measured/smoke/toy.json"
    file.write_text('{"schema": 1, "effects": []}')
    code, _, err = call("verify", "toy", "--tier", "smoke")
    assert code == 2 and "write it again: `lnbench measure STUDY --replace`" in err
    assert call("measure", "toy", "--seeds", "4", "--replace")[0] == 0
    assert json.loads(file.read_text())["effects"][0]["seeds"] == [0, 1, 2, 3]


@pytest.mark.long
def test_a_reference_that_stays_keeps_no_other_from_being_written(
    trained: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "available_cores", lambda: 0)
    toy = (trained / "claims/toy.yaml").read_text()
    other = re.sub(r"id: (\S+)", r"id: \1-other", toy).replace("smoke/toy", "smoke/other")
    for claim in re.findall(r"id: (\S+)", toy):
        other = re.sub(rf"^(\s+){claim}:", rf"\1{claim}-other:", other, flags=re.MULTILINE)
    (trained / "claims/other.yaml").write_text(other)
    file = trained / "baselines/measured/smoke/toy.json"
    file.write_text('{"schema": 1, "effects": []}')
    code, out, err = call("measure", "toy", "other")
    assert code == 2 and "toy.json" in err and "--replace" in err
    assert file.read_text() == '{"schema": 1, "effects": []}'
    assert "other.json" in out and (trained / "baselines/measured/smoke/other.json").is_file()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"effects": [{"effect": "noisy"}]}', '{"effects": 3}'])
def test_a_damaged_drift_reference_is_one_line(trained: Path, call: Call, text: str) -> None:
    (trained / "baselines/measured/smoke/toy.json").write_text(text)
    code, _, err = call("verify", "toy", "--tier", "smoke")
    assert code == 2
    assert "toy.json: not a file that `lnbench measure` wrote" in err
    assert "Traceback" not in err


def test_judge_finds_an_edited_report(trained: Path, call: Call) -> None:
    call("verify", "toy", "--tier", "full", "-o", "reports")
    assert call("judge", "--check", "reports/toy-full")[0] == 0
    file = trained / "reports/toy-full/result.json"
    text = file.read_text()
    file.write_text(text.replace('"reproduced"', '"contradicted"', 1))
    code, _, err = call("judge", "--check", "reports/toy-full")
    assert code == 1
    assert "reproduced" in err
    file.write_text(text)
    page = trained / "reports/toy-full/report.md"
    page.write_text(page.read_text().replace("reproduced", "reproduzed", 1))
    assert call("judge", "--check", "reports/toy-full")[0] == 1
    assert call("judge", "--check", "--write", "reports/toy-full")[0] == 0
    assert call("judge", "no-such-folder")[0] == 2


def test_the_scoreboard_is_what_the_reports_say(trained: Path, call: Call) -> None:
    call("verify", "toy", "--tier", "full", "-o", "reports")
    readme = trained / "README.md"
    readme.write_text("# Title\n\n<!-- headlines:begin -->\n<!-- headlines:end -->\nend\n")
    assert call("scoreboard", "--check")[0] == 1
    assert call("scoreboard")[0] == 0
    assert readme.read_text().endswith("end\n")
    page, picture = trained / "reports/README.md", trained / "reports/headlines.svg"
    assert "[TOY-01](./toy-full/report.md#claim-toy-01)" in page.read_text()
    assert not picture.exists()  # no headline claim was judged
    assert call("scoreboard", "--check")[0] == 0
    page.write_text(page.read_text().replace("reproduced", "reproduzed", 1))
    code, out, _ = call("scoreboard", "--check")
    assert code == 1 and f"{Path('reports/README.md')}: out of date" in out
    readme.write_text("# Title\n")
    code, _, err = call("scoreboard")
    assert code == 2 and "README.md: expected one <!-- headlines:begin -->" in err


def test_the_scoreboard_fills_the_table_of_methods_where_docs_have_a_place_for_it(trained: Path, call: Call) -> None:
    (trained / "README.md").write_text("<!-- headlines:begin -->\n<!-- headlines:end -->\n")
    page = trained / "docs" / "detect.md"
    page.parent.mkdir()
    page.write_text("before\n<!-- peers:begin -->\n<!-- peers:end -->\nafter\n")
    (trained / "reports").mkdir(exist_ok=True)
    assert call("scoreboard", "--check")[0] == 1
    assert call("scoreboard")[0] == 0
    assert "before\n<!-- peers:begin -->\n*Not run yet" in page.read_text()
    assert call("scoreboard", "--check")[0] == 0
    page.write_text("before\n")
    code, _, err = call("scoreboard")
    assert code == 2 and "detect.md: expected one <!-- peers:begin -->" in err


def test_a_headline_claim_is_on_the_front_page_with_its_picture(
    trained: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lnbench.report.headlines.HEADLINES", ("TOY-01",))
    call("verify", "toy", "--tier", "full", "-o", "reports")
    (trained / "README.md").write_text("<!-- headlines:begin -->\n<!-- headlines:end -->\n")
    assert call("scoreboard")[0] == 0
    assert "[TOY-01](reports/toy-full/report.md#claim-toy-01)" in (trained / "README.md").read_text()
    picture = trained / "reports/headlines.svg"
    assert ">TOY-01<" in picture.read_text()
    assert call("scoreboard", "--check")[0] == 0
    picture.write_text(picture.read_text().replace("reproduced", "contradicted"))
    code, out, _ = call("scoreboard", "--check")
    assert code == 1 and f"{Path('reports/headlines.svg')}: out of date" in out


def test_the_page_of_debates_is_written_and_held_to_the_reports(trained: Path, call: Call) -> None:
    """A paper without a report asks the same as the toy: its claim is named as not run. What is edited is seen."""
    text = (trained / "claims/toy.yaml").read_text()
    asking = text.replace("  - id: TOY-01\n", "  - id: TOY-01\n    question: is-it-so\n")
    (trained / "claims/toy.yaml").write_text(asking)
    write_project(trained, asking.replace("TOY-", "OTHER-").replace("paper: toy", "paper: other"),
                  paper(name="other", title="Another paper"), name="other", paper="other")  # fmt: skip
    (trained / "questions.yaml").write_text(
        "schema: 1\nquestions:\n  is-it-so: {title: 'Is it so?', about: One says so. Another does not.}\n"
    )
    call("verify", "toy", "--tier", "full", "-o", "reports")
    (trained / "README.md").write_text("<!-- headlines:begin -->\n<!-- headlines:end -->\n")
    code, out, _ = call("scoreboard")
    page = trained / "reports/debates.md"
    assert code == 0 and f"README.md, {Path('reports/debates.md')}" in out
    written = page.read_text()
    assert "## Is it so?\n\nOne says so. Another does not.\n" in written
    assert "**[TOY-01](toy-full/report.md#claim-toy-01)**, tier full: " in written
    assert "Not yet run here: OTHER-01 (study `other`) of Example 2026, Another paper." in written
    assert "](reports/debates.md#is-it-so)" in (trained / "README.md").read_text()
    assert call("scoreboard", "--check")[:2] == (
        0,
        "README.md: what the reports say\nreports/README.md: what the reports say\n"
        "reports/debates.md: what the reports say\n",
    )

    page.write_text(written.replace("Not yet run here", "Refuted here"))
    code, out, _ = call("scoreboard", "--check")
    assert code == 1 and "reports/debates.md: out of date" in out
    assert "Refuted" in page.read_text()  # --check writes nothing
    page.unlink()
    code, out, _ = call("scoreboard", "--check")
    assert code == 1 and "reports/debates.md: missing" in out and not page.exists()
    page.write_bytes(b"\xff")
    assert call("scoreboard", "--check")[0] == 1
    assert call("scoreboard")[0] == 0 and page.read_text() == written


def test_store_export_and_import_round_trip(trained: Path, call: Call) -> None:
    assert call("store", "export", "out.jsonl.gz")[0] == 0
    assert call("store", "import", "out.jsonl.gz", "--store", "other")[0] == 0
    assert Store(trained / "other").status().records == Store(trained / ".lnbench").status().records
    code, out, _ = call("verify", "toy", "--tier", "full", "--store", "other")
    assert code == 0 and "nothing to train" in out


def test_an_export_says_what_stays_behind(trained: Path, call: Call) -> None:
    import numpy as np

    from lnbench.store.sidefiles import describe
    from tests.toys.records import training

    store = Store(trained / ".lnbench")
    arrays = {"example_loss": np.zeros((2, 3), np.float32)}
    store.put(training(1, arrays=describe(arrays)), arrays)
    code, out, err = call("store", "export", "all.jsonl")
    assert code == 0 and len(out.splitlines()) == 1
    assert "1 of them have a side file that stays behind; to take it along, copy" in err
    assert call("store", "export", "all.jsonl", "--compact")[2] == ""


def test_verify_trains_by_the_backend_that_is_asked_for(home: Path, call: Call) -> None:
    code, out, _ = call("verify", "toy", "--tier", "smoke", "--backend", "stacked")
    assert code == 0, out
    provenance = [one["provenance"] for one in Store(home / ".lnbench").records()]
    assert {one["backend"] for one in provenance} == {"stacked"}
    assert {one["replicas"] for one in provenance} == {3}


def test_an_unwritable_output_is_one_line_and_not_a_traceback(trained: Path, call: Call) -> None:
    (trained / "file").write_text("")
    code, _, err = call("verify", "toy", "--tier", "full", "-o", "file")
    assert code == 6
    assert "there is a file where a folder is needed" in err


def test_the_bundled_claims_are_found_away_from_any_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out = subprocess.run(
        [sys.executable, "-m", "lnbench", "show", "R001-01"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    ).stdout
    assert "91%" in out


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(home: Path) -> None:
    text = (home / "claims/toy.yaml").read_text()
    (home / "claims/toy.yaml").write_text(text.replace("    epochs: 2\n", "    epochs: 20000\n"))
    command = [sys.executable, "-m", "lnbench", "verify", "toy", "--tier", "smoke", "--workers", "1"]
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((home / ".lnbench").glob("locks/*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "give the same command to go on" in err
    assert "Traceback" not in err
    assert list((home / ".lnbench/checkpoints").glob("*.npz"))


@pytest.mark.parametrize("arguments", [("--help",), ("list",), ("validate",), ("show", "TOY-01"), ("judge", "--help")])
def test_these_verbs_import_no_torch(home: Path, arguments: tuple[str, ...]) -> None:
    code = (
        "import sys\nfrom lnbench.cli.main import main\n"
        f"try: main({list(arguments)!r})\nexcept SystemExit: pass\n"
        "sys.exit('torch was imported' if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=home, capture_output=True, text=True, env=dict(os.environ))
    assert done.returncode == 0, done.stderr


def test_claims_are_pytest_items(trained: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "claims",
        "-v",
        "-p",
        "no:cacheprovider",
        "--lnbench-tier",
        "smoke",
    ]
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [*command, "-p", "lnbench.pytest_plugin"], cwd=trained, capture_output=True, text=True, env=env
    )
    assert done.returncode == 0, done.stdout
    assert "TOY-01 PASSED" in done.stdout and "TOY-02 PASSED" in done.stdout


def test_explain_of_an_empty_store_names_the_committed_reports(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[2])
    (tmp_path / "empty").mkdir()
    code, out, _ = call("explain", "R001-23", "--store", str(tmp_path / "empty"))
    assert code == 0
    assert "From the committed records: --report reports/rolnick_identities-full\n" in out
    code, out, _ = call("explain", "R001-23", "--report", "reports/rolnick_identities-full")
    assert code == 0 and "--report" not in out
