"""One way through the house: every door tries alternatives, looks again only while a claim is open, demands data."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import lnbench
from lnbench import needs, pipeline
from lnbench.data.root import Status
from lnbench.errors import DataError, LnbenchError, StoreError
from lnbench.execute.groups import Task
from lnbench.pipeline import Results
from lnbench.store import Store
from tests.toys.registered import register_long_ago
from tests.toys.trained_study import AsItems, Call


def edit(home: Path, old: str, new: str) -> None:
    """Edit the study, as if it had always been so: it was registered like that before its runs."""
    file = home / "claims" / "toy.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    register_long_ago(file)


def trainings(store: Path) -> int:
    return Store(store).status().records.get("training", 0)


@pytest.fixture
def contradicted(trained: Path) -> Path:
    """`trained`, with a first claim that is contradicted as run, and that training for longer does not save."""
    edit(trained, "threshold: 0.3", "threshold: 0.99")
    return trained


@pytest.fixture
def no_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The digits, which are always there, are missing."""

    def missing(root: Path, datasets: list[dict[str, Any]]) -> list[Status]:
        return [Status(one["name"], "missing", root) for one in datasets]

    monkeypatch.setattr(needs, "states_of", missing)


def test_the_plugin_fails_a_contradicted_claim_after_it_has_tried_the_alternatives(
    contradicted: Path, as_items: AsItems
) -> None:
    code, out = as_items("full")
    assert code == 1, out
    assert "TOY-01 FAILED" in out and "TOY-02 PASSED" in out
    assert "contradicted: A perceptron learns digits under noise" in out and "Traceback" not in out


def test_the_plugin_trains_no_seed_after_the_look_that_decides(trained: Path, as_items: AsItems) -> None:
    edit(trained, "seeds: {n: 4,", "seeds: {n: 6, looks: [4, 6],")
    edit(trained, "delta: -0.5", "delta: -0.9")
    before = trainings(trained / ".lnbench")
    code, out = as_items("full")
    assert code == 0 and "2 passed" in out, out
    assert trainings(trained / ".lnbench") == before


def test_the_plugin_names_the_command_that_fetches_missing_data(home: Path, as_items: AsItems) -> None:
    edit(home, "dataset: {name: digits, clean: 400}", "dataset: {name: mnist, clean: 400}")
    code, out = as_items("full")
    assert code == 1 and out.count("fetch it with `lnbench data fetch mnist`") >= 2, out
    assert "Traceback" not in out and not (home / ".lnbench/records").exists()


def test_a_contradiction_is_judged_again_from_an_export(contradicted: Path, call: Call) -> None:
    assert call("verify", "toy", "--tier", "full")[0] == 1
    code, out, err = call("store", "export", "out.jsonl.gz", "--study", "toy", "--tier", "full")
    assert code == 0, out + err
    assert call("store", "import", "out.jsonl.gz", "--store", "other")[0] == 0
    code, out, _ = call("report", "toy", "--tier", "full", "--store", "other")
    assert code == 1 and "contradicted" in out
    assert call("judge", "--check", "other/reports/toy-full")[0] == 0


def test_an_export_has_the_seeds_after_the_look_that_decided_too(trained: Path, call: Call) -> None:
    edit(trained, "seeds: {n: 4,", "seeds: {n: 6,")
    assert call("verify", "toy", "--tier", "full")[0] == 0
    edit(trained, "seeds: {n: 6,", "seeds: {n: 6, looks: [4, 6],")
    assert "look 1 of 2: 4 seeds" in call("report", "toy", "--tier", "full")[1]
    out = call("store", "export", "out.jsonl", "--study", "toy", "--tier", "full")[1]
    assert "18 records" in out  # 12 runs, 4 that chose, and 2 choices


