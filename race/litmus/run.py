"""Runs tests in worker processes, one test a task, and gives their outcomes in the order of the tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future, wait
from contextlib import closing
from dataclasses import dataclass

from race import native, worker
from race.campaign import GRACE, POLL, Flag
from race.errors import InputError, RunError
from race.litmus.program import LitmusTest
from race.litmus.result import Outcome, Run, outcome
from race.pool import LocalPool

UNLIMITED = (1 << 64) - 1


@dataclass(frozen=True)
class Settings:
    model: str
    engine: str
    seed: int
    executions: int  # of each test, at most


@dataclass(frozen=True)
class Refused:
    """A test that the machine cannot run."""

    test: LitmusTest
    why: str


def run_program(program: bytes, executions: int) -> Run | None:
    """In a worker process. None if the run was cut short before it began."""
    began = time.monotonic()
    try:
        with closing(native.LitmusMachine(program)) as machine, worker.cancellable(machine):
            if worker.cancelled():
                return None
            machine.run(0, executions)
            return Run(time.monotonic() - began, machine.result())
    except InputError as error:
        return Run(time.monotonic() - began, error=str(error))


def run_tests(
    tests: Sequence[LitmusTest],
    settings: Settings,
    pool: LocalPool,
    stop: Flag,
    progress: Callable[[int], None],
) -> Generator[Outcome | Refused]:
    """When `stop` is set it gives what is finished, of the tests that are running what they have, and ends.

    To be closed, because whoever takes the outcomes may end first, and the rest need not run then."""
    futures = [pool.submit(run_program, _program(test, settings), settings.executions) for test in tests]
    try:
        yield from _outcomes(tests, futures, settings, pool, stop, progress)
    finally:
        if not all(future.done() for future in futures):
            _cancel(pool, futures)


def _outcomes(
    tests: Sequence[LitmusTest],
    futures: list[Future[Run | None]],
    settings: Settings,
    pool: LocalPool,
    stop: Flag,
    progress: Callable[[int], None],
) -> Iterator[Outcome | Refused]:
    cut_short = False
    for test, future in zip(tests, futures, strict=True):
        while not cut_short and not future.done():
            wait([future], timeout=POLL)
            progress(sum(each.done() for each in futures))
            if stop.is_set():
                cut_short = True
                _cancel(pool, futures)
        if future.cancelled() or not future.done():
            continue
        run = _taken(future, pool, stop)
        if run is None:
            continue
        if run.error:
            yield Refused(test, run.error)
        elif (found := outcome(test, settings.model, settings.engine, run)).executions or not cut_short:
            yield found


def _program(test: LitmusTest, settings: Settings) -> bytes:
    return test.program(model=settings.model, engine=settings.engine, seed=settings.seed)


def _taken(future: Future[Run | None], pool: LocalPool, stop: Flag) -> Run | None:
    try:
        return future.result()
    except BrokenExecutor:
        # A signal that meant the whole process group has ended the workers too: no fault of theirs.
        if stop.is_set():
            return None
        raise RunError(pool.epitaph()) from None


def _cancel(pool: LocalPool, futures: list[Future[Run | None]]) -> None:
    running = [future for future in futures if not future.cancel()]
    pool.cancel()
    if wait(running, timeout=GRACE).not_done:
        pool.kill()
