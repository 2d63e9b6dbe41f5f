"""The verdicts that are still to be had of some studies, with the runs that each lacks and what these take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lnbench import catalog
from lnbench.budget.choose import Piece, Want
from lnbench.budget.known import Known
from lnbench.budget.obstacles import Machine, datasets_of
from lnbench.execute.groups import UNTESTED_ON_A_GPU, Grouping
from lnbench.plan import Choice, Job, Run, plan_study
from lnbench.plan.rates import Prices
from lnbench.plan.step_cost import Time, memory
from lnbench.spec import Claim, Scalar, Study, needed_points, point_key
from lnbench.verdict import Verdict

GB = 1e9


@dataclass(frozen=True)
class Left:
    """Claims of a study at a tier that are not in a plan, and why; `seconds`: what they take, where that is why."""

    study: str
    claims: tuple[str, ...]
    why: str
    seconds: float | None = None


@dataclass(frozen=True)
class About:
    """A study at a tier, as far as a plan tells of it: what its file is, which claims it has, which data it reads."""

    name: str
    tier: str
    path: Path
    claims: tuple[str, ...]
    datasets: tuple[str, ...]

    @property
    def key(self) -> str:
        return f"{self.name}-{self.tier}"


@dataclass
class Wants:
    """What could be trained for. `borrowed`: want -> ids of committed records that it uses and the store lacks."""

    wants: list[Want] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    ready: list[Left] = field(default_factory=list)  # all of whose runs are there: judging is all that they need
    judged: int = 0
    studies: dict[str, About] = field(default_factory=dict)
    borrowed: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    measured: dict[str, bool] = field(default_factory=dict)  # piece -> whether records of this device price it

    def add(self, other: Wants) -> None:
        """Take in those of other studies."""
        self.wants += other.wants
        self.left += other.left
        self.ready += other.ready
        self.judged += other.judged
        self.studies |= other.studies
        self.borrowed |= other.borrowed
        self.measured |= other.measured


@dataclass(frozen=True)
class _Needed:
    """What a run lacks, itself and all behind it: the pieces, when they are done, and the committed records used."""

    pieces: Mapping[str, Piece] = field(default_factory=dict)
    until: float = 0.0
    borrowed: frozenset[str] = frozenset()

    def __or__(self, other: _Needed) -> _Needed:
        until = max(self.until, other.until)
        return _Needed({**self.pieces, **other.pieces}, until, self.borrowed | other.borrowed)


def wants_of(study: Study, known: Known, prices: Prices, machine: Machine, backend: str = "auto") -> Wants:
    """Return the verdicts of a study at its tier that are not judged. A verdict's runs are those of all planned seeds,
    of its points of the grid; a run under a choice that is not made is priced as its first candidate."""
    claims, key = study.spec.claims, study.key
    names = tuple(claim.id for claim in claims)
    found = Wants(studies={key: About(study.name, study.tier, study.path, names, tuple(datasets_of(study)))})
    same_seeds = known.sets.get(key) == study.spec.runs.seeds.fresh  # a report of another set says nothing of this one
    judged = known.judged if same_seeds else {}
    verdicts = {claim.id: judged[key, claim.id] for claim in claims if (key, claim.id) in judged}
    found.judged = sum(verdict != Verdict.NOT_TESTABLE for verdict in verdicts.values())
    for claim in claims:
        if claim.not_testable:
            found.left.append(Left(key, (claim.id,), f"not testable at this tier: {claim.not_testable}"))
    still = [claim for claim in claims if not claim.not_testable and claim.id not in verdicts]
    if not still:
        return found
    work = _StudyWork(study, known, prices, backend)
    needs = {claim.id: work.of_claim(claim) for claim in still}
    for name in [name for name, needed in needs.items() if not needed.pieces]:
        how = "imported and judged" if needs.pop(name).borrowed else "judged"
        found.ready.append(Left(key, (name,), how))
    why = machine.obstacle(study) if needs else ""
    for name, needed in needs.items():
        late = known.post_hoc.get((key, name), "") if same_seeds else ""
        late = late and f"it would be post hoc, as {late}; new seeds would not (`seeds: {{fresh: …}}`)"
        reason = late or why or work.too_large(needed) or work.untested(needed)
        if reason:
            found.left.append(Left(key, (name,), reason))
            continue
        after = tuple((report, "") for report in work.parity_of(needed) if report != key)
        found.wants.append(Want((key, name), needed.pieces, after))
        found.borrowed[key, name] = needed.borrowed
        found.measured |= {piece: prices.measured(work.runs[piece]) for piece in needed.pieces}
    return found


def put_parity_first(found: Wants) -> None:
    """Let each want wait for the claims of the parity studies that its networks need and that are not judged; leave it
    out where these cannot be. A study that is not among those asked for is judged elsewhere, as the catalog says."""
    open_ = {study: [want.key for want in found.wants if want.group == study] for study in found.studies}
    blocked = {left.study: left.why for left in found.left if left.study in open_ and not open_[left.study]}
    wants: list[Want] = []
    for want in found.wants:
        reports = [report for report, _ in want.after]
        stuck = next((report for report in reports if report in blocked), None)
        if stuck is None:
            wants.append(replace(want, after=tuple(first for report in reports for first in open_.get(report, ()))))
        else:
            found.left.append(Left(want.group, (want.key[1],), f"needs {stuck} first ({blocked[stuck]})"))
    found.wants = wants


@dataclass(frozen=True, slots=True)
class _OfRecipe:
    """What a run of a recipe takes: time, the backend that trains it, bytes of memory."""

    recipe: Mapping[str, Any]  # kept, so that no other has its identity
    time: Time
    backend: str
    memory: float


class _StudyWork:
    """The runs of one study at a tier: which are missing, and what they take. `runs`: piece -> its run."""

    def __init__(self, study: Study, known: Known, prices: Prices, backend: str):
        self.study, self.known, self.prices = study, known, prices
        self.plan = plan_study(study)
        self.grouping = Grouping(prices.device.kind, backend=backend)
        self.runs: dict[str, Run] = {}
        self._recipes: dict[int, _OfRecipe] = {}  # by the identity of a recipe
        self._needed: dict[str, _Needed] = {}
        self._chosen: dict[str, tuple[_Needed, bool, Scalar]] = {}
        keys = {id(cell.point): point_key(cell.point) for cell in study.cells}
        self._jobs: dict[str, list[tuple[Job, Run]]] = {}
        for job, guess in zip(self.plan.jobs, self.plan.provisional_runs(), strict=True):
            self._jobs.setdefault(keys[id(job.point)], []).append((job, guess))

    def of_claim(self, claim: Claim) -> _Needed:
        """Return what a claim's verdict lacks."""
        found = [
            self._of_job(job, guess)
            for key in sorted(needed_points(self.study, {claim.id}))
            for job, guess in self._jobs.get(key, ())
        ]
        pieces = {piece: cost for one in found for piece, cost in one.pieces.items()}
        until = max((one.until for one in found), default=0.0)
        return _Needed(pieces, until, frozenset(record for one in found for record in one.borrowed))

    def _of_job(self, job: Job, guess: Run) -> _Needed:
        if job.choice is None:
            return self._of_run(guess)
        choosing, made, value = self._of_choice(job.choice)
        if made:
            return choosing | self._of_run(job.run(value))
        return choosing | self._of_run(guess, f"{job.choice.id}:{guess.id}", choosing.until)

    def _of_choice(self, choice: Choice) -> tuple[_Needed, bool, Scalar]:
        """Return what a choice lacks, whether it can be made now, and the value chosen."""
        if choice.id not in self._chosen:
            runs = [run for _, candidates in choice.candidates for run in candidates]
            needed = _Needed()
            for run in runs:
                needed |= self._of_run(run)
            records = {run.id: self.known.get(run.id) for run in runs} if not needed.pieces else {}
            there = {run_id: record["outcome"] for run_id, record in records.items() if record is not None}
            made, value = len(there) == len({run.id for run in runs}), None
            if made:
                try:
                    value = choice.decide(there)["chosen"]
                except (KeyError, IndexError, TypeError):  # a record that lacks the curve: `verify` says so
                    made = False
            self._chosen[choice.id] = needed, made, value
        return self._chosen[choice.id]

    def _of_run(self, run: Run, piece: str = "", waits: float = 0.0) -> _Needed:
        """Return what a run lacks. `piece`: its name where it is not known which run it will be; it is missing then."""
        name = piece or run.id
        if name not in self._needed:
            behind = _Needed(until=waits)
            for derived in run.reads.values():
                for one in derived.runs:
                    behind |= self._of_run(one)
            if piece or not self.known.has(run.id):
                self.runs[name] = run
                took = self._about(run).time
                until = behind.until + took.seconds
                behind |= _Needed({name: Piece(took.seconds, took.device, until)}, until)
            elif run.id in self.known.committed:
                behind |= _Needed(borrowed=frozenset([run.id]))
            self._needed[name] = behind
        return self._needed[name]

    def _about(self, run: Run) -> _OfRecipe:
        """Return what a run takes. Runs that differ in their seeds share a recipe: it is worked out once."""
        key = id(run.recipe)
        if key not in self._recipes:
            on_cpu = self.prices.device.kind == "cpu"  # where the price is the same for all backends
            backend, together = ("loop", 1) if on_cpu else (self.grouping.way(run)[0], self.grouping.most(run))
            about = _OfRecipe(run.recipe, self.prices.of(run, backend, together), backend, memory(run, together))
            self._recipes[key] = about
        return self._recipes[key]

    # what keeps runs from being trained

    def too_large(self, needed: _Needed) -> str:
        """Return what does not fit into the device's memory; "" where all does, or the memory is not known."""
        have = self.prices.device.memory
        most = max((self._about(run).memory for run in self._trainings(needed)), default=0.0)
        words = f"needs about {most / GB:.3g} GB of memory; {self.prices.device.words} has {have / GB:.3g}"
        return words if have and most > have else ""

    def untested(self, needed: _Needed) -> str:
        """Return which backend nobody has tested on a GPU: it needs a parity study first, and none is committed."""
        used = {self._about(run).backend for run in self._trainings(needed)} & {*UNTESTED_ON_A_GPU}
        what = "is untested on a GPU: its parity study comes first, and there is none"
        return f"the backend {min(used)} {what}" if used else ""

    def parity_of(self, needed: _Needed) -> tuple[str, ...]:
        """Return the reports that must show first what `fast` changes, of the networks that train so."""
        models = {run.recipe["model"] for run in self._trainings(needed) if run.recipe["precision"] == "fast"}
        reports = {catalog.find("model", model).fast_parity for model in models}
        return tuple(sorted(report for report in reports if report))

    def _trainings(self, needed: _Needed) -> Iterator[Run]:
        """Yield one run of each recipe that is to be trained."""
        seen: set[int] = set()
        for piece in needed.pieces:
            run = self.runs[piece]
            if run.experiment is None and id(run.recipe) not in seen:
                seen.add(id(run.recipe))
                yield run
