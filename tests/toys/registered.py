"""The lock of a toy study, as it would be had someone registered it long before its runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from lnbench.spec import Study, load_study
from lnbench.spec.locks import Lock, lock_path
from lnbench.spec.registration import registration

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def register_long_ago(study: Path | Study) -> None:
    """Write the locks of a study (at every tier but smoke, if it is a file) in place of those that are there."""
    studies = [study] if isinstance(study, Study) else load_study(study).tiers.values()
    for one in studies:
        if one.tier != "smoke":
            lock = Lock(lock_path(one)).with_entry(registration(one.spec, one.baseline), LONG_AGO, "0.1.0")
            lock.path.parent.mkdir(exist_ok=True)
            lock.path.write_text(lock.text(one.name, one.tier))
