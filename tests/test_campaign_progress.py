"""How far a run is: on a terminal and elsewhere."""

from __future__ import annotations

import io

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


def test_bars_on_a_terminal() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, _environ={})
    with display(console, ["off", "on"]) as shown:
        assert isinstance(shown, Bars)
        shown.update(STATE)
    assert "1,500 of 2,000 executions" in out.getvalue()
    assert "garbage-freeobj 40" in out.getvalue()
