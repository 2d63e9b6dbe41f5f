"""`verify` registers a study before its first run, every record names the entry, and no edit after that goes unseen."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import lnbench
from lnbench.errors import LnbenchError
from lnbench.execute import registering
from lnbench.execute.worker import Trainer
from lnbench.pipeline import Training, study_at, verify_study
from lnbench.report import write_report
from lnbench.spec import load_study
from lnbench.spec.locks import read_lock
from lnbench.store import Store, StoreUnwritable
from tests.toys.edited_study import edited
from tests.toys.project import write_project
from tests.toys.trained_study import BASELINE, STUDY, Call

LOCK, REPORT = Path("claims/locks/toy-full.json"), Path(".lnbench/reports/toy-full")
OUTSIDE = ("threshold: 0.3", "threshold: 0.95")
LOOSER = ("threshold: 0.3", "threshold: 0.25")


@pytest.fixture(scope="session")
def verified_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy study, verified once at full where nothing was registered."""
    folder = tmp_path_factory.mktemp("verified")
    study = load_study(write_project(folder, STUDY, BASELINE)).tiers["full"]
    result = verify_study(study, Store(folder / ".lnbench"), Training(workers=0))
    write_report(result, folder / REPORT)
    return folder


@pytest.fixture
def verified(home: Path, verified_once: Path) -> Path:
    """`home` after `lnbench verify toy --tier full`."""
    edit()
    shutil.copytree(verified_once / ".lnbench", home / ".lnbench")
    shutil.copytree(verified_once / "claims/locks", home / "claims/locks")
    return home


def edit(*edits: tuple[str, str], study: str = STUDY) -> None:
    Path("claims/toy.yaml").write_text(edited(study, *edits))


def entries(file: Path = LOCK) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(file.read_text())["entries"]
    return found


def verdicts(call: Call) -> dict[str, str]:
    """The verdicts of all doors, which must be one: the report's folder judged again, a report and a `verify` from the
    store, and both as functions."""
    folder = Path("elsewhere")
    shutil.rmtree(folder, ignore_errors=True)
    assert call("report", "toy", "--tier", "full", "-o", "elsewhere")[0] in (0, 1, 4)
    assert call("verify", "toy", "--tier", "full", "-o", "again", "--no-try")[0] in (0, 1, 4)
    written = [json.loads((where / "toy-full/result.json").read_text()) for where in (folder, Path("again"))]
    found = [{claim["id"]: claim["verdict"] for claim in data["claims"]} for data in written]
    judged = [lnbench.judge(REPORT), lnbench.judge("toy", tier="full"), lnbench.judge(folder / "toy-full")]
    found += [{claim.claim.id: claim.verdict for claim in results.claims} for results in judged]
    assert all(one == found[0] for one in found), found
    assert call("judge", "--check", "elsewhere/toy-full")[0] == 0
    return found[0]


def page() -> str:
    return Path("elsewhere/toy-full/report.md").read_text()


def test_it_is_registered_before_training_and_every_record_names_the_entry(verified: Path, call: Call) -> None:
    lock = read_lock(study_at("toy", "full"))
    assert len(lock.entries) == 1 and lock.last is not None
    records = list(Store(Path(".lnbench")).records())
    assert {record["kind"] for record in records} >= {"training", "choice"}
    names = {(record["provenance"].get("lock"), record["provenance"].get("registered")) for record in records}
    assert names == {("toy-full", lock.last.sha256)}
    assert call("verify", "toy", "--tier", "full", "-o", "elsewhere")[0] == 0
    assert len(entries()) == 1, "what is registered as it stands needs no other entry"
    assert f"last: entry 1, `{lock.last.sha256[:12]}`, of " in page()
    assert "Every record names the entry that it was trained under, so no clock is asked." in page()
    assert (REPORT / "lock.json").is_file()


