"""A report's folder: written whole, read back, and checked against what its own records give."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from lnbench.errors import NoSuchReport, StoreError
from lnbench.identity import canonical_json
from lnbench.judge import Get, StudyResult
from lnbench.report.compare import differences, text_differs
from lnbench.report.junit import junit
from lnbench.report.names import figures_of
from lnbench.report.page.page import FIGURES, markdown
from lnbench.report.plain import Json
from lnbench.report.result.chain import chain_head, record_sha256
from lnbench.report.result.result import SCHEMA, result_to_json
from lnbench.report.result.runs import all_records
from lnbench.report.result.stored import unfit_to_judge, unfit_to_read
from lnbench.spec import OwnRow, Study, rows_of
from lnbench.spec.locks import COPY, apart, history_of, moment, read_copy
from lnbench.store import Record, is_entry, read_export, write_atomically
from lnbench.store.record import envelope
from lnbench.untrusted import Denied, Missing, Unreadable, bytes_of, json_of, shown, text_of

MOST_RECORDS = 1 << 30  # bytes of a report's records
RESULT, RECORDS, PAGE, JUNIT = "result.json", "records.jsonl", "report.md", "junit.xml"


def write_report(result: StudyResult, folder: Path, *, records: bool = True) -> list[Path]:
    """Write report.md, its figures, result.json, junit.xml and (`records`) records.jsonl, with a copy of the lock that
    it was judged against; returns the files.

    The records of the alternatives that the result was judged with are kept too, for without them a contradiction
    cannot be judged again. Figures of an earlier report that this one lacks are removed, nothing else is. Raises
    StoreError where a file cannot be written.
    """
    data = result_to_json(result)
    files: dict[str, bytes] = {f"{FIGURES}/{name}": content for name, content in draw(data).items()}
    if records:
        kept = all_records([result.evidence, *result.tries.values()])
        files[RECORDS] = "".join(f"{canonical_json(envelope(record))}\n" for record in kept).encode()
    if result.registration and result.history is not None and (result.history.entries or result.history.problem):
        files[COPY] = result.history.copy(result.study).encode()
    files[JUNIT] = junit(data).encode()
    files[RESULT] = json_text(data).encode()
    files[PAGE] = markdown(
        data, linked=_study_beside(folder, data)
    ).encode()  # last: a page that is there has all that it shows
    for name, content in files.items():
        write_atomically(folder / name, content)
    if COPY not in files:
        (folder / COPY).unlink(missing_ok=True)  # of an earlier report: this one was judged against nothing
    _remove_old_figures(folder, data)
    return [folder / name for name in files]


def _study_beside(folder: Path, data: Json) -> bool:
    """Return whether the study's file lies where a link of the page leads, `../../claims`, and is the one judged by."""
    study = data["trained"]["files"]["study"]
    try:
        content = bytes_of(folder.resolve().parent.parent / "claims" / study["name"])
    except (OSError, ValueError):
        return False
    return bool(hashlib.sha256(content).hexdigest() == study["sha256"])


def draw(data: Json) -> dict[str, bytes]:
    """Draw the figures, by file name, as PNG and as SVG."""
    from lnbench.report.figures.all import draw_all

    return draw_all(data)


def _remove_old_figures(folder: Path, data: Json) -> None:
    """Remove only files that an earlier report wrote: pictures directly in its `figures/`, under names of ours."""
    names = figures_of(data).files()
    for file in sorted([*(folder / FIGURES).glob("*.png"), *(folder / FIGURES).glob("*.svg")]):
        known = file.stem in ("forest", "curves", "training")
        ours = known or file.name.startswith(("claim-", "experiment-", "detection-", "steps-"))
        if ours and file.name not in names and file.is_file():
            file.unlink()


def json_text(data: Json) -> str:
    """Return result.json as it is written: equal results, equal bytes."""
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_result(folder: Path) -> Json:
    """Return result.json of a report, from which it can be judged again (`result/stored.py`). Raises StoreError."""
    file = folder / RESULT
    try:
        data = json_of(file)
    except (Missing, Denied) as error:
        kind = StoreError if folder.is_dir() else NoSuchReport
        raise kind(f"{shown(file)}: cannot be read: {error}; is {shown(folder)} the folder of a report?") from None
    except Unreadable as error:
        raise StoreError(f"{file}: {error}") from None
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        schema = data.get("schema") if isinstance(data, dict) else None
        raise StoreError(f"{file}: schema {schema!r:.40}; this lnbench reads {SCHEMA}")
    if what := unfit_to_judge(data):
        raise _damaged(file, what)
    return data


