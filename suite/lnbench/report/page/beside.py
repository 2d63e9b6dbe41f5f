"""What is shown next to a part's verdict and never judged, in words."""

from __future__ import annotations

from collections.abc import Iterator

from lnbench.report.plain import Json
from lnbench.report.units import octave_slope_unit

NAMES = {"reproduced": "agree", "contradicted": "do not", "inconclusive": "are open", "error": "could not be judged"}


def beside_words(part: Json) -> Iterator[str]:
    """Yield one sentence for each thing; `part` as `result.json` has it. Nothing where the kind has nothing next to
    it."""
    found = part.get("beside", {})
    labels = [member["label"] for member in part["members"]]
    for label, p in zip(labels, found.get("page_l_p", []), strict=False):
        if p is not None:
            which = f" ({label})" if len(labels) > 1 else ""
            yield f"for the record, Page's test of an order along the axis: p = {p:.2g}{which}"
    for label, check in zip(labels, found.get("slope", []), strict=False):
        if check["effect"] is not None and check["interval"]:
            unit = octave_slope_unit(part["effect"])
            ends = unit.interval((check["interval"]["low"] * unit.scale, check["interval"]["high"] * unit.scale))
            which = f" ({label})" if len(labels) > 1 else ""
            gain = unit.amount(check["effect"] * unit.scale)
            what = "the slope along log2 of the axis of what the one point has over the other"
            yield f"for the record, {what}: {gain}, {ends}{which}"
    if "cells" in found:
        counts = ", ".join(f"{count} {NAMES.get(verdict, verdict)}" for verdict, count in found["cells"].items())
        yield f"of {len(labels)} cells: {counts} (each judged alone)"
        predicted = found["predicted"]
        if predicted:
            outside = f"{found['outside_prediction']} of {predicted} cells"
            yield f"for the record, {outside} lie outside the 95 % interval that the printed number predicts for ours"
    if found.get("columns"):
        taus = ", ".join(f"{name}: {'–' if tau is None else f'{tau:.2f}'}" for name, tau in found["columns"].items())
        yield f"for the record, Kendall's tau of our order against the printed one, by {part['columns']}: {taus}"
