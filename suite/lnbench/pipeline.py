"""The one way through the house: load, plan, train, judge, look again, try alternatives. Every door calls it.

`verify` trains what the store lacks, `judge` trains nothing; both look at a study in the same way. With planned looks a
study is judged on its first so many seeds, and on more only while a claim is open. A contradicted claim is held
against every alternative (`try`) of what the paper leaves open, on as many seeds, before its contradiction stands.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lnbench.errors import LnbenchError, did_you_mean
from lnbench.execute.crew import Crew, Shard
from lnbench.execute.groups import Task, check_backend
from lnbench.execute.local import execute, local_crew
from lnbench.execute.registering import register
from lnbench.execute.work import Execution, Watcher
from lnbench.execute.worker import Report
from lnbench.judge import (
    ClaimResult,
    Evidence,
    FromStore,
    Get,
    Reads,
    StudyResult,
    alternatives,
    gather,
    look_sizes,
)
from lnbench.judge import judge as judge_evidence
from lnbench.judge.measured import NOISE
from lnbench.machine import resolve_device
from lnbench.needs import demand_data, demand_data_of
from lnbench.plan import (
    Only,
    Plan,
    Run,
    check_claims,
    plan_study,
    selection,
)  # fmt: skip
from lnbench.report import (
    known_since,
    load_failures,
    load_ledger,
    load_own_rows,
    load_report,
    set_of_seeds,
    write_report,
)
from lnbench.report.rows import claim_rows
from lnbench.resources import find_study
from lnbench.spec import (
    LoadedStudy,
    Study,
    asked_rows,
    load_studies,
    load_study,
    named_apart,
    variant,
    with_rows,
)  # fmt: skip
from lnbench.spec.locks import History, history_of, of_report, read_copy
from lnbench.store import Store, checked_place, default_path
from lnbench.training.gradient_noise import GradientNoise
from lnbench.verdict import Verdict

if TYPE_CHECKING:
    import pandas

Where = str | Path
Obtain = Callable[[Plan, Only], Evidence]  # the evidence of a plan; runs at other points may be left out


class Quiet:
    """A Watcher that shows nothing."""

    def planned(self, runs: list[Run], reused: int) -> None: ...

    def started(self, task: Task) -> None: ...

    def report(self, report: Report) -> None: ...

    def finished(self, run: Run, how: str, message: str) -> None: ...

    def note(self, line: str) -> None: ...


@dataclass(frozen=True)
class Training:
    """How missing runs are trained: on what, by how many processes, and who is told.

    `device`: "cpu", "cuda" or "cuda:N". `workers`: processes; None for the default, 0 for this process.
    `alternatives`: whether those of a contradicted claim are trained, or only looked up; `all_alternatives`: those of a
    reproduced one too. `watching` opens the display of one training; `say` is told in a line why more is trained.
    `crew`: who trains, where several studies share one (`execute.local.lasting_crew`); None for one of each study.
    """

    device: str = "cpu"
    data_dir: Path | None = None
    workers: int | None = None
    backend: str = "auto"
    alternatives: bool = True
    all_alternatives: bool = False
    watching: Callable[[], AbstractContextManager[Watcher]] = lambda: nullcontext(Quiet())
    say: Callable[[str], None] = lambda line: None
    crew: Crew | None = None


@dataclass(frozen=True, repr=False)
class Results:
    """Judged studies, in the order in which they were asked for."""

    studies: tuple[StudyResult, ...]

    @property
    def claims(self) -> tuple[ClaimResult, ...]:
        """Return the claims of all studies."""
        return tuple(claim for study in self.studies for claim in study.claims)

    def claim(self, claim_id: str) -> ClaimResult:
        """Return the claim of that id. Raises LnbenchError where there is none, or one at each of several tiers."""
        found = [claim for claim in self.claims if claim.claim.id == claim_id]
        if not found:
            hint = did_you_mean(claim_id, {claim.claim.id for claim in self.claims})
            raise LnbenchError(f"no claim {claim_id} was judged; {hint}")
        if len(found) > 1:
            raise LnbenchError(f"claim {claim_id} was judged at several tiers; take it from one of `studies`")
        return found[0]

    def frame(self) -> pandas.DataFrame:
        """Return a DataFrame with one row per claim; `lnbench.report.rows` says what its columns are.

        Raises LnbenchError where pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise LnbenchError("a DataFrame needs pandas, which is not installed: pip install pandas") from None
        return pandas.DataFrame([row for study in self.studies for row in claim_rows(study)])

    def write(self, folder: Where) -> list[Path]:
        """Write the report of each study into `folder/STUDY-TIER`, and return the pages. Raises StoreError."""
        pages = []
        for study in self.studies:
            write_report(study, Path(folder) / study.study.key)
            pages.append(Path(folder) / study.study.key / "report.md")
        return pages

    def __repr__(self) -> str:
        """Return a line for each claim: the objects behind them are far too large to be shown."""
        lines = [f"{one.study.key} {claim.claim.id}: {claim.verdict}" for one in self.studies for claim in one.claims]
        return "\n".join(lines) or "no claims"