def read_whole_result(folder: Path) -> Json:
    """Return result.json of a report, all of it as tables and warnings need it. Raises StoreError."""
    data = read_result(folder)
    if what := unfit_to_read(data):
        raise _damaged(folder / RESULT, what)
    return data


def _damaged(file: Path, what: str) -> StoreError:
    return StoreError(f"{file}: {what}; take it back from the history of commits, or delete it and report again")


def load_report(folder: Path) -> tuple[str, str, int, Get]:
    """Return (study's name, tier, number of seeds, record by id) of a report, to judge it again. Raises StoreError: a
    damaged or edited record, or a second one of the same id, is an error here, because a report's records are all of
    its evidence."""
    data = read_result(folder)
    records = read_records(folder)
    get: Callable[[str], Record | None] = records.get
    return data["study"], data["tier"], data["seeds"]["n"], get


def set_of_seeds(folder: Path) -> int:
    """Return which set of seeds (`fresh`) a report's runs have. Raises StoreError."""
    return int(read_result(folder)["seeds"].get("fresh", 0))


def read_records(folder: Path) -> dict[str, Record]:
    """Return a report's records by id. Raises StoreError as `load_report` does."""
    records: dict[str, Record] = {}
    for number, record in read_export(folder / RECORDS, MOST_RECORDS):
        if isinstance(record, str):
            raise StoreError(f"{folder / RECORDS}:{number}: {record}")
        if record["id"] in records:
            what = f"a second record of {record['id'][:12]}; which of the two was judged cannot be told"
            raise StoreError(f"{folder / RECORDS}:{number}: {what}")
        records[record["id"]] = record
    return records


def load_failures(folder: Path) -> dict[str, str]:
    """Return run id -> message of the runs that failed, as `gather` takes them. Raises StoreError."""
    return {entry["id"]: entry["message"] for entry in read_result(folder)["runs"]["failed"]}


def is_report(folder: Path) -> bool:
    """Return whether there is a report in the folder."""
    return (folder / RESULT).is_file()


def load_own_rows(folder: Path) -> list[OwnRow]:
    """Return the rows of a user's own that a report has. Raises StoreError."""
    try:
        return rows_of(read_result(folder).get("own_rows", []))
    except (KeyError, TypeError):
        raise StoreError(f"{folder / RESULT}: 'own_rows' holds what is no row") from None


def load_ledger(folder: Path) -> tuple[Json, ...]:
    """Return the lines of the store's ledger that a report has taken along. Raises StoreError."""
    lines = read_result(folder).get("ledger", [])
    if not isinstance(lines, list) or not all(map(is_entry, lines)):
        raise StoreError(f"{folder / RESULT}: 'ledger' holds what is no line of a store's ledger")
    return tuple(lines)


def known_since(study: Study, finished: Iterable[str | None] = (), store: Path | None = None) -> str | None:
    """Return when the first record was made of those that are known of a study: the times given, and those of the
    reports that lie in `reports/`, next to the folder of the studies and in a store. None where none is known."""
    found = list(finished)
    for folder in (study.path.resolve().parent.parent, *([store] if store else [])):
        # whatever else may be wrong with a report, when it had runs is worth knowing
        with contextlib.suppress(Unreadable, KeyError, TypeError):
            found.append(json_of(folder / "reports" / study.key / RESULT)["runs"]["first_finished"])
    times = [time for text in found if (time := moment(text)) is not None]
    return min(times).isoformat() if times else None


def lock_apart(folder: Path, study: Study) -> tuple[str, bool]:
    """Return in what the lock next to a report's study is not the one that the report was judged against ("" where it
    goes on from it), and whether that is a difference: a report that lies elsewhere needs no lock but its copy."""
    now = history_of(study)
    return apart(read_copy(folder, study), now), bool(now.entries or now.problem)


