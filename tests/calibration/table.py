"""Writes the table of measured error rates into docs/statistics.md, between its markers.

python -m tests.calibration.table [REPETITIONS]      # 10,000 take some minutes on one core
"""

from __future__ import annotations

import sys

from tests.calibration.scenarios import SCENARIOS, SHOWN, Scenario, measure
from tests.toys.written_page import DOCS, put


def percent(rate: float) -> str:
    """A share in %."""
    return f"{100 * rate:.1f}"


def promise(scenario: Scenario) -> str:
    def limit(value: float) -> str:
        return "–" if value == SHOWN else f"{100 * value:g}"

    return f"{limit(scenario.reproduced)} / {limit(scenario.contradicted)}"


def rows(repetitions: int) -> list[str]:
    lines = []
    for s in SCENARIOS:
        cells = []
        for n in s.seeds:
            rates = measure(s, n, repetitions)
            cell = f"{percent(rates.reproduced)} / {percent(rates.contradicted)}"
            if rates.alone is not None and rates.alone != (rates.reproduced, rates.contradicted):
                cell += " ({} / {})".format(*(percent(rate) for rate in rates.alone))
            cells.append(cell)
            print(s.name, n, cells[-1], flush=True)
        if len(cells) == 1:  # points, or the last look: n has another meaning
            cells = ["", "", f"{cells[0]} (n = {s.seeds[0]})"] if s.seeds != (10,) else ["", "", cells[0]]
        lines.append(f"| {s.kind} | {s.world} | {' | '.join(cells)} | {promise(s)} |")
    return lines


def main(repetitions: int) -> None:
    table = [
        f"False `reproduced` / false `contradicted` in %, {repetitions:,} simulated studies a cell; in brackets, where "
        "it is another number, what Student's t alone (of points: Fisher's law) would have said in the same studies.",
        "",
        "| kind | world | n = 4 | n = 5 | n = 10 | at most |",
        "|---|---|---|---|---|---|",
        *rows(repetitions),
    ]
    put(DOCS / "statistics.md", "error rates", "tests/calibration/table.py", table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
