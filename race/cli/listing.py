"""`race list`, `race sites` and `race guards`."""

from __future__ import annotations

import argparse
import sys

import msgspec
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from race import native
from race.output import Screen
from race.scenario.decode import decode
from race.scenario.format import ScenarioFile
from race.scenario.load import read, shipped

PIPE_WIDTH = 1000


def main(options: argparse.Namespace) -> None:
    catalog = native.catalog()
    if options.verb == "list":
        _show(_scenarios())
    elif options.json:
        entries = msgspec.json.encode(catalog.sites if options.verb == "sites" else catalog.guards)
        sys.stdout.write(msgspec.json.format(entries, indent=2).decode() + "\n")
    else:
        _show(_sites() if options.verb == "sites" else _guards())


def _show(table: Table) -> None:
    console = Screen()
    if not console.is_terminal:
        console = Screen(width=PIPE_WIDTH)  # a line each, for grep
    console.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(column)
    return table


def _scenarios() -> Table:
    table = _table("scenario", "bug", "kind", "title", "threads", "page size")
    for name, path in shipped().items():
        tables = decode(read(path, str(path)).content, str(path)).tables
        threads = ", ".join(thread.name for thread in tables.threads)
        table.add_row(*map(Text, (name, *_bug(tables), tables.title, threads, str(tables.pool.page_size))))
    return table


def _bug(tables: ScenarioFile) -> tuple[str, str]:
    return (tables.bug.id, tables.bug.kind) if tables.bug is not None else ("", "")


def _sites() -> Table:
    table = _table("site", "primitive", "side", "default", "where", "protects")
    for site in native.catalog().sites:
        where = f"{site.file}:{site.line}"
        table.add_row(*map(Text, (site.name, site.primitive, site.side, site.default, where, site.protects)))
    return table


def _guards() -> Table:
    table = _table("guard", "4.8", "other", "where", "protects", "history")
    for guard in native.catalog().guards:
        where = ", ".join(guard.places)
        table.add_row(*map(Text, (guard.name, guard.normal, guard.other, where, guard.protects, guard.history)))
    return table
