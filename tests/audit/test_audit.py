"""Runs of a report trained again: drawn at random, from the report alone, and nothing of it is changed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lnbench.audit.again import draw_runs
from lnbench.audit.choose import draw, run_of
from lnbench.execute.local import execute
from lnbench.identity import canonical_json
from lnbench.pipeline import Quiet, judge_store
from lnbench.plan import plan_study
from lnbench.report import write_report
from lnbench.spec import load_study
from lnbench.store import Record, Store, make_record
from lnbench.store.record import envelope, opened
from tests.toys import line_study, small_runs
from tests.toys.project import REPLACED, base, paper, write_project
from tests.toys.trained_study import Call

CONFUSING = "noise: {kind: dilute_structured, alpha: 2, delta: 0.5, order: confusing}"


pytestmark = pytest.mark.usefixtures("no_drawing")


@pytest.fixture
def report(trained: Path, call: Call) -> Path:
    call("report", "toy", "--tier", "full")  # whatever its verdicts
    return trained / ".lnbench" / "reports" / "toy-full"


def edit(folder: Path, change: Callable[[Record], Record]) -> None:
    """Change every training record of a report, with all its checksums."""
    file = folder / "records.jsonl"
    records = [opened(line) for line in file.read_text().splitlines()]
    records = [change(record) if record["kind"] == "training" else record for record in records]
    file.write_text("".join(f"{canonical_json(envelope(record))}\n" for record in records))


def with_provenance(**changes: Any) -> Callable[[Record], Record]:
    return lambda record: {**record, "provenance": {**record["provenance"], **changes}}


def elsewhere(record: Record) -> Record:
    """The record as if another processor had made it."""
    environment = {**record["provenance"]["environment"], "processor": "Another"}
    return with_provenance(environment=environment)(record)


def shifted(by: float) -> Callable[[Record], Record]:
    """The record with other accuracies and losses; by as much for each seed, so that their spread stays."""

    def change(record: Record) -> Record:
        curves = {name: [value + by for value in curve] for name, curve in record["outcome"]["curves"].items()}
        return make_record(record["content"], {**record["outcome"], "curves": curves}, record["provenance"])

    return change


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_drawn_runs_have_the_same_bits_and_nothing_else_is_written(trained: Path, report: Path, call: Call) -> None:
    before = snapshot(trained)
    code, out, err = call("audit", str(report), "-k", "3", "--seed", "7", "--json", str(trained / "audit.json"))
    assert code == 0, out + err
    assert re.search(r"3 of \d+ training runs, drawn with seed 7", out) and "3 identical" in out
    assert f"lnbench audit {report} -k 3 --seed 7" in out
    told = json.loads((trained / "audit.json").read_text())
    (trained / "audit.json").unlink()
    assert snapshot(trained) == before
    assert [run["fate"] for run in told["runs"]] == ["identical"] * 3
    assert [run["differences"] for run in told["runs"]] == [[]] * 3
    assert told["runs"][0]["then"] == told["runs"][0]["now"]
    again = call("audit", str(report), "-k", "3", "--seed", "7")[1]
    assert all(run["id"][:12] in again for run in told["runs"])


def test_the_study_file_plays_no_part(trained: Path, report: Path, call: Call) -> None:
    (trained / "claims" / "toy.yaml").unlink()
    shutil.rmtree(trained / "baselines")
    assert call("audit", str(report), "-k", "1", "--seed", "0")[0] == 0


def test_without_a_seed_the_seed_is_drawn_and_shown(report: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.randbits", lambda bits: 4242)
    assert "drawn with seed 4242" in call("audit", str(report), "-k", "1")[1]


def test_a_changed_outcome_is_found_on_the_machine_that_made_it(report: Path, call: Call) -> None:
    edit(report, shifted(1e-6))
    code, out, _ = call("audit", str(report), "-k", "1", "--seed", "7")
    assert code == 7
    assert "differs, where equal bits are expected" in " ".join(out.split())
    assert "equal bits are expected; either the record is not this run's" in out


@pytest.mark.parametrize(("by", "code", "words"), [(1e-6, 0, "within the limit"), (3.0, 7, "more than another seed")])
def test_on_another_processor_the_seeds_spread_decides(
    report: Path, call: Call, by: float, code: int, words: str
) -> None:
    edit(report, lambda record: elsewhere(shifted(by)(record)))
    for number in range(8):  # some are choosing runs: the only seed of their cell
        found, out, _ = call("audit", str(report), "-k", "1", "--seed", str(number))
        if "too few seeds" not in out:
            break
        assert found == 4
    assert found == code, out
    assert words in " ".join(out.split()) and "Another" in out and re.search(r"sd of \d seeds", " ".join(out.split()))


def test_missing_data_gives_the_command_that_fetches_them(report: Path, call: Call) -> None:
    def on_mnist(record: Record) -> Record:
        content = json.loads(json.dumps(record["content"]))
        content["recipe"]["dataset"]["name"] = "mnist"
        return make_record(content, record["outcome"], record["provenance"])

    edit(report, on_mnist)
    code, out, _ = call("audit", str(report), "-k", "1", "--seed", "0")
    assert code == 3
    assert "lnbench data fetch mnist" in out and "1 could not be trained" in out


def test_another_version_of_the_code_and_another_device_are_told(report: Path, call: Call) -> None:
    edit(report, with_provenance(device="NVIDIA H200"))
    code, out, _ = call("audit", str(report), "-k", "1", "--seed", "0")
    assert code == 3 and "made on NVIDIA H200, and there is no CUDA device here" in out
    code, out, _ = call("audit", str(report), "-k", "1", "--seed", "0", "--device", "cpu")
    assert code == 0 and "--device cpu" in out

    def older(record: Record) -> Record:
        content = {**record["content"], "versions": {**record["content"]["versions"], "engine": 0}}
        return make_record(content, record["outcome"], record["provenance"])

    edit(report, older)
    code, out, _ = call("audit", str(report), "-k", "1", "--seed", "0")
    assert code == 3 and "made by another version of engine 0 (here 1)" in out


def test_a_recipe_of_another_lnbench_is_no_traceback(report: Path, call: Call) -> None:
    def strange(record: Record) -> Record:
        recipe = {**record["content"]["recipe"], "model": "no-such-model"}
        return make_record({**record["content"], "recipe": recipe}, record["outcome"], record["provenance"])

    edit(report, strange)
    code, out, err = call("audit", str(report), "-k", "1", "--seed", "0")
    assert code == 3 and "what this lnbench does not know" in out and "Traceback" not in out + err


def test_a_limit_says_which_share_of_the_runs_it_leaves(report: Path, call: Call) -> None:
    code, out, _ = call("audit", str(report), "--seed", "0", "--max-minutes", "1e-9")
    assert code == 5
    assert re.search(r"0 of (\d+) runs \(0 %\) are estimated to take at most 1e-09 min each.* about the other \1", out)


def test_ctrl_c_leaves_nothing(report: Path, call: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stopped(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setattr("lnbench.audit.again.execute_runs", stopped)
    code, _, err = call("audit", str(report), "-k", "1", "--seed", "5")
    assert code == 130 and "nothing is kept; --seed 5 draws the same runs again" in err
    assert list(folder.iterdir()) == []


def test_no_report_is_an_error_of_one_line(home: Path, call: Call) -> None:
    code, _, err = call("audit", "nowhere")
    assert code == 2 and "is nowhere the folder of a report?" in err and err.count("\n") == 1


def test_every_run_is_drawn_as_often_as_any_other() -> None:
    counts = dict.fromkeys("abcdefg", 0)
    for seed in range(7000):
        found = draw(list(counts), 3, seed)
        assert len(set(found)) == 3
        for name in found:
            counts[name] += 1
    assert all(2850 < count < 3150 for count in counts.values()), counts  # 3000 expected, sd 41
    assert sorted(draw(list(counts), 10, 1)) == list(counts)
    assert draw([], 3, 1) == []


def test_a_run_is_computed_by_the_backend_that_its_record_names(home: Path, call: Call) -> None:
    assert call("verify", "toy", "--tier", "smoke", "--backend", "stacked")[0] == 0
    folder = home / ".lnbench" / "reports" / "toy-smoke"
    code, out, err = call("audit", str(folder), "-k", "2", "--seed", "1", "--json", "audit.json")
    assert code == 0, out + err
    told = json.loads(Path("audit.json").read_text())
    assert {run["now"]["backend"] for run in told["runs"]} == {"stacked"}


def test_experiments_are_trained_again_too(home: Path, tmp_path: Path, call: Call) -> None:
    study = line_study.study(tmp_path / "line", "seeds: {n: 3", "seeds: {n: 1")
    store = Store(tmp_path / "store")
    assert not execute([plan_study(study)], store, Quiet(), workers=0).failures
    write_report(judge_store(study, store), tmp_path / "report")
    code, out, err = call("audit", str(tmp_path / "report"), "-k", "2", "--seed", "1")
    assert code == 0, out + err
    assert "2 identical" in out


READ = (
    """\
