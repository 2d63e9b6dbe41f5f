"""Folders of reports that were edited, cut off or made up: `judge` and the tables give one line or name what differs,
never a traceback, a hang or another verdict."""

from __future__ import annotations

import functools
import itertools
import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lnbench.pipeline as pipeline
from lnbench.errors import LnbenchError, SpecError
from lnbench.judge.measured import load_measured
from lnbench.judge.power import weak_margins
from lnbench.report import debates_page, find_debates, read_whole_result, report_differs, scoreboard
from lnbench.spec import load_questions
from tests.hostile.json_mutations import edited, edited_text, enveloped, forged

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "reports" / "rolnick_identities-full"
TABLES = ("rolnick_identities-full", "rolnick_counts-cpu", "parity_resnet20-full", "aul_detection-cpu")
MEASURED = ROOT / "baselines" / "measured" / "smoke"
RESULT, LOCK, RECORDS = "result.json", "lock.json", "records.jsonl"


@pytest.fixture(autouse=True)
def studies_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The study's file is not what is edited here."""
    monkeypatch.setattr(pipeline, "study_at", functools.cache(pipeline.study_at))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(REPORT, tmp_path / REPORT.name)
    return tmp_path / REPORT.name


@functools.cache
def verdicts() -> list[str]:
    """What the report's claims are, as committed."""
    return [str(claim.verdict) for claim in pipeline.judge_report(REPORT).claims]


def _edits(name: str, seed: int) -> Iterator[tuple[str, bytes]]:
    """Edits of one file of the report, by values and by bytes in turn."""
    raw = (REPORT / name).read_bytes()
    if name == RECORDS:
        values = _forged_lines(raw.splitlines(), seed)
    else:
        values = ((words, json.dumps(value).encode()) for words, value in edited(json.loads(raw), seed))
    texts = edited_text(raw, seed)
    while True:
        yield next(values)
        yield next(texts)


def _forged_lines(lines: list[bytes], seed: int) -> Iterator[tuple[str, bytes]]:
    draw = random.Random(seed)
    each = [forged(json.loads(line)["record"], seed + number) for number, line in enumerate(lines)]
    while True:
        number = draw.randrange(len(lines))
        words, record = next(each[number])
        yield f"record {number}: {words}", b"\n".join([*lines[:number], enveloped(record), *lines[number + 1 :], b""])


def _judge(folder: Path, name: str, seed: int, count: int) -> None:
    whole = (folder / name).read_bytes()
    for words, made in itertools.islice(_edits(name, seed), count):
        (folder / name).write_bytes(made)
        try:
            result = pipeline.judge_report(folder)
            lines = report_differs(folder, result)
        except LnbenchError as error:
            assert len(str(error).splitlines()) == 1, words
        else:
            same = [str(claim.verdict) for claim in result.claims] == verdicts()
            assert same or lines, f"{words}: another verdict, and nothing is said"
    (folder / name).write_bytes(whole)


@pytest.mark.parametrize(("name", "count"), [(RESULT, 8), (LOCK, 8), (RECORDS, 6)])
def test_an_edited_report_is_judged_as_it_was_or_says_what_differs(folder: Path, name: str, count: int) -> None:
    _judge(folder, name, 0, count)


@pytest.mark.long
@pytest.mark.parametrize("name", [RESULT, LOCK, RECORDS])
@pytest.mark.parametrize("seed", range(1, 5))
def test_hundreds_of_edited_reports_are_judged_as_they_were_or_say_what_differs(
    folder: Path, name: str, seed: int
) -> None:
    _judge(folder, name, seed, 150)


def _show(tmp_path: Path, seed: int, count: int) -> None:
    questions = load_questions(ROOT / "questions.yaml")
    study = pipeline.study_at(ROOT / "claims" / "parity_resnet20.yaml", "full")
    for name in TABLES:
        raw = (ROOT / "reports" / name / RESULT).read_bytes()
        for words, value in itertools.islice(edited(json.loads(raw), seed), count):
            (tmp_path / RESULT).write_text(json.dumps(value))
            try:
                data = read_whole_result(tmp_path)
            except LnbenchError as error:
                assert len(str(error).splitlines()) == 1, words
                continue
            debates = find_debates([data], questions, [])
            assert scoreboard([data], debates=debates) and debates_page(debates) is not None
            weak_margins(study, data)


def test_tables_of_edited_results_are_made_or_refused(tmp_path: Path) -> None:
    _show(tmp_path, 0, 15)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 6))
