"""A time to be spent: which claims to verify in it, in which order, at what cost, and what is left out."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lnbench.budget.choose import Step, alone, choose
from lnbench.budget.known import Known, known_of
from lnbench.budget.obstacles import Machine
from lnbench.budget.reading import looked_at
from lnbench.budget.wants import About, Left, Wants, put_parity_first, wants_of
from lnbench.errors import LnbenchError, did_you_mean
from lnbench.plan.devices import Device
from lnbench.plan.rates import Prices, prices_of
from lnbench.resources import study_paths
from lnbench.spec import LoadedStudy
from lnbench.store import Store
from lnbench.tiers import PAPER_TIERS

ESTIMATED, MEASURED = "estimated, not measured", "measured rates"
PARTLY = "partly measured rates"
TOO_SHORT = "the time is too short"


@dataclass(frozen=True)
class Row:
    """One command of a plan: the claims of a study at a tier that it judges, and the seconds that it adds.

    `until`: seconds from the start of the first to the end of this one. `runs`: how many it trains, without those that
    earlier rows have trained. `needs`: data sets. `basis`: what the price rests on. `options`: what the command ends
    with.
    """

    study: About
    claims: tuple[str, ...]
    seconds: float
    until: float
    runs: int
    basis: str
    options: str = ""

    @property
    def needs(self) -> list[str]:
        return list(self.study.datasets)

    @property
    def command(self) -> str:
        """Return what to type."""
        return " ".join(
            ["lnbench verify", _typed(self.study), f"--tier {self.study.tier}", *self._which(), *self._more()]
        )

    def _which(self) -> list[str]:
        whole = set(self.study.claims) == set(self.claims)
        return [] if whole else [f"--claim {shlex.quote(claim)}" for claim in self.claims]

    def _more(self) -> list[str]:
        return [self.options] if self.options else []


@dataclass(frozen=True)
class Budget:
    """A plan for a time. `start`: seconds until the first run begins. `imports`: file -> ids of the committed records
    that it counts as there, and that are imported first. `left`: what is not in it and why; `ready`: what needs no run,
    but to be judged; `judged`: how many verdicts there are already."""

    device: Device
    seconds: float
    start: float
    rows: tuple[Row, ...]
    left: tuple[Left, ...] = ()
    ready: tuple[Left, ...] = ()
    judged: int = 0
    imports: Mapping[Path, tuple[str, ...]] = field(default_factory=dict)
    rated: int = 0  # records of this device that prices rest on
    carried: int = 0  # records of other processors that they rest on

    @property
    def verdicts(self) -> int:
        return sum(len(row.claims) for row in self.rows)

    @property
    def basis(self) -> str:
        """Return what the prices rest on, in all."""
        found = {row.basis for row in self.rows} or {MEASURED if self.rated else ESTIMATED}
        return found.pop() if len(found) == 1 else PARTLY


def budget_of(
    studies: Iterable[Path],
    store: Store,
    device: Device,
    seconds: float,
    *,
    tiers: Collection[str] = PAPER_TIERS,
    claims: Collection[str] = (),
    without: Collection[tuple[str, str]] = (),
    machine: Machine | None = None,
    backend: str = "auto",
    workers: int | None = None,
    options: str = "",
) -> Budget:
    """Return what to verify in a time on a device, for the most verdicts. `studies`: their files.

    A verdict is a claim at a tier that has none in a report next to the studies or in the store, and not all of whose
    runs are there; smoke, which says nothing about a paper, is not counted. `claims`: only these, where any are named;
    `without`: not these (key of the study at its tier, claim). `workers`: processes; None for the device's own number.
    `options`: what every command ends with. Raises SpecError or LnbenchError where no plan can be made of a study, or
    where there is no such claim.
    """
    files = list(studies)
    known = known_of(files, store)
    prices = prices_of(device, known.records())
    here = machine or Machine()

    def look(loaded: LoadedStudy) -> Wants:
        found = Wants()
        for tier, study in loaded.tiers.items():
            if tier in tiers:
                found.add(wants_of(study, known, prices, here, backend))
        return found

    found = looked_at(files, look)
    for claim in claims:
        names = {name for about in found.studies.values() for name in about.claims}
        if claim not in names:
            raise LnbenchError(f"--claim {claim}: no such claim here; {did_you_mean(claim, names)}")
    put_parity_first(found)
    _keep_asked(found, claims, without)
    start = device.start if found.wants else 0.0
    steps = choose(found.wants, seconds - start, workers or device.cores)
    rows = _rows(steps, found, start, options)
    rest = _too_long(found, {(row.study.key, claim) for row in rows for claim in row.claims}, workers or device.cores)
    return Budget(
        device, seconds, start, tuple(rows), tuple([*found.left, *rest]), _together(found.ready), found.judged,
        _imports(rows, found, known), *_rated(prices),
    )  # fmt: skip


def _keep_asked(found: Wants, claims: Collection[str], without: Collection[tuple[str, str]]) -> None:
    """Keep the wants that are asked for, and those that these wait for."""
    asked = {want.key for want in found.wants if (not claims or want.key[1] in claims) and want.key not in without}
    behind = {key for want in found.wants if want.key in asked for key in want.after}
    found.wants = [want for want in found.wants if want.key in asked | behind and want.key not in without]
    if claims:
        found.left = [left for left in found.left if set(left.claims) & set(claims)]
        found.ready = [left for left in found.ready if set(left.claims) & set(claims)]


def _together(ready: Iterable[Left]) -> tuple[Left, ...]:
    """Return the claims of each study in one."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for left in ready:
        found[left.study, left.why] = (*found.get((left.study, left.why), ()), *left.claims)
    return tuple(Left(study, claims, why) for (study, why), claims in found.items())


