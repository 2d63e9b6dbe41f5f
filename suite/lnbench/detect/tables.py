"""What a detection found, as data: the two CSV files and result.json."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from lnbench.detect.copies import Copies, notes_on
from lnbench.detect.data import Labelled
from lnbench.detect.scoring import LIKELY, Scores
from lnbench.machine import environment
from lnbench.spreadsheet import cell
from lnbench.store import Record

SCHEMA = "lnbench-detect/2"
COLUMNS = (
    "rank", "image", "label", "suspect", "suggested", "suggested_probability", "label_probability", "aul", "mean_loss",
    "aum", "probability",
)  # fmt: skip
BY_HEART = 0.99  # training accuracy
ODDS, FAR_APART = 2.0, 0.1  # an estimate so many times, and so far, above the share of an AUM below 0 is doubted
AUM_RULE = "AUM below 0"
BOTH_RULE = "AUM below 0, and another class preferred out of fold"
PROBABILITY_RULE = "more likely wrong than not"
Json = dict[str, Any]


def shown(scores: Scores, top: int) -> list[int]:
    """Return the examples of suspects.csv, the most suspect first: all suspects, and the first `top`."""
    suspects = scores.suspects()
    return [int(example) for place, example in enumerate(scores.order) if place < top or suspects[example]]


def suspects_csv(data: Labelled, scores: Scores, top: int) -> bytes:
    return _csv(data, scores, shown(scores, top))


def scores_csv(data: Labelled, scores: Scores) -> bytes:
    """Return a table of every example, in the data's order."""
    return _csv(data, scores, range(len(data.names)))


def _csv(data: Labelled, scores: Scores, examples: Sequence[int]) -> bytes:
    """Write numbers to six significant digits; the probability is empty where there is none. Bytes of a file's name
    that are not UTF-8 stay what they are; a name that a spreadsheet would compute has an apostrophe in front."""
    rows: list[list[Any]] = []
    suspects, preferred = scores.suspects(), scores.preferred
    for example in examples:
        numbers = [_six(values[example]) for values in (scores.aul, scores.mean_loss, scores.aum)]
        probability = "" if scores.probability is None else f"{scores.probability[example]:.6g}"
        label = cell(data.classes[data.labels[example]])
        suggested = ["", "", ""]
        if preferred is not None:
            own = [f"{values[example]:.6g}" for values in (preferred.confidence, preferred.of_given)]
            suggested = [cell(data.classes[preferred.label[example]]), *own]
        suspect = "yes" if suspects[example] else "no"
        about = [scores.rank[example], cell(data.names[example]), label, suspect, *suggested]
        rows.append([*about, *numbers, probability])
    return _table(data, COLUMNS, rows)


