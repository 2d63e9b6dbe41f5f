"""`lnbench list`, `show`, `validate`, `schema`: what there is, and whether it is right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lnbench.cli.commands.known import complete_study, find_claim, outlines
from lnbench.cli.commands.outcome import demand_file_place, json_option, write_json
from lnbench.errors import Exit, Problem, SpecError, visible
from lnbench.resources import hidden, root, study_paths
from lnbench.verdict import Standing

if TYPE_CHECKING:
    from lnbench.spec import LoadedStudy


LIST_SCHEMA = "lnbench-claims/1"


def _claim_to_json(name: str, study: Any, claim: Any) -> dict[str, Any]:
    """Return a claim as `list --json` has it. Raises as reading an unchecked file does."""
    return {
        "id": str(claim["id"]),
        "study": name,
        "paper": str(study["paper"]),
        "tiers": [str(tier) for tier in study["tiers"]],
        "standing": str(claim.get("standing", "paper")),
        "question": str(claim["question"]) if claim.get("question") else None,
        "says": " ".join(claim["says"].split()),
    }


@click.command("list")
@click.argument("text", required=False)
@json_option("the claims")
def list_(text: str | None, output_json: Path | None) -> int:
    """List all claims that lnbench knows; with TEXT, those whose line contains it."""
    demand_file_place(output_json)
    found: list[dict[str, Any]] = []
    if hidden():
        own = "those that come with lnbench are not listed"
        click.echo(f"the studies of {visible(str(root() / 'claims'))}; {own}", err=True)
    shown = 0
    for path, study in outlines():
        lines = []
        try:
            for claim in study["claims"]:
                line = visible(f"  {claim['id']:<10} {' '.join(claim['says'].split())}")
                if not text or text.lower() in f"{path.stem} {study['paper']} {line}".lower():
                    lines.append(line)
                    found.append(_claim_to_json(path.stem, study, claim))
            head = visible(f"{path.stem} ({study['paper']}; tiers {', '.join(study['tiers'])}): {study['title']}")
            if not all(isinstance(study[key], str) for key in ("paper", "title")):
                raise ValueError("a value that cannot be read")
        except (KeyError, TypeError, ValueError, AttributeError):
            click.echo(visible(f"{path.stem}: cannot be read; see `lnbench validate {path}`"), err=True)
            continue
        if lines and str(output_json) != "-":
            click.echo(click.style(head, bold=True))
            click.echo("\n".join(lines))
        shown += len(lines)
    if output_json is not None:
        content = {"schema": LIST_SCHEMA, "claims": found}
        write_json(output_json, json.dumps(content, indent=1, ensure_ascii=False) + "\n", "the claims")
    return Exit.OK if shown else Exit.NOTHING_SELECTED


@click.command()
@click.argument("name", metavar="CLAIM|STUDY", shell_complete=complete_study)
def show(name: str) -> int:
    """Show one claim or study: what the paper says, how it is checked, at which tiers, at what cost."""
    from lnbench.spec import load_study

    study, claim_id = find_claim(name)
    loaded = load_study(study)
    spec = loaded.any.spec
    click.echo(f"{click.style(loaded.name, bold=True)}: {spec.title}\n{loaded.any.baseline.cite}\n")
    for claim in spec.claims:
        if claim_id in (None, claim.id):
            _show_claim(claim, loaded.any)
    click.echo("Tiers:")
    from lnbench.plan import describe_cost, plan_study

    for tier, at_tier in loaded.tiers.items():
        click.echo(f"  {tier:<6} {describe_cost(plan_study(at_tier), 'cpu')}")
        for deviation in at_tier.spec.deviations:
            click.echo(f"         - {deviation}")
    return Exit.OK


def _show_claim(claim: Any, study: Any) -> None:
    click.echo(f"{click.style(claim.id, bold=True)} {claim.says}")
    standing = Standing(claim.standing)
    if claim.quote:
        click.echo(f'  "{claim.quote}"' + (f" ({claim.where})" if str(claim.where) else ""))
    elif standing is Standing.PAPER:
        click.echo(f"  {claim.where} shows it; the words are ours")
    if standing.meaning:
        click.echo(f"  {standing.meaning}")
    if claim.not_testable:
        click.echo(f"  not testable: {claim.not_testable}")
    for name, part in claim.parts.items():
        reference = getattr(part, "reference", None)
        printed = study.baseline.references[reference].printed if reference else None
        facts = [f"{part.kind}, effect {part.effect}", *_edges(part)]
        facts += [f"reference {reference} (printed {printed})"] if reference else []
        if part.each:
            cells = len(part.references())
            facts.append(f"{cells} cells, at least {getattr(part, 'at_least', None) or cells}")
        facts += [f"reason: {part.because}"] if part.because else []
        mark = "first " if name in claim.requires else "extra "
        click.echo(f"  {'claim ' if name in claim.verdict.of else mark} {name}: {', '.join(facts)}")
        if name in claim.requires:
            click.echo(f"         must hold before the claim is judged; where it does not: {claim.requires[name]}")
    click.echo("")


def _edges(part: Any) -> list[str]:
    """Return what the file says about the part's region, whatever its kind: `delta 0`, `region -2.3 to -1.7`, …"""
    from lnbench.spec.cells import Margin

    said = []
    for name in ("threshold", "delta", "margin", "pi", "best_of"):
        value = getattr(part, name, None)
        if isinstance(value, Margin):
            said.append(f"margin {value.floor:g}, or {value.spreads:g} printed spreads where that is larger")
        elif value is not None:
            said.append(f"{name.replace('_', ' ')} {value:g}")
    for name in ("side", "direction", "unit"):
        said += [f"{name} {getattr(part, name)}"] if getattr(part, name, None) else []
    if getattr(part, "region", None):
        low, high = ("no edge" if edge is None else f"{edge:g}" for edge in part.region)
        said.append(f"region {low} to {high}")
    return said


