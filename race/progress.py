"""How far a run is, on standard error: a live display on a terminal, elsewhere a plain line every 15 s."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Column

from race.campaign import State

LINE_EVERY = 15.0  # seconds
PLAN_AT_MOST = 24  # columns of a plan's name
NEEDED = 42  # columns of executions, 1,000,000 of 2,000,000, and of the number of findings


class Display(Protocol):
    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def update(self, state: State) -> None: ...


def display(console: Console, plans: list[str]) -> Display:
    return Bars(console, plans) if console.is_terminal else Lines(console)


class Bars:
    """One line for each arm. A narrow terminal does without the bar, the oracles' names, the rate, the time left."""

    def __init__(self, console: Console, plans: list[str]) -> None:
        longest = min(PLAN_AT_MOST, max(len(plan) for plan in plans))
        spare = console.width - longest - NEEDED
        columns = [
            (True, _text("[plan]", max_width=longest, overflow="ellipsis")),
            (spare >= 65, BarColumn(bar_width=16)),
            (True, _text("[facts][executions]", justify="right")),
            (spare >= 20, _text("[facts][rate]", justify="right")),
            (spare >= 10, _text("[facts][left]", justify="right")),
            (True, _text("[facts][findings]", ratio=1, overflow="ellipsis")),
        ]
        self._names_oracles = spare >= 48
        self._progress = Progress(
            *(column for wanted, column in columns if wanted),
            console=console,
            transient=True,
            expand=True,
        )
        waiting = dict.fromkeys(("executions", "rate", "left", "findings"), "")
        self._tasks: dict[str, TaskID] = {
            plan: self._progress.add_task("", plan=plan, start=False, total=None, facts=waiting) for plan in plans
        }

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, state: State) -> None:
        task = self._tasks[state.plan]
        self._progress.start_task(task)
        total = completed = 1.0
        if state.left is not None:
            total, completed = state.executions + state.left * state.rate, state.executions
        facts = {name: fact.removesuffix(" executions") for name, fact in describe(state).items()}
        if state.counts and not self._names_oracles:
            facts["findings"] = f"{sum(state.counts.values()):,} found"
        self._progress.update(task, total=total, completed=completed, facts=facts)


def _text(field: str, **column: Any) -> TextColumn:
    return TextColumn(f"{{task.fields{field}}}", markup=False, table_column=Column(no_wrap=True, **column))


class Lines:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = time.monotonic() + LINE_EVERY

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def update(self, state: State) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + LINE_EVERY
            line = f"{state.plan}: " + "; ".join(fact for fact in describe(state).values() if fact)
            with contextlib.suppress(OSError):  # a result is worth more than a line that nobody can read
                self._console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)


def _left(state: State) -> str:
    parts = [f"about {state.about:,} executions"] if state.about is not None else []
    parts += [f"{state.left:.0f} s"] if state.left is not None else []
    return f"{', '.join(parts)} left" if parts else ""


def describe(state: State) -> dict[str, str]:
    """Executions, rate, time left, and findings by oracle, the most frequent first."""
    of = f" of {state.requested:,}" if state.requested is not None else ""
    counts = sorted(state.counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return {
        "executions": f"{state.executions:,}{of} executions",
        "rate": f"{state.rate:,.0f}/s",
        "left": _left(state),
        "findings": ", ".join(f"{name} {n:,}" for name, n in counts) or "nothing found",
    }
