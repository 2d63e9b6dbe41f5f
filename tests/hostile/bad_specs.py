"""Bad studies and bad files of printed numbers, made from committed ones by a seed: the same seed, the same file.

Use: `case = bad_study(seed)`, write `case.data` into `claims/` of a project, load it. What must hold is in
`test_hostile_specs.py`. `case.what` says what was done, for who looks at one that failed.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from tests.toys.edited_study import BASELINE, STUDY

ROOT = Path(__file__).resolve().parents[2]
Keys = tuple[str | int, ...]

DEEPEST, MOST_PLACES = 12, 60_000  # where a tree is changed: one that contains itself has no end

HARSH_TEXT = [
    "", " ", "x" * 101, "x" * 5000, "a\x00b", "\x1b[2J", "a\u202eb", "\ud800", "\ufeff", "\u2028", "é", "名前", "\r",
    "../../etc", "/etc/passwd", "a/b", "null", "true", "1", "1e5", ".nan", "nan", "inf", "{x: 1}", "[1]", "%s%n",
    "=1+1", "\t", "\x85", "\x7f", "R001-01", "noise.alpha", "optimizer.lr", "full", "arm", "epoch", "smoke", "C:\\x",
    "a\nb", "&a", "*a",
]  # fmt: skip
HARSH_NUMBERS = [
    0, -1, 1, 2, 3, 7, 10**15, 10**15 + 1, -(10**15), 2**53, 2**63, 10**30, 0.0, -0.0, 1e-300, 1e-15, 0.1, 0.5,
    0.999999, 1.0, 1.5, 1e15, 1e16, 1e300, 100, 999, 1000, 1001, 60000, 1000000,
]  # fmt: skip
HARSH = [None, True, False, {}, [], [[]], {"a": 1}, [None], [True, 1], *HARSH_TEXT, *HARSH_NUMBERS]


@dataclass(frozen=True)
class Case:
    """A file to be read. `what`: what was done to the good one, in order; `source`: the good one's name."""

    seed: int
    source: str
    data: bytes
    what: tuple[str, ...]


def bad_study(seed: int, sources: tuple[str, ...] = ()) -> Case:
    """Return the study of a seed. `sources`: which committed studies it may be made from (a toy of the tests is `toy`);
    by default all."""
    rng = random.Random(f"study {seed}")
    names = sources or ("toy", *study_names())
    name = rng.choice(names)
    return _bad(rng, seed, name, _study(name), TREE_CHANGES + STUDY_CHANGES)


def bad_baseline(seed: int) -> Case:
    """Return the file of a paper's printed numbers of a seed."""
    rng = random.Random(f"baseline {seed}")
    name = rng.choice(("toy2020", "rolnick2018", "eth2022"))
    text = BASELINE if name == "toy2020" else (ROOT / "baselines" / f"{name}.yaml").read_text(encoding="utf-8")
    return _bad(rng, seed, name, text, TREE_CHANGES)


def study_names() -> tuple[str, ...]:
    """Return the names of the committed studies, the longest left out: they take a second each."""
    files = sorted((ROOT / "claims").glob("*.yaml"))
    return tuple(file.stem for file in files if file.stat().st_size < 20_000)


@lru_cache(maxsize=64)
def _study(name: str) -> str:
    return STUDY if name == "toy" else (ROOT / "claims" / f"{name}.yaml").read_text(encoding="utf-8")


@lru_cache(maxsize=64)
def _tree(text: str) -> Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _bad(rng: random.Random, seed: int, name: str, text: str, changes: list[Change]) -> Case:
    what = []
    if rng.random() < 0.8:
        tree = copy.deepcopy(_tree(text))
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            change = rng.choice(changes)
            what.append(f"{change.__name__.strip('_')} {change(rng, tree)}")
        text = yaml.safe_dump(
            tree, allow_unicode=rng.random() < 0.5, default_flow_style=None, sort_keys=False, width=120
        )
    if not what or rng.random() < 0.1:
        edit = rng.choice(TEXT_CHANGES)
        text = edit(rng, text)
        what.append(edit.__name__.strip("_"))
    return Case(seed, name, text.encode("utf-8", "surrogatepass"), tuple(what))


