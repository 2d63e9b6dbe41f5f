"""`plan --minutes` and `verify --from-plan`: what is shown, what is carried out, and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lnbench.store import Store
from tests.toys.registered import register_long_ago
from tests.toys.trained_study import STUDY, Call

OTHER = STUDY.replace("TOY-", "ELSE-").replace("alpha: [0, 2]", "alpha: [0, 3]").replace("alpha: 2}", "alpha: 3}")


def test_a_plan_has_rank_command_verdicts_minutes_and_needs(home: Path, call: Call) -> None:
    code, out, err = call("plan", "--device", "h200", "--minutes", "5")
    assert (code, err) == (0, "")
    head, columns, first, *rest = out.splitlines()
    assert head == (
        "2 verdicts in 5 min on NVIDIA H200; prices: estimated, not measured, as there is no record of such a device"
    )
    assert columns.split() == ["#", "command", "verdicts", "min", "so", "far", "needs"]
    assert first.split()[:6] == ["1", "lnbench", "verify", "toy", "--tier", "full"] and "TOY-01, TOY-02" in first
    assert first.split()[-1] == "digits"
    assert rest[-1].endswith("in one command: lnbench verify --from-plan --until 5")
    code, out, _ = call("plan", "TOY-01", "--device", "a100", "--minutes", "5", "--workers", "2")
    assert "lnbench verify toy --tier full --claim TOY-01 --workers 2" in out and "on NVIDIA A100 (80 GB)" in out
    assert "lnbench verify TOY-01 --from-plan --until 5 --workers 2" in out


def test_a_plan_as_json_has_the_same(home: Path, call: Call) -> None:
    code, out, _ = call("plan", "--device", "h200", "--minutes", "5", "--json", "-")
    found = json.loads(out)
    assert (code, found["verdicts"]) == (0, 2)
    assert found["prices"] == {"basis": "estimated, not measured", "records": 0, "of_others": 0}
    (row,) = found["rows"]
    assert (row["rank"], row["claims"], row["runs"], row["needs"]) == (1, ["TOY-01", "TOY-02"], 12, ["digits"])
    assert row["cumulated_minutes"] == pytest.approx(row["minutes"] + found["start_minutes"], abs=2e-3)
    assert "data sheet" in found["device"]["source"] and found["command"] == "lnbench verify --from-plan --until 5"
    assert call("plan", "--device", "h200", "--minutes", "0.26", "--json", "plan.json")[0] == 5
    late = json.loads((home / "plan.json").read_text())["left_out"]
    assert [(one["claims"], one["why"]) for one in late] == [
        (["TOY-01"], "the time is too short"),
        (["TOY-02"], late[0]["why"]),
    ]
    assert all(one["minutes"] > 0.01 for one in late)


def test_cores_make_a_plan_of_the_cpu_shorter_and_it_is_this_machine_by_default(
    home: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "claims/toy.yaml").write_text(STUDY.replace("epochs: 2\n", "epochs: 20000\n"))
    minutes = []
    for device in ("cpu:1", "cpu:4"):
        found = json.loads(call("plan", "--device", device, "--minutes", "60", "--json", "-")[1])
        minutes.append(found["rows"][0]["minutes"])
    assert minutes[1] == pytest.approx(minutes[0] / 4, rel=0.2)
    monkeypatch.setattr("lnbench.plan.devices.cuda_devices", lambda: 0)
    monkeypatch.setattr("lnbench.plan.devices.available_cores", lambda: 3)
    assert " on CPU, 3 cores; " in call("plan", "--minutes", "60")[1]
    monkeypatch.setattr("lnbench.plan.devices.cuda_devices", lambda: 1)
    monkeypatch.setattr("lnbench.plan.devices.cuda_name", lambda number: "NVIDIA H100 80GB HBM3")
    assert " on NVIDIA H100; " in call("plan", "--minutes", "60")[1]


def test_what_is_judged_or_only_needs_to_be_is_not_in_the_plan(trained: Path, call: Call) -> None:
    code, out, _ = call("plan", "--device", "h200", "--minutes", "5")
    assert code == 5 and out.startswith("0 verdicts in 5 min")
    assert (
        "toy-full: TOY-01, TOY-02: every run is there; it only needs to be judged: lnbench verify toy --tier full"
        in out
    )
    assert call("verify", "toy", "--tier", "full")[0] == 0
    code, out, _ = call("plan", "--device", "h200", "--minutes", "5")
    assert "left out: 2 verdicts that are there already" in out and "every run" not in out


@pytest.mark.parametrize(
    ("arguments", "gist"),
    [
        (["--device", "h2000", "--minutes", "5"], "--device h2000: no planning figures for it; did you mean 'h200'"),
        (["--device", "cpu:none", "--minutes", "5"], "write cpu:N for N cores"),
        (["--minutes", "0"], "0.0 is not in the range"),
        (["--minutes", "-3"], "-3.0 is not in the range"),
        (["--minutes", "nan"], "'nan' is not a finite number"),
        (["--minutes", "inf"], "inf is not in the range"),
        (["--minutes", "soon"], "'soon' is not a valid float"),
        (["--minutes", "5", "--tier", "smoke"], "--tier smoke: says nothing about a paper"),
        (["--minutes", "5", "--seeds", "3"], "leave --where and --seeds out"),
        (["--minutes", "5", "--claim", "TOY-9"], "--claim TOY-9: no such claim here"),
        (["toys", "--minutes", "5"], "no claim or study is named 'toys'"),
        ([], "name one STUDY or CLAIM, or give --minutes"),
        (["toy", "TOY-01"], "name one STUDY or CLAIM, or give --minutes"),
        (["toy", "--device", "gpu"], "--device gpu: no planning figures"),
        (["--minutes", "5", "--json", "nowhere/plan.json"], "there is no folder nowhere"),
    ],
    ids=str,
)
def test_a_question_that_makes_no_sense_is_one_line(home: Path, call: Call, arguments: list[str], gist: str) -> None:
    code, out, err = call("plan", *arguments)
    assert code == 2 and gist in err and "Traceback" not in err + out


@pytest.mark.parametrize(
    ("arguments", "gist"),
    [
        (["--from-plan"], "--from-plan: say for how long, with --until MINUTES"),
        ([], "--from-plan --until MINUTES"),
        (["--from-plan", "--until", "0"], "0.0 is not in the range"),
        (["--from-plan", "--until", "1", "--shard", "1/2"], "leave --shard out"),
        (["--from-plan", "--until", "1", "--where", "model=mlp1"], "leave --where out"),
        (["--from-plan", "--until", "1", "--seeds", "3"], "leave --seeds out"),
        (["--from-plan", "--until", "1", "--tier", "smoke"], "says nothing about a paper"),
        (["--from-plan", "--until", "1", "--device", "h200"], "--device h200: not a device"),
    ],
    ids=str,
)
def test_verify_from_a_plan_refuses_what_no_plan_has(home: Path, call: Call, arguments: list[str], gist: str) -> None:
    code, _, err = call("verify", *arguments)
    assert code == 2 and gist in err


def test_one_command_plans_trains_and_judges_until_nothing_is_left(home: Path, call: Call) -> None:
    (home / "claims/other.yaml").write_text(OTHER)
    for study in ("toy", "other"):
        register_long_ago(home / f"claims/{study}.yaml")
    code, out, err = call("verify", "--from-plan", "--until", "60", "--device", "cpu", "--workers", "0")
    assert (code, err) == (0, "")
    assert "4 verdicts in 60 min on CPU" in out and "lnbench store export records.jsonl.gz" in out
    for study, claim in (("toy", "TOY-02"), ("other", "ELSE-02")):
        assert f"{study}-full: {claim[:-1]}1, {claim}\n" in out
        report = json.loads((home / f".lnbench/reports/{study}-full/result.json").read_text())
        assert [one["verdict"] for one in report["claims"]] == ["reproduced"] * 2
    trained = {record["id"] for record in Store(home / ".lnbench").records() if record["kind"] == "training"}
    code, out, _ = call("verify", "--from-plan", "--until", "60", "--device", "cpu", "--workers", "0")
    assert code == 5 and "left out: 4 verdicts that are there already" in out
    assert trained == {record["id"] for record in Store(home / ".lnbench").records() if record["kind"] == "training"}


def test_records_that_are_committed_are_imported_and_not_trained_again(
    home: Path, call: Call, trained_once: Path
) -> None:
    register_long_ago(home / "claims/toy.yaml")
    records = [record for record in Store(trained_once).records() if record["kind"] == "training"]
    last = [
        one for one in records if one["content"]["seeds"]["init"] == 3 and one["content"]["recipe"]["noise"]["alpha"]
    ]
    assert len(last) == 1, "the fourth seed, which smoke has not"
    (home / "reports").mkdir()
    file = home / "reports/unfinished-toy-full.jsonl"
    Store(trained_once).export(file, {one["id"] for one in records} - {last[0]["id"]})
    assert "imported" not in call("plan", "--device", "cpu", "--minutes", "60")[1]
    code, out, _ = call("verify", "--from-plan", "--until", "60", "--device", "cpu", "--workers", "0")
    assert code == 0 and f"imported 11 records from {file}" in out
    assert "1 run to train; 11 already in the store" in out
    assert {one["id"] for one in Store(home / ".lnbench").records()} >= {last[0]["id"]}


def test_a_study_that_fails_does_not_keep_the_others_from_being_verified(
    home: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lnbench import pipeline
    from lnbench.errors import LnbenchError

    (home / "claims/other.yaml").write_text(OTHER)
    for study in ("toy", "other"):
        register_long_ago(home / f"claims/{study}.yaml")
    verify = pipeline.verify_study

    def failing(study, *arguments, **more):  # type: ignore[no-untyped-def]
        if study.name == "toy":
            raise LnbenchError("cannot be done")
        return verify(study, *arguments, **more)

    monkeypatch.setattr(pipeline, "verify_study", failing)
    code, out, err = call("verify", "--from-plan", "--until", "60", "--device", "cpu", "--workers", "0")
    assert code == 3 and err == "toy-full: cannot be done\n"
    assert (home / ".lnbench/reports/other-full/report.md").is_file() and out.count("toy-full: TOY-01, TOY-02") == 1


def test_when_the_time_is_over_what_is_judged_stays_and_the_records_can_be_taken_along(
    home: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lnbench import pipeline
    from lnbench.cli.commands import ending

    (home / "claims/other.yaml").write_text(OTHER)
    for study in ("toy", "other"):
        register_long_ago(home / f"claims/{study}.yaml")
    verify, begun = pipeline.verify_study, []

    def ended(study, *arguments, **more):  # type: ignore[no-untyped-def]
        begun.append(study.key)
        if len(begun) == 2:
            monkeypatch.setattr(ending, "_end", 0.0)
            raise KeyboardInterrupt
        return verify(study, *arguments, **more)

    monkeypatch.setattr(pipeline, "verify_study", ended)
    code, out, err = call("verify", "--from-plan", "--until", "60", "--device", "cpu", "--workers", "0")
    assert code == 75 and err.startswith("the time that it was given is over: finished runs are kept in .lnbench")
    assert "lnbench store export records.jsonl.gz" in out
    assert [folder.name for folder in (home / ".lnbench/reports").iterdir()] == begun[:1]