def verify(
    studies: Where | Iterable[Where],
    *,
    tier: str,
    claims: Collection[str] = (),
    where: Collection[str] = (),
    seeds: int | None = None,
    alternatives: bool = True,
    all_alternatives: bool = False,
    store: Where | Store | None = None,
    data_dir: Where | None = None,
    device: str = "auto",
    workers: int | None = None,
    backend: str = "auto",
    watcher: Watcher | None = None,
) -> Results:
    """Train what the store lacks, and judge: `lnbench verify` as a function.

    `studies`: the path of a study file, the name of a known study, or several of either. Several are read and checked
    together, must all have the tier, and are then verified one after the other; an error in one file, a missing tier
    or a missing data set is raised before anything is trained. `claims`: train only what these need (all claims are
    judged, and those that lack runs are "not-run"). `where`: train only at these values, such as "model=mlp1"; a
    "method=NAME" of the catalog that the study's axis `method` does not have is a row of your own (docs/methods.md).
    `seeds`: how many; more than are planned are trained and not judged, fewer give numbers and no verdict, unless a
    look at so many is planned. `alternatives`: whether to train those that a contradiction must survive;
    `all_alternatives`: and those that a reproduction must. `store`: folder of finished runs (default: LNBENCH_STORE,
    else .lnbench). `device`: "auto", "cpu", "cuda" or "cuda:N". `workers`: processes (default: one per core, one on a
    GPU); 0 trains in this process. `watcher`: who is told of the progress.

    A failed run is no exception: its claims have the verdict "error". On KeyboardInterrupt finished runs are kept and
    the others leave a checkpoint, so that the same call goes on.

    Raises SpecError with all that is wrong in the files, DataError with the command that fetches a missing data set,
    LnbenchError for a study, tier, claim, value, device or backend that does not exist, StoreError where the store
    cannot be read or written.
    """
    _whole("seeds", seeds, 1)
    _whole("workers", workers, 0)
    claims, where = _listed(claims), _listed(where)
    told = watcher or Quiet()
    place = resolve_device(device)
    training = Training(
        device=place,
        data_dir=Path(data_dir) if data_dir is not None else None,
        workers=workers,
        backend=backend,
        alternatives=alternatives,
        all_alternatives=all_alternatives,
        watching=lambda: nullcontext(told),
        say=told.note,
    )
    check_backend(backend, place)
    chosen = [at_tier(loaded, tier) for loaded in load_studies([find_study(str(name)) for name in _several(studies)])]
    chosen = [asked_rows(study, where) for study in chosen]
    check_claims(chosen, claims)
    for study in chosen:
        selection(study, claims, where)  # an axis or a value that is not there is an error before anything is trained
    kept = open_store(store)
    for study in chosen:
        demand_data(study, kept, training.data_dir, seeds)
    return Results(tuple(verify_study(one, kept, training, seeds=seeds, claims=claims, where=where) for one in chosen))


