"""`lnbench detect`: likely label errors among a user's own images."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from lnbench.cli.commands.ending import ENDING
from lnbench.detect.ranges import CHOICES, RANGES
from lnbench.detect.wording import counted, place_named
from lnbench.errors import LnbenchError, visible

if TYPE_CHECKING:
    from lnbench.cli.commands.progress import Display

OF_A_TRAINING = ("runs", "epochs", "model", "batch_size", "lr", "augment", "folds", "seed", "precision")
OF_DATA = ("images", "labels_file", "labels_key", "data_dir", "size")


def _whole(name: str) -> click.IntRange:
    return click.IntRange(*RANGES[name])


@click.command()
@click.argument("data", type=click.Path(path_type=Path), required=False)
@click.option(
    "--from-losses",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Score what your own training recorded (an .npz of losses, logits or margins by epoch); train nothing.",
)
@click.option(
    "--images", type=click.Path(path_type=Path), help="Folder of the files that a CSV names. [default: its own]"
)
@click.option(
    "--labels-file", type=click.Path(path_type=Path), help="Labels (.npy, .npz, .json, .csv) in place of DATA's own."
)
@click.option("--labels-key", help="Which array of --labels-file.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Data root of a data set that DATA names, such as cifar10."
)
@click.option(
    "--write-cleaned",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the labels, suspects' replaced by suggested ones, to a new .csv or .npz.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Folder of results. [default: DATA.detect]")
@click.option("--runs", type=_whole("runs"), default=3, show_default=True, help="Training runs to average over.")
@click.option(
    "--epochs",
    type=_whole("epochs"),
    help="Epochs of each run. [default: 30; up to 150 for residual networks on few images]",
)
@click.option(
    "--model", help="Network, by its name in a study. [default: mlp1, lenet for small grey images, or resnet20_aum]"
)
@click.option(
    "--size",
    type=_whole("size"),
    help="Pixels per side to which images are scaled. [default: their own, at most 32]",
)
@click.option("--batch-size", type=_whole("batch_size"), default=64, show_default=True, help="Images per step.")
@click.option(
    "--lr",
    type=click.FloatRange(0, min_open=True),
    help="Learning rate. [default: 0.1 with batch normalisation; 0.01 without: mlp1, lenet, the convnets]",
)
@click.option(
    "--augment",
    type=click.Choice(CHOICES["augment"]),
    help="Augmentation. [default: crop_flip for colour images of 24 pixels or more]",
)
@click.option(
    "--folds",
    type=_whole("folds"),
    default=3,
    show_default=True,
    help="Parts of which networks that did not see them say what they prefer.",
)
@click.option(
    "--workers",
    type=_whole("workers"),
    help="Number of processes; 0 trains in this one. [default: LNBENCH_WORKERS, else one per core; one on a GPU]",
)
@click.option("--threads", type=_whole("threads"), default=1, show_default=True, help="Threads of each process.")
@click.option("--seed", type=_whole("seed"), default=0, show_default=True, help="Seed of all randomness.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:N.")
@click.option("--top", type=_whole("top"), default=48, show_default=True, help="Images on the contact sheet.")
@click.option(
    "--precision",
    type=click.Choice(CHOICES["precision"]),
    default="fp32",
    show_default=True,
    help="fast: bfloat16 arithmetic in the forward pass.",
)
def detect(
    data: Path | None,
    from_losses: Path | None,
    images: Path | None,
    labels_file: Path | None,
    labels_key: str | None,
    data_dir: Path | None,
    write_cleaned: Path | None,
    output: Path | None,
    device: str,
    workers: int | None,
    threads: int,
    **options: Any,
) -> int:
    """Rank your own labelled images by how likely their labels are wrong.

    DATA is a folder with one folder of images per class, an .npz with `images` and `labels`, a CSV of paths and labels,
    or the name of a data set. The result is a page, tables and pictures in DATA.detect. docs/detect.md has an example.
    """
    named = data or from_losses
    if named is None:
        raise click.UsageError("Missing argument 'DATA': a folder, an .npz, a CSV or a data set's name.")
    if from_losses is not None:
        _refuse_unused(click.get_current_context(), data)
    # before the imports, which take seconds on a busy machine
    click.echo(f"reading {visible(str(place_named(named)))}")
    from lnbench.detect import cleaned
    from lnbench.detect.options import Options, check
    from lnbench.detect.output import place, take
    from lnbench.detect.reading import From, read

    asked = Options(**options)
    check(asked)
    if write_cleaned is not None:
        cleaned.check(write_cleaned, data, images)
    where = From(images, labels_file, labels_key, data_dir)
    if from_losses is not None:
        from lnbench.detect import given_losses
        from lnbench.detect.known import demand_there

        demand_there(from_losses, "--from-losses")
        whole = None if data is None else read(data, asked.size, click.echo, where)
        found, scores = given_losses.read(from_losses, whole)
        folder = place(from_losses, output)
        if data is not None:
            place(data, folder, images)  # it must not lie among the images either
        take(folder, lambda line: click.echo(f"warning: {line}", err=True))
        about = {"from_losses": from_losses.name, "top": asked.top}
        _write(folder, str(place_named(named)), found, about, about, scores, [], [])
    else:
        assert data is not None
        found = read(data, asked.size, click.echo, where)
        folder = place(data, output, images)
        scores = _trained(folder, data, found, asked, device, workers, threads)
    if write_cleaned is not None:
        changed = cleaned.written(write_cleaned, found, scores)
        click.echo(f"cleaned labels: {visible(str(write_cleaned))} ({changed:,} of {len(found.labels):,} changed)")
    return 0


def _refuse_unused(context: click.Context, data: Path | None) -> None:
    """Raise LnbenchError for an option that --from-losses leaves nothing to do for: it would be ignored silently."""
    for name in (*OF_A_TRAINING, *(OF_DATA if data is None else ())):
        if context.get_parameter_source(name) not in (None, ParameterSource.DEFAULT):
            option = f"--{name.replace('_', '-')}"
            what = "of a training, and --from-losses trains nothing" if name in OF_A_TRAINING else "of DATA, not given"
            raise LnbenchError(f"{option}: is {what}; leave {option} out")


def _trained(folder: Path, data: Path, found: Any, asked: Any, device: str, workers: int | None, threads: int) -> Any:
    """Train, write, and return the scores."""
    from lnbench.cli.commands.progress import display
    from lnbench.detect.crew import Way
    from lnbench.detect.options import settled
    from lnbench.detect.output import explained, take
    from lnbench.detect.whole import trained
    from lnbench.machine import resolve_device
    from lnbench.training.hooks import Stopped

    way = Way(resolve_device(device), workers, threads)
    chosen, _ = settled(asked, found)
    store = take(folder, lambda line: click.echo(f"warning: {line}", err=True))
    _announce(found, chosen)
    try:
        with _stoppable() as stop, display() as watcher, explained():
            done = trained(found, asked, store, way, _Shown(watcher), stop, watcher.note)
    except Stopped:
        what = "finished runs are kept, the running one left a checkpoint; give the same command to go on"
        click.echo(f"\ninterrupted: {what} (in {folder})", err=True)
        raise click.exceptions.Abort from None
    scores = done.scores()
    source, chosen = str(place_named(data)), done.options
    _write(folder, source, found, asked.as_dict(), chosen.as_dict(), scores, done.records, done.notes)
    return scores


def _announce(data: Any, options: Any) -> None:
    kind = "grey" if data.shape[0] == 1 else "colour"
    side = data.shape[1]
    click.echo(
        f"{len(data.labels):,} images of {len(data.classes)} classes ({kind}, {side}×{side}); {options.model}, "
        f"{counted(options.epochs, 'epoch')}, {counted(options.runs, 'run')}, {options.folds} folds"
    )
    if data.skipped:
        file, why = data.skipped[0]
        click.echo(f"{len(data.skipped)} skipped, the first: {visible(file)}: {visible(why)}", err=True)


def _write(
    folder: Path,
    source: str,
    data: Any,
    asked: dict[str, Any],
    options: dict[str, Any],
    scores: Any,
    records: list[Any],
    notes: list[str],
) -> None:
    from lnbench.detect.output import replaced, write
    from lnbench.detect.outputs import outputs
    from lnbench.detect.page import share, suspects_counted

    made = outputs(source, data, asked, options, scores, records, notes)
    result = made.result
    before = replaced(folder, result)
    write(folder, made.files)
    if before:
        click.echo(f"note: {before}")
    for note in result["notes"]:
        click.echo(f"note: {visible(note)}")
    noise = result["noise"]
    if noise is not None:
        estimate, low, high = (share(noise[key]) for key in ("estimate", "low", "high"))
        click.echo(f"about {estimate} of the labels seem wrong ({100 * noise['level']:.0f} % interval {low} to {high})")
    elif not (scores.learnt_nothing or scores.overruled):
        click.echo("the scores form one group: no share of wrong labels is estimated; the ranking stands")
    if not (scores.learnt_nothing or scores.overruled):
        click.echo(f"{suspects_counted(result)} ({result['suspect_rule']})")
    click.echo(f"page: {folder / 'page.html'}")
    click.echo(f"report: {folder / 'report.md'}")


class _Shown:
    """The trainings as the display of `lnbench verify` shows its own: those of `left`, which are not done yet."""

    def __init__(self, watcher: Display):
        self.watcher, self.last_report = watcher, time.monotonic()
        self.left: set[str] = set()

    def planned(self, left: list[Any], total: int) -> None:
        watcher, self.left = self.watcher, {run.id for run in left}
        watcher.runs, watcher.total_flop = len(left), sum(run.flop for run in left)
        watcher.finished_runs, watcher.done_flop = 0, 0.0
        watcher.running.clear()
        done = total - len(left)
        if left:
            also = f"; {done} already done" if done else ""
            watcher.line(f"{len(left)} training{'s' * (len(left) > 1)} to do{also}")
        else:
            watcher.line(f"nothing to train: all {total} trainings are done")

    def began(self, run: Any) -> None:
        from lnbench.execute.groups import Task

        if run.id in self.left:
            self.watcher.started(Task((run,)))

    def tell(self, run: Any, progress: Any) -> None:
        """Show progress; called after every step, so it must return at once for most steps."""
        from lnbench.execute.worker import SECONDS_BETWEEN_REPORTS, Report

        now = time.monotonic()
        if now - self.last_report >= SECONDS_BETWEEN_REPORTS / 4:
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
