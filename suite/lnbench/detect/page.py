"""report.md: one page, a function of result.json and of the first suspects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from lnbench.detect.data import Labelled
from lnbench.detect.scoring import Scores
from lnbench.detect.tables import AUM_RULE, BOTH_RULE, BY_HEART
from lnbench.detect.wording import counted
from lnbench.errors import visible

MOST_LISTED = 20  # skipped files, rows of the list of suspects
BY_HEART_WORDS = (
    "With a training accuracy of nearly 100 %, wrong labels, if there are any, were learnt by heart in the end: AUM "
    "and the estimate suffer first, the ranking hardly. Fewer `--epochs` help."
)
Json = dict[str, Any]


def report(result: Json, data: Labelled, scores: Scores) -> bytes:
    parts = [
        f"# Likely label errors in {escaped(result['data']['source'])}",
        _summary(result),
        *_notes(result),
        *(["![The most suspect images](contact_sheet.png)"] if data.pictured else []),
        _first(data, scores),
        "## How many labels are wrong?",
        _noise(result),
        "![How the scores are spread](histogram.png)",
        *_pairs(result),
        *_conflicts(result),
        "## By class",
        _classes(result),
        "## What was done",
        _done(result),
        "## What this cannot find",
        *_limits(result),
        "## How to go on",
        NEXT if result["runs"][0].get("id") else NEXT_OF_LOSSES,
        *_skipped(result),
    ]
    return ("\n\n".join(parts) + "\n").encode()


def _summary(result: Json) -> str:
    images, noise = result["data"]["images"], result["noise"]
    of = f"{counted(images, word(result))} of {len(result['classes'])} classes"
    found = f"{of} were ranked by how hard their labels were to learn"
    where = "`page.html` shows them, `scores.csv` has every one."
    if not _learnt(result):
        return (
            f"{found}. **It is not shown that the networks learnt the classes, so nothing is said of any label**: no "
            f"share, no suspects. {where}"
        )
    if result["overruled"]:
        return (
            f"{found}. **The networks preferred another class for {share(result['overruled'])} of the labels, so "
            f"nothing is said of any label**: they learnt too little, or most labels are wrong. {where}"
        )
    words = f"**{suspects_counted(result)}** (`suspects.csv`): {_rule(result)}"
    if noise is None:
        return (
            f"{found}. {words}. That is no estimate of how many are wrong, as it counts hard images with right labels "
            "and misses wrong ones: the scores form one group, so no share is estimated. Look from rank 1 down. "
            f"{where}"
        )
    return (
        f"{found}. {words}. **About {share(noise['estimate'])} of the labels seem wrong**; {result['likely_wrong']:,} "
        f"{'is' if result['likely_wrong'] == 1 else 'are'} more likely mislabeled than not. {where}"
    )


def word(result: Json) -> str:
    """Return what one of the things ranked is called: an image, or an example where there are no pictures."""
    return "image" if result["data"]["shape"] else "example"


def suspects_counted(result: Json) -> str:
    count = result["suspects"]
    return f"{counted(count, 'label')} {'is' if count == 1 else 'are'} suspect"


def _rule(result: Json) -> str:
    if result["suspect_rule"] == BOTH_RULE:
        return "the networks preferred another class on average (an AUM below 0), and so do some that did not see it"
    if result["suspect_rule"] == AUM_RULE:
        return "the networks preferred another class on average (an AUM below 0)"
    return "they are more likely mislabeled than not, which needs two groups of scores"


def _learnt(result: Json) -> bool:
    return result["learnt"] is None or bool(result["learnt"]["shown"])


def _notes(result: Json) -> list[str]:
    notes = list(result["notes"])
    if skipped := len(result["data"]["skipped"]):
        notes.append(
            f"{counted(skipped, 'file')} could not be read as an image and {'was' if skipped == 1 else 'were'} "
            "skipped (end of page)"
        )
    return ["\n".join(f"- {escaped(note)}" for note in notes)] if notes else []


def _first(data: Labelled, scores: Scores) -> str:
    rows, suspects = [], scores.suspects()
    for example in scores.order[: MOST_LISTED // 2].tolist():
        probability = "" if scores.probability is None else percent(scores.probability[example])
        suggested = "" if scores.preferred is None else data.classes[scores.preferred.label[example]]
        label = data.classes[data.labels[example]]
        numbers = [f"{scores.aul[example]:.2f}", f"{scores.aum[example]:.2f}" if scores.has_margins else ""]
        known = [label, suggested, "yes" if suspects[example] else "no"]
        rows.append([str(scores.rank[example]), data.names[example], *known, *numbers, probability])
    return table(["rank", "image", "given label", "preferred", "suspect", "AUL", "AUM", "P(wrong)"], rows, "rllllrrr")


def _pairs(result: Json) -> list[str]:
    """Return which given labels the networks take for which other class, the most frequent first."""
    counts = result["given_against_preferred"]
    if counts is None or not _learnt(result):
        return []
    names = [one["name"] for one in result["classes"]]
    pairs = sorted(
        (
            (count, given, other)
            for given, row in enumerate(counts)
            for other, count in enumerate(row)
            if given != other
        ),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    rows = [
        [
            names[given],
            names[other],
            f"{count:,}",
            percent(count / max(1, sum(counts[given]))),
            f"{counts[other][given]:,}",
        ]
        for count, given, other in pairs[:MOST_LISTED]
        if count
    ]
    words = (
        "What networks prefer that did not see the image (out of fold). Where many labels of one class are taken for "
        "one other, and few the other way round, labels may have been flipped between the two; where both are many, "
        "the classes look alike."
    )
    found = table(["given", "preferred", "images", "of the class", "the other way round"], rows, "llrrr")
    nothing = "The networks prefer the given label of every image."
    return ["## Given labels against preferred ones", words if rows else nothing, *([found] if rows else [])]


def _conflicts(result: Json) -> list[str]:
    groups = result["conflicts"]
    if not groups:
        return []
    rows = [
        [str(number), one["image"], one["label"], "yes" if group["same_bytes"] else "no"]
        for number, group in enumerate(groups, start=1)
        for one in group["images"]
    ]
    words = (
        "Each group is one image, pixel by pixel as the networks see it, under several labels, of which one at most is "
        "right. Where the files are equal byte by byte, that is certain; else the images may differ in what was scaled "
        "away."
    )
    more = [f"and {len(rows) - MOST_LISTED:,} more rows, in `conflicts.csv`"] if len(rows) > MOST_LISTED else []
    found = table(["group", "image", "label", "equal byte by byte"], rows[:MOST_LISTED], "rlll")
    return [f"## One image, several labels ({len(groups):,})", words, found, *more]


def _noise(result: Json) -> str:
    noise, runs = result["noise"], result["runs"]
    count = len(runs)
    if noise is None and not _learnt(result):
        return (
            "No estimate: it is not shown that the networks learnt the classes (the notes above say what was measured)."
        )
    if result["overruled"]:
        return "No estimate: the networks disagree with most labels, which says more of them than of the labels."
    if noise is None:
        alone = sum(run["groups"] == 2 for run in runs)
        return (
            "No estimate. It needs two groups of scores, those of right and of wrong labels, clearly apart: a mixture "
            "of two Gaussians with two maxima, Ashman's D above 2, and a better BIC than one Gaussian. Here the mean "
            f"over the runs is one group ({alone} of {counted(count, 'run')} alone "
            f"{'has' if alone == 1 else 'have'} two). So it is where there are few wrong labels, or none, and where "
            "the network cannot tell them apart."
        )
    spread = ""
    if noise["single_runs"]:
        low, high = noise["single_runs"]
        spread = (
            f" Taken alone, the runs give {share(low)} to {share(high)} "
            f"({noise['single_runs_with_two_groups']} of {count} fall into two groups)."
        )
    return (
        f"**{share(noise['estimate'])}** ({100 * noise['level']:.0f} % interval {share(noise['low'])} to "
        f"{share(noise['high'])}), the mean probability over all images.{spread}\n\n"
        "The interval covers one thing, the luck of which images are in the data. The runs' range shows another, the "
        "luck of a training. Neither covers the method's own bias: the two groups are not exactly Gaussian, and images "
        "that are hard but rightly labeled count as wrong in part. The AUL paper reports estimates that are too high "
        "where less than 20 % or more than 80 % of the labels are wrong (its Fig. 7). Looking at the images is the "
        "only check."
    )


def _classes(result: Json) -> str:
    known = result["noise"] is not None
    head = ["class", "images", "suspect", "among the first"]
    rows = []
    for one in result["classes"]:
        guess = [f"{one['likely_wrong']:,}", percent(one["estimated_share"])] if known else []
        rows.append([one["name"], f"{one['images']:,}", f"{one['suspects']:,}", str(one["among_top"]), *guess])
    head += ["more likely wrong than not", "estimated share wrong"] if known else []
    first = result["options"]["top"]
    words = (
        f'\n\n"Among the first": of the {first} highest ranks. A class of few images, or one that looks like another, '
        "ranks high whatever its labels: compare within a class."
    )
    return table(head, rows, "lrrrrr" if known else "lrrr") + words


def _done(result: Json) -> str:
    options, runs = result["options"], result["runs"]
    if "id" not in runs[0]:
        return _of_losses(result)
    channels, side, _ = result["data"]["shape"]
    kind = "grey" if channels == 1 else "colour"
    rows = [
        [str(number), share(run["train_accuracy"]), f"{run['train_loss']:.3f}", _alone(run), f"{run['seconds']:,.0f} s"]
        for number, run in enumerate(runs, start=1)
    ]
    agreement = result["agreement_of_runs"]
    agree = f" The AULs of two runs correlate with r = {agreement:.3f} on average." if agreement is not None else ""
    words = (
        f"{counted(options['runs'], 'training')} of `{options['model']}` on the labels as given "
        f"({kind}, {side}×{side} pixels, "
        f"{'random crops and flips' if options['augment'] == 'crop_flip' else 'no augmentation'}, "
        f"{counted(options['epochs'], 'epoch')}, batches of {options['batch_size']}, SGD at a rate of "
        f"{options['lr']:g}, momentum 0.9 with Nesterov's step, weight decay 1e-4). An image's area under the loss "
        "(AUL) is the sum of its losses over the epochs: wrong labels are learnt late or never. Each training's AULs "
        "are standardised, then averaged; the probability comes from a mixture of two Gaussians. AUM, the mean margin "
        "of the given label over the next best, is a second opinion: below 0, the network mostly preferred another "
        f"class.{agree}{_folds(result)}"
    )
    head = ["run", "training accuracy", "loss", "share wrong, alone", "time"]
    about = f"Device: {runs[0]['device']}. Data checksum: `{result['data']['checksum'][:16]}`."
    if _learnt(result) and max(run["train_accuracy"] for run in runs) > BY_HEART:
        about = f"{BY_HEART_WORDS} {about}"
    return f"{words}\n\n{table(head, rows, 'rrrrr')}\n\n{about} All numbers: `result.json`."


def _of_losses(result: Json) -> str:
    runs, about = result["runs"], result["learnt"]
    words = (
        f"Scores of what {counted(len(runs), 'training')} of somebody else recorded; nothing was trained "
        "here. An example's area under the loss (AUL) is the sum of its losses over the epochs, standardised; AUM is "
        "its mean margin, that of the given label's logit over the next best. The probability comes from a mixture of "
        "two Gaussians fitted to the AULs."
    )
    if about is None:
        return (
            f"{words} Whether anything was learnt cannot be told from losses alone: with labels learnt by heart from "
            "the start, an estimate means nothing."
        )
    return (
        f"{words} What was learnt, {about['measured']}: the given label of {share(about['balanced_accuracy'])} of a "
        f"class's examples on average; chance is {share(about['chance'])}."
    )


def _folds(result: Json) -> str:
    about, folds = result["learnt"], result["options"]["folds"]
    if about is None or about["balanced_accuracy"] is None:
        return ""
    return (
        f" {folds} more networks, each without a {_PART.get(folds, f'{folds}th')} of the images and for 1/{folds - 1} "
        "of the epochs, name the class that they prefer for those (mean over the epochs). They name the given label of "
        f"{share(about['balanced_accuracy'])} of a class's images on average; chance is {share(about['chance'])}."
    )


_PART = {2: "half", 3: "third", 4: "quarter"}


def _alone(run: Json) -> str:
    return "one group" if run["noise"] is None else share(run["noise"])


def _limits(result: Json) -> list[str]:
    if not result["runs"][0].get("id"):
        return [LIMITS_OF_LOSSES]
    _, side, _ = result["data"]["shape"]
    scaled = " The images were scaled down; detail that decides the label may be gone."
    return [LIMITS.format(side=f"{side}×{side}", scaled=scaled if result["data"]["scaled_down"] else "")]


LIMITS = """\
- Errors with a system: a class that is wrong throughout, a kind of image that always gets the same wrong label. They
  are learnt like right labels.
