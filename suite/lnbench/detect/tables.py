"""What a detection found, as data: the two CSV files and result.json."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from lnbench.detect.data import Labelled
from lnbench.detect.options import Options
from lnbench.detect.scores import SUSPECT, Scores
from lnbench.errors import visible
from lnbench.machine import environment
from lnbench.store import Record

SCHEMA = "lnbench-detect/1"
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
LITTLE_LEARNT = 0.05  # above the largest class's share
Json = dict[str, Any]


def shown(scores: Scores, top: int) -> list[int]:
    """Return the examples of suspects.csv, the most suspect first: all that are more likely mislabeled than not, and at
    least `top`, and at least as many as have an AUM below 0."""
    count = max(int(scores.suspects().sum()), int(scores.disliked().sum()), top)
    return [int(example) for example in scores.order[:count]]


def suspects_csv(data: Labelled, scores: Scores, top: int) -> bytes:
    return _csv(data, scores, shown(scores, top))


def scores_csv(data: Labelled, scores: Scores) -> bytes:
    """Return a table of every example, in the data's order."""
    return _csv(data, scores, range(len(data.names)))


def _csv(data: Labelled, scores: Scores, examples: Sequence[int]) -> bytes:
    """Write numbers to six significant digits; the probability is empty where there is none. Bytes of a file's name
    that are not UTF-8 stay what they are; a name that a spreadsheet would compute has an apostrophe in front."""
    out = io.StringIO()
    torn = any("\r" in name for name in (*data.names, *data.classes))  # csv quotes a line's end, but not each one's
    table = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL if torn else csv.QUOTE_MINIMAL)
    table.writerow(["rank", "image", "label", "aul", "mean_loss", "aum", "probability"])
    for example in examples:
        numbers = [f"{values[example]:.6g}" for values in (scores.aul, scores.mean_loss, scores.aum)]
        probability = "" if scores.probability is None else f"{scores.probability[example]:.6g}"
        label = data.classes[data.labels[example]]
        table.writerow([scores.rank[example], cell(data.names[example]), cell(label), *numbers, probability])
    return out.getvalue().encode(errors="surrogateescape")


def cell(name: str) -> str:
    """Return a name as a cell that no spreadsheet computes: they take what begins with one of `= + - @`, a tab or a
    carriage return for a formula, and do what it says. A number stays one."""
    name = re.sub("[\ud800-\udc7f\udd00-\udfff]", lambda one: visible(one[0]), name)  # no byte of a file's name
    if name.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n")) and not NUMBER.fullmatch(name):
        return f"'{name}"
    return name


def result(
    source: str,
    data: Labelled,
    asked: Options,
    options: Options,
    scores: Scores,
    records: list[Record],
    notes: list[str],
) -> Json:
    """Return all numbers. `asked`: the options as given; `options`: nothing left open; `notes`: what a reader must
    know."""
    suspects, order = scores.suspects(), scores.order
    top = order[: options.top]
    classes = []
    for number, (name, count) in enumerate(zip(data.classes, data.counts(), strict=True)):
        mine = data.labels == number
        share = None if scores.probability is None else float(scores.probability[mine].mean())
        classes.append(
            {
                "name": name,
                "images": count,
                "suspects": int(suspects[mine].sum()),
                "estimated_share": share,
                "negative_aum": int(scores.disliked()[mine].sum()),
                "among_top": int((data.labels[top] == number).sum()),
            }
        )
    return {
        "schema": SCHEMA,
        "data": {
            "source": source,
            "checksum": data.checksum,
            "images": len(data.labels),
            "shape": list(data.shape),
            "skipped": [{"file": file, "why": why} for file, why in data.skipped],
        },
        "notes": [*data.notes, *notes, *little_learnt(data, scores)],
        "asked": asked.as_dict(),
        "options": options.as_dict(),
        "noise": _noise(scores),
        "mixture": _mixture(scores),
        "suspects": int(suspects.sum()),
        "negative_aum": int(scores.disliked().sum()),
        "suspect_from_probability": SUSPECT,
        "agreement_of_runs": scores.agreement,
        "classes": classes,
        "runs": [_run(one, record) for one, record in zip(scores.runs, records, strict=True)],
        "environment": environment(),
    }


def little_learnt(data: Labelled, scores: Scores) -> list[str]:
    """Return a note where the networks hardly do better than always naming the largest class: then losses say
    nothing."""
    largest = max(data.counts()) / len(data.labels)
    accuracy = min(run.train_accuracy for run in scores.runs)
    if accuracy > largest + LITTLE_LEARNT:
        return []
    shares = f"training accuracy {100 * accuracy:.1f} %, largest class {100 * largest:.1f} %"
    what = f"a network learnt next to nothing ({shares})"
    return [f"{what}: the ranking means little; try another --lr, more --epochs, or another --model"]


def _noise(scores: Scores) -> Json | None:
    """Return the estimated share of wrong labels; None where the scores are one group."""
    if scores.interval is None:
        return None
    alone = [run.noise for run in scores.runs if run.noise is not None]
    return {
        "estimate": scores.interval.estimate,
        "low": scores.interval.low,
        "high": scores.interval.high,
        "level": scores.interval.level,
        "single_runs": [min(alone), max(alone)] if alone else None,
        "single_runs_with_two_groups": len(alone),
    }


def _mixture(scores: Scores) -> Json | None:
    if scores.split is None:
        return None
    mixture = scores.split.mixture
    return {
        "groups": scores.groups,
        "weights": list(mixture.weights),
        "means": list(mixture.means),
        "sds": list(mixture.sds),
        "ashman_d": scores.split.ashman,
        "bic_gain_of_two": scores.split.gain_of_two,
        "converged": scores.split.converged,
    }


def _run(one: Any, record: Record) -> Json:
    provenance = record["provenance"]
    return {
        "id": record["id"],
        "groups": one.groups,
        "noise": one.noise,
        "train_accuracy": one.train_accuracy,
        "train_loss": one.train_loss,
        **{key: provenance[key] for key in ("device", "threads", "seconds", "resumed")},
    }


def json_text(result: Json) -> bytes:
    """Return JSON as bytes: equal results, equal bytes."""
    return (json.dumps(result, indent=1, allow_nan=False, default=_plain) + "\n").encode()


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(type(value).__name__)
