"""`python -m lnbench`, and the `lnbench` command."""

import sys


def main() -> None:
    """Run the command line. An installation that cannot even be imported ends with the exit code of a crash."""
    try:
        from lnbench.cli.main import main as run
    except Exception:
        import traceback

        traceback.print_exc()
        print("lnbench cannot be imported: install it again, with what it needs", file=sys.stderr)
        sys.exit(70)  # errors.Exit.CRASHED, which may be what cannot be imported
    run()


if __name__ == "__main__":
    main()
