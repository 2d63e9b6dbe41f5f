"""Many studies read and looked at by several processes: checking their files is most of the time of a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from lnbench.budget.wants import Wants
from lnbench.errors import Problem, SpecError
from lnbench.forked import mapped
from lnbench.spec import LoadedStudy, load_studies, load_study, named_apart
from lnbench.tiers import PAPER_TIERS

Look = Callable[[LoadedStudy], Wants]


def looked_at(paths: Iterable[Path], look: Look) -> Wants:
    """Return what `look` finds in each study file, together and in order. Raises SpecError with all that is wrong in
    the files, and what `look` raises."""
    files = named_apart(paths)
    outcomes = mapped(partial(_of, look=look), files)
    problems = [problem for outcome in outcomes if isinstance(outcome, list) for problem in outcome]
    if problems:
        raise SpecError(problems)
    found, claims = Wants(), list[str]()
    for outcome in outcomes:
        assert isinstance(outcome, Wants), "all others are problems"
        found.add(outcome)
        claims += {claim for about in outcome.studies.values() for claim in about.claims}
    if len(set(claims)) < len(claims):
        load_studies(files)  # says which claim is in two files, and where
    return found


def _of(file: Path, look: Look) -> Wants | list[Problem]:
    try:
        return look(load_study(file, PAPER_TIERS))
    except SpecError as error:
        return error.problems