def judge(
    sources: Where | Iterable[Where],
    *,
    tier: str | None = None,
    seeds: int | None = None,
    store: Where | Store | None = None,
) -> Results:
    """Judge what is there, training nothing: `lnbench judge` and `lnbench report` as a function.

    Without a tier `sources` are folders of reports, judged from the records that lie in them. With a tier they are
    studies (paths or names), judged from the records of a store (default: LNBENCH_STORE, else .lnbench), on at most
    `seeds` seeds in place of the study's own number. Needs no GPU, no data and no torch.

    Raises StoreError for a folder that holds no report and for records that are damaged; SpecError and LnbenchError for
    a study or a tier that is not valid.
    """
    _whole("seeds", seeds, 1)
    if tier is None:
        if seeds is not None or store is not None:
            raise LnbenchError("judge: seeds and store are for a study; name its tier (a report has its own records)")
        folders = [Path(folder) for folder in _several(sources)]
        for folder in folders:
            if folder.suffix in (".yaml", ".yml"):
                raise LnbenchError(f"judge: {folder} is a study, not a report's folder; name the tier to judge it at")
        return Results(tuple(judge_report(folder) for folder in folders))
    kept = open_store(store, there=True)
    paths = named_apart(find_study(str(name)) for name in _several(sources))
    return Results(tuple(judge_store(study_at(path, tier), kept, seeds) for path in paths))


def study_at(name: Where, tier: str) -> Study:
    """Load a study, by its path or its name, at a tier. Raises SpecError; LnbenchError for what does not exist."""
    return at_tier(load_study(find_study(str(name))), tier)


def at_tier(loaded: LoadedStudy, tier: str) -> Study:
    """Return the study at a tier. Raises LnbenchError where it does not have it."""
    if tier not in loaded.tiers:
        raise LnbenchError(f"{loaded.name} has no tier {tier}; it has {', '.join(loaded.tiers)}")
    return loaded.tiers[tier]


def open_store(
    store: Where | Store | None, warn: Callable[[str], None] = warnings.warn, *, there: bool = False
) -> Store:
    """Return the store: the one that is given, or that of a folder, or of the default folder. `warn` is called with a
    line where a damaged file is set aside. Raises StoreError where it is no folder or, with `there`, where nothing is
    there."""
    if isinstance(store, Store):
        return store
    return Store(checked_place(Path(store) if store else default_path(), there=there), warn)


def verify_study(
    study: Study,
    store: Store,
    training: Training,
    *,
    seeds: int | None = None,
    claims: Collection[str] = (),
    where: Collection[str] = (),
) -> StudyResult:
    """Train what the store lacks of a study, look by look, and judge it.

    No seed is trained beyond the first look after which none of the claims asked for is open. Failed runs are in
    `evidence.failures` of the result, by run id. What the verdicts depend on is registered before the first run is
    trained, at every tier but smoke. Raises DataError where a data set is missing, LockError where the lock is damaged
    or cannot be written; see `execute` for more.
    """
    reads = FromStore(store)

    def trained(plan: Plan, only: Only) -> Evidence:
        return gather(plan, store.get, _train(study, plan, only, store, training).failures, reads)

    def tried(plan: Plan, only: Only) -> Evidence:
        # a failed run is a missing one here, as it is when the report is judged again
        _train(study, plan, only, store, training)
        return gather(plan, store.get, reads=reads)

    def looked_up(plan: Plan, only: Only) -> Evidence:
        return gather(plan, store.get, reads=reads)

    def history() -> History:
        return history_of(study, store.path)

    result = _look_by_look(
        study, seeds, trained, looked_up, history, claims=claims, where=where, say=training.say,
        train_other=tried if training.alternatives else None, every=training.all_alternatives,
    )  # fmt: skip
    return _with_ledger(result, store)


def train_share(
    study: Study,
    store: Store,
    training: Training,
    shard: Shard,
    *,
    seeds: int | None = None,
    claims: Collection[str] = (),
    where: Collection[str] = (),
) -> Execution:
    """Train a share of a study's runs, of all its seeds, and judge nothing: who judges when every share is done finds
    them in the store. Raises as `verify_study` does."""
    return _train(study, plan_study(study, seeds), selection(study, claims, where), store, training, shard)


def _train(
    study: Study, plan: Plan, only: Only, store: Store, training: Training, shard: Shard | None = None
) -> Execution:
    """Train what the store lacks of a plan, once what the verdicts depend on is registered."""
    demand_data_of(plan, store, training.data_dir)
    registered: Mapping[str, str] = {}
    there = gather(plan, store.get)
    if there.missing:
        store.demand_writable()
    if study.tier != "smoke" and there.lacks(only):
        registered = _registered(study, store, training.say)
    with training.watching() as watcher:
        return execute(
            [plan], store, watcher,
            device=training.device, data_root=training.data_dir, workers=training.workers, backend=training.backend,
            only=only, shard=shard, registered=registered, crew=training.crew, known=there.records,
        )  # fmt: skip


