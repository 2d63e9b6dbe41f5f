"""The picture of the front page: each headline claim that was judged, as an interval against the range that is
required, on an axis of its own. SVG as text, so that the same reports give the same bytes on every machine."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from html import escape

from lnbench.drawing import GREY, INK, REGION
from lnbench.report.figures.forest import limits
from lnbench.report.headlines import Headline, comparisons, weakest
from lnbench.report.plain import Json
from lnbench.report.units import Shown, shown
from lnbench.verdict import Verdict

# All in pixels, from the left: text, axis, text.
WIDTH, TEXT, AXIS, WORDS = 940, 20, (330, 620), 650
TOP, ROW, BOTTOM = 30, 76, 40
LABEL_LETTERS, WORDS_LETTERS = 44, 42
EDGE = "#4C8DB8"
LETTER = 6.0  # pixels, of a label on an axis, in the mean


def headlines_svg(found: Sequence[Headline]) -> str:
    """Return the picture as SVG; "" where no headline claim has a number to draw."""
    rows = [(one, pair) for one in found if (pair := weakest(one)) is not None]
    if not rows:
        return ""
    height = TOP + ROW * len(rows) + BOTTOM
    title = "Headline claims: what was measured, against what is required"
    spoken = "; ".join(
        f"{one.id} {_verdict(one).words}, {one.scale}: {' '.join(_words(part, member))}" for one, (part, member) in rows
    )
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'role="img" aria-labelledby="title desc" '
        'font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(spoken)}</desc>',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="white"/>',
    ]
    for number, (one, (part, member)) in enumerate(rows):
        lines += _row(one, part, member, TOP + ROW * number, last=number == len(rows) - 1)
    lines += [*_legend(height - 16), "</svg>"]
    return "\n".join(lines) + "\n"


def _verdict(one: Headline) -> Verdict:
    assert one.claim is not None
    return Verdict(one.claim["verdict"])


def _words(part: Json, member: Json) -> list[str]:
    """Return what was measured, and what is required, in words."""
    view = shown(part, member)
    interval = f" {view.interval_words()}" if view.interval else ""
    return [f"{view.effect_words()}{interval}", f"required: {view.region_words()}"]


def _row(one: Headline, part: Json, member: Json, top: int, last: bool) -> list[str]:
    verdict, view = _verdict(one), shown(part, member)
    assert one.claim is not None
    many = comparisons(one.claim)
    about = [part["effect"]["metric_words"], member["label"]]
    wrapped = [_cut(textwrap.wrap(words, LABEL_LETTERS), most) for words, most in zip(about, (1, 2), strict=True)]
    says = [line for lines in wrapped for line in lines]
    scale = f'<tspan font-weight="400" font-size="12" fill="{GREY}" dx="8">{escape(one.scale)}</tspan>'
    lines = [_text(TEXT, top + 4, one.id, size=14, bold=True, then=scale)]
    lines += [
        _text(TEXT, top + 21 + 14 * i, line, color=GREY if i >= len(wrapped[0]) else INK) for i, line in enumerate(says)
    ]
    lines.append(_text(WORDS, top + 4, verdict.words, color=verdict.colour, size=14, bold=True))
    measured = [line for words in _words(part, member) for line in textwrap.wrap(words, WORDS_LETTERS)[:1]]
    measured += [f"the least sure of {many} comparisons"] if many > 1 else []
    lines += [_text(WORDS, top + 21 + 15 * i, line) for i, line in enumerate(measured)]
    lines += _axis(view, member, verdict, top)
    if not last:
        y = top + ROW - 14
        lines.append(f'<line x1="{TEXT}" x2="{WIDTH - TEXT}" y1="{y}" y2="{y}" stroke="#E3E3E3"/>')
    return lines


def _axis(view: Shown, member: Json, verdict: Verdict, top: int) -> list[str]:
    """Return the axis of a row: the required range as a band, its edges with their numbers, seeds, interval, effect."""
    censored = member.get("censored", [])
    low, high = limits(view, [view.unit.of(one["limit"]) for one in censored])

    def at(x: float) -> float:
        share = (min(max(x, low), high) - low) / (high - low)
        return round(AXIS[0] + share * (AXIS[1] - AXIS[0]), 1)

    start, end = at(view.region[0]), at(view.region[1])
    y, base = top + 12, top + 36
    lines = [f'<rect x="{start}" y="{top - 8}" width="{round(end - start, 1)}" height="44" fill="{REGION}"/>']
    lines.append(f'<line x1="{AXIS[0]}" x2="{AXIS[1]}" y1="{base}" y2="{base}" stroke="{GREY}" stroke-width="0.8"/>')
    for edge in view.edges:
        lines.append(f'<line x1="{at(edge)}" x2="{at(edge)}" y1="{top - 8}" y2="{base}" stroke="{EDGE}"/>')
    labels = _apart([(at(edge), view.unit.edge(edge)) for edge in view.edges], view.unit.name)
    lines += [_text(x, base + 14, words, size=11, anchor="middle") for x, words in labels]
    for value, dead in zip(view.values, member["collapsed"], strict=False):
        if value is not None:
            lines.append(_cross(at(value), base - 6) if dead else _ring(at(value), base - 6))
    if view.interval:
        a, b = map(at, view.interval)
        lines.append(f'<line x1="{a}" x2="{b}" y1="{y}" y2="{y}" stroke="{verdict.colour}" stroke-width="4"/>')
        lines += [
            f'<line x1="{x}" x2="{x}" y1="{y - 6}" y2="{y + 6}" stroke="{verdict.colour}" stroke-width="2"/>'
            for x in (a, b)
        ]
    if view.effect is not None:
        lines.append(_mark(verdict, at(view.effect), y))
    return lines


def _apart(labels: list[tuple[float, str]], unit: str) -> list[tuple[float, str]]:
    """Return the labels of a region's edges, two that would touch as one between them: `−2 to 2 points`."""
    if len(labels) != 2:
        return labels
    (left, first), (right, second) = labels
    if right - left > LETTER * (len(first) + len(second)) / 2 + LETTER:
        return labels
    return [(round((left + right) / 2, 1), f"{first.removesuffix(unit).rstrip()} to {second}")]


