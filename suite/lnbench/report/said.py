"""What a claim's verdict is about and what it rests on, in words that every page shares: the sentence as it was tested,
with the hyper-parameter that was chosen for it, and the single seeds that decide it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from lnbench.report.names import text
from lnbench.report.plain import Json
from lnbench.report.units import points
from lnbench.report.words import counted, listed
from lnbench.verdict import Verdict

NAMES = {"optimizer.lr": "learning rate"}


def as_tested(claim: Json) -> str:
    """Return the claim's sentence as it was tested: with ", at the learning rate chosen on 1 seed" where one was."""
    says = str(claim["says"])
    about = about_words(claim)
    if not about:
        return says
    stop = "." if says.endswith(".") else ""
    return f"{says.removesuffix('.')}, {about}{stop}"


def about_words(claim: Json) -> str:
    """Return "at the learning rate chosen on 1 seed"; "" where no hyper-parameter is chosen for the claim."""
    chosen = claim.get("chosen")
    if not chosen:
        return ""
    several = chosen["planned"] > 1
    seeds = counted(chosen["seeds"], "seed") + (" each" if several else "")
    return f"at the {_name(chosen['key'], several=several)} chosen on {seeds}"


def chosen_sentence(claim: Json) -> str:
    """Return what was chosen, among what and how clearly, and what that means for the verdict; "" where nothing was."""
    chosen = claim.get("chosen")
    if not chosen:
        return ""
    cells = chosen["cells"]
    several = chosen["planned"] > 1
    own = f"{', each ' if several else ' '}on {counted(chosen['seeds'], 'seed')} of its own"
    verb = "were" if several else "was"
    facts = [f"by {chosen['by'].replace('_', ' ')}", _lead(cells), _at_end(cells)]
    if len(cells) < chosen["planned"]:
        facts.append(f"{len(cells)} of {chosen['planned']} choices made so far")
    among = ", ".join(map(text, chosen["candidates"]))
    name = _name(chosen["key"], several=several)
    inside = f"{_values(cells)} of {among}; {', '.join(filter(None, facts))}"
    return (
        f"About: the claim at the {name} that {verb} chosen{own} ({inside}). "
        f"The verdict holds for the {name} as chosen, not for the best {'ones' if several else 'one'}"
    )


def _name(key: str, *, several: bool) -> str:
    name = NAMES.get(key, f"`{key}`")
    return f"{name}s" if several and key in NAMES else name


def _values(cells: list[Json]) -> str:
    """Return "0.1"; "0.1 in 4 cells, 0.5 in 2"."""
    if len(cells) == 1:
        return text(cells[0]["chosen"])
    found = Counter(text(cell["chosen"]) for cell in cells)
    if len(found) == 1:
        return f"{next(iter(found))} in {'both' if len(cells) == 2 else f'all {len(cells)}'} cells,"
    first, *others = found.items()
    return ", ".join([f"{first[0]} in {counted(first[1], 'cell')}", *(f"{v} in {n}" for v, n in others)]) + ","


def _lead(cells: list[Json]) -> str:
    """Return how far the chosen values were ahead of the next best, on the seeds that they were chosen on."""
    margins = [cell["margin"] for cell in cells if cell["margin"] is not None]
    if not margins:
        return "all others diverged"
    low, high = min(margins), max(margins)
    if len(cells) == 1:
        return f"ahead of the next by {points(low)}" if low else "level with the next"
    ends = points(low) if low == high else f"{points(low).removesuffix(' points')} to {points(high)}"
    return f"ahead of the next by {ends}"


def _at_end(cells: list[Json]) -> str:
    ends = sum(cell["at_end"] for cell in cells)
    where = f" in {counted(ends, 'cell')}" if len(cells) > 1 else ""
    return f"at an end of its grid{where}" if ends else ""


def rests_on(claim: Mapping[str, object]) -> str:
    """Return "rests on seed 3", for a table's row; "" where no single seed decides the claim, or nothing decided it."""
    seeds, without = _single(claim)
    if not seeds:
        return ""
    if len(seeds) == len(without):
        return f"rests on each of its {len(without)} seeds"
    return f"rests on {'seed' if len(seeds) == 1 else 'seeds'} {listed(seeds)}"


def rests_sentence(claim: Mapping[str, object]) -> str:
    """Return what the claim's verdict would be without one of its seeds, as run; "" where nothing decided it."""
    seeds, without = _single(claim)
    if not without:
        return ""
    if not seeds:
        return f"One seed left out: the verdict as run is the same without any one of its {len(without)} seeds"
    verdicts: dict[str, list[str]] = {}
    for seed in seeds:
        verdicts.setdefault(without[seed], []).append(seed)
    if len(verdicts) == 1 and len(seeds) == len(without):
        word = Verdict(next(iter(verdicts))).words
        return f"One seed left out: without any one of its {len(without)} seeds the claim as run would be {word}"
    told = [
        f"without seed {listed(found, last='or')} the claim as run would be {Verdict(word).words}"
        for word, found in verdicts.items()
    ]
    return f"One seed left out: {', '.join(told)}"


def _single(claim: Mapping[str, object]) -> tuple[list[str], dict[str, str]]:
    """Return (seeds that decide the claim alone, seed -> the verdict without it), as `result.json` has them."""
    seeds, without = claim.get("hangs_on") or (), claim.get("without") or {}
    assert isinstance(seeds, list | tuple) and isinstance(without, Mapping)
    return [str(seed) for seed in seeds], {str(seed): str(word) for seed, word in without.items()}