# Places


def _places(tree: Any, here: Keys = ()) -> list[Keys]:
    """Return the keys of everything in a tree but the whole; of what contains itself, so far."""
    found: list[Keys] = [here] if here else []
    if isinstance(tree, dict | list) and len(here) < DEEPEST:
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            found += _places(value, (*here, key))
            if len(found) > MOST_PLACES:
                break
    return found


def _at(tree: Any, keys: Keys) -> Any:
    for key in keys:
        tree = tree[key]
    return tree


def _put(tree: Any, keys: Keys, value: Any) -> None:
    _at(tree, keys[:-1])[keys[-1]] = value


def _somewhere(rng: random.Random, tree: Any, wanted: Callable[[Any], bool] = lambda value: True) -> Keys | None:
    """Return a random place; each depth is as likely as another, so that the few blocks are met as often as the many
    values in them."""
    places = [keys for keys in _places(tree) if wanted(_at(tree, keys))]
    if not places:
        return None
    depth = rng.choice(sorted({len(keys) for keys in places}))
    return rng.choice([keys for keys in places if len(keys) == depth])


# Changes of a tree: each changes it in place, and returns what it did

Change = Callable[[random.Random, Any], str]


def _deleted(rng: random.Random, tree: Any) -> str:
    keys = _somewhere(rng, tree)
    if keys:
        del _at(tree, keys[:-1])[keys[-1]]
    return str(keys)


def _retyped(rng: random.Random, tree: Any) -> str:
    keys = _somewhere(rng, tree)
    value = copy.deepcopy(rng.choice(HARSH))
    if keys:
        _put(tree, keys, value)
    return f"{keys}: {value!r:.60}"


def _renumbered(rng: random.Random, tree: Any) -> str:
    keys = _somewhere(rng, tree, lambda value: isinstance(value, int | float) and not isinstance(value, bool))
    if keys is None:
        return "nothing"
    before = _at(tree, keys)
    value = rng.choice([*HARSH_NUMBERS, before * 2, before * 1000, before / 3, before + 1, before - 1, -before])
    if isinstance(before, int) and rng.random() < 0.7:
        value = int(value)
    _put(tree, keys, value)
    return f"{keys}: {before} -> {value}"


def _swapped(rng: random.Random, tree: Any) -> str:
    one, two = _somewhere(rng, tree), _somewhere(rng, tree)
    if one and two and one[: len(two)] != two and two[: len(one)] != one:
        a, b = _at(tree, one), _at(tree, two)
        _put(tree, one, b)
        _put(tree, two, a)
    return f"{one} and {two}"


def _copied(rng: random.Random, tree: Any) -> str:
    one, two = _somewhere(rng, tree), _somewhere(rng, tree)
    if one and two:
        _put(tree, two, copy.deepcopy(_at(tree, one)))
    return f"{one} to {two}"


def _grafted(rng: random.Random, tree: Any) -> str:
    """Put a value of another study where this one has a value of the same name."""
    keys = _somewhere(rng, tree)
    other = _tree(_study(rng.choice(study_names())))
    if keys:
        same = [place for place in _places(other) if place[-1] == keys[-1]]
        if same:
            _put(tree, keys, copy.deepcopy(_at(other, rng.choice(same))))
    return str(keys)


def _doubled(rng: random.Random, tree: Any) -> str:
    keys = _somewhere(rng, tree, lambda value: isinstance(value, list) and len(value) > 0)
    if keys:
        _at(tree, keys).append(copy.deepcopy(rng.choice(_at(tree, keys))))
    return str(keys)