schema: 1
paper: toy
title: Losses of toys
choices: []
"""
    + base(noise=REPLACED, epochs=3, probes="[example_loss]")
    + """\
  vary: {model: [perceptron]}
  seeds: {n: 3, pair: [split, noise]}
effects:
  found: {metric: aul_auc, at: {model: perceptron}}
claims:
  - id: T-01
    says: The area under the loss finds wrong labels.
    quote: "finds"
    where: {section: "1"}
    verdict: found
    parts:
      found: {kind: above, effect: found, threshold: 0.6}
tiers:
  full: {deviations: []}
"""
)


def test_numbers_read_from_arrays_are_read_again(home: Path, tmp_path: Path, call: Call) -> None:
    study = load_study(write_project(tmp_path / "read", READ, paper())).tiers["full"]
    store, folder = Store(tmp_path / "read" / "store"), tmp_path / "read" / "report"
    assert not execute([plan_study(study)], store, Quiet(), workers=0).failures
    write_report(judge_store(study, store), folder)
    code, out, err = call("audit", str(folder), "-k", "3", "--seed", "1")
    assert code == 0 and "3 identical" in out, out + err
    file = folder / "records.jsonl"
    records = [opened(line) for line in file.read_text().splitlines()]
    assert sum(record["kind"] == "reading" for record in records) == 3

    def better(record: Record) -> Record:
        if record["kind"] != "reading":
            return record
        metrics = {**record["outcome"]["metrics"], "aul_auc": 0.99}
        return make_record(record["content"], {**record["outcome"], "metrics": metrics}, record["provenance"])

    file.write_text("".join(f"{canonical_json(envelope(better(record)))}\n" for record in records))
    code, out, _ = call("audit", str(folder), "-k", "1", "--seed", "1", "--json", "audit.json")
    assert code == 7
    (run,) = json.loads(Path("audit.json").read_text())["runs"]
    assert [one["where"] for one in run["differences"]] == ["detection to epoch 3: metrics.aul_auc"]


def test_what_a_run_builds_on_is_trained_again_with_it(home: Path, tmp_path: Path, call: Call) -> None:
    path = small_runs.write_study(tmp_path / "inputs", alphas="[1, 2]", epochs=1)
    text = path.read_text().replace("noise: {kind: dilute_uniform, alpha: 2, include_true_class: true}", CONFUSING)
    text = text.replace("at: {noise.alpha: 0}", "at: {noise.alpha: 1}")
    inputs = "inputs: {confusion: {of: {dataset.clean: 100, noise: {kind: none}, epochs: 1}, seeds: 2}}"
    path.write_text(text.replace("  vary:", f"  {inputs}\n  vary:"))
    study = load_study(path).tiers["smoke"]
    store, folder = Store(tmp_path / "inputs" / "store"), tmp_path / "inputs" / "report"
    assert not execute([plan_study(study)], store, Quiet(), workers=0).failures
    write_report(judge_store(study, store), folder)
    chosen = draw_runs(folder, 100, 0)
    readers = [one.run for one in chosen.drawn if one.run is not None and one.run.inputs]
    assert len(readers) == 4 and all(len(run.reads["confusion"].runs) == 2 for run in readers)
    assert all(run.id == run_of(chosen.records[run.id], chosen.records).id for run in readers)
    code, out, err = call("audit", str(folder), "-k", "6", "--seed", "1")
    assert code == 0, out + err
    assert "6 identical" in out and "with 2 for what it builds on, which the report does not hold" in out
    file = folder / "records.jsonl"  # without the input's record its readers cannot be trained
    file.write_text("".join(f"{line}\n" for line in file.read_text().splitlines() if '"kind":"derived"' not in line))
    code, out, _ = call("audit", str(folder), "-k", "6", "--seed", "1")
    assert code == 3 and "its input confusion (" in out and "2 identical; 4 could not be trained" in out
