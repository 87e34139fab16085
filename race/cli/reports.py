"""The files that are drawn from a result document, and the report on the screen."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from race import native, output
from race.cause import Cause, shortest
from race.interrupt import interrupts
from race.report import junit, markdown, terminal
from race.results import Document, encode


def wanted(options: argparse.Namespace) -> dict[str, str]:
    """The files that the user asked for, by format."""
    files = {name: getattr(options, name, None) for name in ("json", "markdown", "junit", "html")}
    return {name: file for name, file in files.items() if file is not None}


def write(document: Document, files: dict[str, str]) -> None:
    drawn: dict[str, Callable[[], bytes]] = {
        "json": lambda: encode(document),
        "markdown": lambda: markdown.render(document).encode(),
        "junit": lambda: junit.render(document).encode(),
        "html": lambda: _html(document),
    }
    for name, file in files.items():
        output.write(file, drawn[name]())


def _html(document: Document) -> bytes:
    from race.report import html  # not before it is wanted: it takes as long to import as all the rest

    catalog = native.catalog()
    return html.render(document, _causes(document, catalog), catalog.sites).encode()


def _causes(document: Document, catalog: native.Catalog) -> list[Cause]:
    """Ctrl-C leaves those that are not shrunk yet as they were recorded."""
    console = output.Screen(stderr=True)

    def show(oracle: str, executions: int, reorderings: int, switches: int) -> None:
        if console.is_terminal:
            text = f"shrinking {oracle}: {executions:,} executions, {reorderings:,} reorderings"
            sys.stderr.write(f"\r\x1b[K{text}, {switches} context switches")
            sys.stderr.flush()

    with interrupts() as stop:
        causes = shortest(document, catalog, stop, show)
    if console.is_terminal:
        sys.stderr.write("\r\x1b[K")
    return causes


def show(document: Document, files: dict[str, str]) -> None:
    """On standard output, or on standard error if a file has gone to standard output."""
    to = sys.stderr if output.STDOUT in files.values() else sys.stdout
    with output.writing_to(to):
        terminal.render(document, output.Screen(file=to))
