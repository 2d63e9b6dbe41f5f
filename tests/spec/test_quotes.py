"""Every quote of a claim or a reference stands in the paper, character by character, where the papers' text is at hand.

`LNBENCH_PAPERS` names a folder with the papers as text (.txt or .md): `rolnick2018.txt`, or several files that begin
with the paper's id. A paper without a file of its own is looked for in all files. Quotes of authors' code (a README, a
notebook) are looked for in `PAPER-code.txt` (or .md), and are left out where there is none.

Typography is folded on both sides: what a PDF, an editor or a type-setter changes, and no word.
"""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lnbench.yamlfile import reader

ROOT = Path(__file__).parents[2]
PAPERS = os.environ.get("LNBENCH_PAPERS", "")
OWN = "lnbench"  # what lnbench says of itself is no paper

FOLDED = str.maketrans({
    **dict.fromkeys("‘’‚‛′`´", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff*$", None),  # soft hyphens, no-width characters; mark-up
    **dict.fromkeys("∼˜", "~"),
})  # fmt: skip
MACROS = {
    "alpha": "α", "beta": "β", "delta": "δ", "epsilon": "ε", "eta": "η", "theta": "θ", "lambda": "λ", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "approx": "≈", "ge": "≥", "geq": "≥", "le": "≤", "leq": "≤", "pm": "±", "times": "×",
    "sim": "~", "ldots": "…", "dots": "…", "textendash": "-", "textemdash": "-",
    **dict.fromkeys(("mathcal", "mathrm", "mathbf", "text", "emph", "textit", "textbf", "left", "right", "quad"), ""),
}  # fmt: skip
CUT = re.compile(r"\s*(?:\[\s*(?:…|\.\.\.)\s*\]|…|\.\.\.)\s*")


class Quote(NamedTuple):
    """A quote, whose it is, and where it stands in our files."""

    paper: str
    of_code: bool
    place: str
    text: str


def folded(text: str) -> str:
    """Return a text without typography: straight quotes, one kind of dash, no ligatures, no hyphens within a word or at
    the end of a line, single spaces, none next to signs, and simple mathematics as plain characters."""
    text = re.sub(r"\\([A-Za-z]+) ?", lambda found: MACROS.get(found[1], found[0]), text)
    text = re.sub(r"\\([()%&#_{}\[\],;!])", lambda found: found[1] if found[1] in "%&#_" else "", text)
    text = CUT.sub(" … ", text)  # before "…" becomes three points
    text = "…".join(unicodedata.normalize("NFKC", part) for part in text.split("…"))
    text = re.sub(r"-{2,3}", "-", text.translate(FOLDED)).replace("''", '"')
    text = re.sub(r"[{}]", "", text)
    text = re.sub(r"(?<=[^\W\d_])-\s*\n?\s*(?=[^\W\d_])", lambda found: "" if _joins(found[0]) else found[0], text)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r" ?([-=<>≈≥≤±×+/]) ?", r"\1", text)
    return re.sub(r" (?=[,.;:!?%)\]])|(?<=[(\[]) ", "", text).strip()


def _joins(hyphen: str) -> bool:
    """Return whether a hyphen between letters is part of a word: it is, unless spaces make it a dash."""
    return hyphen == "-" or "\n" in hyphen


def pieces(quote: str) -> list[str]:
    """Return what a quote has between its cuts ("…"), folded."""
    return [piece for part in CUT.split(quote) if (piece := folded(part))]


def first_difference(quote: str, text: str) -> str | None:
    """Return the first piece of a quote that does not stand in the folded text, behind the pieces before it; None where
    all do, in their order and as whole words."""
    start = 0
    for piece in pieces(quote):
        found = re.compile(rf"(?<!\w){re.escape(piece)}(?!\w)").search(text, start)
        if found is None:
            return piece
        start = found.end()
    return None


def quotes_of(path: Path) -> list[Quote]:
    """Return the quotes of a study file or of a baseline."""
    tree: Any = reader.read(path)[0]
    if tree["paper"] == OWN:
        return []
    named = [(name, one) for name, one in tree["references"].items()] if "references" in tree else []
    named += [(claim["id"], claim) for claim in tree.get("claims") or ()]
    return [
        Quote(tree["paper"], _of_code(one), f"{path.name}, {name}", one["quote"])
        for name, one in named
        if one.get("quote")
    ]  # fmt: skip


def _of_code(one: Any) -> bool:
    said = (one.get("source"), one.get("standing"), (one.get("where") or {}).get("section"))
    return bool({"repository", "authors_code", "README", "notebook"} & set(said))


