"""The committed verdicts as one table to take away: a row for each claim and tier, or for each comparison.

Every row comes from the `result.json` of a report. `COLUMNS` is the schema; `docs/results.md` says what is in each.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from lnbench.errors import LnbenchError
from lnbench.report.paper_rows import Row as Place
from lnbench.report.paper_rows import report_order, study_only
from lnbench.report.plain import Json
from lnbench.report.said import as_tested
from lnbench.report.scoreboard import registered_words
from lnbench.report.units import shown
from lnbench.report.words import escaped, path_link, table
from lnbench.spreadsheet import cell
from lnbench.verdict import Verdict

SCHEMA = "lnbench-results/1"
Row = dict[str, Any]
COLUMNS: dict[str, type] = {  # in their order; a cell without a value is empty (null)
    "paper": str,
    "citation": str,
    "study": str,
    "tier": str,
    "claim": str,
    "standing": str,
    "question": str,
    "says": str,
    "verdict": str,
    "would_be": str,
    "in_study_only": bool,
    "comparisons": int,
    "comparison": str,
    "part": str,
    "kind": str,
    "metric": str,
    "effect": float,
    "low": float,
    "high": float,
    "confidence": float,
    "unit": str,
    "required": str,
    "required_low": float,
    "required_high": float,
    "printed": float,
    "seeds": int,
    "collapsed": int,
    "planned": int,
    "p_reproduced": float,
    "p_contradicted": float,
    "p_contradicted_holm": float,
    "registered": str,
    "report": str,
    "records": int,
    "records_head": str,
    "runs_seconds": float,
    "device": str,
    "processor": str,
    "lnbench": str,
    "torch": str,
}


def results_table(results: Iterable[Json], comparisons: bool = False) -> list[Row]:
    """Return a row for each claim and tier of these reports, with every column of `COLUMNS`.

    The columns from `comparison` to `collapsed` are filled where one comparison decides the claim. `comparisons`: a row
    for each comparison of each claim in place of that, those that decide nothing included.
    """
    ordered = sorted(results, key=report_order)
    alone = study_only(ordered)
    rows = []
    for data in ordered:
        about = _about_report(data)
        for claim in data["claims"]:
            row = about | _about_claim(data, claim, alone)
            pairs = [(part, member) for part in claim["parts"] for member in part["members"]]
            deciding = [pair for pair in pairs if pair[0]["decides"]]
            row["comparisons"] = len(deciding)
            if comparisons:
                rows += [row | _about_member(*pair) for pair in pairs]
            else:
                rows.append(row | (_about_member(*deciding[0]) if len(deciding) == 1 else {}))
    return [{name: row.get(name) for name in COLUMNS} for row in rows]


def _about_report(data: Json) -> Row:
    """Return what all claims of a report share; of several environments each is named."""
    environments = data["environments"]

    def each(*names: str) -> str | None:
        found = []
        for one in environments:
            value: Any = one
            for name in names:
                value = value.get(name) if isinstance(value, dict) else None
            found.append(str(value))
        return "; ".join(dict.fromkeys(found)) or None

    return {
        "paper": data["paper"]["id"],
        "citation": data["paper"]["citation"],
        "study": data["study"],
        "tier": data["tier"],
        "report": data["key"],
        "records": data["records"]["n"],
        "records_head": data["records"]["head"],
        "runs_seconds": sum(one["seconds"] for one in environments) if environments else None,
        "device": each("device"),
        "processor": each("environment", "processor"),
        "lnbench": each("environment", "lnbench"),
        "torch": each("environment", "torch"),
    }


def _about_claim(data: Json, claim: Json, alone: dict[Place, int]) -> Row:
    members = [member for part in claim["parts"] if part["decides"] for member in part["members"]]
    registered = registered_words(data, claim["id"])
    return {
        "claim": claim["id"],
        "standing": claim.get("standing", "paper"),
        "question": claim["question"] or None,
        "says": as_tested(claim),
        "verdict": claim["verdict"],
        "would_be": claim.get("would_be") or None,
        "in_study_only": (data["key"], claim["id"]) in alone,
        "planned": max((member["planned"] for member in members), default=None),
        "p_reproduced": claim["p_reproduced"],
        "p_contradicted": claim["p_contradicted"],
        "p_contradicted_holm": claim["p_contradicted_holm"],
        "registered": None if registered == "–" else registered,
    }


def _about_member(part: Json, member: Json) -> Row:
    view, check = shown(part, member), member["check"]
    low, high = view.interval or (None, None)
    return {
        "comparison": member["label"],
        "part": part["name"],
        "kind": part["kind"],
        "metric": part["effect"]["metric"],
        "effect": view.effect,
        "low": low,
        "high": high,
        "confidence": view.confidence if view.interval else None,
        "unit": view.unit.name or None,
        "required": view.region_words(),
        "required_low": _finite(view.region[0]),
        "required_high": _finite(view.region[1]),
        "printed": view.printed,
        "seeds": check["n"],
        "collapsed": check["collapsed"],
        "planned": member["planned"],
    }


def _finite(edge: float) -> float | None:
    return None if edge in (float("inf"), float("-inf")) else edge


def as_csv(rows: Sequence[Row]) -> str:
    """Return the table as CSV, with a header; a cell that a spreadsheet would compute has an apostrophe in front."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    return out.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else cell(value) if isinstance(value, str) else value


