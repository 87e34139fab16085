"""What runs in a worker process: batches of executions, on a native campaign that stays open between them.

Any concurrent.futures.Executor can run `run_batch`. The pool of race.pool also calls `start` in each of its processes,
so that a batch can be cut short.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
import time
import uuid
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Protocol

import msgspec

import race
from race import native
from race.errors import RunError

Range = tuple[int, int]  # first execution, how many

CANCEL_EVERY = 0.05  # seconds


class Batch(msgspec.Struct, frozen=True):
    """What a batch gives back. `result` is all that this worker has run of the arm so far, as the engine writes it."""

    worker: str
    done: int
    seconds: float
    result: bytes


class Cancellable(Protocol):
    def cancel(self) -> None: ...


class _State(threading.local):
    """A native campaign belongs to one thread."""

    def __init__(self) -> None:
        self.worker = uuid.uuid4().hex
        self.arm = ""
        self.campaign: native.Campaign | None = None


_state = _State()
_running: set[Cancellable] = set()
_running_lock = threading.Lock()  # a campaign must not close while it is being cancelled
_cancelled = threading.Event()


def run_batch(arm: str, plan_json: bytes, ranges: list[Range]) -> Batch:
    """Runs those executions of an arm. `arm` names one arm of one campaign for good; another name opens another."""
    campaign = _open(arm, plan_json)
    began = time.monotonic()
    done = 0
    with cancellable(campaign):
        for first, count in ranges:
            if cancelled():
                break
            done += campaign.run(first, count)
    return Batch(_state.worker, done, time.monotonic() - began, campaign.result())


def run_crossings(arm: str, plan_json: bytes, base_json: bytes, executions: Range) -> bytes:
    """How often those executions came to each site, and moved an access across it that the base plan forbids."""
    campaign = _open(arm, plan_json)
    with cancellable(campaign):
        return campaign.crossings(base_json, *executions)


def run_unit(arm: str, plan_json: bytes, request_json: bytes, version: str) -> bytes:
    """Explores a tree of executions (race.exhaustive), or some of it: what comes back is told by the request alone."""
    if version != race.__version__:  # on a machine of its own
        raise RunError(f"a worker has race {race.__version__}, and this is race {version}: they must be the same")
    return _open(arm, plan_json).explore(request_json)


@contextlib.contextmanager
def cancellable(work: Cancellable) -> Iterator[None]:
    """While it runs, the pool can cut it short."""
    with _running_lock:
        _running.add(work)
    try:
        yield
    finally:
        with _running_lock:
            _running.discard(work)


def cancelled() -> bool:
    return _cancelled.is_set()


def _open(arm: str, plan_json: bytes) -> native.Campaign:
    if _state.campaign is not None and _state.arm == arm:
        return _state.campaign
    if _state.campaign is not None:
        _state.campaign.close()
        _state.campaign = None
    _state.campaign = native.Campaign(plan_json)
    _state.arm = arm
    return _state.campaign


def start(parent: Connection) -> None:
    """The pipe closes when the parent wants the work to stop, and when the parent is gone."""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(pipe: Connection) -> None:
    with contextlib.suppress(OSError):
        pipe.poll(None)
    _cancelled.set()
    parent = multiprocessing.parent_process()
    while parent is not None and parent.is_alive():
        # Again and again, because a run that is just about to start does not see a cancel that came before it.
        with _running_lock:
            for work in _running:
                work.cancel()
        time.sleep(CANCEL_EVERY)
    os._exit(1)