def text_of(paper: str, folder: Path, *, code: bool = False) -> str | None:
    """Return the folded text of a paper, or of its authors' code; None where the folder has none."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".txt", ".md")]
    own = [path for path in files if path.name.startswith(paper)]
    of_code = [path for path in own if path.stem == f"{paper}-code"]
    chosen = of_code if code else [path for path in own if path not in of_code] or files
    return folded("\n\n".join(path.read_text(encoding="utf-8") for path in chosen)) if chosen else None


def every_quote() -> list[Quote]:
    """Return all quotes of the committed files."""
    files = [*sorted((ROOT / "claims").glob("*.yaml")), *sorted((ROOT / "baselines").glob("*.yaml"))]
    return [quote for path in files for quote in quotes_of(path)]


WHOSE = sorted({(quote.paper, quote.of_code) for quote in every_quote()})


@pytest.mark.skipif(not PAPERS, reason="LNBENCH_PAPERS names no folder with the papers' text")
@pytest.mark.parametrize(("paper", "of_code"), WHOSE, ids=lambda one: one if isinstance(one, str) else "code" * one)
def test_every_quote_stands_in_the_paper(paper: str, of_code: bool) -> None:
    text = text_of(paper, Path(PAPERS), code=of_code)
    if text is None:
        assert of_code, f"no .txt or .md in {PAPERS}"
        pytest.skip(f"no {paper}-code.txt or .md in LNBENCH_PAPERS")
    differ = [
        f"{quote.place}: {quote.text!r} has {piece!r}"
        for quote in every_quote()
        if (quote.paper, quote.of_code) == (paper, of_code)
        and (piece := first_difference(quote.text, text)) is not None
    ]
    assert not differ, f"{len(differ)} quotes do not stand in the text:\n" + "\n".join(differ)


# ---- the folding itself, which needs no papers


@pytest.mark.parametrize(
    ("printed", "quote"),
    [
        ("the ‘Net’ and “its” noise", "the 'Net' and \"its\" noise"),
        ("``its'' noise", '"its" noise'),
        ("around 60% to 70% — or 1–2, at −3", "around 60% to 70% - or 1-2, at -3"),
        ("pages 1--2", "pages 1–2"),
        ("su\ufb03cient e\ufb00ect of the \ufb01rst \ufb02ip", "sufficient effect of the first flip"),
        ("the optimal learn-\ning rate", "the optimal learning rate"),
        ("class-\ndependent noise", "class-dependent noise"),
        ("a label\n  of\u00a0an image", "a label of an image"),
        ("at most 90 % (or 80 %) , say", "at most 90% (or 80%), say"),
        ("at $\\alpha = 10$, $1-\\mathcal{O}(1/m)$", "at α = 10, 1 − O(1/m)"),
        ("\\(\\delta \\approx 1\\)", "δ ≈ 1"),
        ("\U0001d6fc=10", "α = 10"),
        ("for *all* the **neurons**", "for all the neurons"),
        ("about 1.5\\%", "about 1.5%"),
    ],
)
def test_typography_is_folded(printed: str, quote: str) -> None:
    assert first_difference(quote, folded(printed)) is None


@pytest.mark.parametrize(
    ("printed", "quote"),
    [
        ("accuracy drops slightly", "accuracy drops"),
        ("noise has an effect, and", "noise has an effect"),
        ("it reaches 91%.", "it reaches 91%."),
        ("one two three four five", "one … three [...] five"),
        ("one two three", "… two three …"),
    ],
)
def test_a_part_of_a_sentence_is_a_quote(printed: str, quote: str) -> None:
    assert first_difference(quote, folded(printed)) is None


@pytest.mark.parametrize(
    ("printed", "quote", "piece"),
    [
        ("noise has an effect, and", "noise has an effect.", "noise has an effect."),  # an added full stop
        ("noise has a large effect", "noise has an effect", "noise has an effect"),
        ("it still attains 91%", "it attains 91%", "it attains 91%"),  # a dropped word
        ("it attains 91%", "it attains 90%", "it attains 90%"),
        ("We observe that it is", "we observe that", "we observe that"),
        ("the networks reach", "the network", "the network"),  # half a word
        ("three two one", "one … three", "three"),  # not in this order
        ("one two", "one … two … two", "two"),  # once only
        ("label noise", "label-noise", "labelnoise"),
        ("noise and data", "noise … ", None),
    ],
)
def test_what_differs_is_found(printed: str, quote: str, piece: str | None) -> None:
    assert first_difference(quote, folded(printed)) == piece


def test_quotes_are_found_in_studies_and_baselines_with_their_place(tmp_path: Path) -> None:
    study = tmp_path / "x.yaml"
    study.write_text(
        "paper: p2020\nclaims:\n  - {id: A-1, quote: one two, where: {section: '1'}}\n"
        "  - {id: A-2, where: {figure: 1}}\n  - {id: A-3, quote: three, where: {section: README}}\n"
    )
    assert quotes_of(study) == [
        Quote("p2020", False, "x.yaml, A-1", "one two"),
        Quote("p2020", True, "x.yaml, A-3", "three"),
    ]
    baseline = tmp_path / "p2020.yaml"
    baseline.write_text("paper: p2020\nreferences:\n  f/a: {quote: one, source: text}\n  f/b: {source: table}\n")
    assert quotes_of(baseline) == [Quote("p2020", False, "p2020.yaml, f/a", "one")]
    baseline.write_text("paper: lnbench\nclaims:\n  - {id: L-1, quote: ours}\n")
    assert quotes_of(baseline) == []


def test_a_papers_text_is_its_own_files_or_else_all(tmp_path: Path) -> None:
    for name, text in {
        "a2020.txt": "one",
        "a2020-appendix.md": "two",
        "a2020-code.md": "three",
        "z.txt": "four",
    }.items():
        (tmp_path / name).write_text(text)
    assert text_of("a2020", tmp_path) == "two one"
    assert text_of("a2020", tmp_path, code=True) == "three"
    assert text_of("b2021", tmp_path) == "two three one four"
    assert text_of("b2021", tmp_path, code=True) is None


def test_the_committed_files_have_quotes() -> None:
    found = every_quote()
    assert len(found) > 50
    assert {"rolnick2018", "zhang2026", "aul2020"} <= {quote.paper for quote in found}
    assert all(pieces(quote.text) for quote in found)
