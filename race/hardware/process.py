"""Starts the hardware engine in a process of its own, and reads what it says until it ends."""

from __future__ import annotations

import contextlib
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from race.errors import InputError, RunError
from race.hardware.request import Request

POLL = 0.1  # seconds between looks at the interruption flag
SILENCE = 60.0  # seconds beyond its own watchdog's after which it is ended
GRACE = 20.0  # seconds that it has to end when it is asked to

COMMAND = (sys.executable, "-m", "race.hardware.child")


class Flag(Protocol):
    def is_set(self) -> bool: ...


def run(
    request: Request, stop: Flag, tell: Callable[[dict[str, Any]], None], command: Sequence[str] = COMMAND
) -> bytes:
    """The result document of native/capi/native_run.hpp. tell: each of the lines that come before it."""
    # Its own session: a Ctrl-C on the terminal is for this process alone, which then asks the engine to end.
    engine = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert engine.stdin is not None
    assert engine.stdout is not None
    try:
        with contextlib.suppress(BrokenPipeError):
            engine.stdin.write(msgspec.json.encode(request))
            engine.stdin.close()
        return _read(engine, request, stop, tell)
    finally:
        if engine.poll() is None:
            engine.kill()
        engine.wait()
        engine.stdout.close()


class _Last(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw()
    error: str = ""
    status: int = 0


def _read(
    engine: subprocess.Popen[bytes], request: Request, stop: Flag, tell: Callable[[dict[str, Any]], None]
) -> bytes:
    assert engine.stdout is not None
    silence = SILENCE + 3 * request.calibrate_seconds + request.hang_seconds
    heard = time.monotonic()
    asked: float | None = None
    told = False
    buffered = b""
    with selectors.DefaultSelector() as selector:
        selector.register(engine.stdout, selectors.EVENT_READ)
        while True:
            if selector.select(POLL):
                chunk = engine.stdout.read1()  # type: ignore[attr-defined]
                if not chunk:
                    break
                heard = time.monotonic()
                *lines, buffered = (buffered + chunk).split(b"\n")
                for line in lines:
                    last = msgspec.json.decode(line, type=_Last)
                    if bytes(last.result):
                        return bytes(last.result)
                    if last.error:
                        raise InputError(last.error) if last.status == InputError.status else RunError(last.error)
                    tell(msgspec.json.decode(line))
                    told = True
            now = time.monotonic()
            if asked is None and told and stop.is_set():  # before its first line it may not listen yet
                engine.terminate()
                asked = now
            if now - heard > silence or (asked is not None and now - asked > GRACE):
                raise RunError("the hardware engine gave no sign of life and was ended")
    raise RunError(f"the hardware engine ended without a result: {_cause(engine.wait())}")


def _cause(code: int) -> str:
    return f"exit status {code}" if code >= 0 else f"signal {-code}"
