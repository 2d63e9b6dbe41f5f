"""The plug-in packages that a result owes something to."""

from __future__ import annotations

from lnbench import catalog
from lnbench.spec import Study


def judged_by(study: Study) -> dict[str, str]:
    """Return package -> version of the plug-ins that provide a metric or a kind of check of the claims."""
    spec = study.spec
    metrics = {
        name for effect in spec.effects.values() for name in (effect.metric, effect.with_, effect.second) if name
    }
    kinds = {part.kind for claim in spec.claims for part in claim.parts.values()}
    known = catalog.entries()
    return catalog.packages(
        entry
        for kind, names in (("metric", metrics), ("check", kinds))
        for name in names
        if (entry := known.get(kind, {}).get(name)) is not None
    )
