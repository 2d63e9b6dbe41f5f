"""`lnbench detect`: likely label errors among a user's own images."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lnbench.cli.commands.ending import ENDING
from lnbench.errors import visible

if TYPE_CHECKING:
    from lnbench.cli.commands.progress import Display

SIZES = (8, 224)  # detect.data.SMALLEST, LARGEST, written again so that `--help` need not import numpy


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of results. [default: DATA.detect]")
@click.option(
    "--runs", type=click.IntRange(1, 100), default=3, show_default=True, help="Training runs to average over."
)
@click.option(
    "--epochs",
    type=click.IntRange(1, 10_000),
    help="Epochs of each run. [default: 30; up to 150 for residual networks on few images]",
)
@click.option(
    "--model", help="Network, by its name in a study. [default: mlp1, lenet for small grey images, or resnet20_aum]"
)
@click.option(
    "--size",
    type=click.IntRange(*SIZES),
    help="Pixels per side to which images are scaled. [default: their own, at most 32]",
)
@click.option("--batch-size", type=click.IntRange(2, 65_536), default=64, show_default=True, help="Images per step.")
@click.option(
    "--lr",
    type=click.FloatRange(0, min_open=True),
    help="Learning rate. [default: 0.1; 0.01 for lenet and convnets, which have no batch normalisation]",
)
@click.option(
    "--augment",
    type=click.Choice(["none", "crop_flip"]),
    help="Augmentation. [default: crop_flip for colour images of 24 pixels or more]",
)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of all randomness.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--top", type=click.IntRange(1, 400), default=48, show_default=True, help="Images on the contact sheet.")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fast"]),
    default="fp32",
    show_default=True,
    help="fast: bfloat16 arithmetic in the forward pass.",
)
def detect(data: Path, output: Path | None, device: str, **options: Any) -> int:
    """Rank your own labelled images by how likely their labels are wrong.

    DATA is a folder with one folder of images per class, or an .npz with `images` and `labels`. The result is a page,
    two tables and two pictures in DATA.detect. docs/detect.md has an example.
    """
    click.echo(f"reading {visible(str(data))}")  # before the imports, which take seconds on a busy machine
    from lnbench.cli.commands.progress import display
    from lnbench.detect.options import Options, check, settled
    from lnbench.detect.output import explained, place, take
    from lnbench.detect.reading import read
    from lnbench.detect.training import Trainer, planned
    from lnbench.machine import resolve_device
    from lnbench.training.hooks import Stopped

    asked = Options(**options)
    check(asked)
    on = resolve_device(device)
    found = read(data, asked.size, click.echo)
    folder = place(data, output)
    chosen, notes = settled(asked, found)
    store = take(folder, lambda line: click.echo(f"warning: {line}", err=True))
    _announce(found, chosen)
    runs = planned(chosen, found)
    records = []
    try:
        with _stoppable() as stop, display() as watcher, explained():
            show = _Shown(watcher, [run for run in runs if store.get(run.id) is None], len(runs))
            trainer = Trainer(found, store, on, show.tell, stop)
            for run in runs:
                show.began(run)
                records.append(trainer.record(run))
                show.done(run)
    except Stopped:
        what = "finished runs are kept, the running one left a checkpoint; give the same command to go on"
        click.echo(f"\ninterrupted: {what} (in {folder})", err=True)
        raise click.exceptions.Abort from None
    _write(folder, str(data), found, asked, chosen, records, notes)
    return 0


def _announce(data: Any, options: Any) -> None:
    kind = "grey" if data.shape[0] == 1 else "colour"
    side = data.shape[1]
    click.echo(
        f"{len(data.labels):,} images of {len(data.classes)} classes ({kind}, {side}×{side}); {options.model}, "
        f"{options.epochs} epochs, {options.runs} run{'s' * (options.runs > 1)}"
    )
    if data.skipped:
        file, why = data.skipped[0]
        click.echo(f"{len(data.skipped)} skipped, the first: {visible(file)}: {visible(why)}", err=True)


def _write(
    folder: Path, source: str, data: Any, asked: Any, options: Any, records: list[dict[str, Any]], notes: list[str]
) -> None:
    from lnbench.detect import figures, page, tables
    from lnbench.detect.output import write
    from lnbench.detect.scores import scored

    outcomes = [record["outcome"] for record in records]
    learnt = [(one["train_accuracy"][-1], one["train_loss"][-1]) for one in outcomes]
    scores = scored([one["aul"] for one in outcomes], [one["aum"] for one in outcomes], options.epochs, learnt)
    result = tables.result(visible(source), data, asked, options, scores, records, notes)
    files = {
        "scores.csv": tables.scores_csv(data, scores),
        "suspects.csv": tables.suspects_csv(data, scores, options.top),
        "contact_sheet.png": figures.contact_sheet(data, scores, options.top),
        "histogram.png": figures.histogram(scores),
        "result.json": tables.json_text(result),
        "report.md": page.report(result, data, scores),  # last: a page that is there has all that it names
    }
    write(folder, files)
    for note in result["notes"]:
        click.echo(f"note: {visible(note)}")
    noise = result["noise"]
    if noise is None:
        click.echo("the scores form one group: no share of wrong labels is estimated; the ranking stands")
    else:
        estimate, low, high = (page.share(noise[key]) for key in ("estimate", "low", "high"))
        interval = f"{100 * noise['level']:.0f} % interval {low} to {high}"
        click.echo(f"about {estimate} of the labels seem wrong ({interval}); {result['suspects']} suspects")
    click.echo(f"report: {folder / 'report.md'}")


class _Shown:
    """The runs as the display of `lnbench verify` shows its own: those of `left`, which are not done yet."""

    def __init__(self, watcher: Display, left: list[Any], total: int):
        self.watcher, self.left, self.last_report = watcher, {run.id for run in left}, time.monotonic()
        watcher.runs, watcher.total_flop = len(left), sum(run.flop for run in left)
        done = total - len(left)
        if left:
            also = f"; {done} already done" if done else ""
            watcher.line(f"{len(left)} run{'s' * (len(left) > 1)} to train{also}")
        else:
            watcher.line(f"nothing to train: all {total} runs are done")

    def began(self, run: Any) -> None:
        from lnbench.execute.groups import Task

        if run.id in self.left:
            self.watcher.started(Task((run,)))

    def tell(self, run: Any, progress: Any) -> None:
        """Show progress; called after every step, so it must return at once for most steps."""
        from lnbench.execute.worker import SECONDS_BETWEEN_REPORTS, Report

        now = time.monotonic()
        if now - self.last_report >= SECONDS_BETWEEN_REPORTS:
            self.last_report = now
            done, total = progress.examples_done, progress.examples_total
            self.watcher.report(Report(run.id, done, total, progress.epoch, progress.epochs))

    def done(self, run: Any) -> None:
        if run.id in self.left:
            self.watcher.finished(run, "trained", "")


@contextlib.contextmanager
def _stoppable() -> Iterator[Any]:
    """Yield a function that says whether Ctrl-C, SIGTERM or SIGHUP came; a second Ctrl-C ends at once. What is ignored,
    as under nohup, stays so."""
    asked = False

    def ask(number: int, frame: Any) -> None:
        nonlocal asked
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked = True

    heard = [number for number in (signal.SIGINT, *ENDING) if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, ask) for number in heard}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
