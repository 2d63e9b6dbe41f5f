"""Which part of a study's grid is asked for: what some claims need, or the values of an axis."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from lnbench.errors import LnbenchError, did_you_mean
from lnbench.spec import Scalar, Study, needed_points, point_key
from lnbench.spec.levels import is_number, listed, word

Only = Callable[[Mapping[str, Scalar]], bool]  # whether a point of the grid is asked for


def check_claims(studies: Iterable[Study], claims: Collection[str]) -> None:
    """Check that each of the claims stands in one of the studies. Raises LnbenchError for the first that does not."""
    known = {claim.id for study in studies for claim in study.spec.claims}
    for claim in claims:
        if claim not in known:
            raise LnbenchError(f"--claim {claim}: no such claim here; {did_you_mean(claim, known)}")


def selection(study: Study, claims: Collection[str] = (), where: Collection[str] = ()) -> Only:
    """Return the test for the points that are asked for: those that the claims need, at the values of `where`.

    Without claims every point is needed; a claim of another study needs none here. `where` has texts such as
    "model=mlp1": several values of one axis are alternatives, several axes must all fit. Raises LnbenchError for an
    axis or a value that the study does not have.
    """
    wanted = _filters(study, where)
    needed = needed_points(study, set(claims)) if claims else None

    def only(point: Mapping[str, Scalar]) -> bool:
        fits = all(point.get(axis) in values for axis, values in wanted.items())
        return fits and (needed is None or any(point_key(one) in needed for one in _read_at(study, point)))

    return only


def _read_at(study: Study, point: Mapping[str, Scalar]) -> list[Mapping[str, Scalar]]:
    """Return the point; for one in a row of a user's own, those of the study's methods in the same column."""
    if not study.is_own(point):
        return [point]
    return [{**point, "method": level} for level in study.levels("method")]


def _filters(study: Study, where: Collection[str]) -> dict[str, set[Scalar]]:
    """Return the values wanted of each axis that `where` names, such as ("model=mlp1", "noise.alpha=0").

    Raises LnbenchError for a text of another form, and for an axis or a value that the study does not have.
    """
    wanted: dict[str, set[Scalar]] = {}
    vary = study.spec.runs.vary
    for text in where:
        axis, equals, value = text.partition("=")
        if not equals:
            raise LnbenchError(f"--where {text}: write AXIS=VALUE, such as model=mlp1")
        if axis not in vary:
            raise LnbenchError(f"--where {text}: {study.key} has no axis '{axis}'; {did_you_mean(axis, vary)}")
        matching = [level for level in vary[axis] if _means(value, level)]
        if axis == "method":
            matching += [row.label for row in study.own if value in (row.asked, row.label)]
        if not matching:
            raise LnbenchError(f"--where {text}: no run is at that value; {axis} takes {listed(vary[axis])}")
        wanted.setdefault(axis, set()).update(matching)
    return wanted


def _means(text: str, level: Scalar) -> bool:
    """Return whether a text of the command line means a level: numbers are compared as numbers (`.5` is 0.5), and what
    a file writes as true or null may be written so here."""
    if text in (str(level), word(level)):
        return True
    if not is_number(level):
        return False
    try:
        return float(text) == level
    except ValueError:
        return False