def test_the_lock_stands_before_the_first_run_is_trained(
    home: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def train(self: Trainer, task: Any) -> None:
        seen.append(LOCK.is_file())
        raise LnbenchError("not now")

    monkeypatch.setattr(Trainer, "_train", train)
    out = call("verify", "toy", "--tier", "full")[1]
    assert seen and all(seen)
    line = f"toy-full: what its verdicts depend on is registered before training: entry 1 -> {home / LOCK}"
    assert out.splitlines().count(line) == 1


def test_smoke_registers_nothing(home: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(self: Trainer, task: Any) -> None:
        raise LnbenchError("not now")

    monkeypatch.setattr(Trainer, "_train", train)
    assert "registered" not in call("verify", "toy", "--tier", "smoke")[1]
    assert not LOCK.parent.exists()


def test_a_region_edited_after_the_runs_is_post_hoc_at_every_door_and_as_before_when_edited_back(
    verified: Path, call: Call
) -> None:
    edit(LOOSER)
    assert verdicts(call) == {"TOY-01": "post-hoc", "TOY-02": "reproduced"}
    assert call("judge", str(REPORT))[0] == 4, "it counts neither for nor against"
    text = page()
    assert "🕓 post hoc (would be reproduced)" in text
    assert "region of `learns` changed, and not registered: was “at least 0.3”, is “at least 0.25”" in text
    assert call("lock", "toy")[0] == 0
    assert call("report", "toy", "--tier", "full", "-o", "elsewhere")[0] == 4, "an entry after the runs mends nothing"
    assert "region of `learns` changed on 20" in page()
    skipped = Path("elsewhere/toy-full/junit.xml").read_text()
    assert '<skipped message="post-hoc (would be reproduced, but it was changed on 20' in skipped
    edit()
    for results in (lnbench.judge("toy", tier="full"), lnbench.judge(REPORT), lnbench.judge("elsewhere/toy-full")):
        assert [claim.verdict for claim in results.claims] == ["reproduced", "reproduced"]


TWO_PARTS = (
    ("    verdict: costs\n", "    verdict: {all: [costs, little]}\n"),
    ("      costs: {", "      little: {kind: below, effect: drop, threshold: 0.9}\n      costs: {"),
)
CHANGES = [
    ([("seeds: {n: 4", "seeds: {n: 3")], {"TOY-01", "TOY-02"}, "seeds was “4”, is “3”"),
    ([("try: {epochs: {times: 2}}", "try: {epochs: {times: 3}}")], {"TOY-01", "TOY-02"}, "alternatives was “epochs"),
    ([(", try: {epochs: {times: 2}}", "")], {"TOY-01", "TOY-02"}, "is “no epochs”"),
    ([("delta: -0.5", "delta: -0.6")], {"TOY-02"}, "region of costs was “above -0.5”, is “above -0.6”"),
    ([("selection: last_epoch", "selection: best_test")], {"TOY-01", "TOY-02"}, "epoch that is read"),
    (TWO_PARTS, {"TOY-02"}, "region of little was “not there”, is “at most 0.9”; rule was “all of costs”"),
    (
        [
            (
                "try: {epochs: {times: 2}}}\n",
                "try: {epochs: {times: 2}}}\n  - {key: lr, ours: x, try: {batch_size: 25}}\n",
            )
        ],
        set(),
        "",
    ),
]


@pytest.mark.parametrize("edits, fall, said", CHANGES, ids=[said or "an added try" for _, _, said in CHANGES])
def test_what_a_change_after_the_runs_takes_back(
    verified: Path, edits: list[tuple[str, str]], fall: set[str], said: str
) -> None:
    edit(*edits)
    claims = lnbench.judge("toy", tier="full").claims
    assert {claim.claim.id for claim in claims if claim.verdict == "post-hoc"} == fall
    for claim in claims:
        assert claim.claim.id not in fall or (said in claim.why and claim.why.startswith("would be "))


def test_a_part_dropped_after_the_runs_is_post_hoc(home: Path) -> None:
    edit(*TWO_PARTS)
    verify_study(study_at("toy", "full"), Store(Path(".lnbench")), Training(workers=0), claims=["TOY-02"])
    edit()
    claim = lnbench.judge("toy", tier="full").claim("TOY-02")
    assert claim.verdict == "post-hoc" and claim.would_be == "reproduced"
    assert "region of little was “at most 0.9”, is “not judged any more”" in claim.why


def test_a_lock_that_was_deleted_is_said_and_its_records_are_not_taken_for_registered(
    verified: Path, call: Call
) -> None:
    LOCK.unlink()
    code, _, err = call("judge", "--check", str(REPORT))
    assert code == 0 and "the lock that it was judged against is not next to the study any more" in err
    assert lnbench.judge(REPORT).claim("TOY-01").verdict == "reproduced", "the report has its own copy"
    claim = lnbench.judge("toy", tier="full").claim("TOY-01")
    assert claim.verdict == "post-hoc" and "were made under an entry that is not in the lock any more" in claim.why
    edit(LOOSER)
    assert call("lock", "toy")[0] == 0
    data = json.loads(LOCK.read_text())
    data["entries"][0]["time"] = "2020-01-01T00:00:00+00:00"  # as if it had been there before
    LOCK.write_text(json.dumps(data))
    claim = lnbench.judge("toy", tier="full").claim("TOY-01")
    assert claim.verdict == "post-hoc" and "not in the lock any more" in claim.why
    assert lnbench.judge(REPORT).claim("TOY-01").verdict == "post-hoc"
    code, _, err = call("judge", "--check", str(REPORT))
    assert code == 1 and "the study's lock is not the one that the report was judged against" in err


def test_a_lock_edited_by_hand_is_said_and_no_verdict_stands_on_it(verified: Path, call: Call) -> None:
    edit(LOOSER)
    LOCK.write_text(LOCK.read_text().replace('"threshold": 0.3', '"threshold": 0.25'))
    assert lnbench.judge(REPORT).claim("TOY-01").verdict == "post-hoc"
    code, _, err = call("judge", "--check", str(REPORT))
    assert code == 1 and "the study's lock cannot be read, so the report's own lock.json was taken" in err
    claims = lnbench.judge("toy", tier="full").claims
    assert {claim.verdict for claim in claims} == {"post-hoc"}
    assert "the lock cannot be read: toy-full.json: entry 1: the sha256 of claim TOY-01 does not fit" in claims[0].why
    edit(("epochs: 2\n", "epochs: 1\n"))
    before = Store(Path(".lnbench")).status().records
    code, _, err = call("verify", "toy", "--tier", "full")
    assert code == 2 and err.startswith(f"lnbench: {verified / LOCK}: entry 1: the sha256 of claim TOY-01"), err
    assert Store(Path(".lnbench")).status().records == before, "nothing was trained"


def test_a_report_is_judged_the_same_where_there_is_no_lock(verified: Path, call: Call) -> None:
    edit(LOOSER)
    call("report", "toy", "--tier", "full", "-o", "reports")
    shutil.rmtree(LOCK.parent)
    assert call("judge", "--check", "reports/toy-full")[0] == 0
    (Path("reports/toy-full/lock.json")).write_text("{")
    code, _, err = call("judge", "reports/toy-full")
    assert code == 2 and "lock.json:1:1: not a lock" in err and "Traceback" not in err


def test_records_of_another_study_are_registered_by_that_one(verified: Path, call: Call) -> None:
    """A study written after its records were there, for the sake of another, was not registered before them."""
    Path("claims/other.yaml").write_text(STUDY.replace("TOY-", "OTHER-"))
    call("lock", "other")
    assert call("report", "other", "--tier", "full", "-o", "reports")[0] == 4
    text = Path("reports/other-full/report.md").read_text()
    assert "post hoc (would be reproduced)" in text and "were trained for `toy-full`" in text


def test_new_runs_are_registered_under_a_new_entry_which_says_since_when_there_were_others(verified: Path) -> None:
    edit(("seeds: {n: 4", "seeds: {n: 6"))
    results = lnbench.verify("toy", tier="full", workers=0)
    assert {claim.verdict for claim in results.claims} == {"post-hoc"}
    assert "seeds was “4”, is “6”" in results.claim("TOY-01").why
    finished = min(
        record["provenance"]["finished"]
        for record in Store(Path(".lnbench")).records()
        if "finished" in record["provenance"]
    )
    assert [entry["seeds"]["n"] for entry in entries()] == [4, 6]
    assert entries()[1]["records_since"] == finished


def test_where_nothing_can_be_written_the_store_keeps_it(
    verified: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Path(".lnbench/registered/toy-full.json")
    monkeypatch.setattr(registering, "_writable", lambda file: False)
    edit(("seeds: {n: 4", "seeds: {n: 6"))
    lnbench.verify("toy", tier="full", workers=0)
    assert len(entries()) == 1 and len(entries(kept)) == 2 and entries(kept)[:1] == entries()
    call("report", "toy", "--tier", "full", "-o", "elsewhere")
    assert "`registered/toy-full.json` in the store that it was trained in (last: entry 2" in page()
    assert call("judge", "--check", "elsewhere/toy-full")[0] == 0
    LOCK.write_text(LOCK.read_text().replace('"lnbench": "', '"lnbench": "0.0.'))
    claim = lnbench.judge("toy", tier="full").claim("TOY-01")
    assert "entry 1 of locks/toy-full.json next to the study is another" in claim.why
    with pytest.raises(LnbenchError, match=r"toy-full.json: entry 1 of locks/toy-full.json next to the study is"):
        registering.register(study_at("toy", "full"), Path(".lnbench"))
    kept.write_text("{")
    assert "the lock cannot be read: registered/toy-full.json:1:1" in lnbench.judge("toy", tier="full").claims[0].why
    with pytest.raises(LnbenchError, match=r"^\.lnbench/registered/toy-full.json:1:1: not a lock"):
        registering.register(study_at("toy", "full"), Path(".lnbench"))


def test_of_processes_at_once_one_writes_the_entry_and_what_a_killed_one_left_is_removed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    write = registering.write_atomically
    monkeypatch.setattr(registering, "write_atomically", lambda *found: (time.sleep(0.1), write(*found)))
    LOCK.parent.mkdir()
    (LOCK.parent / ".toy-full.json.abc").write_text('{"schema": 1, "stu')
    study = study_at("toy", "full")
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: registering.register(study, Path(".lnbench")), range(4)))
    assert sum(one.added for one in done) == 1 and len(entries()) == 1
    assert {one.lock.last.sha256 for one in done if one.lock.last} == {done[0].provenance(study)["registered"]}
    assert [file.name for file in LOCK.parent.iterdir()] == ["toy-full.json"]


def test_a_full_disk_is_one_line_before_training(home: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Path, data: bytes) -> None:
        raise StoreUnwritable(f"{file}: the disk is full; free some space and give the same command again")

    monkeypatch.setattr(registering, "write_atomically", full)
    code, _, err = call("verify", "toy", "--tier", "full")
    assert (code, err) == (2, f"lnbench: {home / LOCK}: cannot be written: the disk is full\n")
    assert not Path(".lnbench/records").exists()


def test_what_is_registered_can_be_called_from_a_thread_while_another_holds_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registering, "SECONDS_TO_WAIT", 0.1)
    study = study_at("toy", "full")
    with registering._alone(LOCK), pytest.raises(LnbenchError, match="another process holds"):
        registering.register(study)
    assert registering.register(study).added


