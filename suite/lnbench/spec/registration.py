"""What a claim's verdict depends on, so that it can be fixed before the runs and compared with what is judged later.

Pure: a study in, plain data out. Of each claim: its deciding parts (the check with the numbers it is held against, and
what its effect measures over which levels), the rule over them, the parts of its regime, its standing, how a curve is
read; of the study: how many seeds, of which set, and looks, the alternatives of open choices, and the hash of the runs.
Not in it: wording (`says`, `because`, titles), places, quotes, deviations, and parts that decide nothing. Names of
parts and effects, and the claim's sentence (`says`), are shown but not hashed. What a record was run with is the
record's id; the selection rule, which is no part of that id, is here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lnbench.catalog import Part
from lnbench.identity import canonical_json, sha256
from lnbench.spec.baseline import Baseline, Reference
from lnbench.spec.cells import Cells, Margin
from lnbench.spec.effects import AS_WRITTEN, Effect
from lnbench.spec.study import Claim, StudySpec

Json = dict[str, Any]
NOT_TESTABLE = "not testable"  # what a change of a claim is called that is not judged any more
_OTHERS = {"standing": "standing", "not_testable": NOT_TESTABLE, "collapse": "collapse",
           "selection": "epoch that is read"}  # fmt: skip
# of a part: `reference` is replaced by what it prints, and of `despite` only what it excuses counts, not the words
NOT_JUDGED = {"effect", "ours", "because", "reference", "despite"}
_NOT_OWN = {"sha256", "standing", "says", "parts", "requires"}  # of a claim: shown, or hashed in another way


def own_sha256(claim: Json) -> str:
    """Return the hash of the terms by which a claim alone is judged: all that counts but names, a region's words, and
    who says it (`standing`), which decides the words of its verdict only."""
    own = {key: value for key, value in claim.items() if key not in _NOT_OWN}
    return sha256({**own, **{kind: _nameless(claim.get(kind, {})) for kind in ("parts", "requires")}})


def sha256_of(claim: Json, shared: Json) -> str:
    """Return the hash of all that a claim's verdict depends on: its own terms, its standing, and what all claims
    share."""
    return sha256([own_sha256(claim), claim["standing"], shared["seeds"], shared["tries"]])


@dataclass(frozen=True)
class Change:
    """One thing that differs between two states of a claim, in words: `what` it is, and of which part, if of one."""

    what: str
    part: str
    was: str
    now: str

    def __str__(self) -> str:
        of = f" of {self.part}" if self.part else ""
        return f"{self.what}{of}: was “{self.was}”, is “{self.now}”"


def registration(spec: StudySpec, baseline: Baseline) -> Json:
    """Return what is registered of a study at one tier: {runs, seeds, tries, claims}, and `void` where an alternative
    is not run any more, with the reason."""
    seeds, apart = spec.runs.seeds, {"seeds": {"n", "looks", "fresh"}}
    runs = spec.runs.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=apart)
    found: Json = {
        "runs": sha256(plain(runs)),
        "seeds": {
            "n": seeds.n,
            **({"looks": list(seeds.looks)} if seeds.looks else {}),
            **({"fresh": seeds.fresh} if seeds.fresh else {}),
        },
        "tries": plain(_tries(spec)),
        **({"void": void} if (void := {key: why for one in spec.choices for key, why in one.void.items()}) else {}),
    }
    claims = {claim.id: _claim(claim, spec, baseline) for claim in spec.claims}
    return {**found, "claims": {name: {**claim, "sha256": sha256_of(claim, found)} for name, claim in claims.items()}}


def plain(value: Any) -> Any:
    """Return plain data in which equal numbers are one text: 4.0 is 4."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def changes(before: Json, after: Json) -> list[Change]:
    """Return what differs between two states of a claim's own terms; a part that was only renamed does not."""
    found: list[Change] = []
    for kind, about in (("parts", "region"), ("requires", "regime")):
        found += _parts_changed(before.get(kind, {}), after.get(kind, {}), about)
    if before.get("at_least") != after.get("at_least"):
        found.append(Change("rule", "", _rule(before), _rule(after)))
    for key, name in _OTHERS.items():
        if before.get(key) != after.get(key):
            found.append(Change(name, "", short(before.get(key)), short(after.get(key))))
    return found


