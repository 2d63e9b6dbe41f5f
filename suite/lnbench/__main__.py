"""`python -m lnbench`, and the `lnbench` command."""

from lnbench.cli.main import main

if __name__ == "__main__":
    main()
