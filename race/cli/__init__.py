"""The command line. Kept light: worker processes import this module too, because it is the parent's main program."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns its exit status. Whatever goes wrong is one line on standard error.

    Without `argv` it is the program itself, and Ctrl-C is its own, even while the rest is imported.
    """
    if argv is None:
        from race.interrupt import end_at_once

        end_at_once()
        argv = sys.argv[1:]
    from race.cli.entry import run

    return run(argv)
