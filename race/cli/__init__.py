"""The command line. Kept light: worker processes import this module too, because it is the parent's main program."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns its exit status. Whatever goes wrong is one line on standard error."""
    from race.cli.entry import run

    return run(sys.argv[1:] if argv is None else argv)
