"""What somebody who had never seen lnbench ran into, each with its small input."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lnbench.cli.terminal import any_letter
from lnbench.data.root import status
from lnbench.errors import Exit, NoSuchData
from lnbench.pipeline import judge_report
from lnbench.report.folder import report_differs
from lnbench.store import Store
from tests.toys.records import training as toy_record
from tests.toys.trained_study import Call

REPORT = Path(__file__).parents[2] / "reports" / "rolnick_identities-full"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    Store(tmp_path / "kept").put(toy_record(1))
    Store(tmp_path / "kept").put(toy_record(2))
    return tmp_path / "kept"


def test_a_pipe_that_nobody_reads_is_not_waited_for(store: Path, tmp_path: Path, call: Call) -> None:
    os.mkfifo(tmp_path / "pipe")
    code, _, err = call("store", "export", str(tmp_path / "pipe"), "--store", str(store))
    assert code != Exit.OK and "pipe" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("file", "words"), [("no/such/backup.jsonl", "there is no folder"), ("-", "write /dev/stdout")]
)
def test_an_export_makes_no_folder_that_nobody_meant(store: Path, call: Call, file: str, words: str) -> None:
    code, _, err = call("store", "export", file, "--store", str(store))
    assert code == Exit.USAGE and words in err
    assert not Path(file).exists() and not Path("no").exists()


@pytest.mark.parametrize("verb", [("status",), ("export", "out.jsonl")])
def test_a_damaged_record_is_no_success_of_whoever_meets_it(
    store: Path, call: Call, verb: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where the export is written
    file = next((store / "records").glob("*/*.json"))
    file.write_text("{")
    code, out, err = call("store", *verb, "--store", str(store))
    assert code == Exit.UNUSABLE and "set aside" in err
    assert "1 damaged file set aside" in out or "left out" in err


def test_a_reason_is_one_line(store: Path, call: Call) -> None:
    record = next((store / "records").glob("*/*.json")).stem
    code, _, err = call("store", "remove", record, "--why", "bad\nnews", "--store", str(store))
    assert code == Exit.USAGE and "--why: give the reason on one line" in err
    code, _, err = call("store", "remove", "", "--why", "bad", "--store", str(store))
    assert code == Exit.USAGE and "give the id of a record" in err


def test_a_formula_is_still_one_in_ascii(capfd: pytest.CaptureFixture[str]) -> None:
    import io

    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    with any_letter([stream]):
        stream.write("25.470 ± 2.132·2.9617, s/√5")
        stream.flush()
    assert raw.getvalue() == b"25.470 +/- 2.132 * 2.9617, s/sqrt 5"


def test_an_edit_of_a_copied_report_is_told_where_it_is(tmp_path: Path) -> None:
    """A copy names its study where the original links it, which is no difference."""
    folder = tmp_path / REPORT.name
    shutil.copytree(REPORT, folder)
    page = folder / "report.md"
    lines = len(page.read_text(encoding="utf-8").splitlines())
    page.write_text(page.read_text(encoding="utf-8") + "I edited this\n", encoding="utf-8")
    (line,) = report_differs(folder, judge_report(folder))
    assert line == f"report.md: is not what result.json gives: {lines} lines, were {lines + 1}"


def test_a_claim_of_two_studies_is_not_picked_silently(home: Path, call: Call) -> None:
    shutil.copy(home / "claims" / "toy.yaml", home / "claims" / "copy.yaml")
    for verb in (("show", "TOY-01"), ("plan", "TOY-01", "--tier", "smoke"), ("explain", "TOY-01")):
        code, _, err = call(*verb)
        assert code == Exit.USAGE and "TOY-01 is a claim of copy and toy; name the study" in err, verb


def test_a_study_that_cannot_be_read_is_told_by_list_and_doctor(home: Path, call: Call) -> None:
    text = (home / "claims" / "toy.yaml").read_text()
    (home / "claims" / "evil.yaml").write_text(text.replace("title: A toy study", 'title: "A\\u202e study"'))
    (home / "claims" / "broken.yaml").write_text("a: [")
    _, out, err = call("list")
    assert "None" not in out and "evil: cannot be read" in err and "broken: cannot be read" in err
    _, out, err = call("doctor")
    assert "broken.yaml: cannot be read as a study" in out + err


def test_a_data_root_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("")
    with pytest.raises(NoSuchData, match="root: is not a folder; give the folder of the data sets"):
        status(tmp_path / "root")


def test_a_try_that_is_empty_is_refused(home: Path, call: Call) -> None:
    file = home / "claims" / "toy.yaml"
    text = file.read_text()
    assert "choices:\n" in text
    file.write_text(text.replace("choices:\n", "choices:\n  - {key: optimizer.eps, ours: 1, try: }\n", 1))
    code, _, err = call("validate", "toy")
    assert code == Exit.USAGE and "try: is empty, so nothing would be tried" in err
