"""Verdicts on the terminal, and the exit code that follows from them."""

from __future__ import annotations

from collections.abc import Iterable

import click

from lnbench.errors import Exit
from lnbench.judge import ClaimResult, Member, PartResult, StudyResult
from lnbench.judge.kinds import kind_of, region_of
from lnbench.report.rows import shown_effect
from lnbench.report.units import significant
from lnbench.stats import Check
from lnbench.verdict import Counts, Verdict, counts_as


def print_verdicts(result: StudyResult) -> None:
    """Print one row per claim, with its parts below it."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    table = Table(box=box.SIMPLE_HEAD, title=f"{result.study.key}: {result.study.spec.title}", title_justify="left")
    table.add_column("claim", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("what was measured", overflow="fold")
    for claim in result.claims:
        style = Verdict(claim.verdict).terminal
        look = f" [dim](look {claim.look.number} of {claim.look.of}: {claim.look.seeds} seeds)[/]" if claim.look else ""
        table.add_row(
            claim.claim.id, f"[{style}]{Verdict(claim.verdict).words}[/]", f"{_plain(claim.claim.says)}{look}"
        )
        for name, part in claim.parts.items():
            mark = (
                "" if name in claim.claim.verdict.of else " (required)" if name in claim.claim.requires else " (beside)"
            )
            text = measured(part, smoke=result.study.tier == "smoke")
            table.add_row("", f"[dim]{_word(part, result)}{mark}[/]", _plain(f"{name}: {text}"), style="dim")
        if claim.why:
            table.add_row("", "", _plain(claim.why))
    console.print(table)
    for note in result.notes:
        click.echo(f"note: {note}")


def _word(part: PartResult, result: StudyResult) -> str:
    """Return a part's verdict; at smoke, which says nothing about the paper, whether its direction holds."""
    if result.study.tier != "smoke" or part.verdict in (Verdict.NOT_RUN, Verdict.ERROR):
        return part.verdict
    return "holds" if part.direction_holds else "does not hold"


def measured(part: PartResult, *, smoke: bool = False) -> str:
    """Return `0.9312 in [0.9292, 0.9331], claimed: at least 0.9` for each member."""
    if part.verdict in (Verdict.NOT_RUN, Verdict.ERROR):
        return part.why
    need = f"; {part.seeds_to_decide} seeds would decide" if part.seeds_to_decide and not smoke else ""
    summary = kind_of(part.part).summary(part.part, part.checks)
    if summary:
        return f"{summary}{need}"
    texts = [_measured(member, check) for member, check in zip(part.members, part.checks, strict=True)]
    region = region_of(part.part, part.reference)  # in the metric's unit (`agrees` judges the distance from its number)
    return f"{'; '.join(texts)}; claimed: {region.describe()}{need}"


def _measured(member: Member, check: Check) -> str:
    """Return one effect and its interval in words, on the scale on which its region is stated."""
    effect, ends = shown_effect(check)
    text = _number(effect) if effect is not None else "no effect"
    text += f" in [{_number(ends[0])}, {_number(ends[1])}]" if ends else ""
    if "reached" in check.details:
        text = f"best {text}, {check.details['reached']} of {check.n} runs get there"
    collapsed = sum(member.collapsed)
    text += f", {collapsed} of {len(member.values)} collapsed" if collapsed else ""
    return f"{member.label.partition(':')[0]} {text}"


def _number(x: float) -> str:
    """Return four decimals, or as many digits where the number is far from 1: a slope, a number of images."""
    return f"{x:.4f}" if x == 0 or 0.01 <= abs(x) < 1000 else significant(x)


def _plain(text: str) -> str:
    return text.replace("[", r"\[")


def exit_code(results: Iterable[StudyResult], claims: tuple[str, ...] = ()) -> int:
    """Return the exit code of judged studies; only the named claims count, where some are named."""
    judged: list[ClaimResult] = [
        claim for result in results for claim in result.claims if not claims or claim.claim.id in claims
    ]
    found = {counts_as(claim.verdict) for claim in judged}
    if Counts.ERROR in found:
        return Exit.RUN_FAILED
    if not judged:
        return Exit.NOTHING_SELECTED
    if Counts.FAIL in found:
        return Exit.CONTRADICTED
    if Counts.NEITHER in found:
        return Exit.INCONCLUSIVE
    return Exit.OK
