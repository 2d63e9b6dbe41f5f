"""`lnbench judge`, `report`, `explain`, `measure`, `scoreboard`: what stored records say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from lnbench.cli.commands.options import open_store, seeds_option, store_option, tier_option
from lnbench.cli.commands.tables import exit_code, print_verdicts
from lnbench.errors import Exit, LnbenchError
from lnbench.judge import FromStore, Get, Reads, StudyResult
from lnbench.spec import Study


def judged(
    study: Study,
    get: Get,
    seeds: int | None,
    failures: Mapping[str, str] | None = None,
    reads: Reads | None = None,
) -> StudyResult:
    """A study judged from what `get` finds, alternatives and all.

    With planned looks: on as many seeds as `verify` would have run, up to the look after which nothing is open.
    """
    from lnbench.judge import alternatives, gather, judge, look_sizes
    from lnbench.plan import plan_study
    from lnbench.spec import variant

    last = None
    for size in look_sizes(study, seeds):
        evidence = gather(plan_study(study, size), get, failures, reads)
        others = {key: plan_study(variant(study, key), size) for key in alternatives(study)}
        tries = {key: gather(plan, get, reads=reads) for key, plan in others.items()}
        result = judge(evidence, tries)
        if last is not None and not any(claim.look and claim.look.seeds == size for claim in result.claims):
            break  # this look was not taken
        last = result
        if not any(claim.open for claim in result.claims):
            break
    assert last is not None, "there is at least one number of seeds"
    return last


def _study_at(name: str, tier: str | None) -> Study:
    from lnbench.resources import find_study
    from lnbench.spec import load_study

    loaded = load_study(find_study(name))
    tier = tier or "smoke"
    if tier not in loaded.tiers:
        raise LnbenchError(f"{loaded.name} has no tier {tier}; it has {', '.join(loaded.tiers)}")
    return loaded.tiers[tier]


def _from_folder(folder: Path) -> StudyResult:
    from lnbench.report import load_failures, load_report

    name, tier, seeds, get = load_report(folder)
    return judged(_study_at(name, tier), get, seeds, load_failures(folder))


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Exit 1 if a report is not what its records give; verdicts do not count.")
@click.option("--write", is_flag=True, help="Write the report anew from its records.")
def judge(folders: tuple[Path, ...], check: bool, write: bool) -> int:
    """Judge a report's stored records again.

    FOLDER is a folder such as reports/rolnick_mnist-cpu. Needs no GPU, no data and no torch.
    """
    from lnbench.report import report_differs, write_report

    results, differs = [], False
    for folder in folders:
        result = _from_folder(folder)
        if write:
            write_report(result, folder)
        lines = report_differs(folder, result)
        if check:
            click.echo(f"{folder}: {'differs from what its records give' if lines else 'is what its records give'}")
        else:
            print_verdicts(result)
        for line in lines[:20]:
            click.echo(f"  {line}" if check else f"warning: {folder}: {line}", err=True)
        differs = differs or bool(lines)
        results.append(result)
    if check:
        return Exit.CONTRADICTED if differs else Exit.OK
    return exit_code(results)


@click.command()
@click.argument("studies", nargs=-1, required=True, metavar="STUDY...")
@tier_option
@seeds_option
@store_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of reports. [default: STORE/reports]")
def report(
    studies: tuple[str, ...],
    tier: str | None,
    seeds: int | None,
    store_path: Path | None,
    output: Path | None,
) -> int:
    """Write a report from what the store has, training nothing."""
    from lnbench.report import write_report

    store = open_store(store_path)
    results = []
    for name in studies:
        study = _study_at(name, tier)
        result = judged(study, store.get, seeds, reads=FromStore(store))
        if not result.evidence.records:
            click.echo(f"{study.key}: the store {store.path} has none of its runs", err=True)
            continue
        folder = (output or store.path / "reports") / study.key
        write_report(result, folder)
        print_verdicts(result)
        click.echo(f"report: {folder / 'report.md'}")
        results.append(result)
    return exit_code(results)


@click.command()
@click.argument("claim")
@tier_option
@seeds_option
@store_option
@click.option("--report", "folder", type=click.Path(path_type=Path), help="Take the records of this report.")
def explain(claim: str, tier: str | None, seeds: int | None, store_path: Path | None, folder: Path | None) -> int:
    """A claim's formula with the numbers put in, and where each number comes from."""
    from lnbench.cli.commands.catalogue import find_claim
    from lnbench.report.explain import explain as words

    path, claim_id = find_claim(claim)
    if claim_id is None:
        raise LnbenchError(f"{claim} is a study; name one of its claims (`lnbench show {claim}`)")
    if folder is not None:
        result = _from_folder(folder)
    else:
        store = open_store(store_path)
        result = judged(_study_at(str(path), tier), store.get, seeds, reads=FromStore(store))
    if claim_id not in [entry.claim.id for entry in result.claims]:
        raise LnbenchError(f"{folder} holds no claim {claim_id}")
    click.echo(words(result, claim_id))
    return Exit.OK