- Copies of one image with the same wrong label: the network remembers them.
- What a picture of {side} pixels does not show.{scaled}
- Hard, rare or ambiguous images with right labels rank high, too. A high rank is a reason to look, no verdict."""

NEXT = """\
1. Look at `page.html`, then go down `suspects.csv` from rank 1 and stop when most are right.
2. Correct or remove what is wrong. Do not remove suspects unseen: the rare images are among them.
3. Give the same command again on the corrected data: the first pass hides the second.
4. Other settings: a larger `--size` where detail counts, more `--runs` for a steadier ranking, another `--model`."""


LIMITS_OF_LOSSES = """\
- Errors with a system: a class that is wrong throughout, a kind of example that always gets the same wrong label. They
  are learnt like right labels.
- Copies of one example with the same wrong label: the model remembers them.
- Hard, rare or ambiguous examples with right labels rank high, too. A high rank is a reason to look, no verdict."""

NEXT_OF_LOSSES = """\
1. Go down `suspects.csv` from rank 1 and stop when most are right.
2. Correct or remove what is wrong. Do not remove suspects unseen: the rare examples are among them.
3. Train again on the corrected data, and record again: the first pass hides the second."""


def _skipped(result: Json) -> list[str]:
    skipped = result["data"]["skipped"]
    if not skipped:
        return []
    rows = [[one["file"], one["why"]] for one in skipped[:MOST_LISTED]]
    more = len(skipped) - MOST_LISTED
    rest = [f"and {more:,} more, in `result.json`"] if more > 0 else []
    return [f"## Skipped files ({len(skipped):,})", table(["file", "why"], rows, "ll"), *rest]


def table(head: Sequence[str], rows: Sequence[Sequence[str]], sides: str) -> str:
    """Return a Markdown table; `sides`: l or r per column. Texts are escaped."""
    rule = ["---:" if side == "r" else "---" for side in sides]
    lines = [head, rule, *([escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """Return a user's name as plain text in Markdown, on one line, with what cannot be seen of it as escapes."""
    one_line = " ".join(visible(text).split()) or (text and repr(text))
    return re.sub(r"[\\`*_\[\]<>|#&~$]", lambda sign: f"\\{sign[0]}", one_line)


def percent(value: float) -> str:
    return ">99 %" if value > 0.99 else f"{100 * value:.0f} %" if value >= 0.1 else f"{100 * value:.1f} %"


def share(value: float) -> str:
    return f"{100 * value:.1f} %"