def _renamed(rng: random.Random, tree: Any) -> str:
    keys = _somewhere(rng, tree, lambda value: isinstance(value, dict) and len(value) > 0)
    if keys is None:
        return "nothing"
    mapping = _at(tree, keys)
    old, new = rng.choice(list(mapping)), rng.choice([*HARSH_TEXT, "at", "kind", "seeds", "try_", "from_", "schema_"])
    _put(tree, keys, {new if key == old else key: value for key, value in mapping.items()})
    return f"{keys}: {old!r} -> {new!r:.60}"


def _added(rng: random.Random, tree: Any) -> str:
    keys = _somewhere(rng, tree, lambda value: isinstance(value, dict))
    name = rng.choice([*HARSH_TEXT, "choose", "inputs", "set", "vary", "try", "void", "at", "start", "only", "repeat"])
    value = copy.deepcopy(rng.choice(HARSH))
    if keys:
        _at(tree, keys)[name] = value
    return f"{keys}: {name!r:.60}: {value!r:.60}"


def _nested(rng: random.Random, tree: Any) -> str:
    keys, depth = _somewhere(rng, tree), rng.choice((1, 2, 5, 31, 40, 90))
    if keys:
        value = _at(tree, keys)
        for _ in range(depth):
            value = [value] if rng.random() < 0.5 else {"a": value}
        _put(tree, keys, value)
    return f"{keys}, {depth} deep"


def _many(rng: random.Random, tree: Any) -> str:
    """Make a list or a mapping long: some hundreds, or more than any file may have."""
    keys = _somewhere(rng, tree, lambda value: isinstance(value, dict | list))
    size = rng.choice((20, 200, 3000, 27_000))
    if keys:
        kind = rng.choice((lambda i: i, lambda i: i / 7, lambda i: f"n{i}", lambda i: 1, lambda i: [i]))
        value = _at(tree, keys)
        if isinstance(value, list):
            _put(tree, keys, [kind(index) for index in range(size)])
        else:
            value |= {
                f"n{index}": copy.deepcopy(rng.choice(list(value.values()) or [1])) for index in range(min(size, 500))
            }
    return f"{keys}: {size}"


def _shared(rng: random.Random, tree: Any) -> str:
    """Let two places be one object, which is written as an anchor and an alias; sometimes one that contains itself."""
    keys = _somewhere(rng, tree, lambda value: isinstance(value, dict | list))
    other = _somewhere(rng, tree, lambda value: isinstance(value, dict))
    if keys and other:
        _at(tree, other)[rng.choice(("again", "base", "at", "try", "parts"))] = _at(tree, keys)
    return f"{keys} in {other}"


TREE_CHANGES: list[Change] = [
    _deleted, _retyped, _renumbered, _renumbered, _swapped, _copied, _grafted, _grafted, _doubled, _renamed, _added,
    _nested, _many, _shared,
]  # fmt: skip


# Changes that only a study has: well formed and senseless


def _leaves(recipe: Any, before: str = "") -> list[str]:
    found = []
    for key, value in recipe.items() if isinstance(recipe, dict) else ():
        found += _leaves(value, f"{before}{key}.") if isinstance(value, dict) else [f"{before}{key}"]
    return found


def _runs(rng: random.Random, tree: Any) -> dict[str, Any]:
    """Return `runs` of the study, or of one of its tiers."""
    own = tree.get("runs") if isinstance(tree, dict) else None
    tiers = tree.get("tiers") if isinstance(tree, dict) else None
    found = (
        [own] + [tier.get("runs") for tier in tiers.values() if isinstance(tier, dict)]
        if isinstance(tiers, dict)
        else [own]
    )
    usable = [runs for runs in found if isinstance(runs, dict)]
    return rng.choice(usable) if usable else {}


def _recipe_keys(tree: Any) -> list[str]:
    runs = tree.get("runs") if isinstance(tree, dict) else None
    return _leaves(runs.get("base")) if isinstance(runs, dict) and _leaves(runs.get("base")) else ["epochs"]


