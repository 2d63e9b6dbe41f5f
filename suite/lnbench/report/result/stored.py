"""`result.json` read back: what its readers rely on, so that an edited or damaged one is one line, and never a verdict.

Two readers, two forms. Whoever judges a report again reads what was judged (study, tier, seeds, what failed), and
compares all else with what comes out: there an edited value is a difference. Tables, debates and warnings believe what
they read. Keys beyond these are allowed, and keys that reports of earlier versions lack may be missing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from lnbench.report.plain import Json
from lnbench.spec.study import MOST_FRESH, MOST_SEEDS
from lnbench.tiers import TIERS
from lnbench.verdict import Standing, Verdict


def _tier(name: str) -> str:
    if name not in TIERS:
        raise ValueError(f"is no tier; the tiers are {', '.join(TIERS)}")
    return name


def _verdict(word: str) -> str:
    Verdict(word)
    return word


def _standing(word: str) -> str:
    Standing(word)
    return word


Word = Annotated[str, AfterValidator(_verdict)]
# a file's name without its ending, and no path: a report must not choose which file is read
Name = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f\x7f]{1,150}$")]
Key = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f\x7f]{1,200}$")]
Count = Annotated[int, Field(ge=0, le=10**15)]
Number = Annotated[float, Field(ge=-1e300, le=1e300)]
Share = Annotated[float, Field(ge=0, le=1)]
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Point = dict[str, Any]


class _Form(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True, hide_input_in_errors=True)


class _Ends(_Form):
    low: Number | None
    high: Number | None


class _Check(_Form):
    kind: str
    effect: Number | None
    interval: _Ends | None
    contradiction_interval: _Ends | None = None
    region: _Ends | None
    p_reproduced: Share
    p_contradicted: Share
    n: Count
    sd: Number | None
    se: Number | None
    collapsed: Count
    typical: bool
    details: dict[str, Any]


class _Reference(_Form):
    id: str
    printed: str | None
    value: Number | None
    relation: str | None = None


class _Member(_Form):
    label: str
    at: Point
    minus: Point | None
    values: list[Number | None]
    seeds: list[int]
    collapsed: list[bool]
    step: Number | None
    planned: Count
    missing: Count
    check: _Check
    region: _Ends | None = None
    reference: _Reference | None = None


class _Effect(_Form):
    name: str
    metric: str
    metric_words: str
    counted: bool
    metric_bounds: list[Number | None] = Field(min_length=2, max_length=2)
    axis: str | None
    at: Point
    minus: Any


class _Part(_Form):
    name: str
    kind: str
    decides: bool
    ours: bool
    because: str | None
    region: _Ends | None
    effect: _Effect
    reference: _Reference | None
    verdict: Word
    direction_holds: bool
    seeds_to_decide: Count | None
    members: list[_Member]


class _Rule(_Form):
    at_least: int | None
    of: list[str]


class _Chosen(_Form):
    key: str
    planned: Annotated[int, Field(ge=1, le=100_000)]
    seeds: Annotated[int, Field(ge=1, le=100_000)]


class _Claim(_Form):
    id: Annotated[str, Field(min_length=1, max_length=150)]
    says: str
    standing: Annotated[str, AfterValidator(_standing)] = "paper"
    question: str | None
    rule: _Rule
    verdict: Word
    would_be: Word | None = None
    why: str
    p_reproduced: Share
    p_contradicted: Share
    parts: list[_Part]
    hangs_on: list[int] = []
    without: dict[str, Word] = {}
    requires: dict[str, str] = {}
    chosen: _Chosen | None = None


class _Paper(_Form):
    id: str
    authors: list[str]
    citation: str


class _Seeds(_Form):
    n: Annotated[int, Field(ge=1, le=MOST_SEEDS)]
    fresh: Annotated[int, Field(ge=0, le=MOST_FRESH)] = 0


class _Failed(_Form):
    id: Id
    message: str


class _Runs(_Form):
    failed: list[_Failed]
    first_finished: str | None = None


class _Registered(_Form):
    id: str
    status: str
    first_record: str | None
    records_since: str | None = None


class _Registration(_Form):
    claims: list[_Registered] = []


class _Row(_Form):
    label: str
    method: dict[str, Any]


class _Judged(_Form):
    """What is needed to judge a report again; all else is compared with what comes out."""

    schema_: Literal[1] = Field(alias="schema")
    study: Name
    tier: Annotated[str, AfterValidator(_tier)]
    key: Key
    seeds: _Seeds
    runs: _Runs
    own_rows: list[_Row] = []
    ledger: list[dict[str, Any]] = []


class _Result(_Judged):
    """What tables, debates and warnings read."""

    title: str
    paper: _Paper
    alpha: Share
    claims: list[_Claim] = Field(max_length=10_000)
    registration: _Registration | None = None
    trained: dict[str, Any] | None = None


def unfit_to_judge(data: Any) -> str:
    """Return what of a stored result does not let its report be judged again, with its place; "" where it can be."""
    if what := _fault(_Judged, data):
        return what
    return "" if data["key"] == f"{data['study']}-{data['tier']}" else "key: it is not the study and the tier"


def unfit_to_read(data: Json) -> str:
    """Return what of a stored result is not as tables and warnings need it, with its place; "" where all is."""
    if what := _fault(_Result, data):
        return what
    for claim in data["claims"]:
        for part in claim["parts"]:
            for member in part["members"]:
                if not len(member["values"]) == len(member["seeds"]) == len(member["collapsed"]):
                    return f"claims: {claim['id'][:40]}, {part['name'][:40]}: there is not one value for each seed"
    return ""


def _fault(form: type[_Form], data: Any) -> str:
    try:
        form.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where, what = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ")
        return f"{where[:120]}: {what[:1].lower()}{what[1:]}"
    return ""