def test_tables_of_thousands_of_edited_results_are_made_or_refused(tmp_path: Path, seed: int) -> None:
    _show(tmp_path, seed, 100)


def _compare(file: Path, seed: int, count: int) -> None:
    raw = next(iter(sorted(MEASURED.glob("*.json")))).read_bytes()
    values = ((words, json.dumps(value).encode()) for words, value in edited(json.loads(raw), seed))
    for words, made in itertools.chain(*(itertools.islice(each, count) for each in (values, edited_text(raw, seed)))):
        file.write_bytes(made)
        try:
            content = load_measured(file)
        except SpecError as error:
            assert str(error).startswith(f"{file}: ") and len(str(error).splitlines()) == 1, words
        else:
            assert content is not None and all(effect["with_noise"] for effect in content["effects"]), words


def test_edited_drift_references_are_whole_or_refused(tmp_path: Path) -> None:
    _compare(tmp_path / "toy.json", 0, 40)


@pytest.mark.long
def test_hundreds_of_edited_drift_references_are_whole_or_refused(tmp_path: Path) -> None:
    _compare(tmp_path / "toy.json", 1, 400)


# ---- named ones


def _set(*path: str | int, to: Any) -> Callable[[Any], None]:
    def change(data: Any) -> None:
        for key in path[:-1]:
            data = data[key]
        data[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_set("tier", to=None), "tier: input should be a valid string"),
        (_set("tier", to="huge"), "tier: is no tier; the tiers are smoke, cpu, lite, full"),
        (_set("tier", to="cpu"), "key: it is not the study and the tier"),
        (_set("study", to="../../claims/rolnick_mnist"), "study: string should match pattern"),
        (_set("study", to="a\x00b"), "study: string should match pattern"),
        (_set("seeds", "n", to=0), "seeds.n: input should be greater than or equal to 1"),
        (_set("seeds", "n", to=True), "seeds.n: input should be a valid integer"),
        (_set("runs", to=[]), "runs: input should be a valid dict"),
        (_set("runs", "failed", to=[{"id": "x"}]), "runs.failed.0.id: string should match pattern"),
        (_set("own_rows", to=[{"label": 1}]), "own_rows.0.label: input should be a valid string"),
        (_set("ledger", to=[1]), "ledger.0: input should be a valid dict"),
        (_set("schema", to=2), "schema 2; this lnbench reads 1"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_a_result_that_cannot_be_judged_says_where(folder: Path, change: Callable[[Any], None], words: str) -> None:
    data = json.loads((folder / RESULT).read_text())
    change(data)
    (folder / RESULT).write_text(json.dumps(data))
    with pytest.raises(LnbenchError) as caught:
        pipeline.judge_report(folder)
    assert str(caught.value).startswith(f"{folder / RESULT}: {words}")


def test_a_number_of_daggers_is_not_written(folder: Path) -> None:
    """A page is only rendered from a result of the right form: `"†" * 2147483648` took the memory of the machine."""
    data = json.loads((folder / RESULT).read_text())
    data["claims"][0]["parts"][0]["members"][0]["collapsed"][0] = 2**31
    (folder / RESULT).write_text(json.dumps(data))
    lines = report_differs(folder, pipeline.judge_report(folder))
    assert "report.md: cannot be compared, for result.json is not whole" in lines


@pytest.mark.parametrize("name", [RESULT, RECORDS, LOCK])
@pytest.mark.parametrize("what", ["a pipe", "a device", "a folder", "a loop"])
def test_what_is_no_file_is_refused_before_it_is_opened(folder: Path, name: str, what: str) -> None:
    """A pipe would be waited for: a test that hangs here fails by that."""
    place = folder / name
    place.unlink()
    if what == "a pipe":
        os.mkfifo(place)
    elif what == "a folder":
        place.mkdir()
    else:
        place.symlink_to("/dev/zero" if what == "a device" else place)
    with pytest.raises(LnbenchError) as caught:
        pipeline.judge_report(folder)
    assert str(place) in str(caught.value)


@pytest.mark.parametrize("raw", [b"[" * 250 + b"]" * 250, b"1e999", b"NaN", b"9" * 5000, b'{"a": "\\ud800"}'])
def test_json_that_python_would_take_is_refused_everywhere(folder: Path, raw: bytes) -> None:
    for name in (RESULT, LOCK):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(raw)
        with pytest.raises(LnbenchError):
            pipeline.judge_report(folder)
        (folder / name).write_bytes(whole)