def _registered(study: Study, store: Store, say: Callable[[str], None]) -> Mapping[str, str]:
    """Register what the study's verdicts depend on, where it is not yet, and say so; return what records say of it."""
    known = gather(plan_study(study.without_own), store.get).records  # a user's own row is no run of any claim
    there = [record["provenance"].get("finished") for record in known.values()]
    done = register(study, store.path, records_since=known_since(study, there, store.path))
    if done.added:
        number = len(done.lock.entries)
        say(f"{study.key}: what its verdicts depend on is registered before training: entry {number} -> {done.path}")
    return done.provenance(study)


def judge_store(study: Study, store: Store, seeds: int | None = None) -> StudyResult:
    """Judge a study from what a store has; numbers that are read from arrays are kept there."""
    found = judge_records(study, store.get, seeds, reads=FromStore(store), history=history_of(study, store.path))
    return _with_ledger(found, store)


def _with_ledger(result: StudyResult, store: Store) -> StudyResult:
    """Return a result with what the store's ledger says of its runs, those that are missing now included."""
    evidences = [result.evidence, *result.tries.values()]
    ids = {record for evidence in evidences for record in evidence.records}
    for plan in [evidence.plan for evidence in evidences]:
        ids |= {run.id for run in [*plan.choosing_runs, *plan.input_runs]}
        ids |= {choice.id for choice in plan.choices} | {derived.id for derived in plan.inputs}
        for job in plan.jobs:
            candidates = [value for value, _ in job.choice.candidates] if job.choice else [None]
            ids |= {job.run(value).id for value in candidates}
    return replace(result, ledger=tuple(store.ledger.about(ids)))


def with_gradient_noise(
    studies: Sequence[Study], training: Training, repeat: int, seeds: int | None = None
) -> list[StudyResult]:
    """Train studies with noise on every gradient, in a store that is thrown away, and judge them: how far their numbers
    are from those without noise is what drift is judged by. Another `repeat`, another noise. Raises LnbenchError where
    a run fails."""
    noise = GradientNoise(NOISE, repeat)
    plans = [plan_study(study, seeds) for study in studies]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        crew = local_crew(training.device, training.data_dir, training.workers, noise)
        with training.watching() as watcher:
            done = execute(plans, store, watcher, device=training.device, backend="loop", crew=crew)
        if done.failures:
            raise LnbenchError(f"with noise on the gradients: {next(iter(done.failures.values()))}")
        return [judge_store(study, store, seeds) for study in studies]


def judge_report(
    folder: Path, studies: Path | None = None, loaded: Mapping[str, LoadedStudy] | None = None
) -> StudyResult:
    """Judge the study of a report again, from the report's own records and against its own copy of the lock.

    studies: the folder in which the study's file lies; None: the known ones. loaded: studies that are read already, by
    name, so that those of many reports are read once. Raises StoreError; LockError where that
    copy is damaged; LnbenchError where there is no such study.
    """
    name, tier, seeds, get = load_report(folder)
    where = name if studies is None else studies / f"{name}.yaml"
    found = at_tier(loaded[name], tier) if loaded and name in loaded else study_at(where, tier)
    study = with_rows(found, load_own_rows(folder))
    there, asked = set_of_seeds(folder), study.spec.runs.seeds.fresh
    if there != asked:  # judged, or written again, it would have no run at all
        what = f"its runs have the seeds of set {there}, and {study.key} asks for set {asked} (`seeds: fresh`)"
        raise LnbenchError(f"{folder}: {what}; `lnbench verify` trains these and writes their report")
    history = of_report(read_copy(folder, study), history_of(study))
    result = judge_records(study, get, seeds, load_failures(folder), history=history)
    return replace(result, ledger=load_ledger(folder))


def judge_records(
    study: Study,
    get: Get,
    seeds: int | None = None,
    failures: Mapping[str, str] | None = None,
    reads: Reads | None = None,
    history: History | None = None,
) -> StudyResult:
    """Judge a study from the records that `get` finds, alternatives included.

    On as many seeds as `verify_study` would have trained: up to the look after which no claim is open, or the last
    that was taken. `failures`: run id -> message; `reads`: where numbers of arrays come from; `history`: what was
    registered (default: what lies next to the study).
    """
    known = history if history is not None else history_of(study)

    def found(plan: Plan, only: Only) -> Evidence:
        return gather(plan, get, failures, reads)

    def tried(plan: Plan, only: Only) -> Evidence:
        return gather(plan, get, reads=reads)

    return _look_by_look(study, seeds, found, tried, lambda: known)


