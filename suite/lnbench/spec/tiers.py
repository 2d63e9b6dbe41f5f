"""A study file at one tier, still as a tree that remembers its places: what `Tier` changes, put in.

Works on the file's data before it is validated, so that an error in a tier is shown where the tier says it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lnbench.errors import did_you_mean
from lnbench.yamlfile.tree import Mapping, Position, Sequence_, block, items, position_of

Report = Callable[[Position, str], None]  # where, what is wrong


RUN_BLOCKS = ("vary", "set", "choose", "inputs", "seeds")


def at_tier(tree: Mapping, tier: str, report: Report) -> Mapping:
    """Return the study's tree with one tier's changes put in. `report` is called for every change of something that
    does not exist.

    The tree may still be malformed: what does not have the form of a study is left as it is, for validation to report.
    """
    override = block(block(tree, "tiers"), tier)
    merged = tree.without("tiers")
    for key in ("choices", "deviations", "measured"):
        if key in override:
            merged = merged.take(override, [key])
    if "runs" in override and isinstance(tree.get("runs"), Mapping):
        merged = _put(merged, tree, "runs", _runs(tree["runs"], block(override, "runs"), report))
    if "effects" in override and isinstance(tree.get("effects"), Mapping):
        changed = _named(tree["effects"], block(override, "effects"), "effect", report)
        merged = _put(merged, tree, "effects", changed)
    if "claims" in override and isinstance(tree.get("claims"), Sequence_):
        merged = _put(merged, tree, "claims", _claims(tree["claims"], block(override, "claims"), report))
    if not isinstance(merged.get("effects"), Mapping):
        return merged
    idle = set(merged["effects"]) - used_effects(merged)  # their parts are omitted here
    return _put(merged, tree, "effects", merged["effects"].without(*idle))


def used_effects(tree: Mapping) -> set[str]:
    """Return the effects that some part of some claim names."""
    parts = [part for claim in items(tree, "claims") for part in block(claim, "parts").values()]
    names = [part.get("effect") for part in parts if isinstance(part, Mapping)]
    return {name for name in names if isinstance(name, str)}


def _put(merged: Mapping, source: Mapping, key: str, value: Any) -> Mapping:
    changed = merged.without()
    changed.put(key, value, source.key_positions[key], source.value_positions[key])
    return changed


def _runs(runs: Mapping, override: Mapping, report: Report) -> Mapping:
    merged = runs.take(override, [key for key in RUN_BLOCKS if key in override])
    if "base" in override and isinstance(runs.get("base"), Mapping):
        base, known = block(override, "base"), runs["base"]
        for key in base:
            if key not in known:
                what = f"the tier changes base.{key}, which does not exist; {did_you_mean(key, known)}"
                report(base.key_positions[key], what)
        merged = _put(merged, runs, "base", known.take(base, [key for key in base if key in known]))
    if "choose" in override and override["choose"] is None:
        if "choose" not in runs:
            report(override.value_positions["choose"], "the tier takes away choose, which does not exist")
        merged = merged.without("choose")
    return merged


def _named(things: Mapping, override: Mapping, what: str, report: Report) -> Mapping:
    """Return named mappings, each changed key by key."""
    merged = things.without()
    for name, change in override.items():
        if name not in things:
            hint = did_you_mean(name, things)
            report(override.key_positions[name], f"the tier changes the {what} '{name}', which does not exist; {hint}")
        elif isinstance(change, Mapping) and isinstance(things[name], Mapping):
            merged = _put(merged, things, name, things[name].take(change))
    return merged


def _claims(claims: Sequence_, override: Mapping, report: Report) -> Sequence_:
    merged = Sequence_(claims.position)
    known = [claim["id"] for claim in claims if isinstance(claim, Mapping) and isinstance(claim.get("id"), str)]
    for name in override:
        if name not in known:
            hint = did_you_mean(name, known)
            report(override.key_positions[name], f"the tier changes the claim '{name}', which does not exist; {hint}")
    changes = dict(override)
    for claim, position in zip(claims, claims.item_positions, strict=True):
        own = claim.get("id") if isinstance(claim, Mapping) else None
        change = changes.pop(own, None) if isinstance(own, str) else None  # of two with one id, the first
        merged.add(_claim(claim, change, report) if isinstance(change, Mapping) else claim, position)
    return merged


def _claim(claim: Mapping, change: Mapping, report: Report) -> Mapping:
    merged = claim.take(change, [key for key in ("says", "requires", "not_testable", "verdict") if key in change])
    if not isinstance(claim.get("parts"), Mapping):
        return merged
    parts: Mapping = claim["parts"]
    changed = block(change, "parts")
    omitted = items(change, "omit")
    for index, name in enumerate(omitted):
        if name not in list(parts):
            hint = did_you_mean(str(name), parts)
            report(omitted.item_positions[index], f"the tier omits the part '{name}', which does not exist; {hint}")
        elif name in omitted[:index]:
            report(omitted.item_positions[index], f"the tier omits the part '{name}' twice")
        elif name in changed:
            what = f"the tier omits the part '{name}' and changes it"
            report(position_of(changed, [name], key=True), what)
    parts = _named(parts, changed, "part", report)
    return _put(merged, claim, "parts", parts.without(*[name for name in omitted if isinstance(name, str)]))
