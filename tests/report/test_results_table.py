"""The verdicts as data: every row is what the reports say, in all forms, and nothing in it is a command."""

from __future__ import annotations

import copy
import csv
import io
import json
import re
from pathlib import Path

import pytest

from lnbench.report import read_results
from lnbench.report.results_table import (
    COLUMNS,
    as_csv,
    as_json,
    as_latex,
    as_markdown,
    as_parquet,
    latex,
    results_table,
)
from lnbench.report.units import shown
from tests.toys.report_world import World

ROOT = Path(__file__).parents[2]


def test_a_claim_that_one_comparison_decides_has_its_numbers_in_the_row(full: World) -> None:
    data = full.json()
    rows = results_table([data])
    assert [row["claim"] for row in rows] == [claim["id"] for claim in data["claims"]]
    for row, claim in zip(rows, data["claims"], strict=True):
        pairs = [(part, member) for part in claim["parts"] if part["decides"] for member in part["members"]]
        assert row["comparisons"] == len(pairs) and list(row) == list(COLUMNS)
        assert row["verdict"] == claim["verdict"] and row["p_reproduced"] == claim["p_reproduced"]
        if len(pairs) == 1:
            view = shown(*pairs[0])
            assert (row["effect"], row["low"], row["high"]) == (view.effect, *(view.interval or ()))
            assert row["required"] == view.region_words() and row["seeds"] == pairs[0][1]["check"]["n"]
        else:
            assert row["effect"] is row["low"] is row["seeds"] is None
    assert {row["comparisons"] > 1 for row in rows} == {True, False}  # both kinds were there


def test_every_comparison_has_a_row_on_request(full: World) -> None:
    data = full.json()
    rows = results_table([data], comparisons=True)
    labels = [member["label"] for claim in data["claims"] for part in claim["parts"] for member in part["members"]]
    assert [row["comparison"] for row in rows] == labels and len(rows) > len(data["claims"])


def test_the_committed_reports_give_one_row_a_claim_and_tier() -> None:
    results = read_results(ROOT / "reports")
    rows = results_table(results)
    assert len(rows) == sum(len(data["claims"]) for data in results)
    assert len({(row["study"], row["tier"], row["claim"]) for row in rows}) == len(rows)
    for row in results_table(results, comparisons=True):
        if row["low"] is not None:
            assert row["low"] <= row["high"] and 0 < row["confidence"] < 1


def test_csv_and_json_and_parquet_say_the_same(full: World) -> None:
    rows = results_table([full.json()], comparisons=True)
    read = list(csv.DictReader(io.StringIO(as_csv(rows))))
    content = json.loads(as_json(rows))
    assert content["schema"] == "lnbench-results/1" and content["columns"] == list(COLUMNS) == list(read[0])
    assert content["rows"] == rows
    for row, cells in zip(rows, read, strict=True):
        for name, kind in COLUMNS.items():
            value = row[name]
            assert value is None or isinstance(value, (int, float) if kind is float else kind), name
            wanted = "" if value is None else str(value).lower() if kind is bool else str(value)
            assert cells[name] in (wanted, f"'{wanted}")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    table = parquet.read_table(io.BytesIO(as_parquet(rows)))
    assert table.schema.metadata[b"schema"] == b"lnbench-results/1"
    assert table.to_pylist() == rows


def test_no_cell_is_a_formula_a_link_or_a_command(full: World) -> None:
    data = copy.deepcopy(full.json())
    data["claims"][0]["says"] = '=HYPERLINK("http://e.example") \\input{/etc/passwd} | $x$ <b>'
    rows = results_table([data])
    cells = next(csv.reader(io.StringIO(as_csv(rows).split("\n", 1)[1])))
    assert cells[list(COLUMNS).index("says")].startswith("'=HYPERLINK")
    tex = as_latex(rows)
    assert r"\textbackslash{}input\{/etc/passwd\}" in tex and r"\$x\$" in tex
    assert all(len(re.findall(r"(?<!\\)&", line)) == 6 for line in tex.splitlines() if line.endswith(r"\\"))
    assert r"\| \$x\$ &lt;b&gt;" in as_markdown(rows)


@pytest.mark.parametrize("letter", list("\\&%$#_{}~^"))
def test_every_special_letter_of_latex_is_printed(letter: str) -> None:
    assert latex(letter) != letter and latex(f"a{letter}b").startswith("a") and latex(f"a{letter}b").endswith("b")


def test_the_page_names_every_column() -> None:
    page = (ROOT / "docs/results.md").read_text(encoding="utf-8")
    named = re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `")))
    assert named == list(COLUMNS)
