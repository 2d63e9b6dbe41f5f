"""Files that anybody may have made, and paths that anybody may have typed: read whole within a bound, or one line.

What is no regular file is never opened: a pipe would be waited for, a device read without end.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from pathlib import Path
from typing import IO, Any

MOST_BYTES = 64 << 20  # of a file that is read whole; our largest JSON has under 3 MB

_HUGE = re.compile(rb"(?<=[\s:,\[-])\d{41,}")  # whole numbers that are no float's: arithmetic with them fails late
_REASONS = {
    errno.ENAMETOOLONG: "the path is too long",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.ENOTDIR: "a part of the path is a file, where a folder is needed",
    errno.EISDIR: "it is a folder, where a file is needed",
    errno.ELOOP: "its links lead in a circle",
    errno.EROFS: "the disk may only be read",
    errno.ENOENT: "no such file or folder",
}
_OF_A_PATH = set(_REASONS) - {errno.ENOENT}  # that is missing, a bug of ours may have asked for


class Unreadable(ValueError):
    """A file that cannot be read, or is not what it should be; the message says why, without the path."""


class Missing(Unreadable):
    """There is no such file."""


class Denied(Unreadable):
    """The system does not let it be read, whatever it is."""


def reason(error: OSError | ValueError) -> str:
    """Return in a few words why the system does not take a path. A ValueError is Python's, of a path with a NUL."""
    if not isinstance(error, OSError):
        return "the path holds a NUL, which no path can"
    return _REASONS.get(error.errno or 0) or error.strerror or str(error)


def refused_path(error: Exception) -> str:
    """Return what is wrong with a path that the system has refused, with the path; "" for any other error."""
    if isinstance(error, OSError) and error.filename is not None and error.errno in _OF_A_PATH:
        return f"{shown(error.filename)}: {reason(error)}"
    if isinstance(error, ValueError) and "null byte" in str(error):
        return reason(error)
    if isinstance(error, RuntimeError) and "Symlink loop" in str(error):  # pathlib's
        return f"{error}"
    return ""


def shown(path: object) -> str:
    """Return a path for a message: one that is too long to be read, or has signs that cannot be shown, is cut and
    escaped."""
    text = str(path)
    return text if len(text) <= 300 and text.isprintable() else f"{ascii(text[:100])[1:-1]}…"


def kind_of(path: Path) -> str:
    """Return what lies at a path: "file", "folder", "nothing", or "other" (a pipe, a device, a socket). Raises Denied
    where the system does not take the path."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "nothing"
    except (OSError, ValueError) as error:
        raise Denied(reason(error)) from None
    return "file" if stat.S_ISREG(mode) else "folder" if stat.S_ISDIR(mode) else "other"


def open_file(path: Path) -> IO[bytes]:
    """Open a regular file to read. Raises Missing, Denied, or Unreadable for what is no such file."""
    found = kind_of(path)
    if found == "nothing":
        raise Missing("no such file")
    if found != "file":
        raise Unreadable(_REASONS[errno.EISDIR] if found == "folder" else "a pipe or a device, and not a file")
    try:
        # without waiting, should another process have put a pipe there since
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Missing("no such file") from None
    except OSError as error:
        raise Denied(reason(error)) from None
    return os.fdopen(descriptor, "rb")


def bytes_of(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return a file's bytes. Raises Missing, Denied, or Unreadable, also where it has more than `most` of them."""
    with open_file(path) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            data = file.read(most + 1) if size <= most else b""
        except OSError as error:
            raise Denied(reason(error)) from None
    if max(size, len(data)) > most:
        raise Unreadable(f"it has {max(size, len(data)):,} bytes; at most {most:,} are read")
    return data


def text_of(path: Path, most: int = MOST_BYTES) -> str:
    """Return a file's text. Raises Missing or Unreadable."""
    try:
        return bytes_of(path, most).decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("not text in UTF-8") from None


def json_of(path: Path, most: int = MOST_BYTES) -> Any:
    """Return what a JSON file holds: every number finite, every text whole. Raises Missing or Unreadable."""
    return parsed(bytes_of(path, most))


def parsed(raw: str | bytes) -> Any:
    """Return what JSON text holds: every number finite, every text whole, at most 200 levels deep. Raises
    Unreadable."""
    value = parsed_quickly(raw)
    text = raw.encode() if isinstance(raw, str) else raw
    if _HUGE.search(text):
        raise Unreadable("a number in it has more than 40 digits")
    try:
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        raise Unreadable("a number in it is not finite") from None
    return value


def parsed_quickly(raw: str | bytes) -> Any:
    """Return the same without looking for numbers such as 1e999, which are read as infinite."""
    from pydantic_core import from_json

    try:
        return from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise Unreadable(f"not JSON ({error})") from None
