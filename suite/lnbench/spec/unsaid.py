"""Changes after a first run that a study file does not own up to: a part that changed under the same sentence, other
seeds, an alternative that is gone without a word."""

from __future__ import annotations

from collections.abc import Iterator

from lnbench.errors import Problem
from lnbench.spec.locks import Entry
from lnbench.spec.registration import changes, registration, weakened
from lnbench.spec.study import Study
from lnbench.spec.tiers import at_tier
from lnbench.yamlfile import reader
from lnbench.yamlfile.tree import Mapping, Position, items, position_of


def unsaid(study: Study, entry: Entry | None) -> list[Problem]:
    """Return a warning, with its place, for each change since an entry that had runs. Raises SpecError."""
    if entry is None or not entry.readable:
        return []
    tree = at_tier(reader.load(study.path), study.tier, lambda place, what: None)
    return [
        Problem(study.path, *place, f"at tier {study.tier}: {what}", "warning")
        for place, what in _found(study, entry, tree)
    ]


def _found(study: Study, entry: Entry, tree: Mapping) -> Iterator[tuple[Position, str]]:
    content = registration(study.spec, study.baseline)
    ids = [claim.get("id") if isinstance(claim, Mapping) else None for claim in items(tree, "claims")]
    for claim, now in content["claims"].items():
        before = entry.claim(claim)
        if before is None or before.get("says", None) != now["says"]:
            continue  # new, with another sentence, or from when sentences were not kept
        for change in changes(before, now):
            if change.what != "standing":
                path: list[str | int] = [
                    "claims",
                    ids.index(claim),
                    *(["parts", change.part] if change.part else ["verdict"]),
                ]
                yield position_of(tree, path), f"{claim}: {change}; it changed after the first run, and `says` did not"
    later = content["seeds"].get("fresh", 0) > entry.content["seeds"].get("fresh", 0)
    for change in weakened(entry.content, content):
        if change.what == "seeds" and later:
            continue  # a new set, which pays for those before it: none of its runs is older
        path = ["runs", "seeds", "n"] if change.what == "seeds" else ["choices"]
        what = f"{change}; it changed after the first run, so every claim with older records is post hoc"
        yield position_of(tree, path), what + ("" if change.what == "seeds" else " (`void` says why one is not run)")
