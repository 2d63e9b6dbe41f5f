"""The later sections of report.md: choices, deviations, drift, runs, environment, and how to check it all."""

from __future__ import annotations

import statistics

from lnbench.errors import visible
from lnbench.report.matrix import has_matrix
from lnbench.report.names import is_number, place, text
from lnbench.report.numbers import significant
from lnbench.report.page.experiments import experiment_runs
from lnbench.report.page.ledger import chain_words, ledger_section
from lnbench.report.page.missing import left_section
from lnbench.report.page.recipe_words import SELECTIONS
from lnbench.report.page.registration import registration_section
from lnbench.report.plain import Json
from lnbench.report.units import Unit, decimals_of, metric_unit, percent, points
from lnbench.report.words import coded, counted, duration, escaped, listed, of_no_paper, table

DASH = "–"
NOT_JUDGED = ("not-run", "error")
MOST_CELLS = 30  # lines of the table of runs, where another table has the same cells


def background_sections(data: Json, training_figure: str | None) -> list[str]:
    """Return the lines of all sections after the claims."""
    lines = [*_open(data), *_made(data), *_deviations(data), *registration_section(data), *_drift(data), *_runs(data)]
    lines += [*left_section(data), *ledger_section(data)]
    if training_figure:
        lines += [f"![Test accuracy after every epoch]({training_figure})", ""]
    return [*lines, *_environment(data), *_check(data)]


def _open(data: Json) -> list[str]:
    if not data["choices_open"]:
        return []
    rows = [
        [coded(choice["key"]), escaped(text(choice["ours"])), _alternatives(choice["try"], choice.get("void", {}))]
        for choice in data["choices_open"]
    ]
    own = of_no_paper(data)
    intro = (
        "Choices of this study that its sentences do not fix. Before one is called failed, it must be so under every "
        "alternative too."
        if own
        else "The paper does not say these, or says them in two ways; they are no deviations from it. Before a claim "
        "is called contradicted, it must be so under every alternative too."
    )
    intro += _stands_on(data)
    if data["deviations"]:  # a tier may leave the choices as the full tier words them
        intro += " Where a deviation of this tier (below) says otherwise, the deviation holds."
    return [
        "## What is left open" if own else "## What the paper leaves open",
        "",
        intro,
        "",
        *table(["choice", "ours", "alternative"], rows),
        "",
    ]


def _stands_on(data: Json) -> str:
    """Return under how many of the alternatives that change its runs each claim inside its range was judged."""
    good = {claim["id"]: claim["tried"] for claim in data["claims"] if claim["verdict"] in ("reproduced", "held")}
    missing = {name: [key for key, word in tried.items() if word in NOT_JUDGED] for name, tried in good.items()}
    alone = [name for name, tried in good.items() if tried and len(missing[name]) == len(tried)]
    words = ""
    if alone:
        one = len(alone) == 1
        words = (
            f" {listed(map(escaped, alone))} {'rests' if one else 'rest'} on our choices alone: no alternative that "
            f"changes {'its' if one else 'their'} runs was run."
        )
    for name, tried in good.items():
        run = len(tried) - len(missing[name])
        if run:
            left = f"; not run: {listed(f'{coded(key)}' for key in missing[name])}" if missing[name] else ""
            words += f" {escaped(name)} was not contradicted under {run} of {counted(len(tried), 'alternative')}{left}."
    return words


def _alternatives(tried: Json | None, void: Json) -> str:
    shown = [f"{coded(key)}: {escaped(_value(value))}" for key, value in (tried or {}).items()]
    return "<br>".join([*shown, *(f"{coded(key)}: not run, {escaped(why)}" for key, why in void.items())]) or DASH


def _value(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_value(item)}" for key, item in value.items())
    return ", ".join(map(_value, value)) if isinstance(value, list) else text(value)


