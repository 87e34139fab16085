"""The files that are drawn from a result document, and the report on the screen."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from race import output
from race.report import junit, markdown, terminal
from race.results import Document, encode


def wanted(options: argparse.Namespace) -> dict[str, str]:
    """The files that the user asked for, by format."""
    files = {name: getattr(options, name, None) for name in ("json", "markdown", "junit")}
    return {name: file for name, file in files.items() if file is not None}


def write(document: Document, files: dict[str, str]) -> None:
    drawn: dict[str, Callable[[], bytes]] = {
        "json": lambda: encode(document),
        "markdown": lambda: markdown.render(document).encode(),
        "junit": lambda: junit.render(document).encode(),
    }
    for name, file in files.items():
        output.write(file, drawn[name]())


def show(document: Document, files: dict[str, str]) -> None:
    """On standard output, or on standard error if a file has gone to standard output."""
    to = sys.stderr if output.STDOUT in files.values() else sys.stdout
    with output.writing_to(to):
        terminal.render(document, output.Screen(file=to))