@click.command()
@click.argument("files", nargs=-1, shell_complete=complete_study)
def validate(files: tuple[str, ...]) -> int:
    """Check study files (by default all known ones, and all baselines), and that a plan can be made of each tier."""
    from lnbench.plan import rehearse
    from lnbench.spec import load_baseline, load_studies

    paths = [find_claim(name)[0] for name in files] if files else study_paths()
    problems = []
    studies = []
    try:
        studies = load_studies(paths)
    except SpecError as error:
        problems += error.problems
    problems += rehearse(studies)
    if not files:
        for path in sorted((root() / "baselines").glob("*.yaml")):
            try:
                load_baseline(path)
            except SpecError as error:
                problems += error.problems
    for study in studies:
        for warning in [*study.warnings, *_weak_margins(study), *_chosen_on_one_seed(study), *_unsaid(study)]:
            click.echo(str(warning), err=True)
    if problems:
        raise SpecError(problems)
    claims = sum(len(study.any.spec.claims) for study in studies)
    claimed = "1 claim" if claims == 1 else f"{claims} claims"
    click.echo(f"{len(studies)} {'study' if len(studies) == 1 else 'studies'} with {claimed}: valid")
    return Exit.OK if studies else Exit.NOTHING_SELECTED


def _chosen_on_one_seed(study: LoadedStudy) -> list[Problem]:
    """Return a warning where a hyper-parameter is chosen on one seed and the study does not list that among its
    `choices`: verdicts are then about the value as chosen, and a claim about the best one needs more."""
    from lnbench.yamlfile.reader import load
    from lnbench.yamlfile.tree import position_of

    silent = [
        at_tier.tier
        for at_tier in study.tiers.values()
        if (choose := at_tier.spec.runs.choose) is not None
        and choose.seeds == 1
        and all(choice.key != "choose.seeds" for choice in at_tier.spec.choices)
    ]
    if not silent:
        return []
    line, column = position_of(load(study.path), ["runs", "choose"])
    what = (
        f"choose: each value is tried on 1 seed (tier {', '.join(silent)}), so verdicts are about the value as chosen "
        "and not about the best one; give it more `seeds`, or list `choose.seeds` among the `choices` to say so"
    )
    return [Problem(study.path, line, column, what, "warning")]


def _weak_margins(study: LoadedStudy) -> list[Problem]:
    """Return warnings about margins that the planned seeds are unlikely to decide, by what committed reports
    measured."""
    from lnbench.judge.power import weak_margins
    from lnbench.report import read_whole_result
    from lnbench.yamlfile.reader import load
    from lnbench.yamlfile.tree import position_of

    found = []
    for at_tier in study.tiers.values():
        folder = root() / "reports" / at_tier.key
        if (folder / "result.json").is_file():
            ids = [claim.id for claim in at_tier.spec.claims]
            for claim, part, what in weak_margins(at_tier, read_whole_result(folder)):
                path: list[str | int] = ["claims", ids.index(claim), "parts", part, "margin"] if claim in ids else []
                line, column = position_of(load(study.path), path)
                found.append(
                    Problem(study.path, line, column, f"{claim} {part} at tier {at_tier.tier}: {what}", "warning")
                )
    return found


def _unsaid(study: LoadedStudy) -> list[Problem]:
    """Return warnings about changes after a first run that the file does not own up to. A lock that cannot be read is
    an error of `lnbench lock`."""
    from lnbench.report import known_since
    from lnbench.spec.locks import history_of
    from lnbench.spec.unsaid import unsaid

    found = []
    for at_tier in study.tiers.values():
        last = history_of(at_tier).lock.last if at_tier.tier != "smoke" else None
        if last is not None and (last.records_since or known_since(at_tier)):
            found += unsaid(at_tier, last)
    return found


@click.command()
@click.argument("what", type=click.Choice(["study", "baseline", "questions"]), default="study")
def schema(what: str) -> int:
    """Print the JSON Schema of study files (default), baselines or questions.yaml, for editors."""
    from lnbench.spec import baseline_schema, questions_schema, study_schema

    found = {"study": study_schema, "baseline": baseline_schema, "questions": questions_schema}[what]()
    click.echo(json.dumps(found, indent=1, ensure_ascii=False, sort_keys=True))
    return Exit.OK