def shared_changes(before: Json, after: Json) -> list[Change]:
    """Return what differs in the terms that all claims share: seeds, looks, which set of seeds, alternatives."""
    found = []
    if before["seeds"] != after["seeds"]:
        found.append(Change("seeds", "", _seeds(before["seeds"]), _seeds(after["seeds"])))
    if before["tries"] != after["tries"]:
        found.append(Change("alternatives", "", *_differing(before["tries"], after["tries"])))
    return found


def weakened(before: Json, after: Json) -> list[Change]:
    """Return the changes of what all claims share that no claim survives when they come after its first record: other
    seeds, and an alternative that is gone or was made another. One that was added only makes the claims harder, and
    one that is void gives its reason."""
    void = after.get("void", {})
    gone = {key: value for key, value in before["tries"].items() if after["tries"].get(key) != value}
    gone = {key: value for key, value in gone.items() if key not in void}
    kept = {key: after["tries"][key] for key in gone if key in after["tries"]}
    return shared_changes({**before, "tries": gone}, {**after, "tries": kept})


def region_words(part: Part, numbers: Iterable[Reference] = ()) -> str:
    """Return the region of a part in words, in the metric's own unit: "at least 0.9"."""
    printed = list(numbers)
    edge = getattr(part, "threshold", None)
    first = printed[0].number() if printed else None
    if edge is None and first is not None:
        edge = first.value
    words = _WORDS.get(part.kind)
    said = words(part, edge) if words else _generic(part)
    if len(printed) == 1:
        said += f" (printed {_as_printed(printed[0])})"
    return said


def short(value: Any) -> str:
    """Return a value in a few words: text as it is, all else as compact JSON."""
    if value is None or value == {} or value == []:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(", ", ": "))


# Building


def _tries(spec: StudySpec) -> Json:
    """Return the alternatives that can change this tier's runs."""
    choose = spec.runs.choose
    idle = {"choose.from", "choose.epochs"} if choose is None else set()
    if choose is not None and choose.epochs is None:
        idle.add("choose.epochs")
    tries = {key: value for choice in spec.choices for key, value in (choice.try_ or {}).items()}
    return {key: value for key, value in tries.items() if key not in idle}


def _claim(claim: Claim, spec: StudySpec, baseline: Baseline) -> Json:
    selection = _selection(spec)
    return {
        "says": claim.says,
        "standing": claim.standing,
        **({"not_testable": True} if claim.not_testable else {}),
        **({"collapse": claim.collapse} if claim.collapse else {}),
        **({"selection": selection} if selection is not None else {}),
        "at_least": claim.verdict.at_least,
        "parts": {name: _part(claim.parts[name], spec, baseline) for name in claim.verdict.of},
        **(
            {"requires": {name: _part(claim.parts[name], spec, baseline) for name in claim.requires}}
            if claim.requires
            else {}
        ),
    }


def _part(part: Part, spec: StudySpec, baseline: Baseline) -> Json:
    numbers = [baseline.references[name] for name in (part.cells if isinstance(part, Cells) else part.references())]
    check = plain(part.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=NOT_JUDGED))
    if part.despite:
        check["despite"] = sorted(part.despite)
    if isinstance(part, Cells):
        for shown in ("rows", "columns"):  # not judged
            check.pop(shown, None)
        check["at_least"] = part.at_least or len(part.references())
        pairs = zip(part.cells.values(), numbers, strict=True)
        check["cells"] = _sorted({"at": plain(dict(point)), "printed": _printed(number)} for point, number in pairs)
    elif numbers:
        check["printed"] = [_printed(number) for number in numbers]
    return {
        "region": region_words(part, numbers),
        "check": check,
        "effect": _effect(spec.effects[part.effect], spec.runs.vary),
    }


