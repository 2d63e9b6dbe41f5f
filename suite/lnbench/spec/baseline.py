"""The papers' numbers, as printed: `baselines/PAPER.yaml`. They are only there, once, and nowhere in code.

A reference is text first (`printed: "91"`): the last printed digit says how exactly the number is known, and that
enters the statistics (STATISTICS, `agrees`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from lnbench import catalog
from lnbench.errors import Problem, SpecError, did_you_mean
from lnbench.yamlfile import reader
from lnbench.yamlfile.model import SCHEMA_DIALECT, FileName, SchemaVersion, Strict
from lnbench.yamlfile.problems import Misfit, problems_of
from lnbench.yamlfile.scalars import LONGEST_NUMBER
from lnbench.yamlfile.tree import position_of

Count = Annotated[int, Field(ge=1)]

WORDS: dict[str, Literal["diverged", "nothing"]] = {  # what a cell of a table prints in place of a number -> its sense
    "Diverged": "diverged",
    "—": "nothing",
}
MOST_WORDS = 25  # in a quote: enough to find the sentence, little enough to be a citation


def name_of(kind: str) -> Any:
    """Say in the JSON Schema that a text is a name of the catalog, so that editors complete it."""
    return Field(json_schema_extra=lambda schema: schema.update(enum=[*catalog.names(kind)]))


def known_or_none(kind: str) -> Any:
    """Return a validator: the text, or each of several, is a name of the catalog."""

    def check(cls: type, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        for name in () if value is None else (value,) if isinstance(value, str) else value:
            if name not in catalog.names(kind):
                raise ValueError(f"{kind}: '{name}' is not known; {did_you_mean(name, catalog.names(kind))}")
        return value

    return classmethod(check)


def short_quote(text: str | None) -> str | None:
    """Return the quote if it has at most 25 words. Raises ValueError."""
    if text is not None and len(text.split()) > MOST_WORDS:
        raise ValueError(f"quote: {len(text.split())} words; at most {MOST_WORDS}")
    return text


class Place(Strict):
    """The place of a number or sentence in the paper."""

    section: str | None = None
    figure: int | str | None = None
    table: int | str | None = None
    page: int | None = None
    appendix: str | None = None
    caption: bool = False

    def __str__(self) -> str:
        parts = [f"§{self.section}" if self.section else "", f"Figure {self.figure}" if self.figure else ""]
        parts += [f"Table {self.table}" if self.table else "", f"App. {self.appendix}" if self.appendix else ""]
        parts += [f"p. {self.page}" if self.page else ""]
        return ", ".join(part for part in parts if part) + (" (caption)" if self.caption else "")


Name = Annotated[str, name_of("noise")]
Level = Annotated[float, Field(ge=0)]
Split = Literal["train", "validation", "test"]


class Estimand(Strict):
    """What a printed number is a number of, in words that a program can compare with ours. What the paper does not say
    is left out, and is not compared.

    Where several values are given, the number is of any of these. dataset, noise: names of the catalog. level: the
    noise's rate, or its alpha. true_class: whether a random label may be the true one. selection: which epoch's number
    is printed, where a rule chose it; epochs: where it is a given one, or all from one to another. split: of which
    images. best_of: the printed number is the best of so many runs.
    """

    dataset: Annotated[str, name_of("dataset")] | None = None
    noise: Name | Annotated[tuple[Name, ...], Field(strict=False, min_length=1)] | None = None
    level: Level | Annotated[tuple[Level, ...], Field(strict=False, min_length=1)] | None = None
    true_class: bool | None = None
    selection: Literal["last_epoch", "best_test", "best_validation"] | None = None
    epochs: Annotated[tuple[Count, Count], Field(strict=False)] | Count | None = None
    split: Split | Annotated[tuple[Split, ...], Field(strict=False, min_length=1)] | None = None
    best_of: Count | None = None

    _dataset = field_validator("dataset")(known_or_none("dataset"))
    _noise = field_validator("noise")(known_or_none("noise"))

    @model_validator(mode="after")
    def _fits(self) -> Estimand:
        if self.selection is not None and self.epochs is not None:
            raise Misfit("epochs", "epochs: a given epoch is chosen by no rule; keep this or `selection`")
        if self.noise in (None, "none") and (self.level is not None or self.true_class is not None):
            raise Misfit("noise", "noise: `level` and `true_class` say how it is drawn; name the noise too")
        if isinstance(self.epochs, tuple) and self.epochs[0] > self.epochs[1]:
            raise Misfit("epochs", f"epochs: {self.epochs[0]} comes after {self.epochs[1]}")
        return self


class Reference(Strict):
    """One printed number.

    `spread_kind`: what the printed spread is. epochs: it is taken over the epochs of one run, so it says nothing about
    other runs, and the number is judged as one without a spread.
    """

    metric: str
    printed: str
    unit: Literal["percent", "fraction", "count", "ratio", "none"]
    relation: Literal["equals", "above", "at_least", "about", "below"]
    spread: str
    spread_kind: Literal["sd", "se", "ci95", "range", "epochs", "unknown"]
    n: Annotated[int, Field(ge=1)] | Literal["unknown"]
    where: Place
    quote: str | None = None
    paraphrase: str | None = None
    protocol: dict[str, str]  # in the paper's words, for the reader
    estimand: Estimand = Estimand()  # the same as far as it can be compared with ours: spec/comparable.py
    source: Literal["text", "caption", "table", "digitised", "repository"]
    note: str | None = None
    reading_error: Annotated[float, Field(gt=0)] | None = None  # for a digitised value, in the printed unit

    _quote = field_validator("quote")(short_quote)

    @field_validator("spread")
    @classmethod
    def _spread_is_a_number(cls, text: str) -> str:
        parsed = parse_number(text)
        if text != "none" and parsed is None:
            raise ValueError(f"spread: '{text}' is neither a number nor none")
        if parsed is not None and parsed[0] < 0:
            raise ValueError(f"spread: {text} is negative; no spread is")
        return text

    @model_validator(mode="after")
    def _could_have_been_printed(self) -> Reference:
        """Check what one number must agree on: it is refused here, at its line, and not after the training."""
        if self.n == 1 and self.spread != "none" and self.spread_kind != "epochs":
            what = "one run has no spread; if it is taken over the epochs of that run, write spread_kind: epochs"
            raise Misfit("spread", f"spread: {what}")
        number, known = self.number(), catalog.entries()["metric"].get(self.metric)
        if number is not None and known is not None:
            low, high = known.value.low, known.value.high
            if not low <= number.value <= high:
                is_what = (
                    f"{self.printed} ({self.unit}) is {number.value:g}, and {self.metric} lies from {low:g} to {high:g}"
                )
                raise Misfit("printed", f"printed: {is_what}; check the number and its unit")
        return self

    @property
    def word(self) -> Literal["diverged", "nothing"] | None:
        """Return what a word says that is printed in place of a number in a table's cell: diverged, the training did;
        nothing, there is no number. None for a number, and for words that say neither."""
        return WORDS.get(self.printed.strip())

    def number(self) -> Number | None:
        """Return the printed number in the metric's own unit (percent as a fraction); None where a word is printed."""
        parsed = parse_number(self.printed)
        if parsed is None:
            return None
        scale = 100.0 if self.unit == "percent" else 1.0
        spread = None if self.spread == "none" or self.spread_kind == "epochs" else parse_number(self.spread)
        return Number(
            value=parsed[0] / scale,
            unit=parsed[1] / scale,
            spread=spread and spread[0] / scale,
            spread_unit=spread and spread[1] / scale,
            spread_kind="unknown" if self.spread_kind == "epochs" else self.spread_kind,
            n=None if self.n == "unknown" else self.n,
            reading_error=self.reading_error and self.reading_error / scale,
        )


