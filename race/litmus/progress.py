"""How far a run over many tests is, on standard error: a bar on a terminal, elsewhere a line every 15 s."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from race.output import Screen
from race.progress import LINE_EVERY


@contextmanager
def progress(console: Screen, total: int) -> Iterator[Callable[[int], None]]:
    """Gives what is to be told how many tests are done."""
    if not console.is_terminal:
        yield _Lines(console, total).update
        return
    columns = (TextColumn("tests"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        task = bar.add_task("", total=total)
        yield lambda done: bar.update(task, completed=done)


class _Lines:
    def __init__(self, console: Screen, total: int) -> None:
        self._console = console
        self._total = total
        self._next = time.monotonic() + LINE_EVERY

    def update(self, done: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY
            self._console.print(f"{done:,} of {self._total:,} tests", markup=False, highlight=False, soft_wrap=True)
