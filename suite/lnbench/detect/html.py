"""page.html: one page that needs nothing else: the suspects with thumbnails, by given and preferred class.

Nothing on it is loaded from anywhere, and its policy forbids that: pictures are data of the page, its script is known
by its hash. Names are text. Without a script it is the same page, in the order of the ranking.
"""

from __future__ import annotations

import base64
import hashlib
import io
import math
from html import escape
from typing import Any

import numpy as np

from lnbench.detect.data import Labelled
from lnbench.detect.figures import gain_of, seen
from lnbench.detect.page import suspects_counted, word
from lnbench.detect.page_parts import SCRIPT, STYLE
from lnbench.detect.scoring import Scores
from lnbench.detect.wording import counted
from lnbench.errors import visible

MOST_THUMBNAILS = 300
THUMBNAIL = 96  # pixels of a side, at most
MOST_BYTES = 3 << 20  # of all pictures: a page opens in a moment
MOST_ROWS = 1_000  # of the table of suspects
MOST_NAMED = 120  # letters of a name that are shown; a title has all
MOST_CLASSES = 20  # of a whole table of given against preferred
Json = dict[str, Any]


def page(result: Json, data: Labelled, scores: Scores) -> bytes:
    """Return the page."""
    source = _text(result["data"]["source"])
    learnt = result["learnt"] is None or result["learnt"]["shown"]
    parts = [
        f"<h1>Likely label errors in {source}</h1>",
        _summary(result, learnt),
        _list(_text(note) for note in result["notes"]),
        _controls() if data.pictured else "",
        *(_groups(result, data, scores) if data.pictured else []),
        _matrix(result) if learnt else "",
        _table(result, data, scores),
        f"<p>Look before you delete: hard, rare and ambiguous {word(result)}s with right labels rank high, too, and "
        "errors with a system (a class that is wrong throughout) do not. <code>report.md</code> says what was done and "
        "what cannot be found; <code>scores.csv</code> has every one.</p>",
    ]
    policy = f"default-src 'none'; img-src data:; style-src '{_hash(STYLE)}'; script-src '{_hash(SCRIPT)}'"
    head = (
        f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Label errors: {source}</title><style>{STYLE}</style>"
    )
    body = "\n".join(part for part in parts if part)
    whole = f"<head>{head}</head>\n<body>\n{body}\n<script>{SCRIPT}</script>\n</body>"
    text = f'<!DOCTYPE html>\n<html lang="en">{whole}</html>\n'
    return text.encode(errors="replace")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _text(name: str, most: int | None = None) -> str:
    """Return a name as text of the page, with what cannot be seen of it as escapes."""
    shown = visible(name)
    if most is not None and len(shown) > most:
        shown = f"{shown[: most // 2]}…{shown[-most // 2 :]}"
    return escape(shown)


def _list(items: Any) -> str:
    rows = [f"<li>{item}</li>" for item in items]
    return f"<ul>{''.join(rows)}</ul>" if rows else ""


def _summary(result: Json, learnt: bool) -> str:
    count, noise = result["data"]["images"], result["noise"]
    of = f"{counted(count, word(result))} of {len(result['classes'])} classes"
    what = f"{of}, ranked by how hard their labels were to learn."
    if not learnt:
        return f"<p>{what} <b>It is not shown that the classes were learnt, so nothing is said of any label.</b></p>"
    if result["overruled"]:
        share = f"{100 * result['overruled']:.1f} %"
        why = "they learnt too little, or most labels are wrong"
        most = f"The networks preferred another class for {share} of the labels"
        return f"<p>{what} <b>{most}: {why}; none is accused.</b></p>"
    rule = f"<b>{suspects_counted(result)}</b> ({_text(result['suspect_rule'])})."
    if noise is None:
        return f"<p>{what} {rule} The scores form one group: no share of wrong labels is estimated.</p>"
    low, high, estimate = (f"{100 * noise[key]:.1f} %" for key in ("low", "high", "estimate"))
    about = f"About {estimate} of the labels seem wrong ({100 * noise['level']:.0f} % interval {low} to {high})."
    return f"<p>{what} {rule} {about} The interval does not cover the method's own bias.</p>"


