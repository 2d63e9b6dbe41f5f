"""Measures the engine and prints the table of docs/performance.md; with --write, writes it there.

    python -m tests.benchmarks.table [--rows 1,2,5] [--repeats 7] [--write]

Everything in one process with one thread, set up as lnbench's worker processes are; all rows take about six minutes.
With --rows, the other lines of the page stay as they are.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from dataclasses import replace

from tests.benchmarks.machine import described, load
from tests.benchmarks.ratios import FULL, Readings, Row, quantity
from tests.toys.written_page import DOCS, between, replaced

HEAD = ["| # | ratio | goal | measured, median [least, most] | from | load | |", "|---|---|---:|---:|---|---:|---|"]
UNMEASURED = "not measured"
PAGE, MARKED = DOCS / "performance.md", ("benchmarks", "tests/benchmarks/table.py")


def line(row: Row, readings: Readings, load: str) -> str:
    unit = row.goal.unit
    least, most = (quantity(extreme(readings.values), "").strip() for extreme in (min, max))
    verdict = "met" if row.goal.met(readings.median) else f"**missed**. {row.bound}".rstrip()
    measured = f"{quantity(readings.median, unit)} [{least}, {most}]"
    return f"| {row.name} | {row.what} | {row.goal.words()} | {measured} | {readings.words} | {load} | {verdict} |"


def table(lines: dict[str, str], rows: list[Row], machine: str) -> list[str]:
    """The whole section: a line for each row, those that are there by the row's name."""
    empty = {row.name: f"| {row.name} | {row.what} | {row.goal.words()} | {UNMEASURED} | | | |" for row in rows}
    return [machine, "", *HEAD, *(lines.get(row.name, empty[row.name]) for row in rows)]


def standing(text: str) -> dict[str, str]:
    """The page's measured lines by the names of their rows."""
    found = [each for each in between(text, *MARKED) if each.startswith("| ") and each not in HEAD]
    return {each.split("|")[1].strip(): each for each in found if UNMEASURED not in each}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", help="their numbers or names, with commas; by default all")
    parser.add_argument("--repeats", type=int, default=FULL.repeats)
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    given = parser.parse_args()

    import torch

    from tests.benchmarks.rows import ROWS

    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", module="torch")
    wanted = given.rows.split(",") if given.rows else [row.name for row in ROWS]
    chosen = [row for row in ROWS if row.name in wanted or str(row.number) in wanted]
    if not chosen:
        parser.error(f"no such row; there are {', '.join(row.name for row in ROWS)}")
    print("\n".join([described(), "", *HEAD]), flush=True)
    lines = {}
    for row in chosen:
        readings = row.measure(replace(FULL, repeats=given.repeats))
        lines[row.name] = line(row, readings, load())
        print(lines[row.name], flush=True)
    if given.write:
        text = PAGE.read_text(encoding="utf-8")
        kept = standing(text) if given.rows else {}
        machine = described()
        if kept.keys() - lines.keys():  # who measured these is not to be forgotten
            machine += f" Rows {', '.join(lines)}; the others: {between(text, *MARKED)[0]}"
        section = table({**kept, **lines}, ROWS, machine)
        PAGE.write_text(replaced(text, *MARKED, section), encoding="utf-8")


def as_a_worker() -> None:
    """Start anew with the environment of lnbench's workers, which must stand before torch is imported."""
    from lnbench.execute.worker import ENVIRONMENT

    if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **ENVIRONMENT})


if __name__ == "__main__":
    as_a_worker()
    main()
