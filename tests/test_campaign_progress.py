"""How far a run is: on a terminal and elsewhere."""

from __future__ import annotations

import dataclasses
import io
import re

import pytest
from rich.console import Console

from race.campaign import State
from race.progress import Bars, Lines, describe, display

STATE = State(
    plan="off", executions=1500, requested=2000, rate=750.4, counts={"oops": 3, "garbage-freeobj": 40}, left=0.7
)
LINE = "1,500 of 2,000 executions; 750/s; 1 s left; garbage-freeobj 40, oops 3"


def test_a_state_in_words() -> None:
    assert "; ".join(describe(STATE).values()) == LINE
    endless = State(plan="on", executions=0, requested=None, rate=0.0, counts={}, left=None)
    assert describe(endless) == {"executions": "0 executions", "rate": "0/s", "left": "", "findings": "nothing found"}


def test_a_plain_line_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    now = 100.0
    monkeypatch.setattr("race.progress.time.monotonic", lambda: now)
    with display(Console(file=out), ["off"]) as shown:
        assert isinstance(shown, Lines)
        for passed in (14.9, 15.0, 29.9, 30.0):
            now = 100.0 + passed
            shown.update(STATE)
    assert out.getvalue() == f"off: {LINE}\n" * 2


def last_lines(width: int, plans: list[str], state: State = STATE) -> list[str]:
    """What a terminal of that width shows at the end."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, _environ={})
    with display(console, plans) as shown:
        assert isinstance(shown, Bars)
        for plan in plans:
            shown.update(dataclasses.replace(state, plan=plan))
    lines = re.split("[\\r\\n]", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()))
    return [line.rstrip() for line in lines if line.strip()][-len(plans) :]


def test_bars_on_a_wide_terminal() -> None:
    for line in last_lines(120, ["off", "bit-spin-only", "on"]):
        assert line.endswith("1,500 of 2,000 750/s 1 s left garbage-freeobj 40, oops 3")


@pytest.mark.parametrize(
    ("width", "facts"),
    [
        (80, "1,500 of 2,000 750/s 1 s left 43 found"),
        (70, "1,500 of 2,000 1 s left 43 found"),
        (60, "1,500 of 2,000 43 found"),
    ],
)
def test_a_narrow_terminal_does_without_the_less_important(width: int, facts: str) -> None:
    for line in last_lines(width, ["off", "bit-spin-only", "on"]):
        assert re.sub(" +", " ", line).endswith(f" {facts}")
        assert len(line) <= width


def test_large_figures_fit_into_80_columns() -> None:
    large = State(plan="", executions=1_234_567, requested=2_000_000, rate=1e5, counts={"oops": 1_000_000}, left=600.0)
    for line in last_lines(80, ["off", "on,zs_page_migrate.class.unlock=none"], large):
        assert line.endswith(" 1,234,567 of 2,000,000 600 s left 1,000,000 found")
