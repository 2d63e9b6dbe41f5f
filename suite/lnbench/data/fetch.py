"""Getting data sets into the data root. Only `fetch` ever downloads, and only when asked.

Whatever happens on the way (a server that fails, a full disk, a kill, a second process doing the same), a
file that lies under its own name is whole, and the next call goes on where this one stopped.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import DataError
from .root import Status, check, status
from .sources import Archive, FolderSource, Source, find
from .transfer import BACKOFF, TIMEOUT, Progress, download
from .unpack import md5_of, unpack

__all__ = ["Progress", "check", "fetch", "status"]

LOCK = ".lnbench-fetch.lock"
FULL = (errno.ENOSPC, errno.EDQUOT)
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)  # a network file system without them: do as on Windows


def fetch(
    root: Path,
    names: Iterable[str],
    mirrors: Sequence[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    *,
    sources: Mapping[str, Source] | None = None,
    timeout: float = TIMEOUT,
    backoff: float = BACKOFF,
) -> list[Status]:
    """Download and unpack what is lacking or damaged of the data sets `names`; returns their verified status.

    `mirrors` are base URLs to use in place of the data sets' own; "{name}" in one becomes the data set's
    name. `progress` is called for every block that comes and every fault. An archive that already lies at its
    place with the right MD5 is not downloaded again. Archives are kept, as torchvision keeps them. `timeout`
    and `backoff` are in seconds. Raises DataError, one line, for whatever goes wrong; then what came so far
    stays for the next call.
    """
    wanted = [find(name, sources) for name in names]
    for source in wanted:
        if source.embedded:
            continue
        if isinstance(source, FolderSource):  # not downloaded: the error says where the files are available
            status(Path(root), [source.name], {source.name: source})[0].demand()
            continue
        bases = [mirror.replace("{name}", source.name) for mirror in mirrors or source.mirrors]
        try:
            _fetch_one(Path(root), source, bases, progress or (lambda _: None), timeout, backoff)
        except OSError as error:
            raise _unwritable(Path(root), source, error) from error
    return check(root, [source.name for source in wanted], sources)


def _fetch_one(
    root: Path,
    source: Source,
    mirrors: Sequence[str],
    progress: Callable[[Progress], None],
    timeout: float,
    backoff: float,
) -> None:
    lacking = [archive for archive in source.archives if _lacks(root, archive)]
    if not lacking:  # nothing to write, so that a read-only root with all its data is no error
        return
    root.mkdir(parents=True, exist_ok=True)
    with _locked(root, lambda note: progress(Progress(source.name, "", 0, source.download_bytes, note))):
        for archive in lacking:
            if not _lacks(root, archive):  # asked again under the lock: another process may just have got it
                continue
            target = root / archive.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if not _whole(target, archive):

                def report(done: int, note: str, archive: Archive = archive) -> None:
                    progress(Progress(source.name, archive.url_name, done, archive.size, note))

                download(archive, target, mirrors, report, timeout=timeout, backoff=backoff)
            unpack(archive, target, root)


def _lacks(root: Path, archive: Archive) -> bool:
    """Return whether a member is absent or wrong. A gzip file is repaired too; a tar is not needed once unpacked."""
    packed = root / archive.path
    if not archive.is_tar and packed.exists() and not _whole(packed, archive):
        return True
    return any(not _right(root / m.path, m.size, m.md5) for m in archive.members)


def _whole(path: Path, archive: Archive) -> bool:
    return _right(path, archive.size, archive.md5)


def _right(path: Path, size: int, md5: str) -> bool:
    return path.is_file() and path.stat().st_size == size and md5_of(path) == md5


@contextmanager
def _locked(root: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Let one process fetch into a data root; others wait. The lock ends with the process, however that ends."""
    if sys.platform == "win32":
        yield  # no flock there: two fetches at once then cost a download; checksum and rename guard the rest
        return
    import fcntl

    with (root / LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another process that is fetching into {root}")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        yield  # the lock file stays: removing it would let two processes hold two locks


def _unwritable(root: Path, source: Source, error: OSError) -> DataError:
    if error.errno in FULL:
        need = f"{source.name} takes {(source.download_bytes + source.disk_bytes) / 1e6:,.0f} MB"
        return DataError(f"the disk is full: {need} in {root}; make room or choose another folder with --data-dir")
    what = f"{error.filename or root} cannot be written ({error.strerror or error})"
    return DataError(f"{what}; choose another folder with --data-dir or LNBENCH_DATA")
