"""What is shown next to a part's verdict and never judged, in words."""

from __future__ import annotations

from collections.abc import Iterator

from lnbench.judge.kinds import kind_named
from lnbench.report.plain import Json
from lnbench.report.words import Written


def beside_words(part: Json) -> Iterator[str]:
    """Yield a sentence for each thing; `part` as `result.json` has it. Nothing where the kind shows nothing."""
    if part.get("beside"):
        yield from kind_named(part["kind"]).beside_words(part, Written(part, part["members"][0]))