def test_a_change_after_the_runs_that_the_file_does_not_own_up_to_is_named_with_its_place(
    verified: Path, call: Call
) -> None:
    edit(LOOSER, (", try: {epochs: {times: 2}}", ""))
    text = Path("claims/toy.yaml").read_text().split("\n")
    line = next(number for number, words in enumerate(text, start=1) if "learns: {" in words)
    column = text[line - 1].index("{") + 1
    said = (
        f"claims/toy.yaml:{line}:{column}: warning: at tier full: TOY-01: region of learns: was “at least 0.3”, is “at "
        "least 0.25”; it changed after the first run, and `says` did not\n"
    )
    code, _, err = call("lock", "toy", "--check")
    assert code == 1 and said in err
    assert "claims/toy.yaml:5:3: warning: at tier full: alternatives: was “epochs" in err
    assert "(`void` says why one is not run)" in err
    shutil.copytree(REPORT, "reports/toy-full")
    assert said in call("validate", "toy")[2]
    code, out, err = call("lock", "toy")
    assert code == 0 and said in err and "entry 2 ->" in out, "what was changed is registered all the same"
    assert call("lock", "toy", "--check")[::2] == (0, "")
    edit(("threshold: 0.3", "threshold: 0.2"), ("says: A perceptron", "says: Now a perceptron"))
    assert "warning" not in call("lock", "toy", "--check")[2], "the sentence was changed with it"


