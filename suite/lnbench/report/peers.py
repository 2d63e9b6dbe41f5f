"""Methods that find wrong labels, beside each other under each kind of noise: for the page, and for docs/detect.md.

All from `result.json`: the parts of a `label_errors` study that hold one number of one method at each arm. A report
whose parts rank by one method only has no such tables.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lnbench.report.headlines import scale_words
from lnbench.report.plain import Json
from lnbench.report.units import shown
from lnbench.report.words import coded, counted, listed, path_link, spaced_percent, table, without_unit
from lnbench.tiers import TIERS

STUDY = "peers_by_noise"
METHODS = {  # what the metrics of a method begin with -> its name
    "aul": "AUL",
    "aum": "AUM",
    "confident": "confident learning",
    "confident_margin": "the same, by normalised margin",
    "logistic": "logistic regression on pixels",
}
NUMBERS = {  # what the metrics of a number end with -> (heading, what it is outside the {edge} that its part asks)
    "auc": ("ROC AUC: how well wrong labels are ranked above right ones", "has a ROC AUC below {edge}"),
    "noise_bias": ("Estimated less true share of wrong labels", "estimates a share that is off by more than {edge}"),
    "recall": ("Recall: share of the wrong labels that are found", "finds less than {edge} of the wrong labels"),
    "precision": (
        "Precision: share of what is found that is wrong",
        "is right about less than {edge} of what it finds",
    ),
}
TOOK = {  # method -> the kinds of work whose seconds it takes
    "AUL and AUM": ("network", "loss_curves"),
    "confident learning": ("folds", "confident_learning"),
    METHODS["logistic"]: ("pixels_model",),
}


@dataclass(frozen=True, slots=True)
class _Cell:
    """One number of one method under one kind of noise, as the report writes it."""

    method: str
    number: str
    arm: str
    words: str
    outside: str  # the edge of what its part asks, if its interval lies wholly outside; else empty


def peers_section(data: Json) -> list[str]:
    """Return the page's section of tables; none where a report compares no methods."""
    cells = list(_cells(data))
    if not _compares(cells):
        return []
    lines = ["## Methods beside each other", "", _intro(cells, data), ""]
    for number in NUMBERS:
        lines += _table(cells, number, data)
    return [*lines, *_fails(cells, data), *_seconds(data)]


def peers_in_docs(results: Iterable[Json], reports: str) -> str:
    """Return for docs/detect.md, from the results of all reports, what the study of this name measured at its largest
    tier; `reports`: the folder of reports, from there."""
    found = [data for data in results if data["study"] == STUDY and data["tier"] != "smoke"]
    largest = max(found, key=lambda data: TIERS.index(data["tier"]), default=None)
    cells = list(_cells(largest)) if largest else []
    if largest is None or not _compares(cells):
        return f"*Not run yet: `lnbench verify claims/{STUDY}.yaml --tier cpu`.*"
    report = path_link("report", reports, largest["key"], "report.md")
    intro = f"{_intro(cells, largest)} Scale: {scale_words(largest)}. All of it is in the {report}."
    lines = [intro, ""]
    for number in ("auc", "noise_bias"):
        lines += _table(cells, number, largest)
    return "\n".join([*lines, *_fails(cells, largest)]).strip()


def _cells(data: Json) -> Iterator[_Cell]:
    metrics = {f"{method}_error_{number}": (method, number) for method in METHODS for number in NUMBERS}
    for claim in data["claims"]:
        for part in claim["parts"]:
            effect = part["effect"]
            plain = not any(effect.get(key) for key in ("minus", "less", "per", "over", "along"))
            if not plain or effect["metric"] not in metrics:
                continue
            for member in part["members"]:
                check, arm = member.get("check"), (member.get("at") or {}).get("arm")
                if arm is None or not check or not check["interval"]:
                    continue
                view = shown(part, member)
                words = f"{without_unit(view.effect_words(), view)} {without_unit(view.interval_words(), view)}"
                outside = view.unit.edge(max(view.edges)) if _outside(check) else ""
                yield _Cell(*metrics[effect["metric"]], arm, words, outside)