def _rows(steps: Iterable[Step], found: Wants, until: float, options: str) -> list[Row]:
    wants = {want.key: want for want in found.wants}
    done: set[str] = set()
    rows = []
    for step in steps:
        pieces = {piece for key in step.wants for piece in wants[key].pieces} - done
        done |= pieces
        until += step.seconds
        measured = {found.measured[piece] for piece in pieces}
        basis = PARTLY if len(measured) > 1 else MEASURED if True in measured else ESTIMATED
        study, claims = found.studies[step.group], tuple(claim for _, claim in step.wants)
        rows.append(Row(study, claims, step.seconds, until, len(pieces), basis, options))
    return rows


def _rated(prices: Prices) -> tuple[int, int]:
    """Return how many records of this device prices rest on, and how many of other processors."""
    own, carried = (sum(rate.runs for rate in prices.rates.values() if rate.own is which) for which in (True, False))
    return own, carried


def _too_long(found: Wants, taken: Collection[tuple[str, str]], workers: int) -> list[Left]:
    """Return the wants that the time is too short for, the shortest first, each with what it takes by itself."""
    rest = [want for want in found.wants if want.key not in taken]
    left = [Left(want.group, (want.key[1],), TOO_SHORT, alone(want, found.wants, workers)) for want in rest]
    return sorted(left, key=lambda one: one.seconds or 0.0)


def _imports(rows: Iterable[Row], found: Wants, known: Known) -> dict[Path, tuple[str, ...]]:
    """Return the committed records that the store lacks and that rows count as there, by file."""
    used = {one for row in rows for claim in row.claims for one in found.borrowed[row.study.key, claim]}
    files: dict[Path, list[str]] = {}
    for record in sorted(used):
        files.setdefault(known.committed[record], []).append(record)
    return {file: tuple(ids) for file, ids in sorted(files.items())}


def _typed(study: About) -> str:
    """Return how a study is named on the command line: by its name where that is known, else by its path."""
    known = {path.stem: path.resolve() for path in study_paths()}
    return study.name if known.get(study.name) == study.path.resolve() else shlex.quote(str(study.path))