def test_a_change_before_any_run_needs_no_other_sentence(home: Path, call: Call) -> None:
    call("lock", "toy")
    edit(LOOSER)
    assert call("lock", "toy", "--check")[2] == ""


def test_a_void_alternative_makes_no_contradiction(verified: Path) -> None:
    """What was open for want of an alternative is not decided by a reason not to run it."""
    tried = "try: {epochs: {times: 2}}"
    edit(OUTSIDE)
    before = lnbench.judge("toy", tier="full").claims[0]
    edit(OUTSIDE, (tried, 'void: {epochs: "no time"}'))
    after = lnbench.judge("toy", tier="full").claims[0]
    assert (before.would_be, after.would_be) == ("outside-as-run", "outside-as-run")
    assert "not called contradicted, as not run with: epochs" in after.why


def test_an_alternative_that_is_void_with_a_reason_takes_no_verdict_back(verified: Path) -> None:
    tried = "try: {epochs: {times: 2}}"
    edit((tried, 'void: {epochs: "twice the epochs do not fit in the time"}'))
    result = lnbench.judge("toy", tier="full")
    assert {claim.verdict for claim in result.claims} == {"reproduced"}
    result.write("reports")
    text = Path("reports/toy-full/report.md").read_text()
    assert "`epochs`: not run, twice the epochs do not fit in the time" in text
    assert "Not run: `epochs`, twice the epochs do not fit in the time." in text
    edit((tried, f'{tried}, void: {{epochs: "no time"}}'))
    with pytest.raises(LnbenchError, match="'epochs' is void"):
        lnbench.judge("toy", tier="full")


def test_runs_thrown_away_and_made_again_under_another_region_are_told_by_the_report_and_the_earlier_entry(
    verified: Path, call: Call
) -> None:
    """Runs of which nothing is left cannot be seen; but here their report is there, and the earlier entry."""
    shutil.rmtree(".lnbench/records")
    edit(LOOSER)
    results = lnbench.verify("toy", tier="full", workers=0)
    assert results.claim("TOY-01").verdict == "reproduced", "it was registered before the runs that are there"
    results.write("elsewhere")
    assert "**Registered as judged when earlier records of the study were known: TOY-01**" in page()
    assert "TOY-01 was registered otherwise before, on 20" in page() and "region of `learns` “at least 0.3”" in page()
