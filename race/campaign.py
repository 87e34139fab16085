"""Campaigns: arms, one for each barrier plan, run one after the other by workers.

Executions are numbered, and each depends on its number and the seed alone. They are handed out in order, so an arm that
was not interrupted has run the first N, and what it found is the same however many workers there were.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from race.errors import RunError
from race.merge import ArmResult, Merge
from race.schedule import BatchSize, Numbers, Shard
from race.worker import Batch, run_batch

POLL = 0.1  # seconds between looks at the clock and at the interruption flag
GRACE = 10.0  # seconds that cancelled batches have to come back


@dataclass(frozen=True)
class ArmPlan:
    """A barrier plan, and the engine's plan made from it."""

    plan: str
    native: bytes


@dataclass(frozen=True)
class State:
    """How far an arm is."""

    plan: str
    executions: int
    requested: int | None
    rate: float  # executions a second
    counts: dict[str, int]
    left: float | None  # seconds, if there is a way to tell
    about: int | None = None  # executions that are left, an estimate


class Flag(Protocol):
    def is_set(self) -> bool: ...


class Workers(Protocol):
    """What runs the batches: an Executor, and what an Executor cannot do."""

    executor: Executor
    jobs: int

    def cancel(self) -> None:
        """Makes running batches return soon, if it can."""

    def kill(self) -> None:
        """Ends workers that did not."""

    def renew(self) -> None:
        """Ends them all, whatever they do, and has others in their place."""

    def epitaph(self) -> str:
        """Why the executor broke."""


@dataclass(frozen=True)
class Settings:
    """When an arm ends, what it keeps, and who is told. It ends at whichever limit comes first."""

    executions: int | None  # of an arm, all shards together
    seconds: float | None  # of all arms together
    max_findings: int
    max_traces: int
    first: int = 0  # number of the first execution
    shard: Shard | None = None

    def numbers(self) -> Numbers:
        return Numbers(self.first, None if self.executions is None else self.first + self.executions, self.shard)


@dataclass
class CampaignResult:
    arms: list[ArmResult]
    interrupted: bool = False
    error: str = ""  # why it could not be completed


def run_campaign(
    plans: Sequence[ArmPlan], workers: Workers, settings: Settings, stop: Flag, progress: Callable[[State], None]
) -> CampaignResult:
    """Runs the arms. What it has when it is stopped or a worker dies is still a result, and says so."""
    result = CampaignResult(arms=[])
    began = time.monotonic()
    for i, plan in enumerate(plans):
        seconds = None
        if settings.seconds is not None:
            seconds = max(0.0, settings.seconds - (time.monotonic() - began)) / (len(plans) - i)
        arm = _Arm(plan, workers, settings, seconds, stop, progress)
        result.arms.append(arm.result)
        try:
            arm.run()
        except RunError as error:
            result.error = str(error)
        result.interrupted = stop.is_set()
        if result.interrupted or result.error:
            break
    return result


class _Arm:
    """One arm, while it runs."""

    def __init__(
        self,
        plan: ArmPlan,
        workers: Workers,
        settings: Settings,
        seconds: float | None,
        stop: Flag,
        progress: Callable[[State], None],
    ) -> None:
        self._plan = plan
        self._workers = workers
        self._seconds = seconds
        self._stop = stop
        self._progress = progress
        self._name = uuid4().hex
        self._numbers = settings.numbers()
        self._size = BatchSize(workers.jobs)
        self._merge = Merge(settings.max_findings, settings.max_traces)
        self._pending: list[Future[Batch]] = []  # in the order of their execution numbers
        self._began = time.monotonic()
        self._working_since: float | None = None
        self.result = ArmResult(plan.plan, self._numbers.total)

    def run(self) -> None:
        try:
            self._run_batches()
            self._merge.write(self.result)
        except RunError:  # an execution that cannot be run; what the others have still counts
            self._cancel()
            self._merge.write(self.result)
            raise
        except BrokenExecutor:
            self._merge.write(self.result)
            # A signal that meant the whole process group has ended the workers too: no fault of theirs.
            if not self._stop.is_set():
                raise RunError(self._workers.epitaph()) from None
        finally:
            self.result.seconds = self._elapsed()

    def _run_batches(self) -> None:
        ending = False
        while True:
            if not ending:
                self._hand_out()
            if not self._pending:
                return
            done, _ = wait(self._pending, timeout=POLL, return_when=FIRST_COMPLETED)
            if self._stop.is_set():
                self._cancel()
                return
            for future in [each for each in self._pending if each in done]:  # the first failure is the error
                self._pending.remove(future)
                self._take_in(future)
            if done:
                self._report()
            if not ending and self._time_is_up() and self._merge.executions:  # each arm gets one batch at least
                ending = True
                self._drop_waiting()

    def _hand_out(self) -> None:
        while len(self._pending) < 2 * self._workers.jobs:
            total = self._numbers.total
            left = None if total is None else total - self._numbers.handed_out
            ranges = self._numbers.take(self._size.next(left))
            if not ranges:
                return
            self._pending.append(self._workers.executor.submit(run_batch, self._name, self._plan.native, ranges))

    def _take_in(self, future: Future[Batch]) -> None:
        batch = future.result()
        if self._working_since is None:
            self._working_since = time.monotonic() - batch.seconds
        self._size.learn(batch)
        self._merge.add(batch)
        if self.result.first_finding_seconds is None and self._merge.first is not None:
            self.result.first_finding_seconds = self._elapsed()

    def _drop_waiting(self) -> None:
        """Cancels what has not begun. The last goes first, so that what does run stays the first N executions."""
        self._pending = [future for future in reversed(self._pending) if not future.cancel()][::-1]

    def _cancel(self) -> None:
        """Gathers what the running batches have."""
        self._drop_waiting()
        self._workers.cancel()
        done, late = wait(self._pending, timeout=GRACE)
        if late:
            self._workers.kill()
        for future in done:
            if future.exception() is None:
                self._take_in(future)

    def _time_is_up(self) -> bool:
        return self._seconds is not None and self._elapsed() >= self._seconds

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _report(self) -> None:
        done = self._merge.executions
        # Without the start of the workers, which would make the first estimates much too low.
        working = time.monotonic() - (self._working_since or self._began)
        rate = done / working if working > 0 else 0.0
        left = []
        if self._numbers.total is not None and rate > 0:
            left.append((self._numbers.total - done) / rate)
        if self._seconds is not None:
            left.append(max(0.0, self._seconds - self._elapsed()))
        self._progress(
            State(
                plan=self._plan.plan,
                executions=done,
                requested=self._numbers.total,
                rate=rate,
                counts=self._merge.counts,
                left=min(left, default=None),
            )
        )
