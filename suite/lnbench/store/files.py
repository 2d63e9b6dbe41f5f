"""Files written whole or not at all, locks, and the operating system's errors as advice."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lnbench.errors import StoreError
from lnbench.untrusted import reason


class StoreUnwritable(StoreError):
    """The disk is full or may not be written: no record can be kept, so going on would train for nothing."""


@contextlib.contextmanager
def explained(file: Path) -> Iterator[None]:
    """Turn the operating system's errors into a line that says what to do."""
    try:
        yield
    except ValueError as error:
        if "null byte" not in str(error):
            raise
        raise StoreError(f"{file}: {reason(error)}; name another with --store or LNBENCH_STORE") from None
    except OSError as error:
        kind = StoreError
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            kind = StoreUnwritable
            advice = "the disk is full; free some space and give the same command again: finished runs are kept"
        elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT):
            kind = StoreUnwritable
            advice = "it may not be written; name a folder of yours with --store or LNBENCH_STORE"
        elif error.errno in (errno.ENOTDIR, errno.EEXIST):
            advice = "there is a file where a folder is needed"
        else:
            advice = reason(error)
        raise kind(f"{file}: {advice}") from None


def written(file: Path) -> tuple[float, str]:
    """Return when a file was last written, with its name; 0 for one that another process has just removed."""
    with contextlib.suppress(OSError):
        return file.stat().st_mtime, file.name
    return 0.0, file.name


def size_of(file: Path) -> int:
    """Return the bytes of a file; 0 for a folder, or for one that another process has just removed."""
    with contextlib.suppress(OSError):
        return file.stat().st_size if file.is_file() else 0
    return 0


def try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        # a file system without locks: at worst two processes train, and write, the same record
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise
    return True


@contextlib.contextmanager
def waiting_lock(file: Path) -> Iterator[None]:
    """Hold a lock, waiting for whoever has it; its file is removed at the end. Freed even by kill -9. Raises
    StoreError."""
    while True:
        with explained(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            handle = open(file, "a")  # noqa: SIM115 (it must stay open as long as the lock is held)
        try:
            with explained(file):
                _wait_for(handle.fileno())
            if not same_file(file, handle.fileno()):  # its last holder removed it: another file is the lock now
                continue
            try:
                yield
            finally:
                with contextlib.suppress(OSError):
                    file.unlink()
            return
        finally:
            handle.close()


def _wait_for(descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:  # a file system without locks, as in try_lock
        if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise


def same_file(file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(file), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def write_atomically(file: Path, data: bytes) -> None:
    """Write the file so that it is there whole or as it was before, even after a power cut. Raises StoreError."""
    with explained(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
            os.chmod(name, 0o644)
            os.replace(name, file)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
        with contextlib.suppress(OSError):  # some file systems cannot sync a folder; the file itself is safe
            folder = os.open(file.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
