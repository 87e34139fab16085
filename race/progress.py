"""How far a run is, on standard error: a live display on a terminal, elsewhere a plain line every 15 s."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from race.campaign import State

LINE_EVERY = 15.0  # seconds


class Display(Protocol):
    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def update(self, state: State) -> None: ...


def display(console: Console, plans: list[str]) -> Display:
    return Bars(console, plans) if console.is_terminal else Lines(console)


class Bars:
    """One bar for each arm."""

    def __init__(self, console: Console, plans: list[str]) -> None:
        self._progress = Progress(
            TextColumn("{task.fields[plan]}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[counts]}", markup=False),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {
            plan: self._progress.add_task("", plan=plan, counts="", start=False, total=None) for plan in plans
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
        self._progress.update(task, total=total, completed=completed, counts=describe(state))


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
            self._console.print(f"{state.plan}: {describe(state)}", markup=False, highlight=False, soft_wrap=True)


def describe(state: State) -> str:
    """Executions, rate, findings by oracle, time left."""
    of = f" of {state.requested:,}" if state.requested is not None else ""
    parts = [f"{state.executions:,}{of} executions", f"{state.rate:,.0f}/s"]
    parts.append(", ".join(f"{name} {n:,}" for name, n in state.counts.items()) or "nothing found")
    if state.left is not None:
        parts.append(f"{state.left:.0f} s left")
    return "; ".join(parts)
