"""Is what a study needs here: data sets, image files, label files, packages? Asked before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from lnbench.data.image_folder import FolderData
from lnbench.data.image_folder import Report as Listed
from lnbench.data.images import load_for
from lnbench.data.label_files import LabelFiles
from lnbench.data.root import Status, data_root, states_of
from lnbench.data.sources import FolderSource, source_of
from lnbench.errors import DataError
from lnbench.identity import canonical_json
from lnbench.judge import gather, look_sizes
from lnbench.noise.law import demand_labels, label_source
from lnbench.plan import Plan, check_plans, demand_packages, missing_packages, plan_study
from lnbench.spec import Study, data_of
from lnbench.store import Record, Store
from lnbench.untrusted import shown


def missing_data(study: Study, data_dir: Path | None) -> list[Status]:
    """Return the state of each data set that the study names and that is not whole in the data root."""
    found = states_of(data_root(data_dir), data_behind(study))
    return [state for state in found if not state.usable]


def data_behind(study: Study) -> list[dict[str, Any]]:
    """Return the image data that a study reads, as recipes name it."""
    return [one for cell in study.cells for one in data_of(cell.recipe)]


Listing = Callable[[str], AbstractContextManager[Listed]]  # shows how far the files of a data set are listed


def demand_data(
    study: Study, store: Store, data_dir: Path | None, seeds: int | None = None, listing: Listing | None = None
) -> None:
    """Check that a plan can be made of the study; and, unless the first look needs no training, that its data sets,
    label files and optional packages are there: nothing is downloaded unasked.

    Image files are listed and looked into, where that was not done before; `listing` shows how far that is.

    Raises SpecError at the key of which no plan can be made, LnbenchError with what installs a package, DataError that
    names the command which fetches what is missing, or the file and its place.
    """
    check_plans([study])
    demand_data_of(plan_study(study, look_sizes(study, seeds)[0]), store, data_dir, listing)


def demand_data_of(plan: Plan, store: Store, data_dir: Path | None, listing: Listing | None = None) -> None:
    """Check the same of a plan that was made already. Raises as `demand_data` does."""
    missing, read, lacking = missing_data(plan.study, data_dir), _label_demands(plan), missing_packages(plan.study)
    files = {canonical_json(one): one for one in data_behind(plan.study) if isinstance(source_of(one), FolderSource)}
    if not (missing or read or lacking or files):
        return
    evidence = gather(plan, store.get)
    if evidence.missing:
        demand_packages(plan.study)
        for state in missing:
            state.demand()
    for dataset in files.values():
        if not evidence.missing and not states_of(data_root(data_dir), [dataset])[0].usable:
            continue  # the store has what is judged
        with listing(dataset["name"]) if listing else nullcontext() as report:
            data = load_for(dataset, root=data_dir, report=report)
        assert isinstance(data, FolderData), "its source is a folder"
        _demand_same_files(dataset, data, evidence.records.values())
    if evidence.missing:
        for name, noise in read:
            demand_labels(noise, name, LabelFiles(data_dir, plan.study.label_files))


def _demand_same_files(dataset: Mapping[str, Any], data: FolderData, records: Iterable[Record]) -> None:
    """Check that the records in the store are of the files that are there: a run's id has a folder's path, and not what
    lies in it. Raises DataError."""
    of_it = [sha for one in records if _is_of(one, dataset) and (sha := one["outcome"].get("data_sha256"))]
    others = [sha for sha in of_it if sha != data.checksum]
    if others:
        was, now = ", ".join(f"{sha[:12]}…" for sha in sorted({*others})), f"{data.checksum[:12]}…"
        where = f"{dataset['name']} in {shown(data.place)}"
        what = f"{len(others)} of its {len(of_it)} runs in the store are of other files"
        how = "put these files back, or train all on those of now in another store (--store)"
        raise DataError(f"{where}: {what} (sha256 of the list: {was}, now {now}); {how}")


def _is_of(record: Record, dataset: Mapping[str, Any]) -> bool:
    own = record["content"].get("recipe", {}).get("dataset")
    return isinstance(own, dict) and all(own.get(key) == dataset.get(key) for key in ("name", "folder"))


def _label_demands(plan: Plan) -> list[tuple[str, dict[str, Any]]]:
    """Return (data set, options) of each noise, once, whose labels a run of the plan reads from a file."""
    runs = [*plan.choosing_runs, *plan.provisional_runs(), *plan.input_runs]
    named = [found for run in runs if (found := label_source(run.recipe))]
    return list({canonical_json(list(one)): one for one in named}.values())
