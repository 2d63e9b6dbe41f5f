"""What was found, in the words of cleanlab and FiftyOne: one object for each example."""

from __future__ import annotations

import json
from typing import Any

from lnbench.detect.data import Labelled
from lnbench.detect.scoring import Scores
from lnbench.errors import visible

SCHEMA = "lnbench-issues/1"
Json = dict[str, Any]


def issues(source: str, data: Labelled, scores: Scores) -> Json:
    """Return the examples in the data's order.

    cleanlab's names: is_label_issue (here: suspect), label_quality (its self-confidence: the probability of the given
    label, out of fold), given_label, predicted_label. FiftyOne's: filepath (relative to `root`), ground_truth and
    predictions, each with a label, the latter with a confidence, mistakenness (1 - label_quality), tags. Ours: rank,
    aul, aum, probability_mislabeled. What is not known is null.
    """
    suspects, preferred = scores.suspects(), scores.preferred
    samples = []
    for example, name in enumerate(data.names):
        given = _text(data.classes[data.labels[example]])
        quality = predicted = confidence = None
        if preferred is not None:
            quality, confidence = _six(preferred.of_given[example]), _six(preferred.confidence[example])
            predicted = _text(data.classes[preferred.label[example]])
        samples.append(
            {
                "filepath": _text(name),
                "is_label_issue": bool(suspects[example]),
                "label_quality": quality,
                "given_label": given,
                "predicted_label": predicted,
                "ground_truth": {"label": given},
                "predictions": None if predicted is None else {"label": predicted, "confidence": confidence},
                "mistakenness": None if quality is None else _six(1 - quality),
                "tags": ["suspect"] if suspects[example] else [],
                "rank": int(scores.rank[example]),
                "aul": _six(scores.aul[example]),
                "aum": _six(scores.aum[example]) if scores.has_margins else None,
                "probability_mislabeled": None if scores.probability is None else _six(scores.probability[example]),
            }
        )
    return {
        "schema": SCHEMA,
        "root": _text(source),
        "classes": [_text(name) for name in data.classes],
        "samples": samples,
    }


def issues_json(source: str, data: Labelled, scores: Scores) -> bytes:
    """Return the same as JSON, one example a line."""
    found = issues(source, data, scores)
    lines = ",\n".join(json.dumps(one, ensure_ascii=False, allow_nan=False) for one in found.pop("samples"))
    head = json.dumps(found, ensure_ascii=False, allow_nan=False)[:-1]
    return f'{head}, "samples": [\n{lines}\n]}}\n'.encode()


def _six(value: float) -> float:
    return float(f"{value:.6g}")


def _text(name: str) -> str:
    """Return a name as JSON can hold it: bytes that are no text are escaped."""
    return visible(name) if any("\ud800" <= one <= "\udfff" for one in name) else name