@click.command()
@click.argument("study")
@click.option("--tier", default="smoke", show_default=True, type=click.Choice(["smoke", "cpu", "lite", "full"]))
@click.option("--seeds", default=10, show_default=True, type=click.IntRange(3, 1000), help="How many to record.")
@click.option("--replace", is_flag=True, help="Replace a reference that is there and differs.")
@store_option
def measure(study: str, tier: str, seeds: int, replace: bool, store_path: Path | None) -> int:
    """Write what the store has measured to baselines/measured, as the reference for drift.

    More seeds than smoke itself runs: what is seen as drift hangs on how well the earlier spread is known. Nothing is
    blessed silently: a reference that differs is shown and stays, unless --replace is given.
    """
    from lnbench.judge import measured
    from lnbench.judge.measured import load_measured
    from lnbench.store import write_atomically

    at = _study_at(study, tier)
    if at.measured_path is None:
        raise LnbenchError(f"{at.key} names no `measured:` reference")
    store = open_store(store_path)
    result = judged(at, store.get, seeds, reads=FromStore(store))
    lacking = [
        part.why for claim in result.claims for part in claim.parts.values() if part.verdict in ("not-run", "error")
    ]
    if lacking:
        raise LnbenchError(f"{at.key}: {lacking[0]}; first run `lnbench verify {study} --tier {tier} --seeds {seeds}`")
    content = measured.measured_content(result)
    before = load_measured(at.measured_path)
    if before is not None:
        lines = measured.changes(before, content)
        for line in lines:
            click.echo(line)
        if lines and not replace:
            raise LnbenchError(f"{at.measured_path} differs; look at the lines above, then give --replace")
    write_atomically(at.measured_path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    click.echo(f"{len(content['effects'])} effects -> {at.measured_path}")
    return Exit.OK


@click.command()
@click.option("--check", is_flag=True, help="Exit 1 if README differs from what the reports say; write nothing.")
@click.argument("readme", type=click.Path(path_type=Path), default=Path("README.md"))
@click.option("--reports", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
def scoreboard(check: bool, readme: Path, reports: Path) -> int:
    """Write the table of all committed verdicts into README."""
    from lnbench.report import read_results, replace_between_markers
    from lnbench.report import scoreboard as table
    from lnbench.store import write_atomically

    found = read_results(reports)
    try:
        text = readme.read_text(encoding="utf-8")
    except OSError as error:
        raise LnbenchError(f"{readme}: cannot be read: {error.strerror}") from None
    new = replace_between_markers(text, "scoreboard", table(found))
    if check:
        click.echo(f"{readme}: the scoreboard is {'what the reports say' if new == text else 'out of date'}")
        return Exit.OK if new == text else Exit.CONTRADICTED
    if new != text:
        write_atomically(readme, new.encode())
    click.echo(f"{len(found)} reports -> {readme}")
    return Exit.OK
