"""Letters that a terminal, or a file in another encoding, does not have: written in plainer ones, never an error."""

from __future__ import annotations

import codecs
import contextlib
import io
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TextIO

PLAINER = {
    "–": "-", "—": "-", "−": "-", "×": "x", "·": " * ", "√": "sqrt ", "…": "...", "“": '"', "”": '"', "‘": "'",
    "’": "'", "→": "->", "←": "<-", "►": ">", "≥": ">=", "≤": "<=", "≠": "!=", "≈": "~", "±": "+/-", "½": "1/2",
    "∞": "inf", "†": "+", "◇": "<>", "§": "section ",
    "ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue",
    **{sign: f"^{digit}" for sign, digit in zip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789", strict=True)},
}  # fmt: skip
GREEK = re.compile("GREEK (SMALL|CAPITAL) LETTER ([A-Z]+)")
ERRORS = "lnbench.plainer"  # the name under which `codecs` knows it


def _plainer(error: UnicodeError) -> tuple[str, int]:
    """Return what is written in place of letters that an encoding lacks: plain ones, or their number as \\u2026."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_in_ascii, error.object[error.start : error.end])), error.end


def _in_ascii(sign: str) -> str:
    greek = GREEK.fullmatch(unicodedata.name(sign, ""))
    if greek:
        return greek[2].lower() if greek[1] == "SMALL" else greek[2].capitalize()
    base = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()  # a letter without its accents
    return PLAINER.get(sign) or base or sign.encode("ascii", "backslashreplace").decode()


codecs.register_error(ERRORS, _plainer)


@contextlib.contextmanager
def any_letter(streams: Iterable[TextIO | None]) -> Iterator[None]:
    """Let the streams take any text, inside this context."""
    before = [(stream, stream.errors) for stream in streams if isinstance(stream, io.TextIOWrapper)]
    for stream, _ in before:
        _take(stream, ERRORS)
    try:
        yield
    finally:
        for stream, errors in before:
            _take(stream, errors)


def _take(stream: io.TextIOWrapper, errors: str | None) -> None:
    with contextlib.suppress(OSError, ValueError):  # closed, or its reader has gone: whoever writes to it will see
        stream.reconfigure(errors=errors)


def encoding_shown(stream: TextIO) -> str:
    """Return the encoding that others are told of a stream. click takes one that says ASCII for a mistake, and writes
    around it, in UTF-8."""
    name = getattr(stream, "encoding", None) or "utf-8"
    with contextlib.suppress(LookupError):
        return "latin-1" if codecs.lookup(name).name == "ascii" else str(name)
    return str(name)