def _values(rng: random.Random, tree: Any, key: str) -> Any:
    """Return a value for a key of a recipe: one of some study's, or any."""
    last = key.rpartition(".")[2]
    if rng.random() < 0.6:
        other = _tree(_study(rng.choice(study_names())))
        found = [_at(other, place) for place in _places(other) if place[-1] in (key, last)]
        if found:
            return copy.deepcopy(rng.choice(found))
    return copy.deepcopy(rng.choice([*HARSH, "fast", "crop_flip", "mlp1", "resnet20", "convnet4", "best_validation"]))


def _tried(rng: random.Random, tree: Any) -> str:
    key = rng.choice([*_recipe_keys(tree), "choose.from", "choose.epochs", "arm", "optimizer", "noise"])
    value = rng.choice((_values(rng, tree, key), {"times": rng.choice(HARSH_NUMBERS)}, [_values(rng, tree, key)]))
    choices = tree.get("choices") if isinstance(tree, dict) else None
    if isinstance(choices, list):
        choices.append({"key": "x", "ours": 1, "try": {key: value}})
    elif isinstance(tree, dict):
        tree["choices"] = [{"key": "x", "ours": 1, "try": {key: value}}]
    return f"{key}: {value!r:.60}"


def _chosen(rng: random.Random, tree: Any) -> str:
    runs, key = _runs(rng, tree), rng.choice([*_recipe_keys(tree), "arm", "start", "method.input", "noise.kind"])
    vary = runs.get("vary") if isinstance(runs.get("vary"), dict) else {}
    values = [_values(rng, tree, key) for _ in range(rng.choice((1, 2, 3)))]
    runs["choose"] = {
        "key": key,
        "from": [value for value in values if not isinstance(value, dict | list)] or [1],
        "per": rng.sample(sorted(map(str, vary)), k=min(len(vary), 1)) or ["model"],
        "by": "validation_accuracy",
        "validation": rng.choice((1, 20, 100, 5000, 59_999)),
        "seeds": rng.choice((1, 1, 2, 1000, 10**6)),
    } | rng.choice(({}, {"out_of": "rest"}, {"epochs": {"times": 0.5}}, {"epochs": {"times": 0.5, "at": vary}}))
    return f"{key}: {values!r:.80}"


def _varied(rng: random.Random, tree: Any) -> str:
    runs, key = _runs(rng, tree), rng.choice([*_recipe_keys(tree), "arm", "start", "dataset.only", "precision"])
    values = [_values(rng, tree, key) for _ in range(rng.choice((1, 2, 3)))]
    if isinstance(runs.get("vary"), dict):
        runs["vary"][key] = values
    else:
        runs["vary"] = {key: values}
    return f"{key}: {values!r:.80}"


def _fed(rng: random.Random, tree: Any) -> str:
    """Add an input, or two that need each other, and often a run that reads it."""
    runs = _runs(rng, tree)
    kinds = [
        "kept",
        "weights",
        "confusion",
        "trust",
        "selection",
        "predictions",
        "a",
        "b",
        "aum_threshold",
        "kept_by_loss",
    ]
    other = _tree(
        _study(rng.choice(("aul_detection_levels", "red_vs_blue", "batch_size_bridge", "rolnick_structured")))
    )
    real = [
        _at(other, place) for place in _places(other) if place[-1] == "inputs" and isinstance(_at(other, place), dict)
    ]
    inputs = copy.deepcopy(rng.choice(real)) if real and rng.random() < 0.6 else {}
    for name in rng.sample(kinds, k=rng.choice((1, 2))):
        about: dict[str, Any] = {"kind": rng.choice(kinds)} if rng.random() < 0.5 else {}
        about |= rng.choice(({"seeds": rng.choice((1, 3, 1000))}, {"per": "seed"}))
        about |= rng.choice(({"of": {}}, {"of": {"dataset.only": rng.choice(kinds)}}, {"of": {"start": name}},
                             {"of": {"model": "mlp1"}}, {"of": {"epochs": 1}}, {"at": {"model": "mlp1"}}))  # fmt: skip
        inputs[name] = about
    runs["inputs"] = inputs
    base = tree.get("runs", {}).get("base") if isinstance(tree, dict) and isinstance(tree.get("runs"), dict) else None
    if isinstance(base, dict) and rng.random() < 0.8:
        read = rng.choice([*inputs])
        if rng.random() < 0.5:
            base["start"] = read
        elif isinstance(base.get("dataset"), dict):
            base["dataset"]["only"] = read
    return f"{inputs!r:.120}"


