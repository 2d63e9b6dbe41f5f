"""`python -m lnbench`, and the `lnbench` command."""

from lnbench.cli import main

if __name__ == "__main__":
    main()
