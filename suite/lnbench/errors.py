"""The errors a user may see: one class each, with its exit code. Everything else is a bug and shows a traceback."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path


class Exit(IntEnum):
    """Exit codes of the command line, in the order in which the first that applies wins."""

    USAGE = 2  # wrong call (a folder that does not exist, too), or a spec that is not valid
    RUN_FAILED = 3
    UNUSABLE = 6  # data, a report or a store: missing, damaged, or of no use here
    NOTHING_SELECTED = 5
    CONTRADICTED = 1  # a claim is contradicted or failed, or smoke-fail
    DIFFERS = 7  # a run trained again differs from its record (audit), or a store from its ledger (store check)
    INCONCLUSIVE = 4
    OK = 0
    # what follows says nothing about a claim, and is no other outcome's code
    CRASHED = 70  # EX_SOFTWARE: a bug of ours, or no memory left
    UNWRITABLE = 74  # EX_IOERR: standard output takes nothing
    TIME_OVER = 75  # EX_TEMPFAIL: the time of --until is over, and the same command goes on
    INTERRUPTED = 130
    PIPE_CLOSED = 141  # 128 + SIGPIPE: whoever read the output has gone


class LnbenchError(Exception):
    """Something the user can fix. `str(error)` says what is wrong, where, and what to do."""

    exit_code: Exit = Exit.USAGE


class StoreError(LnbenchError):
    """The store cannot be read or written."""

    exit_code = Exit.UNUSABLE


class DataError(LnbenchError):
    """A data set is missing, damaged, or cannot be fetched."""

    exit_code = Exit.UNUSABLE


class NoSuchData(DataError):
    """What a user named does not exist: a folder, a file, or a data set."""

    exit_code = Exit.USAGE


class NoSuchReport(StoreError):
    """There is no folder where a user said that a report is."""

    exit_code = Exit.USAGE


def visible(text: str, *, keep: str = "") -> str:
    """Return the text with every character escaped that a terminal obeys and does not show: control characters, those
    that change the direction of writing, line separators, surrogates. `keep`: those that stay, such as a line's end."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(one if one in keep or not unseen(one) else _escaped(one) for one in text)


def unseen(character: str) -> bool:
    """Return whether a character is obeyed and not shown. A joiner, which scripts need, is not one of these."""
    return unicodedata.category(character) in _UNSEEN and character not in "\u200c\u200d"


_UNSEEN = ("Cc", "Cf", "Zl", "Zp", "Cs")  # control, format, line and paragraph separators, surrogates


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


# in the text of a RuntimeError like any other: the CPU's allocator, CUDA outside torch's allocator, CUDA's libraries
_NO_MEMORY = ("can't allocate memory", "CUDA error: out of memory", "_STATUS_ALLOC_FAILED", "CUFFT_ALLOC_FAILED")


def out_of_memory(error: BaseException) -> bool:
    """Return whether it is an error of memory, a GPU's, Python's or the CPU allocator's, or one that hides such an
    error: where memory runs out while a CUDA graph is recorded, the end of the recording raises an error of its own."""
    for _ in range(10):  # of a chain that is no circle
        names = {kind.__name__ for kind in type(error).__mro__}
        if names & {"MemoryError", "OutOfMemoryError"} or any(words in str(error) for words in _NO_MEMORY):
            return True
        before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if before is None:
            return False
        error = before
    return False


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in one file. Lines and columns count from 1; line 0 means the file as a whole."""

    path: Path
    line: int
    column: int
    what: str
    severity: str = "error"  # or "warning"

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}" if self.line else f"{self.path}"
        what = (
            self.what if len(self.what) <= LONGEST_LINE else f"{self.what[: LONGEST_LINE - 200]} … {self.what[-150:]}"
        )
        return visible(f"{place}: {'warning: ' if self.severity == 'warning' else ''}{what}")


LONGEST_LINE = 1_000  # characters of what is said of one problem; names and values in it may be of any length
MOST_SHOWN = 50  # problems in one message: who mends these sees the next ones


class SpecError(LnbenchError):
    """All that is wrong with one or more files, one line each, and a count of those that are too many to be shown."""

    def __init__(self, problems: list[Problem]):
        self.problems = sorted(set(problems))
        shown, more = self.problems[:MOST_SHOWN], len(self.problems) - MOST_SHOWN
        lines = [str(problem) for problem in shown]
        if more > 0:
            lines.append(
                f"{visible(str(shown[-1].path))}: and {more} more problem{'s' if more > 1 else ''} after these"
            )
        super().__init__("\n".join(lines))


MOST_COMPARED = 1_000  # names with which a word is compared: thousands take seconds, for each word
MOST_LISTED = 12  # names in a hint: a screenful, not the whole of a long file


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "known") -> str:
    """Return `did you mean 'seeds'?`, or a list of what is known where no name is close."""
    names = list(known)
    many = len(names) > MOST_COMPARED
    names = names if many else sorted(names)
    # A word far longer than every name is near none of them, and comparing it would take long.
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6) if len(word) <= 100 and not many else []
    near = near or [name for name in names if len(word) > 1 and name.startswith(word)]
    if near:
        return f"did you mean '{near[0]}'?"
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return f"{otherwise}: {', '.join(names[:MOST_LISTED])}{more}" if names else "none is defined"