def test_a_failed_alternative_is_the_same_when_the_report_is_judged_again(
    contradicted: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lnbench.execute.worker import Trainer

    def broken(self: Trainer, task: Task) -> None:
        raise RuntimeError("the device caught fire")

    monkeypatch.setattr(Trainer, "_train", broken)
    monkeypatch.setattr("lnbench.execute.local.available_cores", lambda: 0)  # no worker process: train in this one
    code, out, err = call("verify", "toy", "--tier", "full")
    assert code == 4 and "not run with: epochs" in " ".join(out.split()), out + err
    code, _, err = call("judge", "--check", ".lnbench/reports/toy-full")
    assert code == 0, err


def test_no_try_still_counts_the_alternatives_that_the_store_has(contradicted: Path, call: Call) -> None:
    assert call("verify", "toy", "--tier", "full")[0] == 1
    code, out, _ = call("verify", "toy", "--tier", "full", "--no-try")
    assert code == 1 and "trying what the paper leaves open" not in out


def test_the_alternatives_of_a_claim_that_was_not_asked_for_are_not_trained(contradicted: Path, call: Call) -> None:
    before = trainings(contradicted / ".lnbench")
    code, out, _ = call("verify", "toy", "--tier", "full", "--claim", "TOY-02")
    assert code == 0 and "trying what the paper leaves open" not in out
    assert trainings(contradicted / ".lnbench") == before


def test_verify_as_a_function_gives_what_the_command_line_gives(contradicted: Path, call: Call) -> None:
    results = lnbench.verify("claims/toy.yaml", tier="full", workers=0)
    assert isinstance(results, Results)
    assert repr(results) == "toy-full TOY-01: contradicted\ntoy-full TOY-02: reproduced"
    assert results.claim("TOY-01").tried == {"epochs": "contradicted"}
    again = lnbench.judge("toy", tier="full")
    assert [claim.verdict for claim in again.claims] == ["contradicted", "reproduced"]
    (page,) = results.write("reports")
    assert call("judge", "--check", str(page.parent))[0] == 0
    both = lnbench.judge([page.parent, page.parent])
    assert len(both.studies) == 2 and len(both.claims) == 4
    with pytest.raises(LnbenchError, match="at several tiers"):
        both.claim("TOY-01")
    with pytest.raises(LnbenchError, match="did you mean 'TOY-0"):
        results.claim("TOY-9")


def test_verify_takes_several_studies_and_trains_only_what_is_asked_for(home: Path) -> None:
    text = (home / "claims/toy.yaml").read_text()
    (home / "claims/other.yaml").write_text(text.replace("TOY-", "OTHER-"))
    told: list[int] = []

    class Watching(pipeline.Quiet):
        def planned(self, runs: list[object], reused: int) -> None:  # type: ignore[override]
            told.append(len(runs))

    results = lnbench.verify(
        ["toy", home / "claims/other.yaml"],
        tier="smoke",
        claims=["TOY-01"],
        seeds=1,
        workers=0,
        store=home / "store",
        watcher=Watching(),
    )
    assert [study.study.key for study in results.studies] == ["toy-smoke", "other-smoke"]
    assert told == [1, 0] and trainings(home / "store") == 1
    assert [claim.verdict for claim in results.claims] == ["smoke-pass", "not-run", "smoke-pass", "not-run"]


def test_nothing_is_trained_where_anything_asked_for_does_not_exist(home: Path) -> None:
    (home / "claims/other.yaml").write_text((home / "claims/toy.yaml").read_text().replace("TOY-", "OTHER-"))
    edit(home, "dataset: {name: digits, clean: 400}", "dataset: {name: mnist, clean: 400}")
    for options, error, gist in [
        ({"tier": "cpu"}, LnbenchError, "has no tier cpu; it has smoke, full"),
        ({"tier": "full", "claims": ["TOY-3"]}, LnbenchError, "no such claim here"),
        ({"tier": "full", "where": ["alpha=1"]}, LnbenchError, "no axis 'alpha'"),
        ({"tier": "full", "backend": "recorded", "device": "cpu"}, LnbenchError, "recorded: is for a CUDA device"),
        ({"tier": "full"}, DataError, "lnbench data fetch mnist"),
    ]:
        with pytest.raises(error, match=gist):
            lnbench.verify(["other", "toy"], workers=0, **options)  # type: ignore[arg-type]
    assert not (home / ".lnbench").exists()


def test_data_is_not_demanded_where_the_store_has_every_run(trained: Path, call: Call, no_digits: None) -> None:
    assert lnbench.verify("toy", tier="full", workers=0).claim("TOY-01").verdict == "reproduced"
    assert call("verify", "toy", "--tier", "full")[0] == 0
    with pytest.raises(DataError, match="lnbench data fetch digits"):
        lnbench.verify("toy", tier="full", seeds=5, workers=0)
    edit(trained, "threshold: 0.3", "threshold: 0.99")  # the alternatives are not there
    with pytest.raises(DataError, match="lnbench data fetch digits"):
        lnbench.verify("toy", tier="full", workers=0)


def test_judge_says_what_it_cannot_judge(trained: Path) -> None:
    with pytest.raises(StoreError, match="is no-such-report the folder of a report"):
        lnbench.judge("no-such-report")
    with pytest.raises(LnbenchError, match="name its tier"):
        lnbench.judge("toy", store=trained / ".lnbench")
    with pytest.raises(LnbenchError, match="has no tier lite"):
        lnbench.judge("toy", tier="lite")


def test_a_frame_has_one_row_per_claim(trained: Path) -> None:
    pytest.importorskip("pandas")
    frame = lnbench.judge("toy", tier="full").frame()
    assert list(frame["claim"]) == ["TOY-01", "TOY-02"] and list(frame["verdict"]) == ["reproduced"] * 2
    first = frame.iloc[0]
    assert first["low"] < first["effect"] < first["high"] and first["region"] == "at least 0.3"
    assert (first["seeds"], first["planned"], first["tier"]) == (4, 4, "full")


def test_without_pandas_a_frame_names_what_is_missing(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(LnbenchError, match="pip install pandas"):
        lnbench.judge("toy", tier="full").frame()


def test_judge_is_a_room_and_a_function_whatever_was_imported_first() -> None:
    assert isinstance(lnbench.judge, types.ModuleType) and callable(lnbench.judge)
    for before in ("import lnbench", "from lnbench.judge import gather"):
        code = f"{before}\nimport lnbench\ntry: lnbench.judge('nowhere')\nexcept lnbench.errors.StoreError: print('ok')"
        code += "\nimport lnbench.judge\nassert lnbench.judge.gather"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.stdout == "ok\n", f"{before}: {done.stderr}"


def test_importing_lnbench_imports_next_to_nothing() -> None:
    code = (
        "import sys, lnbench; print([n for n in ('pydantic', 'numpy', 'torch', 'click', 'yaml') if n in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