def _outside(check: Json) -> bool:
    interval, low, high = check["interval"], check["region"]["low"], check["region"]["high"]
    return bool((low is not None and interval["high"] < low) or (high is not None and interval["low"] > high))


def _compares(cells: list[_Cell]) -> bool:
    return len({cell.method for cell in cells if cell.number == "auc"}) > 1


def _intro(cells: list[_Cell], data: Json) -> str:
    runs, level = sum(cell["done"] for cell in data["cells"]), spaced_percent(1 - 2 * data["alpha"])
    draws = {cell["done"] for cell in data["cells"]}
    each = counted(draws.pop(), "draw") + " for each row" if len(draws) == 1 else counted(runs, "draw") + " in all"
    return f"Typical numbers and {level} intervals over noise draws, {each}; the methods of a row share the draws."


def _table(cells: list[_Cell], number: str, data: Json) -> list[str]:
    """Return the table of one number, a row for each kind of noise, in the study's order, and a column for each method;
    none for none."""
    own = {(cell.arm, cell.method): cell.words for cell in cells if cell.number == number}
    methods = [method for method in METHODS if any(method == known for _, known in own)]
    if not methods:
        return []
    there = [arm for arm in _arms(data) if any(arm == known for known, _ in own)]
    rows = [[coded(arm), *(own.get((arm, method), "–") for method in methods)] for arm in there]
    header = ["noise", *(METHODS[method] for method in methods)]
    return [f"**{NUMBERS[number][0]}**", "", *table(header, rows, right=range(1, len(header))), ""]


def _arms(data: Json) -> list[str]:
    """Return the kinds of noise, in the study's order."""
    return list(dict.fromkeys(cell["point"].get("arm") for cell in data["cells"]))


def _fails(cells: list[_Cell], data: Json) -> list[str]:
    """Return in words where each method fails: every number whose interval lies wholly outside what its part asks."""
    lines = []
    for method, name in METHODS.items():
        said = []
        for number, (_, fault) in NUMBERS.items():
            own = [cell for cell in cells if (cell.method, cell.number) == (method, number) and cell.outside]
            for edge in dict.fromkeys(cell.outside for cell in own):
                there = {cell.arm for cell in own if cell.outside == edge}  # of two parts about one arm: once
                arms = [coded(arm) for arm in _arms(data) if arm in there]
                said.append(f"{fault.format(edge=edge)} under {listed(arms)}")
        if measured := {cell.number for cell in cells if cell.method == method}:
            nowhere = "fails nowhere by this measure" if len(measured) == 1 else "fails nowhere by these measures"
            only = f" ({NUMBERS['auc'][0].partition(':')[0]} alone is measured)" if measured == {"auc"} else ""
            lines.append(f"- **{name}** {'; '.join(said) if said else nowhere}{only}.")
    return ["**Where each fails** (its interval lies wholly outside what was asked):", "", *lines, ""]


def _seconds(data: Json) -> list[str]:
    """Return the table of what each method took, in seconds of a run; none where no record says it."""
    rows = []
    for cell in data["cells"]:
        took = cell.get("took") or {}
        each = [[took[kind] for kind in kinds if kind in took] for kinds in TOOK.values()]
        means = [sum(statistics.fmean(seconds) for seconds in kinds) if kinds else None for kinds in each]
        rows.append([coded(cell["point"].get("arm", "")), *("–" if mean is None else f"{mean:.1f}" for mean in means)])
    if all(set(row[1:]) == {"–"} for row in rows):
        return []
    header = ["noise", *TOOK]
    return ["**Seconds of a run**, mean over the draws", "", *table(header, rows, right=range(1, len(header))), ""]
