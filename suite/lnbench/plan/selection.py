"""Which part of a study's grid is asked for: by claim, or by the value of an axis."""

from __future__ import annotations

from lnbench.errors import LnbenchError, did_you_mean
from lnbench.spec import Scalar, Study


def filters(study: Study, where: tuple[str, ...]) -> dict[str, set[Scalar]]:
    """Turn `("model=mlp1", "noise.alpha=0")` into the values wanted of each axis. Raises LnbenchError for what is not
    there."""
    wanted: dict[str, set[Scalar]] = {}
    vary = study.spec.runs.vary
    for text in where:
        axis, equals, value = text.partition("=")
        if not equals:
            raise LnbenchError(f"--where {text}: write AXIS=VALUE, such as model=mlp1")
        if axis not in vary:
            raise LnbenchError(f"--where {text}: {study.key} has no axis '{axis}'; {did_you_mean(axis, vary)}")
        matching = [level for level in vary[axis] if _text(level) == value or str(level) == value]
        if not matching:
            levels = ", ".join(map(_text, vary[axis]))
            raise LnbenchError(f"--where {text}: no run is at that value; {axis} takes {levels}")
        wanted.setdefault(axis, set()).update(matching)
    return wanted


def _text(level: Scalar) -> str:
    return f"{level:g}" if isinstance(level, float) else str(level)