@dataclass(frozen=True, slots=True)
class Number:
    """A printed number: value, the unit of its last digit, its spread; in the metric's own unit."""

    value: float
    unit: float
    spread: float | None
    spread_unit: float | None
    spread_kind: Literal["sd", "se", "ci95", "range", "unknown"]
    n: int | None
    reading_error: float | None


def parse_number(text: str) -> tuple[float, float] | None:
    """Return (value, unit of the last digit): "23.2" -> (23.2, 0.1), "10,000" -> (10000, 1); None for words and 1e5."""
    plain = text.strip().removesuffix("%").rstrip().replace("\u2212", "-")  # papers set a true minus sign
    if re.fullmatch(r"[-+]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", plain):
        plain = plain.replace(",", "")
    if len(plain) > LONGEST_NUMBER or not re.fullmatch(r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", plain):
        return None
    decimals = len(plain.partition(".")[2])
    return float(plain), float(f"1e-{decimals}")


class Baseline(Strict):
    """One paper: its bibliography and its numbers."""

    schema_: SchemaVersion = Field(alias="schema")
    paper: FileName
    title: str
    authors: Annotated[tuple[str, ...], Field(strict=False)]
    year: int
    url: str
    code: str
    provenance: str
    references: dict[str, Reference]

    @property
    def cite(self) -> str:
        """Return `Rolnick et al. 2018, Deep Learning is …`."""
        first = self.authors[0].split()[-1] if self.authors else self.paper
        others = " et al." if len(self.authors) > 2 else f" & {self.authors[1]}" if len(self.authors) == 2 else ""
        return f"{first}{others} {self.year}, {self.title}"


def load_baseline(path: Path) -> Baseline:
    """Read one paper's file. Raises SpecError with all that is wrong."""
    try:
        stat = path.stat()
    except OSError:
        return _load(path, 0, 0)  # the read raises the right error
    return _load(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _load(path: Path, mtime_ns: int, size: int) -> Baseline:
    """Read the file as it was at that time: an edited file is read again."""
    tree, problems = reader.read(path)
    taken = {(problem.line, problem.column) for problem in problems}
    try:
        baseline = Baseline.model_validate(tree)
    except ValidationError as error:
        found = problems_of(error, tree, path, Baseline)
        raise SpecError([*problems, *(one for one in found if (one.line, one.column) not in taken)]) from None
    if problems:
        raise SpecError(problems)
    if baseline.paper != path.stem:
        line, column = position_of(tree, ["paper"])
        what = f"paper: '{baseline.paper}' but the file is named '{path.stem}.yaml'"
        raise SpecError([Problem(path, line, column, what)])
    return baseline


def baseline_schema() -> dict[str, Any]:
    """Return the JSON Schema of a baseline file, for editors."""
    return {"$schema": SCHEMA_DIALECT, **Baseline.model_json_schema(by_alias=True)}