def _made(data: Json) -> list[str]:
    if not data["choices_made"]:
        return []
    rows = []
    for choice in data["choices_made"]:
        scores = [
            _candidate(value, score, value == choice["chosen"])
            for value, score in zip(choice["candidates"], choice["scores"], strict=True)
        ]
        margin = DASH if choice["margin"] is None else points(choice["margin"])
        rows.append([
            escaped(place(choice["point"])), coded(choice['key']), escaped(text(choice["chosen"])), margin,
            "<br>".join(scores),
        ])  # fmt: skip
    by = listed(sorted({escaped(choice["by"].replace("_", " ")) for choice in data["choices_made"]}))
    seeds = counted(data["seeds"]["choosing"], "seed")
    intro = f"Chosen by {by}, on {seeds} that no verdict uses. The margin is the lead over the next best value."
    intro += " Verdicts are about the values as chosen, not about the best ones."
    at_end = sum(map(_at_an_end, data["choices_made"]))
    if at_end:
        intro += (
            f" In {at_end} of {counted(len(rows), 'case')} the chosen value is the smallest or the largest "
            "of those tried: a better one may lie outside their range."
        )
    header = ["cell", "option", "chosen", "margin", "every candidate and its score"]
    return ["## Chosen hyper-parameters", "", intro, "", *table(header, rows, right=(2, 3)), ""]


def _candidate(value: object, score: float | None, chosen: bool) -> str:
    words = f"{escaped(text(value))}: {'diverged' if score is None else percent(score)}"
    return f"**{words}**" if chosen else words


def _at_an_end(choice: Json) -> bool:
    numbers = [value for value in choice["candidates"] if is_number(value)]
    return len(numbers) == len(choice["candidates"]) > 1 and choice["chosen"] in (min(numbers), max(numbers))


def _deviations(data: Json) -> list[str]:
    lines = [f"- {escaped(item)}" for item in data["deviations"]] or ["This tier lists none."]
    return ["## Deviations of this tier", "", *lines, ""]


def _drift(data: Json) -> list[str]:
    found = [(claim, drift) for claim in data["claims"] for drift in claim["drift"]]
    if not found:
        return []
    effects = {
        part["effect"]["name"]: metric_unit(part["effect"], part["members"][0]["step"])
        for claim in data["claims"]
        for part in claim["parts"]
        if part["members"]
    }
    rows, seen = [], set()
    for _, drift in found:
        key = (drift["effect"], drift["label"])
        if key in seen:
            continue
        seen.add(key)
        unit = effects[drift["effect"]]
        means = [_mean(values) for values in (drift["before"], drift["now"])]
        rows.append([
            escaped(drift["label"]),
            *_told_apart(means, unit),
            "far above" if drift["share"] is None else significant(drift["share"], edges=(1.0,)),
            "🔻 drifted" if drift["drifted"] else "🔹 no drift",
        ])  # fmt: skip
    intro = (
        "Each seed's number is compared with what lnbench itself measured at that seed before. It may move by three "
        "times what noise on the gradients, of one part in 100,000, moved it then (`docs/drift.md`). Shown are means "
        "over seeds and, of the seed that moved furthest, how far, over how far it may."
    )
    header = ["effect", "before", "now", "moved / tolerance", ""]
    return ["## Drift", "", intro, "", *table(header, rows, right=(1, 2, 3)), ""]


def _mean(values: list[float | None]) -> float | None:
    """Return the mean of the seeds that have a number."""
    there = [value for value in values if value is not None]
    return statistics.fmean(there) if there else None


def _told_apart(means: list[float | None], unit: Unit) -> list[str]:
    """Return the means with the digits that show which is larger."""
    there = tuple(unit.of(mean) for mean in means if mean is not None)
    return [DASH if mean is None else unit.amount(unit.of(mean), like=there, near=there) for mean in means]


def _runs(data: Json) -> list[str]:
    if not data["cells"]:
        return []
    if "experiment" in data["cells"][0]:
        return experiment_runs(data)
    chosen = list(dict.fromkeys(key for cell in data["cells"] for key in cell["chosen"]))
    header = [
        "cell",
        "epochs",
        *(coded(key) for key in chosen),
        "runs",
        "test accuracy",
        "sd",
        "wrong labels",
        "seconds per run",
    ]
    rows = []
    for cell in data["cells"]:
        mean, sd = _accuracy(cell)
        rows.append([
            escaped(place(cell["point"])),
            str(cell["epochs"]),
            *(escaped(text(cell["chosen"][key])) if key in cell["chosen"] else DASH for key in chosen),
            f"{cell['done']} of {cell['planned']}",
            mean,
            sd,
            _wrong_labels(cell["noise"]),
            f"{statistics.fmean(cell['seconds']):.1f}" if cell["seconds"] else DASH,
        ])  # fmt: skip
    used = {cell["selection"] for cell in data["cells"]}
    selections = listed(sorted(SELECTIONS.get(name) or escaped(name) for name in used))
    intro = [
        f"Test accuracy at {selections}: mean and standard deviation (sd, in points) over the seeds, or, where a run "
        "collapsed, the median, the number of collapsed runs and the range. Wrong labels: their share among the "
        "training labels, as drawn, mean over the seeds."
    ]
    failed = [
        f"- run {coded(entry['id'][:12])} failed: {escaped(entry['message'])}" for entry in data["runs"]["failed"]
    ]
    body = table(header, rows, right=range(1, len(header)))
    if has_matrix(data) and len(rows) > MOST_CELLS:  # the tables above have every cell
        body = [f"<details><summary>All {len(rows)} cells</summary>", "", *body, "", "</details>"]
    return ["## Runs", "", *intro, "", *body, "", *failed, ""]


