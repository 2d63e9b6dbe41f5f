"""`lnbench doctor`: what this machine can run, and what is wrong with it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from lnbench.cli.commands.known import outlines
from lnbench.cli.commands.options import data_option, store_option
from lnbench.errors import Exit


@click.command()
@store_option
@data_option
def doctor(store_path: Path | None, data_dir: Path | None) -> int:
    """Show what this machine can run, and what is wrong."""
    from lnbench.data.root import data_root
    from lnbench.data.root import status as states
    from lnbench.machine import cuda_devices, environment
    from lnbench.resources import root, study_paths
    from lnbench.store import default_path

    problems = []
    for name, value in environment().items():
        click.echo(f"{name:<12} {value or 'not installed'}")
        if not value:
            problems.append(f"{name} is not installed: pip install {name}")
    click.echo(f"{'CUDA':<12} {cuda_devices() or 'no'} device{'' if cuda_devices() == 1 else 's'}")
    click.echo(f"{'claims':<12} {len(study_paths())} studies in {root() / 'claims'}")
    broken = [path for path, study in outlines() if not study]
    problems += [f"{path}: cannot be read as a study; see `lnbench validate {path}`" for path in broken]
    where = store_path or default_path()
    try:
        nearest = next(folder for folder in (where, *where.resolve().parents) if folder.is_dir())
        with tempfile.TemporaryFile(dir=nearest):
            pass
        free = shutil.disk_usage(nearest).free / 1e9
        click.echo(f"{'store':<12} {where} ({free:.0f} GB free)")
        if free < 1:
            problems.append(f"less than 1 GB is free for {where}")
    except OSError as error:
        click.echo(f"{'store':<12} {where}")
        problems.append(f"the store {where} cannot be written: {error.strerror}; use --store or LNBENCH_STORE")
    known = states(data_root(data_dir))
    click.echo(f"{'data':<12} {', '.join(entry.name for entry in known if entry.usable)} ({data_root(data_dir)})")
    if lacking := [entry.name for entry in known if entry.state == "missing"]:
        click.echo(f"{'not here':<12} {', '.join(lacking)}: `lnbench data status` says what to do")
    problems += [entry.lacks() for entry in known if not entry.usable and entry.state != "missing"]
    for line in problems:
        click.echo(f"problem: {line}", err=True)
    return Exit.UNUSABLE if problems else Exit.OK