def _mark(verdict: Verdict, x: float, y: float) -> str:
    """Return the mark of an effect: its form tells the verdict too, not its colour alone."""
    style = f'fill="{verdict.colour}" stroke="white"'
    forms = {
        "o": f'<circle cx="{x}" cy="{y}" r="6" {style}/>',
        "D": _polygon(style, x, y, (0, -8), (8, 0), (0, 8), (-8, 0)),
        "v": _polygon(style, x, y, (-7, -6), (7, -6), (0, 7)),
        "^": _polygon(style, x, y, (-7, 6), (7, 6), (0, -7)),
        "X": _polygon(
            style, x, y, (-4, -7), (0, -3), (4, -7), (7, -4), (3, 0), (7, 4), (4, 7), (0, 3), (-4, 7), (-7, 4), (-3, 0),
            (-7, -4),
        ),
    }  # fmt: skip
    return forms.get(verdict.marker, f'<rect x="{x - 6}" y="{y - 6}" width="12" height="12" {style}/>')


def _polygon(style: str, x: float, y: float, *corners: tuple[float, float]) -> str:
    points = " ".join(f"{round(x + dx, 1)},{round(y + dy, 1)}" for dx, dy in corners)
    return f'<polygon points="{points}" {style}/>'


def _ring(x: float, y: float) -> str:
    return f'<circle cx="{x}" cy="{y}" r="3" fill="none" stroke="{INK}"/>'


def _cross(x: float, y: float) -> str:
    return f'<path d="M{x - 3},{y - 3}l6,6m0,-6l-6,6" stroke="{INK}"/>'


def _legend(y: int) -> list[str]:
    """Return what the signs mean, on one line."""
    lines = [f'<rect x="{TEXT}" y="{y - 10}" width="24" height="12" fill="{REGION}" stroke="{EDGE}"/>']
    lines.append(_text(TEXT + 32, y, "required", size=12))
    lines.append(f'<line x1="120" x2="156" y1="{y - 4}" y2="{y - 4}" stroke="{INK}" stroke-width="4"/>')
    lines.append(f'<circle cx="138" cy="{y - 4}" r="6" fill="{INK}" stroke="white"/>')
    lines.append(_text(164, y, "measured, with its interval", size=12))
    lines += [_ring(352, y - 4), _text(362, y, "one seed", size=12)]
    lines += [_cross(436, y - 4), _text(446, y, "a collapsed run", size=12)]
    return lines


def _cut(lines: list[str], most: int) -> list[str]:
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1][: LABEL_LETTERS - 1] + "…"]


def _text(
    x: float,
    y: float,
    words: str,
    color: str = INK,
    size: int = 12,
    bold: bool = False,
    anchor: str = "start",
    then: str = "",
) -> str:
    """Return a line of text; `then`: SVG that follows the words on the same line."""
    weight = ' font-weight="600"' if bold else ""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{color}"{weight}{place}>{escape(words)}{then}</text>'
