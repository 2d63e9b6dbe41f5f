"""Where the data root is and what lies in it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import DataError, NoSuchData
from ..identity import canonical_json
from .image_folder import SPLITS, demand_whole, folder_of, missing_split
from .sources import DataFile, FolderSource, Source, find, known, source_of
from .unpack import PART, md5_of

State = Literal["present", "missing", "incomplete", "damaged"]


def data_root(explicit: str | os.PathLike[str] | None = None, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the data root: `explicit` (--data-dir), else LNBENCH_DATA, else lnbench/data in the cache folder."""
    chosen = str(explicit or environ.get("LNBENCH_DATA", ""))
    if chosen:
        return Path(chosen).expanduser()
    cache = environ.get("XDG_CACHE_HOME", "")
    # the XDG rules say that a relative path is to be ignored
    base = Path(cache) if os.path.isabs(cache) else Path("~/.cache").expanduser()
    return base / "lnbench" / "data"


@dataclass(frozen=True)
class Status:
    """What lies in a data root of one data set.

    `fault` names the first file that is missing or damaged and says what is wrong with it. `verified` is true
    when checksums were compared, false when only names and sizes were.
    """

    name: str
    state: State
    root: Path
    fault: str = ""
    embedded: bool = False
    verified: bool = False
    by_hand: str = ""  # of a data set that lnbench does not download: how its files are put there

    @property
    def usable(self) -> bool:
        return self.state == "present"

    def describe(self) -> str:
        """Return one line for a listing, with what to do where something is wrong."""
        if self.embedded:
            return f"{self.name}: embedded, always there"
        if self.state == "present":
            return f"{self.name}: present in {self.root}" + (", checksums right" if self.verified else "")
        if self.state == "missing":
            return f"{self.name}: missing from {self.root}"
        return f"{self.name}: {self.state}: {self.fault}"

    def demand(self) -> None:
        """Raises DataError, with the command that mends it, unless the data set is present."""
        if not self.usable:
            raise DataError(self.lacks())

    def lacks(self) -> str:
        """Return what is wrong with a data set that is not present, and what mends it."""
        if self.by_hand:
            return f"{self.name} is {self.state}: {self.fault}; {self.by_hand}"
        if self.state == "missing":
            return (
                f"{self.name} is not at {self.root}; fetch it with `lnbench data fetch {self.name}` "
                "or point --data-dir / LNBENCH_DATA at a torchvision data root"
            )
        return f"{self.name} is {self.state}: {self.fault}; mend it with `lnbench data fetch {self.name}`"


def status(root: Path, names: Iterable[str] | None = None, sources: Mapping[str, Source] | None = None) -> list[Status]:
    """Return what is there, by file names and sizes: fast. All data sets when `names` is None; `sources` as in `find`.
    Raises DataError for a name that does not exist, and for a root that is there and is no folder."""
    _demand_folder(Path(root))
    return [_status(source, Path(root), verify=False) for source in _named(names, sources)]


def states_of(root: Path, datasets: Iterable[Mapping[str, Any]]) -> list[Status]:
    """Return the same of recipes' data sets, as plain data, each once: of a user's own folder only its recipe says
    where it is."""
    sources = {canonical_json(one): source_of(one) for one in datasets}
    each = {(source.name, getattr(source, "folder", "")): source for source in sources.values()}
    return [status(root, [source.name], {source.name: source})[0] for _, source in sorted(each.items())]


def check(root: Path, names: Iterable[str] | None = None, sources: Mapping[str, Source] | None = None) -> list[Status]:
    """Return what is there, with every file's checksum compared: reads every byte (about 0.3 s per 100 MB). Raises as
    `status` does."""
    _demand_folder(Path(root))
    return [_status(source, Path(root), verify=True) for source in _named(names, sources)]


def _demand_folder(root: Path) -> None:
    with contextlib.suppress(OSError):  # too long, say: reading says it
        if root.exists() and not root.is_dir():
            raise NoSuchData(
                f"{root}: is not a folder; give the folder of the data sets with --data-dir or LNBENCH_DATA"
            )


def _named(names: Iterable[str] | None, sources: Mapping[str, Source] | None) -> list[Source]:
    there = known() if sources is None else sources
    listed = [name for name, one in there.items() if not isinstance(one, FolderSource) or one.folder]
    return [find(name, there) for name in (names or listed)]


def _status(source: Source, root: Path, verify: bool) -> Status:
    if source.embedded:
        return Status(source.name, "present", root, embedded=True, verified=verify)
    if isinstance(source, FolderSource):
        return _folder_status(source, root, verify)
    try:
        absent, damaged = _faults(source, root, verify)
    except OSError as error:
        return Status(source.name, "damaged", root, f"{error.filename} cannot be read ({error.strerror})")
    if damaged:
        return Status(source.name, "damaged", root, damaged[0], verified=verify)
    if absent:
        nothing_there = len(absent) == len(source.archives)
        state: State = "missing" if nothing_there and not _any_file(source, root) else "incomplete"
        return Status(source.name, state, root, absent[0], verified=verify)
    return Status(source.name, "present", root, verified=verify)


def _folder_status(source: FolderSource, root: Path, verify: bool) -> Status:
    """Return whether the splits of an image folder are there; what is in them is found when they are listed. `verify`:
    every file is decoded."""
    absent, place = missing_split(source, root), folder_of(source, root)
    if not absent and source.folder and verify:
        try:
            demand_whole(source, root)
        except DataError as error:
            return Status(source.name, "damaged", root, str(error), verified=True, by_hand="then check it again")
        return Status(source.name, "present", root, verified=True)
    if not absent or not source.folder:  # where a user's own folder lies is for a recipe to say
        return Status(source.name, "present", root)
    state: State = "missing" if len(absent) == len(SPLITS) else "incomplete"
    hint = f"{source.origin}, as train/CLASS/FILE and val/CLASS/FILE in {place} (or a link to such a folder)"
    return Status(source.name, state, root, f"{place / absent[0]} is not there", by_hand=hint)


def _faults(source: Source, root: Path, verify: bool) -> tuple[list[str], list[str]]:
    """Return (what is absent, what is damaged). Where only the gzip file is there, nothing is absent: `load` unpacks
    it."""
    absent, damaged = [], []
    for archive in source.archives:
        packed = DataFile(archive.path, archive.size, archive.md5)
        lacking = [member for member in archive.members if not (root / member.path).is_file()]
        if lacking and (archive.is_tar or not (root / packed.path).is_file()):
            absent.append(f"{root / lacking[0].path} is not there")
        whole = [member for member in archive.members if member not in lacking]
        # an unpacked gzip file is read no more: only `check` minds a bad one; a tar nobody
        if not archive.is_tar and (verify or lacking) and (root / packed.path).is_file():
            whole.append(packed)
        damaged += [fault for file in whole if (fault := _fault(file, root, verify))]
    return absent, damaged


def _fault(file: DataFile, root: Path, verify: bool) -> str:
    path = root / file.path
    if (size := path.stat().st_size) != file.size:
        return f"{path} has {size:,} bytes, not {file.size:,}"
    if verify and (found := md5_of(path)) != file.md5:
        return f"{path} has MD5 {found}, not {file.md5}"
    return ""


def _any_file(source: Source, root: Path) -> bool:
    archives = [name for archive in source.archives for name in (archive.path, archive.path + PART)]
    return any((root / path).exists() for path in [*archives, *(file.path for file in source.files)])