def as_json(rows: Sequence[Row]) -> str:
    """Return `{"schema": ..., "columns": [...], "rows": [{...}]}` as text."""
    content = {"schema": SCHEMA, "columns": list(COLUMNS), "rows": list(rows)}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_parquet(rows: Sequence[Row]) -> bytes:
    """Return the table as a Parquet file, every column with its type; the schema's name is in the file's metadata.

    Raises LnbenchError where pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise LnbenchError("Parquet needs pyarrow, which is not installed; pip install 'lnbench[parquet]'") from None
    types = {str: pyarrow.string(), bool: pyarrow.bool_(), int: pyarrow.int64(), float: pyarrow.float64()}
    fields = [(name, types[kind]) for name, kind in COLUMNS.items()]
    schema = pyarrow.schema(fields, metadata={"schema": SCHEMA})
    plain = [{name: _typed(row[name], kind) for name, kind in COLUMNS.items()} for row in rows]
    out = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(plain, schema=schema), out)
    return out.getvalue()


def _typed(value: Any, kind: type) -> Any:
    return float(value) if kind is float and value is not None else value


def as_markdown(rows: Sequence[Row], reports: str | None = "reports") -> str:
    """Return a table for a paper or an issue: what was tested, the verdict, what was measured. `reports`: the folder
    that links start from; None: without links."""
    lines = [
        [
            escaped(str(row["claim"]))
            if reports is None
            else path_link(escaped(str(row["claim"])), reports, str(row["report"]), "report.md"),
            escaped(str(row["tier"])),
            escaped(str(row["says"])),
            escaped(_verdict(row)),
            escaped(_measured(row)),
            escaped(row["required"] or "–"),
            "–" if row["seeds"] is None else str(row["seeds"]),
        ]
        for row in rows
    ]
    header = ["claim", "tier", "what was tested", "verdict", "measured", "required", "seeds"]
    return "\n".join(table(header, lines, right=(6,))) + "\n"


def as_latex(rows: Sequence[Row]) -> str:
    """Return the table of `as_markdown` as LaTeX, for the packages booktabs and tabularx."""
    lines = [
        r"% needs \usepackage{booktabs,tabularx}",
        r"\begin{tabularx}{\linewidth}{llXlllr}",
        r"\toprule",
        r"claim & tier & what was tested & verdict & measured & required & seeds \\",
        r"\midrule",
    ]
    for row in rows:
        seeds = "--" if row["seeds"] is None else str(row["seeds"])
        cells = [row["claim"], row["tier"], row["says"], _verdict(row), _measured(row), row["required"] or "–", seeds]
        lines.append(" & ".join(latex(str(cell)) for cell in cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabularx}"]) + "\n"


def _verdict(row: Row) -> str:
    words = Verdict(row["verdict"]).words if row["verdict"] in list(Verdict) else str(row["verdict"])
    would = f" (would be {Verdict(row['would_be']).words})" if row["would_be"] in list(Verdict) else ""
    return f"{words}{' in its study only' if row['in_study_only'] else ''}{would}"


def _measured(row: Row) -> str:
    """Return "96.1 [94.4, 97] %"; how many comparisons there are where no single number decides."""
    if row["effect"] is None:
        return f"{row['comparisons']} comparisons" if row["comparisons"] > 1 else "–"
    interval = "" if row["low"] is None else f" [{row['low']:.4g}, {row['high']:.4g}]"
    return f"{row['effect']:.4g}{interval}{' ' + row['unit'] if row['unit'] else ''}".replace("-", "−")


LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "−": "$-$", "–": "--", "±": r"$\pm$", "×": r"$\times$",
    "σ": r"$\sigma$", "²": r"\textsuperscript{2}", "≥": r"$\geq$", "≤": r"$\leq$", "<": r"\textless{}",
    ">": r"\textgreater{}", '"': "''", "\n": " ", "\r": " ",
}  # fmt: skip


def latex(text: str) -> str:
    """Return text that LaTeX prints as it is: nothing in it is a command."""
    return "".join(LATEX.get(letter, letter) for letter in text)
