"""Ctrl-C and SIGTERM as a flag: the campaign ends soon, what there is gets written. A second one ends the process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """Sets the event at the first signal. Only for the main thread."""
    seen = threading.Event()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def note(_number: int, _frame: FrameType | None) -> None:
        seen.set()
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield seen
    finally:
        for number in SIGNALS:
            signal.signal(number, before[number])
