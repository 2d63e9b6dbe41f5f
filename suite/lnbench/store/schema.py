"""What a record of each kind must hold, so that whoever reads it finds what it looks for.

A checksum says that a record is as it was written, and not that what was written is a record: anybody can compute one.
So a record that is read, kept or imported is held against the schema of its kind. Keys beyond these are allowed, for
experiments and probes add their own. Numbers are finite, as JSON has no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lnbench import catalog

Count = Annotated[int, Field(ge=0, le=10**15)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(min_length=1, max_length=128)]
Text = Annotated[str, Field(max_length=10_000)]
Curve = list[Number]
Metrics = dict[str, Number | None]
Versions = dict[str, int]


class _Form(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, hide_input_in_errors=True)


class _Arrays(_Form):
    shape: list[Count] = Field(max_length=32)
    dtype: str
    sha256: Sha256


class _OverSteps(_Form):
    axis: str
    at: list[Number]
    values: list[Number | None]


class _Trained(_Form):
    kind: Literal["training"]
    recipe: dict[str, Any]
    seeds: dict[str, Count]
    inputs: dict[str, Id] = Field(default_factory=dict)
    versions: Versions


class _Chosen(_Form):
    kind: Literal["choice"]
    key: str
    by: str
    candidates: list[Annotated[list[Any], Field(min_length=2, max_length=2)]] = Field(min_length=1)  # [value, run ids]
    versions: Versions


class _Made(_Form):
    kind: Literal["derived"]
    input: str
    of: list[Id] = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict)
    versions: Versions


class _Read(_Form):
    kind: Literal["reading"]
    reading: str
    of: list[Id] = Field(min_length=1)
    epoch: Annotated[int, Field(ge=1)]
    versions: Versions


class _Detected(_Form):
    kind: Literal["detect"]
    recipe: dict[str, Any]
    seeds: dict[str, Count]
    data: Sha256
    versions: Versions


class _DetectedFold(_Detected):
    kind: Literal["detect-fold"]  # type: ignore[assignment]
    fold: list[Count] = Field(min_length=2, max_length=2)  # which, from 0, and of how many


class _Noise(_Form):
    examples: Count = 0
    right_labels: Count = 0
    clean_images: Count = 0
    nominal_wrong: Number | None = None
    realised_wrong: Number | None = None
    labels_sha256: Sha256 | None = None


class _Examples(_Form):
    train: Count
    validation: Count
    test: Count


class _Outcome(_Form):
    """Of every training: what any reader may look for, where it is there."""

    status: Literal["ok", "diverged"]
    curves: dict[str, Curve]
    metrics: Metrics = Field(default_factory=dict)
    noise: _Noise | None = None
    arrays: dict[str, _Arrays] = Field(default_factory=dict)
    inputs: dict[str, Sha256] = Field(default_factory=dict)
    counted: dict[str, Any] = Field(default_factory=dict)
    probe_curves: dict[str, _OverSteps] = Field(default_factory=dict)
    parameters: Count | None = None
    classes: Annotated[int, Field(ge=1)] | None = None
    data_sha256: Sha256 | None = None


class _Classified(_Outcome):
    """Of the training of a classifier."""

    examples: _Examples
    classes: Annotated[int, Field(ge=1)]
    data_sha256: Sha256


class _Experiment(_Outcome):
    """Of a run that an experiment of the catalog does."""

    metrics: Metrics
    steps: list[Number]
    diverged_at: Number | None


class _Choice(_Form):
    status: Literal["ok"]
    chosen: Any
    scores: list[Number | None]
    margin: Number | None


class _Input(_Form):
    status: Literal["ok", "failed"]
    message: Text = ""
    of: list[Sha256] = Field(default_factory=list)
    arrays: dict[str, _Arrays] = Field(default_factory=dict)


class _Reading(_Form):
    status: Literal["ok", "failed"]
    message: Text = ""
    metrics: Metrics = Field(default_factory=dict)
    shown: dict[str, Any] = Field(default_factory=dict)


class _Scores(_Form):
    epochs: Count
    aul: Curve
    aum: Curve
    train_loss: Curve
    train_accuracy: Curve


class _Preferences(_Form):
    epochs: Count
    arrays: dict[str, _Arrays]


class _Provenance(_Form):
    environment: dict[str, Any] = Field(default_factory=dict)
    plugins: dict[str, str] = Field(default_factory=dict)
    device: Text = "cpu"
    backend: Text | None = None
    threads: Count | None = None
    finished: Annotated[str, Field(max_length=64)] | None = None
    seconds: Annotated[float, Field(ge=0, le=1e15)] | None = None
    took: dict[str, Annotated[float, Field(ge=0, le=1e15)]] = Field(default_factory=dict)
    registered: Text | None = None
    lock: Text | None = None
    resumed: bool = False
    compiled: bool = False
    replicas: Count | None = None
    place: Count | None = None


_CONTENT: dict[str, type[_Form]] = {
    "training": _Trained, "choice": _Chosen, "derived": _Made, "reading": _Read, "detect": _Detected,
    "detect-fold": _DetectedFold,
}  # fmt: skip
_OUTCOME: dict[str, type[_Form]] = {
    "training": _Classified, "choice": _Choice, "derived": _Input, "reading": _Reading, "detect": _Scores,
    "detect-fold": _Preferences,
}  # fmt: skip
KINDS = tuple(_CONTENT)


def fault(record: Mapping[str, Any]) -> str:
    """Return what of a record is not as its kind must have it, with its place; "" where all is. The record has its five
    parts, of which content, outcome and provenance are mappings."""
    kind, content, outcome = record["kind"], record["content"], record["outcome"]
    if not isinstance(kind, str) or kind not in _CONTENT:
        return f"{str(kind)[:40]!r} is no kind of record (known: {', '.join(KINDS)})"
    recipe = content.get("recipe")
    experiment = kind == "training" and isinstance(recipe, dict) and "experiment" in recipe
    forms: dict[str, type[_Form]] = {
        "content": _CONTENT[kind],
        "outcome": _Experiment if experiment else _OUTCOME[kind],
        "provenance": _Provenance,
    }
    for part, form in forms.items():
        try:
            form.model_validate(record[part])
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, (part, *first["loc"])))
            return f"{where[:120]}: {first['msg'][:1].lower()}{first['msg'][1:]}"
    if kind == "training":
        return _lengths_of_experiment(outcome) if experiment else _lengths_of_training(recipe, outcome)
    if kind == "choice" and not all(isinstance(runs, list) for _, runs in content["candidates"]):
        return "content.candidates: each is a value and a list of runs"
    if kind == "choice" and len(outcome["scores"]) != len(content["candidates"]):
        return f"outcome.scores has {len(outcome['scores'])} values of {len(content['candidates'])} candidates"
    return ""


def _lengths_of_training(recipe: Any, outcome: Mapping[str, Any]) -> str:
    """Return which curve has not one value per epoch: all of them, or fewer where the run diverged."""
    epochs = recipe.get("epochs")
    if type(epochs) is not int or epochs < 1:
        return "content.recipe.epochs is no number of epochs"
    if not isinstance(dataset := recipe.get("dataset"), dict) or not isinstance(dataset.get("name"), str):
        return "content.recipe.dataset has no name"
    for name, curve in outcome["curves"].items():
        if len(curve) > epochs or (len(curve) < epochs and outcome["status"] == "ok"):
            return f"outcome.curves.{name} has {len(curve)} values, and the run has {epochs} epochs"
    for name, curve in outcome.get("probe_curves", {}).items():
        if len(curve["at"]) != len(curve["values"]):
            return f"outcome.probe_curves.{name} has {len(curve['values'])} values at {len(curve['at'])} places"
    return ""


def _lengths_of_experiment(outcome: Mapping[str, Any]) -> str:
    """Return which curve has not one value for each of the steps, or fewer where the run diverged. A run of one step
    has curves over something else."""
    steps = len(outcome["steps"])
    for name, curve in outcome["curves"].items() if steps > 1 else ():
        if len(curve) > steps or (len(curve) < steps and outcome["status"] == "ok"):
            return f"outcome.curves.{name} has {len(curve)} values, and was read at {steps} steps"
    return ""


def out_of_bounds(record: Mapping[str, Any]) -> str:
    """Return which number of a record lies outside the bounds that the catalog gives its metric; "" where none does.

    Only of records that come from elsewhere: what is trained here and lies outside is an error of whoever computes it,
    which a verdict names (`judge/sound.py`), and training it again would give the same.
    """
    metrics = catalog.entries()["metric"]
    for place, name, value in _numbers(record["outcome"]):
        about = metrics[name].value if name in metrics else None
        if about is not None and not about.holds(value):
            return f"{place} is {value:g}, and {name} lies from {about.low:g} to {about.high:g}"
    return ""


def _numbers(outcome: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    """Yield (place, metric, value) of every number that may be a metric's."""
    for name, value in outcome.get("metrics", {}).items():
        if value is not None:
            yield f"outcome.metrics.{name}", name, value
    for name, curve in outcome.get("curves", {}).items():
        yield from ((f"outcome.curves.{name}", name, value) for value in curve)