def _accuracy(cell: Json) -> tuple[str, str]:
    """Return (mean, sd) in words; with a collapse (median and count, range)."""
    values = cell["metrics"]["test_accuracy"]
    if not values:
        return DASH, DASH
    decimals = decimals_of(100 / cell["examples"]["test"])
    dead = sum(cell["collapsed"])
    if dead:
        words = f"median {percent(statistics.median(values), decimals)}, {dead} collapsed"
        return words, f"{percent(min(values), decimals)} to {percent(max(values), decimals)}"
    sd = f"{100 * statistics.stdev(values):.{decimals}f}" if len(values) > 1 else DASH
    return percent(statistics.fmean(values), decimals), sd


def _wrong_labels(noise: Json) -> str:
    shares = [share for share in noise["realised_wrong"] if share is not None]
    return percent(statistics.fmean(shares)) if shares else DASH


def _environment(data: Json) -> list[str]:
    if not data["environments"]:
        return []
    rows = []
    for entry in data["environments"]:
        facts = entry["environment"]
        versions = ", ".join(
            f"{name} {version}"
            for name, version in [
                *((name, facts.get(name)) for name in ("lnbench", "torch", "numpy", "python")),
                *entry.get("plugins", {}).items(),
            ]
            if version
        )
        machine = ", ".join(facts[name] for name in ("processor", "platform") if facts.get(name))
        cores = f", {counted(int(facts['cores']), 'core')}" if str(facts.get("cores", "")).isdigit() else ""
        low = f", bfloat16 {facts['bfloat16']}" if facts.get("bfloat16") else ""
        rows.append([
            escaped(str(entry["device"])), escaped(f"{machine}{cores}{low}"), escaped(versions),
            escaped(str(entry["backend"])), str(entry["runs"]), duration(entry["seconds"]),
            duration(used) if (used := core_seconds([entry])) else DASH,
        ])  # fmt: skip
    runs = data["runs"]
    dates = (
        f"Runs finished between {escaped(runs['first_finished'])} and {escaped(runs['last_finished'])}."
        if runs["first_finished"]
        else ""
    )
    header = ["device", "machine", "versions", "backend", "runs", "training time", "CPU time, at most"]
    what = (
        "CPU time is at most the training time of each run times the number of its threads, summed: less where other "
        "work shared the cores."
    )
    judges = ", ".join(f"{name} {version}".strip() for name, version in data.get("judged_by", {}).items())
    packages = [f"Metrics or kinds of check come from other packages: {escaped(judges)}.", ""] if judges else []
    timed = [what, ""] if any(core_seconds([entry]) for entry in data["environments"]) else []
    return ["## Environment", "", *table(header, rows, right=(4, 5, 6)), "", *timed, dates, "", *packages]


def core_seconds(environments: list[Json]) -> float | None:
    """Return seconds × threads of all runs, of environments of `result.json`; None where some run was not on a CPU, or
    does not say how many threads it had."""
    if not all(entry["device"] == "cpu" and entry["threads"] for entry in environments):
        return None
    return float(sum(entry["seconds"] * entry["threads"] for entry in environments))


def _check(data: Json) -> list[str]:
    text = (
        "All records behind the verdicts are in `records.jsonl`, next to this page. To judge them again, without a GPU "
        "and without training anything, give the folder that holds this page:"
    )
    key = visible(" ".join(data["key"].split())).replace("`", "")  # in a fence nothing is escaped but its end
    where = f"lnbench judge FOLDER    # of a report in lnbench's repository: reports/{key}"
    return ["## Check it yourself", "", text, "", "```sh", where, "```", "", *chain_words(data)]