def _effect(effect: Effect, vary: Mapping[str, Any]) -> Json:
    """Return what an effect measures, with the levels that it runs over, which the file may leave to the grid."""
    found: Json = plain(effect.model_dump(mode="json", by_alias=True, exclude_defaults=True))
    for key in ("at", "minus", "over"):
        if key in found:
            family = found[key]
            found[key] = {axis: _sorted(value) if isinstance(value, list) else value for axis, value in family.items()}
    if effect.along:
        found.pop("levels", None)
        found["along"] = [  # a list, as the axis that is written first is reduced first
            {"axis": axis, "by": reducer, "levels": _levels(reducer, effect.levels_of(axis, tuple(vary.get(axis, ()))))}
            for axis, reducer in zip(effect.axes, effect.reducers, strict=True)
        ]
    return found


def _levels(reducer: str, levels: tuple[Any, ...]) -> list[Any]:
    """Return the levels of an axis without an order, unless the reducer takes names in the order of the file."""
    named = not all(isinstance(level, int | float) for level in levels)
    return list(plain(levels)) if named and reducer in AS_WRITTEN else _sorted(plain(levels))


def _printed(reference: Reference) -> Json:
    fields = ("printed", "unit", "relation", "spread", "spread_kind", "n", "reading_error")
    return {key: plain(getattr(reference, key)) for key in fields if getattr(reference, key) is not None}


def _selection(spec: StudySpec) -> Any:
    """Return which epoch of a run counts, and where that differs; None for experiments, which have no such rule."""
    base = getattr(spec.runs.base, "selection", None)
    rules = [plain(rule.model_dump(mode="json")) for rule in spec.runs.set if "selection" in (rule.model_extra or {})]
    if "selection" not in spec.runs.vary and not rules:
        return base
    return {"base": base, "vary": list(spec.runs.vary.get("selection", ())), "set": rules}


def _sorted(values: Iterable[Any]) -> list[Any]:
    return sorted(values, key=lambda value: (isinstance(value, str | Mapping), _order(value)))


def _order(value: Any) -> tuple[float, str]:
    number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
    return number, canonical_json(value)


def _nameless(parts: Mapping[str, Json]) -> list[Json]:
    return _sorted({key: value for key, value in part.items() if key != "region"} for part in parts.values())


# Comparing


def _parts_changed(before: Mapping[str, Json], after: Mapping[str, Json], about: str) -> Iterator[Change]:
    gone = {name: part for name, part in before.items() if name not in after}
    new = {name: part for name, part in after.items() if name not in before}
    for name in list(gone):  # renamed: the same check of the same effect under another name
        twin = next((other for other, part in new.items() if _same(part, gone[name])), None)
        if twin is not None:
            del gone[name], new[twin]
    for name in before:
        if name in gone:
            yield Change(about, name, before[name]["region"], "not judged any more")
        elif name in after and not _same(before[name], after[name]):
            yield from _part_changed(name, before[name], after[name], about)
    for name in new:
        yield Change(about, name, "not there", new[name]["region"])


def _part_changed(name: str, before: Json, after: Json, about: str) -> Iterator[Change]:
    if before["check"] != after["check"]:
        words = (before["region"], after["region"])
        if words[0] == words[1]:
            words = _differing(before["check"], after["check"])
        yield Change(about, name, *words)
    if before["effect"] != after["effect"]:
        yield Change("effect", name, *_differing(before["effect"], after["effect"]))


def _differing(before: Json, after: Json) -> tuple[str, str]:
    """Return what two mappings hold under the keys in which they differ."""
    keys = [key for key in dict.fromkeys([*before, *after]) if before.get(key) != after.get(key)]
    was, now = (", ".join(_held(side, key) for key in keys) for side in (before, after))
    return was, now