def _asked(rng: random.Random, tree: Any) -> str:
    """Let an effect read something else: another metric, another axis, another reducer."""
    effects = tree.get("effects") if isinstance(tree, dict) else None
    usable = [effect for effect in effects.values() if isinstance(effect, dict)] if isinstance(effects, dict) else []
    if not usable:
        return "nothing"
    other = _tree(_study(rng.choice(study_names())))
    theirs = [effect for effect in (other.get("effects") or {}).values() if isinstance(effect, dict)]
    key = rng.choice(
        ("metric", "with", "less", "per", "along", "at", "minus", "over", "levels", "rises_to", "interpolate")
    )
    found = [effect[key] for effect in theirs if key in effect]
    value = copy.deepcopy(rng.choice(found)) if found else rng.choice(HARSH)
    rng.choice(usable)[key] = value
    return f"{key}: {value!r:.60}"


def _reseeded(rng: random.Random, tree: Any) -> str:
    seeds = {"n": rng.choice((1, 3, 4, 5, 1000, 1001)), "pair": rng.choice(([], ["noise"], ["noise", "noise"], ["x"]))}
    seeds |= rng.choice(({}, {"looks": [4, 5]}, {"looks": [5, 4]}, {"looks": list(range(4, 1001))}))
    _runs(rng, tree)["seeds"] = seeds
    return f"{seeds!r:.60}"


STUDY_CHANGES: list[Change] = [_tried, _tried, _chosen, _chosen, _varied, _fed, _fed, _asked, _asked, _reseeded]


# Changes of the text: what no tree has


def _cut(rng: random.Random, text: str) -> str:
    return text[: rng.randrange(len(text))]


def _inserted(rng: random.Random, text: str) -> str:
    at, junk = (
        rng.randrange(len(text)),
        rng.choice([*HARSH_TEXT, "\t", "---\n", "...", "&a ", "*a ", "<<: ", "!!python/x "]),
    )
    return text[:at] + junk + text[at:]


def _line_doubled(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    return "\n".join([*lines[:at], lines[at], *lines[at:]])


def _indented(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    lines[at] = " " * rng.randrange(9) + lines[at].lstrip()
    return "\n".join(lines)


def _character_changed(rng: random.Random, text: str) -> str:
    at = rng.randrange(len(text))
    return text[:at] + rng.choice("{}[]:,-?&*!|>'\"%@`# \n\tab1.~\r\x85\u2028\ufeff\x00") + text[at + 1 :]


def _bomb(rng: random.Random, text: str) -> str:
    rows = "\n".join(f"b{row}: &b{row} [{', '.join([f'*b{row - 1}'] * 9)}]" for row in range(1, rng.choice((3, 9, 12))))
    return f"b0: &b0 [1, 2]\n{rows}\n{text}"


def _deep(rng: random.Random, text: str) -> str:
    depth = rng.choice((33, 1000, 100_000))
    return text + "deep: " + rng.choice(("[", "{a: ")) * depth


def _other_lines(rng: random.Random, text: str) -> str:
    return text.replace("\n", rng.choice(("\r\n", "\r", "\u2028", "\x85", "\n\n")))


TEXT_CHANGES: list[Callable[[random.Random, str], str]] = [
    _cut, _inserted, _inserted, _line_doubled, _indented, _character_changed, _character_changed, _bomb, _deep,
    _other_lines,
]  # fmt: skip
