"""Unpacking downloaded archives so that a file under its own name is always whole.

Each file is written beside its place under a temporary name, checked, and renamed: whoever looks sees no file
or the whole file, whatever kills us in between. Only the files that the data set lists are taken out of a
tar, as plain bytes: links, devices and paths that a hostile tar might hold are never created.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path
from typing import Protocol

from ..errors import DataError
from .sources import Archive, DataFile

CHUNK = 1 << 20  # bytes
PART = ".part"  # ends the name of every file that is not whole yet


class Readable(Protocol):
    """What gives bytes."""

    def read(self, size: int = -1, /) -> bytes: ...


def md5_of(path: Path) -> str:
    """MD5 of a file, hex: what torchvision publishes. It guards against damage, not against malice."""
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def unpack(archive: Archive, packed: Path, root: Path) -> None:
    """Write the members of `archive`, read from `packed`, below `root`, in place of what is there.

    Raises DataError when `packed` is not such an archive or a member is not what it should be, OSError when
    `root` cannot be written.
    """
    try:
        if archive.is_tar:
            _untar(archive, packed, root)
        else:
            with gzip.open(packed, "rb") as stream:
                _write(stream, archive.members[0], root, packed)
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError) as error:
        raise DataError(f"{packed} cannot be unpacked ({error}); delete it and fetch it again") from error


def _untar(archive: Archive, packed: Path, root: Path) -> None:
    wanted = {member.path: member for member in archive.members}
    with tarfile.open(packed, "r:gz") as tar:
        for entry in tar:
            member = wanted.pop(entry.name.removeprefix("./"), None)
            stream = tar.extractfile(entry) if member and entry.isreg() else None
            if member and stream:
                _write(stream, member, root, packed)
    if wanted:
        raise DataError(f"{packed} does not hold {', '.join(wanted)}; delete it and fetch it again")


def _write(stream: Readable, member: DataFile, root: Path, packed: Path) -> None:
    target = root / member.path
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=PART, dir=target.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(stream, file, CHUNK)
        if (found := md5_of(part)) != member.md5:
            wrong = f"{target.name} in {packed} has MD5 {found}, not {member.md5}"
            raise DataError(f"{wrong}; delete that archive and fetch it again")
        part.chmod(0o644)  # mkstemp makes it private; a data root is often shared
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