def _six(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _table(data: Labelled, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    out = io.StringIO()
    torn = any("\r" in name for name in (*data.names, *data.classes))  # csv quotes a line's end, but not each one's
    table = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL if torn else csv.QUOTE_MINIMAL)
    table.writerow(head)
    table.writerows(rows)
    return out.getvalue().encode(errors="surrogateescape")


def result(
    source: str,
    data: Labelled,
    asked: Json,
    options: Json,
    scores: Scores,
    records: list[Record],
    notes: list[str],
    copies: Copies,
) -> Json:
    """Return all numbers. `asked`: the options as given; `options`: nothing left open, with `top`; `records`: of the
    runs, none where nothing was trained here; `notes`: what a reader must know."""
    suspects, likely, order = scores.suspects(), scores.likely(), scores.order
    top = order[: options["top"]]
    classes = []
    for number, (name, count) in enumerate(zip(data.classes, data.counts(), strict=True)):
        mine = data.labels == number
        share = None if scores.probability is None else float(scores.probability[mine].mean())
        classes.append(
            {
                "name": name,
                "images": count,
                "suspects": int(suspects[mine].sum()),
                "likely_wrong": None if share is None else int(likely[mine].sum()),
                "estimated_share": share,
                "among_top": int((data.labels[top] == number).sum()),
            }
        )
    return {
        "schema": SCHEMA,
        "data": {
            "source": source,
            "checksum": data.checksum if data.pictured else None,
            "images": len(data.labels),
            "shape": list(data.shape) if data.pictured else None,
            "scaled_down": data.scaled_down,
            "skipped": [{"file": file, "why": why} for file, why in data.skipped],
        },
        "notes": [
            *data.notes,
            *notes_on(copies),
            *notes,
            *little_learnt(scores, bool(records)),
            *overruled(scores),
            *at_odds(scores),
            *by_heart(scores),
        ],
        "asked": asked,
        "options": options,
        "noise": _noise(scores),
        "mixture": _mixture(scores),
        "suspects": int(suspects.sum()),
        "suspect_rule": rule(scores),
        "likely_wrong": None if scores.probability is None else int(likely.sum()),
        "likely_from_probability": LIKELY,
        "learnt": _learnt(scores),
        "overruled": scores.overruled or None,
        "conflicts": [_conflict(data, *one) for one in zip(copies.conflicts, copies.same_bytes, strict=True)],
        "given_against_preferred": None if scores.preferred is None else scores.preferred.table.tolist(),
        "agreement_of_runs": scores.agreement,
        "classes": classes,
        "runs": [_run(one, record) for one, record in zip_longest(scores.runs, records)],
        "environment": environment(),
    }


def _conflict(data: Labelled, group: list[int], same_bytes: bool) -> Json:
    images = [{"image": data.names[one], "label": data.classes[data.labels[one]]} for one in group]
    return {"images": images, "same_bytes": same_bytes}


def conflicts_csv(data: Labelled, scores: Scores, copies: Copies) -> bytes:
    """Return a table of the images that are there under several labels, group by group."""
    rows = []
    for number, (group, same) in enumerate(zip(copies.conflicts, copies.same_bytes, strict=True), start=1):
        for one in group:
            suggested = "" if scores.preferred is None else cell(data.classes[scores.preferred.label[one]])
            label = cell(data.classes[data.labels[one]])
            rows.append([number, cell(data.names[one]), label, suggested, "yes" if same else "no"])
    return _table(data, ["group", "image", "label", "suggested", "same_bytes"], rows)


def rule(scores: Scores) -> str:
    """Return by what rule a label is suspect (`Scores.suspects`)."""
    if not scores.has_margins:
        return PROBABILITY_RULE
    return AUM_RULE if scores.preferred is None else BOTH_RULE


def overruled(scores: Scores) -> list[str]:
    """Return a note where the networks disagree with most labels."""
    if not scores.overruled:
        return []
    what = f"the networks preferred another class for {_percent(scores.overruled)} of the labels (AUM below 0)"
    rest = "they learnt too little, or most labels are wrong: no share is estimated, and no label is called suspect"
    return [f"{what}: {rest}; try more --epochs, another --lr, or another --model"]


def at_odds(scores: Scores) -> list[str]:
    """Return a note where the estimated share is far above that of labels that networks disagree with: two groups of
    losses are then rather easy and hard images, as after very few epochs."""
    if scores.interval is None or not scores.has_margins:
        return []
    estimate, disliked = scores.interval.estimate, float(scores.disliked().mean())
    if estimate < ODDS * disliked or estimate - disliked < FAR_APART:
        return []
    what = f"the estimate of {_percent(estimate)} does not fit the margins: AUM is below 0 for {_percent(disliked)}"
    return [f"{what}; the two groups may be easy and hard images, and not right and wrong labels: try more --epochs"]


def by_heart(scores: Scores) -> list[str]:
    """Return a note where a network learnt nearly all labels as they are: the wrong ones, too, in the end."""
    most = max(run.train_accuracy for run in scores.runs)
    if not most > BY_HEART or scores.learnt_nothing:
        return []
    what = f"nearly all labels were learnt by heart in the end (training accuracy {_percent(most)})"
    return [f"{what}: if some are wrong, the AUM misses them first, the ranking hardly; look beyond the suspects"]


def little_learnt(scores: Scores, here: bool) -> list[str]:
    """Return a note where it is not shown that the networks learnt anything of the classes: then neither losses nor
    margins say anything of a label. `here`: whether they were trained here."""
    about = scores.learnt
    if about is None or about.shown:
        return []
    rest = "so no share of wrong labels is estimated, no label is called suspect, and the ranking means little"
    if about.accuracy is None:
        return [f"what the networks learnt cannot be measured ({about.how}): {rest}"]
    what = f"{about.how} they name the given label of {_percent(about.accuracy)} of a class's examples on average"
    shares = f"chance gives {_percent(about.chance)}, and more than {_percent(about.needed)} would show that they did"
    advice = (
        "try a higher --lr (0.1, if one class has nearly all images), more --epochs, or another --model; or the labels "
        "have little to do with the images"
    )
    if not here:
        advice = "if the first epoch is too early for this model, give out-of-fold `probabilities`"
    return [f"the networks learnt next to nothing of the classes ({what}; {shares}): {rest}; {advice}"]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _learnt(scores: Scores) -> Json | None:
    about = scores.learnt
    if about is None:
        return None
    return {
        "balanced_accuracy": about.accuracy, "chance": about.chance, "needed": about.needed, "measured": about.how,
        "shown": about.shown,
    }  # fmt: skip


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


def _run(one: Any, record: Record | None) -> Json:
    if record is None:
        return {"groups": one.groups, "noise": one.noise}
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
