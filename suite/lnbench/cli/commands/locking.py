"""`lnbench lock`: register what a study's verdicts will depend on, before its runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lnbench.cli.commands.known import complete_study
from lnbench.cli.commands.options import tier_option
from lnbench.errors import Exit, LnbenchError
from lnbench.resources import find_study, study_paths

if TYPE_CHECKING:
    from lnbench.spec import Study
    from lnbench.spec.locks import Lock
    from lnbench.spec.registration import Json


@click.command()
@click.argument("studies", nargs=-1, metavar="[STUDY]...", shell_complete=complete_study)
@tier_option
@click.option("--check", is_flag=True, help="Exit 1 and name what is not registered as it stands; write nothing.")
@click.option(
    "--claims",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Take the studies of this folder. [default: the known ones]",
)
def lock(studies: tuple[str, ...], tier: str | None, check: bool, folder: Path | None) -> int:
    """Register what the verdicts of studies depend on, before their runs.

    Adds an entry to locks/STUDY-TIER.json next to the study file where that differs from what the last entry says:
    regions, rules, effects, seeds, alternatives, the runs. Earlier entries stay. Commit the file; reports name what was
    changed after the first run. Without STUDY: all known ones; without --tier: every tier but smoke, which says nothing
    about a paper.
    """
    if tier == "smoke":
        raise LnbenchError("smoke is not registered: it says nothing about a paper")
    open_, seen = 0, 0
    for study in _chosen(studies, tier, folder):
        seen += 1
        open_ += _one(study, check)
    if check and not open_:
        many = f"{seen} studies at their tiers: registered as they stand"
        click.echo("1 study at a tier: registered as it stands" if seen == 1 else many)
    if not seen:
        return Exit.NOTHING_SELECTED
    return Exit.CONTRADICTED if check and open_ else Exit.OK


def _chosen(names: tuple[str, ...], tier: str | None, folder: Path | None) -> list[Study]:
    """Return the studies at the tiers that are meant. Raises LnbenchError."""
    from lnbench.pipeline import at_tier
    from lnbench.spec import load_studies

    if names:
        paths = [_found(name, folder) for name in names]
    else:
        paths = sorted(folder.glob("*.yaml")) if folder else study_paths()
    loaded = load_studies(paths)
    if tier and names:
        return [at_tier(study, tier) for study in loaded]
    tiers = [tier] if tier else None
    return [
        study for one in loaded for name, study in one.tiers.items() if name != "smoke" and (not tiers or name in tiers)
    ]


def _found(name: str, folder: Path | None) -> Path:
    inside = folder / f"{name}.yaml" if folder else None
    return inside if inside is not None and inside.is_file() else find_study(name)


def _one(study: Study, check: bool) -> bool:
    """Register one study, or only say what is not registered; return whether something was not."""
    from lnbench.execute.registering import register
    from lnbench.report import known_since
    from lnbench.spec.unsaid import unsaid
    from lnbench.store import default_path

    store = default_path()
    done = register(study, store, write=False)
    last = done.before.last
    if done.before.covers(done.content):
        if not check:
            click.echo(f"{study.key}: registered as it stands since {last and last.data['time']}")
        return False
    known = known_since(study, _finished(study, store), store)
    if not check:
        done = register(study, store, records_since=known)
    for warning in unsaid(study, last) if known or (last and last.records_since) else []:
        click.echo(str(warning), err=True)
    lines = _differences(done.before, done.content)
    if check:
        name = study.name if study.path.resolve() in map(Path.resolve, study_paths()) else study.path
        click.echo(f"{study.key}: not registered as it stands; run `lnbench lock {name} --tier {study.tier}`")
    else:
        click.echo(f"{study.key}: entry {len(done.lock.entries)} -> {done.path}")
    for line in lines:
        click.echo(f"  {line}")
    return True


def _finished(study: Study, store: Path) -> list[str | None]:
    """Return when the records were made that a store has of a study."""
    from lnbench.judge import gather
    from lnbench.plan import plan_study
    from lnbench.store import Store

    found = gather(plan_study(study), Store(store).get).records.values()
    return [record["provenance"].get("finished") for record in found]


def _differences(history: Lock, content: Json) -> list[str]:
    """Return a line for each thing that is not as the last entry has it."""
    from lnbench.spec.registration import changes, shared_changes

    last = history.last
    if last is None:
        return []
    if not last.readable:
        return ["what the last entry registered cannot be read"]
    lines = [f"{name}: not in the study any more" for name in last.content["claims"] if name not in content["claims"]]
    for name, claim in content["claims"].items():
        before = last.claim(name)
        if before is None:
            lines.append(f"{name}: new")
        for change in changes(before, claim) if before is not None else []:
            lines.append(f"{name}: {change}")
    lines += map(str, shared_changes(last.content, content))
    return [*lines, "the runs are others"] if last.content["runs"] != content["runs"] else lines