def records_of(study: Study, store: Store) -> list[str]:
    """Return the ids of all records in a store that judging the study may use: those of its own runs, of its
    alternatives, and the readings that its verdict needs, which are made now where the store does not have them."""
    result = judge_store(study, store)
    plans = [plan_study(study), *(plan_study(variant(study, key)) for key in alternatives(study))]
    found = [result.evidence, *result.tries.values(), *(gather(plan, store.get) for plan in plans)]
    return sorted({record for evidence in found for record in evidence.records})


def _look_by_look(
    study: Study,
    seeds: int | None,
    obtain: Obtain,
    look_up: Obtain,
    history: Callable[[], History],
    *,
    train_other: Obtain | None = None,
    every: bool = False,
    claims: Collection[str] = (),
    where: Collection[str] = (),
    say: Callable[[str], None] = lambda line: None,
) -> StudyResult:
    """Judge a study on the seeds of its first look, and on more while one of the claims asked for (or any) is open.

    `obtain` gives the evidence of the study as it is, `look_up` what there is of it under an alternative, `history`
    what is registered by then (training registers it); `train_other` trains the alternatives of contradicted claims,
    and where `every` is set those of reproduced ones too.
    """

    def asked(result: StudyResult) -> list[ClaimResult]:
        return [claim for claim in result.claims if not claims or claim.claim.id in claims]

    wanted = selection(study, claims, where)
    sizes = look_sizes(study, seeds)
    last = None
    for size in sizes:
        evidence = obtain(plan_study(study, size), wanted)
        result = judge_evidence(evidence, _tries(study, size, look_up, wanted), history())
        untried = [claim for claim in asked(result) if _to_try(claim, every)]
        if untried and train_other:
            names = [claim.claim.id for claim in untried]
            say(f"{', '.join(names)}: {_how(untried)}; now with the alternatives of what is left open")
            enough = max(claim.look.seeds if claim.look else min(size, study.spec.runs.seeds.n) for claim in untried)
            needed = selection(study, names, where)
            result = judge_evidence(evidence, _tries(study, enough, train_other, needed), history())
        if last is not None and not any(claim.look and claim.look.seeds == size for claim in result.claims):
            return last  # none of this look's runs is there: it was not taken
        last = result
        still = [claim.claim.id for claim in asked(result) if claim.open]
        if not still:
            break
        if size != sizes[-1]:
            say(f"look at {size} seeds: {', '.join(still)} not decided; now with more seeds")
    assert last is not None, "there is at least one number of seeds"
    return last


def _to_try(claim: ClaimResult, every: bool) -> bool:
    """Return whether a claim needs the alternatives that it lacks: to be called contradicted, or where every decided
    one is asked to survive them."""
    return "not-run" in claim.tried.values() and (every or claim.alone == Verdict.CONTRADICTED)


def _how(claims: list[ClaimResult]) -> str:
    """Return how claims that are held against their alternatives came out as run."""
    inside = {claim.alone == Verdict.REPRODUCED for claim in claims}
    return "decided" if len(inside) > 1 else f"{'inside' if True in inside else 'outside'} the claimed range"


def _tries(study: Study, seeds: int, obtain: Obtain, only: Only) -> dict[str, Evidence]:
    """Return the evidence of every alternative on so many seeds, by the key of its choice."""
    return {key: obtain(plan_study(variant(study, key), seeds), only) for key in alternatives(study)}


def _several(names: Where | Iterable[Where]) -> list[Where]:
    if isinstance(names, str | Path):
        return [names]
    if not isinstance(names, Iterable):
        raise LnbenchError(f"{names!r} names no study; give a path, a known name, or several of them")
    return list(names)


def _listed(words: Collection[str]) -> Collection[str]:
    """Return a lone word as the only one: `claims="R001-01"` means that claim, not its letters."""
    return (words,) if isinstance(words, str) else words


def _whole(name: str, value: int | None, least: int) -> None:
    """Raise LnbenchError unless an argument is None or a whole number that is large enough."""
    if value is not None and (type(value) is not int or value < least):
        raise LnbenchError(f"{name}: {value!r} is not a whole number of {least} or more")
