"""The command line: its verbs, its exit codes, and what every error looks like. Each verb's code is in `commands/`.

A verb is imported when it is used: `lnbench --help` and `lnbench list` start as fast as click does.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Iterable, Iterator
from typing import Any, TextIO, cast

import click

import lnbench
from lnbench.cli.commands import ending
from lnbench.cli.terminal import any_letter, encoding_shown
from lnbench.errors import Exit, LnbenchError, SpecError, out_of_memory, visible
from lnbench.untrusted import refused_path

# verb -> (module in lnbench.cli.commands, what it does)
VERBS: dict[str, tuple[str, str]] = {
    "verify": ("verify", "Train what is missing, judge the claims, write a report."),
    "detect": ("detect", "Rank your own images by how likely their labels are wrong."),
    "list": ("catalogue", "List all claims that lnbench knows."),
    "show": ("catalogue", "Show one claim or study: quote, checks, tiers, cost."),
    "validate": ("catalogue", "Check study files; every error with its line."),
    "schema": ("catalogue", "Print the JSON Schema of study or baseline files."),
    "lock": ("locking", "Register what the verdicts depend on, before the runs."),
    "plan": ("planning", "Show the runs a study needs and what they cost, before any is spent."),
    "power": ("planning", "Show whether the planned seeds can decide a claim, and how many are needed."),
    "judge": ("judging", "Judge a report's stored records again (no GPU, no torch)."),
    "report": ("judging", "Write a report from what the store has, training nothing."),
    "explain": ("judging", "Show a claim's formula with the numbers put in."),
    "measure": ("judging", "Record what this machine measures as a drift reference."),
    "scoreboard": ("judging", "Write what the committed reports say into README and the pages of reports."),
    "results": ("taking", "Write all committed verdicts as one table: CSV, JSON, Parquet, Markdown, LaTeX."),
    "site": ("site", "Build a static site from committed reports."),
    "audit": ("auditing", "Train random runs of a report again, and compare."),
    "store": ("storing", "Finished runs: status, check, export, import, remove."),
    "data": ("dataset", "Data sets: status, fetch, check."),
    "doctor": ("doctor", "Show what this machine can run, and what is wrong."),
}

EPILOG = """\b
Exit codes, the first that applies:
  2    wrong usage, something named that does not exist, or a study file that is not valid
  3    a run failed
  6    data is not there, or data, a report or a store is damaged or cannot be used
  5    nothing was selected
  1    a claim is contradicted, or failed (a hypothesis), or smoke-fail
  7    a run trained again differs from its record (audit), or a store from its ledger (store check)
  4    something is open, not in its regime, or was not run
  0    all pass
These say nothing about a claim; finished runs are kept:
  70   lnbench itself failed: a bug, with its traceback, or no memory left
  74   the output could not be written
  75   the time of --until is over: the same command goes on
  130  interrupted
  141  whoever read the output stopped, as in `lnbench list | head`
"""


class LazyGroup(click.Group):
    """Verbs whose modules are imported when they are called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        module = importlib.import_module(f"lnbench.cli.commands.{VERBS[name][0]}")
        command: click.Command = getattr(module, name if name != "list" else "list_")
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = click.utils.make_str(arguments[0])
        if name not in VERBS and not name.startswith("-"):
            from lnbench.errors import did_you_mean

            context.fail(f"No such command '{name}'; {did_you_mean(name, VERBS, otherwise='commands')}")
        return super().resolve_command(context, arguments)

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (EOFError, BrokenPipeError) as error:
            # of a file, or of a worker's pipe: click would call the one an interrupt, and exit with 1 for the other
            raise RuntimeError(f"{type(error).__name__}: {error}") from error

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in VERBS.items()])


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(lnbench.__version__, prog_name="lnbench")
def cli() -> None:
    """Does the claim of a label-noise paper hold? One YAML file per study, one verdict per claim.

    \b
    Start with:  lnbench verify claims/rolnick_mnist.yaml
    """


KEPT = "finished runs are kept"
GO_ON = f"{KEPT}, give the same command to go on"


class OutputLost(Exception):
    """What is written to standard output or error gets nowhere. Not an OSError: click and rich end the process with 1
    for those of a pipe, which is a verdict's code."""


class Output:
    """A stream whose failures are `OutputLost`; all else is the stream's own."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self.encoding = encoding_shown(stream)

    def write(self, text: str) -> int:
        with self._or_lost():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._or_lost():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _or_lost(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputLost from error


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code.

    No error that a user can fix shows a traceback. One that nobody foresaw does, and has an exit code of its own, so
    that it is never taken for a verdict.
    """
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, stream and Output(stream)) for stream in streams)
    try:
        with any_letter(streams):
            code = _exit_code(arguments)
            if sys.stdout is not None:
                sys.stdout.flush()  # now, where a failure still has an exit code
    except OutputLost as lost:
        code = _lost(lost.__cause__, streams)
    except Exception as error:
        code = _crashed(error)
    finally:
        sys.stdout, sys.stderr = streams
    sys.exit(code)


def _exit_code(arguments: list[str] | None) -> int:
    try:
        code = cli.main(args=arguments, prog_name="lnbench", standalone_mode=False)
        return code if isinstance(code, int) else Exit.OK
    except click.exceptions.Abort as abort:
        if isinstance(abort.__cause__, KeyboardInterrupt):  # else the verb has said what it keeps
            click.echo(f"{ending.why()}; {GO_ON}", err=True)
        return ending.exit_code()
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except SpecError as error:  # a line for each problem, which begins with its place: editors find that
        click.echo(str(error), err=True)
        return error.exit_code
    except LnbenchError as error:
        click.echo(f"lnbench: {visible(str(error), keep=chr(10))}", err=True)
        return error.exit_code
    except (OSError, ValueError, RuntimeError) as error:
        what = refused_path(error)  # of a path that the user gave, wherever it was first looked at
        if not what:
            raise
        click.echo(f"lnbench: {what}; {KEPT}", err=True)
        return Exit.USAGE
    except KeyboardInterrupt:
        click.echo(f"{ending.why()}; {GO_ON}", err=True)
        return ending.exit_code()


def _lost(why: BaseException | None, streams: Iterable[TextIO | None]) -> Exit:
    """Return the exit code where the output gets nowhere. What is left in the streams' buffers goes nowhere too:
    Python flushes it when it exits, and would fail again."""
    for stream in filter(None, streams):
        try:
            stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):  # no file descriptor: then nothing is flushed into it
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    if isinstance(why, BrokenPipeError):
        return Exit.PIPE_CLOSED
    _say(f"lnbench: the output cannot be written: {getattr(why, 'strerror', None) or why}; {KEPT}")
    return Exit.UNWRITABLE


def _crashed(error: Exception) -> Exit:
    """Return the exit code of an error that nobody foresaw, and say what it is."""
    if out_of_memory(error):
        _say(f"lnbench: no memory left ({type(error).__name__}); {KEPT}. Close other programs, or give fewer --workers")
    else:
        _say("".join(traceback.format_exception(error)).rstrip())
        _say(f"lnbench {lnbench.__version__}: this is a bug in lnbench; please report it, with the lines above. {KEPT}")
    return Exit.CRASHED


def _say(words: str) -> None:
    """Write to standard error, if that is possible."""
    with contextlib.suppress(OSError, ValueError, OutputLost):
        click.echo(words, err=True)