def _held(side: Json, key: str) -> str:
    if key not in side:
        return f"no {key}"
    if key == "along":
        return " and ".join(f"{one['by']} along {one['axis']} over {short(one['levels'])}" for one in side[key])
    if key in ("at", "minus", "over"):
        return f"{key} " + ", ".join(f"{axis} {short(value)}" for axis, value in side[key].items())
    return f"{key} {short(side[key])}"


def _same(one: Json, other: Json) -> bool:
    return bool(one["check"] == other["check"] and one["effect"] == other["effect"])


def _rule(claim: Json) -> str:
    parts, least = list(claim.get("parts", {})), claim.get("at_least")
    return f"all of {', '.join(parts)}" if least == len(parts) else f"at least {least} of {', '.join(parts)}"


def _seeds(seeds: Json) -> str:
    looks = f", looks at {short(seeds['looks'])}" if seeds.get("looks") else ""
    return f"{seeds.get('n')}{looks}" + (f" of set {seeds['fresh']}" if seeds.get("fresh") else "")


# Words


def _as_printed(reference: Reference) -> str:
    unit = {"percent": " %", "none": "", "fraction": "", "count": "", "ratio": ""}.get(reference.unit, "")
    text = reference.printed.strip()
    return text + ("" if not unit or text.endswith("%") else unit)


def _number(x: Any) -> str:
    return f"{x:.10g}" if isinstance(x, int | float) else "?"


def _between(part: Any, edge: Any) -> str:
    low, high = part.region
    if low is None:
        return f"at most {_number(high)}"
    return f"at least {_number(low)}" if high is None else f"between {_number(low)} and {_number(high)}"


def _share(side: str) -> Any:
    return lambda part, edge: f"at least {_number(part.pi)} of the runs {side} {_number(edge)}"


def _table(part: Any, edge: Any) -> str:
    margin = part.margin
    words = _number(margin)
    if isinstance(margin, Margin):
        words = f"the larger of {_number(margin.floor)} and {_number(margin.spreads)} printed spreads"
    return f"{_of_cells(part)} within {words} of their printed numbers"


def _sides(part: Any, edge: Any) -> str:
    against = ", ".join(f"{axis} {short(value)}" for axis, value in part.against.items())
    return f"{_of_cells(part)} on the printed side of {against}"


def _of_cells(part: Any) -> str:
    judged = len(part.references())
    return f"at least {part.at_least or judged} of {judged} cells"


def _shift(part: Any, edge: Any) -> str:
    size = f" by at least {_number(part.delta)} octaves" if part.delta else ""
    return f"moves {part.direction}{size}"


_WORDS: dict[str, Any] = {
    "above": lambda part, edge: f"at least {_number(edge)}",
    "below": lambda part, edge: f"at most {_number(edge)}",
    "every_run_above": _share("above"),
    "every_run_below": _share("below"),
    "can_reach": lambda part, edge: f"one run {part.side} {_number(edge)}, the best of {part.best_of} as printed",
    "agrees": lambda part, edge: f"within {_number(part.margin)} of {_number(edge)}",
    "table": _table,
    "table_sides": _sides,
    "ordered": lambda part, edge: f"above {_number(part.delta)}",
    "equivalent": lambda part, edge: f"within ±{_number(part.margin)}",
    "trend": lambda part, edge: f"tends {part.direction}",
    "monotone": lambda part, edge: f"goes {part.direction} at every step",
    "shift": _shift,
    "within": _between,
    "scaling": _between,
    "ratio": _between,
    "correlation": _between,
}


def _generic(part: Part) -> str:
    """Return what a plug-in's kind says of its region: its options, as the file has them."""
    said = part.model_dump(mode="json", exclude_defaults=True, exclude={*NOT_JUDGED, "kind"})
    return f"{part.kind}: {short(plain(said))}"
