"""Ctrl-C and SIGTERM. While a campaign runs they are a flag: it ends soon, and what there is gets written.

Before and after it, and at a second one, the process ends at once with the status that a shell gives it: 130, 143.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHOW_CURSOR = b"\x1b[?25h\n"  # a live display hides it, and leaves its last line unended


def end_at_once() -> None:
    """Makes Ctrl-C end the process with one line from now on."""
    signal.signal(signal.SIGINT, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    # No exception: one that comes up in an import, a destructor or at exit is shown as a traceback, or forgotten.
    with contextlib.suppress(OSError):
        os.write(2, (SHOW_CURSOR if os.isatty(2) else b"") + b"race: interrupted\n")
    os._exit(128 + number)


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """Sets the event at the first signal. Only for the main thread."""
    seen = threading.Event()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def note(_number: int, _frame: FrameType | None) -> None:
        seen.set()
        for number in SIGNALS:
            signal.signal(number, _end)

    for number in SIGNALS:
        signal.signal(number, note)
    try:
        yield seen
    finally:
        for number in SIGNALS:
            signal.signal(number, before[number])


@contextmanager
def put_off() -> Iterator[None]:
    """For what must not be cut short: the signals come after it."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
