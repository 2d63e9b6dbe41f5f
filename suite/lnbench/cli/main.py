"""The command line: its verbs, its exit codes, and what every error looks like. Each verb's code is in `commands/`.

A verb is imported when it is used: `lnbench --help` and `lnbench list` start as fast as click does.
"""

from __future__ import annotations

import importlib
import sys

import click

import lnbench
from lnbench.errors import Exit, LnbenchError

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
    "scoreboard": ("judging", "Write the table of all committed verdicts into README."),
    "audit": ("auditing", "Train random runs of a report again, and compare."),
    "store": ("storing", "Finished runs: status, check, export, import, remove."),
    "data": ("dataset", "Data sets: status, fetch, check."),
    "doctor": ("doctor", "Show what this machine can run, and what is wrong."),
}

EPILOG = """\b
Exit codes, the first that applies:
  2    wrong usage, or a study file that is not valid
  3    a run failed
  5    nothing was selected
  1    a claim is contradicted, or failed (a hypothesis), or smoke-fail
  7    a run trained again differs from its record (audit), or a store from its ledger (store check)
  4    something is open, not in its regime, or was not run
  0    all pass
  130  interrupted; finished runs are kept
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


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code. No error that a user can fix shows a traceback."""
    try:
        code = cli.main(args=arguments, prog_name="lnbench", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else Exit.OK)
    except click.exceptions.Abort:
        sys.exit(Exit.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(Exit.USAGE)
    except LnbenchError as error:
        click.echo(f"{error}" if "\n" in str(error) else f"lnbench: {error}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        click.echo("interrupted; finished runs are kept, give the same command to go on", err=True)
        sys.exit(Exit.INTERRUPTED)
    except BrokenPipeError:  # `lnbench list | head`
        sys.stderr.close()
        sys.exit(Exit.OK)
