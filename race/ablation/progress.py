"""How far an ablation is, on standard error: the trial that runs on a terminal, elsewhere a line every 15 s."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from race.output import Screen
from race.progress import LINE_EVERY

Update = Callable[[str, int, int], None]


@contextmanager
def progress(console: Screen) -> Iterator[Update]:
    """Gives what is to be told which trial runs, and how many of how many executions it has done."""
    if not console.is_terminal:
        yield _Lines(console).update
        return
    columns = (
        TimeElapsedColumn(),
        BarColumn(bar_width=16),
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, of: bar.update(task, description=what, completed=done, total=of)


class _Lines:
    def __init__(self, console: Screen) -> None:
        self._console = console
        self._next = time.monotonic() + LINE_EVERY

    def update(self, what: str, done: int, of: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY
            line = f"{what}: {done:,} of {of:,} executions"
            with contextlib.suppress(OSError):  # a result is worth more than a line that nobody can read
                self._console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)