def _controls() -> str:
    keys = (("rank", "rank"), ("aum", "AUM"), ("sure", "probability of the preferred class"), ("name", "name"))
    options = "".join(f'<option value="{key}">{words}</option>' for key, words in keys)
    return (
        f'<p class="controls"><label>Sort by <select id="sort">{options}</select></label> '
        '<label>Show names with <input id="find" type="search"></label></p>'
    )


def _groups(result: Json, data: Labelled, scores: Scores) -> list[str]:
    """Return a section for each pair of given and preferred class among the first suspects, the largest first."""
    suspects, order, preferred = scores.suspects(), scores.order, scores.preferred
    top = result["options"]["top"]
    chosen = [int(one) for place, one in enumerate(order) if suspects[one] or place < top]
    pairs: dict[tuple[int, int], list[int]] = {}
    for one in chosen:
        given = int(data.labels[one])
        pairs.setdefault((given, given if preferred is None else int(preferred.label[one])), []).append(one)
    pictures, spent, gain = {}, 0, gain_of(data)
    for one in chosen[:MOST_THUMBNAILS]:
        picture = _thumbnail(data, one, gain)
        spent += len(picture)
        if spent > MOST_BYTES:
            break
        pictures[one] = picture
    part = f"{len(pictures):,} of " if len(pictures) < len(chosen) else ""
    shown = part + counted(len(chosen), "image")
    sections = [
        f"<h2>The most suspect images, by given and preferred class</h2><p>{shown}: the suspects and the first "
        f"{top} ranks. A picture is framed where its label is suspect; hover for its name and numbers.</p>"
    ]
    for (given, other), members in sorted(pairs.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        own = [one for one in members if one in pictures]
        if not own:
            continue
        names = _text(data.classes[given], MOST_NAMED), _text(data.classes[other], MOST_NAMED)
        title = f"{names[0]} → {names[1]}" if given != other else f"{names[0]} (preferred, too)"
        if preferred is None:
            title = names[0]
        count = f"{len(own):,} of {len(members):,}" if len(own) < len(members) else f"{len(own):,}"
        figures = "".join(_figure(data, scores, one, pictures[one], bool(suspects[one])) for one in own)
        sections.append(f'<section><h3>{title} <small>{count}</small></h3><div class="grid">{figures}</div></section>')
    return sections


def _figure(data: Labelled, scores: Scores, one: int, picture: str, suspect: bool) -> str:
    name, numbers = data.names[one], _numbers(scores, one)
    sure = 0.0 if scores.preferred is None else float(scores.preferred.confidence[one])
    aum = float(scores.aum[one]) if scores.has_margins else 0.0
    keys = f'data-rank="{scores.rank[one]}" data-aum="{aum:.6g}" data-sure="{-sure:.6g}" data-name="{_text(name)}"'
    alt = f"{_text(name, MOST_NAMED)}, labelled {_text(data.classes[data.labels[one]], MOST_NAMED)}"
    return (
        f'<figure {keys}{" class=suspect" if suspect else ""} title="{_text(name)}&#10;{escape(numbers)}">'
        f'<img loading="lazy" decoding="async" width="{THUMBNAIL}" height="{THUMBNAIL}" alt="{alt}" src="{picture}">'
        f"<figcaption>{scores.rank[one]} · {_text(name, 24)}</figcaption></figure>"
    )


def _numbers(scores: Scores, one: int) -> str:
    words = [f"rank {scores.rank[one]}", f"AUL {scores.aul[one]:.2f}"]
    if scores.has_margins:
        words.append(f"AUM {scores.aum[one]:.2f}")
    if scores.preferred is not None:
        words.append(
            f"given class {scores.preferred.of_given[one]:.2f}, preferred {scores.preferred.confidence[one]:.2f}"
        )
    return ", ".join(words)


def _thumbnail(data: Labelled, one: int, gain: float) -> str:
    """Return the picture as an address of data: small ones as they are, others as JPEG."""
    from PIL import Image

    pixels = seen(data, one, gain, THUMBNAIL)
    buffer = io.BytesIO()
    small = max(pixels.shape[:2]) <= 40
    Image.fromarray(pixels).save(buffer, "PNG" if small else "JPEG", **({} if small else {"quality": 80}))
    return f"data:image/{'png' if small else 'jpeg'};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _matrix(result: Json) -> str:
    """Return the table of given labels (rows) against preferred ones; of many classes, the largest pairs only."""
    counts = result["given_against_preferred"]
    if counts is None:
        return ""
    names = [_text(one["name"], 30) for one in result["classes"]]
    table = np.array(counts, dtype=np.int64)
    head = "<h2>Given labels (rows) against preferred ones</h2>"
    if len(names) > MOST_CLASSES:
        off = table - np.diag(np.diag(table))
        pairs = [divmod(int(place), len(names)) for place in np.argsort(-off, axis=None, kind="stable")[:40]]
        rows = [f"<tr><td>{names[a]}<td>{names[b]}<td>{off[a, b]:,}<td>{off[b, a]:,}" for a, b in pairs if off[a, b]]
        columns = "<tr><th>given<th>preferred<th>images<th>the other way round"
        return f"{head}<table>{columns}{''.join(rows)}</table>"
    most = max(1, int((table - np.diag(np.diag(table))).max()))
    lines = []
    for a, name in enumerate(names):
        cells = "".join(
            f'<td class="{"own" if a == b else f"h{math.ceil(4 * table[a, b] / most)}"}">{table[a, b]:,}'
            for b in range(len(names))
        )
        lines.append(f"<tr><th>{name}{cells}")
    columns = "".join(f"<th>{name}" for name in names)
    return f'{head}<div class="wide"><table><tr><th>{columns}{"".join(lines)}</table></div>'


def _table(result: Json, data: Labelled, scores: Scores) -> str:
    """Return the table of the suspects and the first ranks; a click on a heading sorts it."""
    suspects, preferred, top = scores.suspects(), scores.preferred, result["options"]["top"]
    chosen = [int(one) for place, one in enumerate(scores.order) if suspects[one] or place < top]
    rows = []
    for one in chosen[:MOST_ROWS]:
        suggested = "" if preferred is None else _text(data.classes[preferred.label[one]], MOST_NAMED)
        sure = "" if preferred is None else f"{preferred.confidence[one]:.2f}"
        aum = f"{scores.aum[one]:.2f}" if scores.has_margins else ""
        wrong = "" if scores.probability is None else f"{scores.probability[one]:.2f}"
        name, given = (_text(text, MOST_NAMED) for text in (data.names[one], data.classes[data.labels[one]]))
        suspect = "yes" if suspects[one] else "no"
        cells = [str(scores.rank[one]), name, given, suggested, sure, suspect, f"{scores.aul[one]:.2f}", aum, wrong]
        rows.append("<tr>" + "".join(f"<td>{cell}" for cell in cells))
    head = "".join(
        f"<th>{word}"
        for word in ("rank", "name", "given", "preferred", "its probability", "suspect", "AUL", "AUM", "P(wrong)")
    )
    more = f"<p>The first {MOST_ROWS:,} of {len(chosen):,}; all are in <code>suspects.csv</code>.</p>"
    table = f'<table id="suspects"><thead><tr>{head}<tbody>{"".join(rows)}</table>'
    return f"<h2>Suspects, and the first ranks</h2>{more if len(chosen) > MOST_ROWS else ''}{table}"