def report_differs(folder: Path, result: StudyResult) -> list[str]:
    """Return a line for each thing in which the report as stored differs from what `result` gives; none where it still
    holds.

    Numbers of result.json are compared to six significant digits. The page and the XML are functions of
    result.json, so they are held to the stored one, sign by sign: rounding cannot make them differ from one
    machine to another. The page may link the study's file or only name it, wherever the folder lies now.
    """
    stored = read_result(folder)
    now = json.loads(json_text(result_to_json(result)))
    lines = chain_differs(stored.get("records"), folder)
    lines += [f"{RESULT}: {line}" for line in differences(_without_chain(stored), _without_chain(now))]
    pages = [_rendered(partial(markdown, linked=linked), stored) for linked in (True, False)]
    linked, named = (_page_differs(folder / PAGE, page) for page in pages)
    lines += (linked if _links_its_study(folder / PAGE) else named) if linked and named else []
    lines += _page_differs(folder / JUNIT, _rendered(junit, stored))
    lines += _copy_differs(folder, stored, result.study)
    missing = [name for name in figures_of(now).files() if not (folder / FIGURES / name).is_file()]
    return lines + [f"{FIGURES}/{name}: missing" for name in missing]


def _copy_differs(folder: Path, stored: Json, study: Study) -> list[str]:
    """Return a line if the lock that a report was judged against is not in the report any more."""
    found = stored.get("registration")
    entry = found.get("entry") if isinstance(found, dict) else None
    if not isinstance(entry, dict):
        return []
    copy = read_copy(folder, study)
    if copy is None:
        return [f"{COPY}: missing"]
    there = [one.sha256 for one in copy.entries]
    same = there and there[-1] == entry.get("sha256") and len(there) == entry.get("number")
    return [] if same else [f"{COPY}: is not the one that it was judged against"]


def _without_chain(data: Json) -> Json:
    """Return a result without the checksum of each record, which `chain_differs` compares."""
    records = data.get("records")
    if not isinstance(records, dict):
        return data
    return {**data, "records": {key: value for key, value in records.items() if key != "sha256"}}


def chain_differs(stored: Any, folder: Path) -> list[str]:
    """Return a line for each record of a report's chain that is not in its records.jsonl as the chain has it, and for
    each that the chain does not have. None for a report of before there were chains."""
    if stored is None:
        return []
    try:
        chain = dict(stored["sha256"])
        there = {record: record_sha256(content) for record, content in read_records(folder).items()}
        whole = chain_head(chain) == stored["head"] and len(chain) == stored["n"]
    except (KeyError, TypeError, ValueError):
        return [f"{RESULT}: 'records' is no chain"]
    except StoreError as error:
        return [str(error)]
    lines = [] if whole else [f"{RESULT}: the chain over the records does not end in its own hash: it was edited"]
    lines += [f"{RECORDS}: record {record} was removed" for record in chain if record not in there]
    other = [record for record in chain if there.get(record) not in (None, chain[record])]
    lines += [f"{RECORDS}: record {record} was changed" for record in other]
    return lines + [f"{RECORDS}: record {record} is not in the chain" for record in there if record not in chain]


def _rendered(render: Callable[[Json], str], data: Json) -> str | None:
    """Return what `render` gives; None where the stored result does not have the form that rendering needs (it then
    differs anyway)."""
    if unfit_to_read(data):
        return None
    try:
        return render(data)
    except (KeyError, TypeError, IndexError, ValueError, AttributeError):
        return None


def _links_its_study(page: Path) -> bool:
    """Return whether a page has a link to the study's file, as one that lies in `reports/` of a project has."""
    try:
        return "](../../claims/" in text_of(page)
    except Unreadable:
        return False


def _page_differs(file: Path, expected: str | None) -> list[str]:
    if expected is None:
        return [f"{file.name}: cannot be compared, for {RESULT} is not whole"]
    try:
        stored = text_of(file)
    except Unreadable as error:
        return [f"{file.name}: cannot be read: {error}"]
    changed = text_differs(stored, expected)
    return [f"{file.name}: is not what {RESULT} gives: {changed}"] if changed else []
