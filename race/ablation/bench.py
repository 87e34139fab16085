"""Runs the trials of an ablation on workers: executions of one barrier plan, until there are findings enough."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import uuid4

import msgspec

from race.campaign import GRACE, POLL, Flag, Workers
from race.errors import RunError
from race.merge import ArmResult, Merge
from race.plan import Strengths
from race.results import ProofVerdict
from race.schedule import BatchSize, Numbers
from race.worker import Batch, run_batch, run_crossings

ENOUGH = 10  # findings that end a trial: it is known to fail then, and how often, roughly
SAMPLE_BATCH = 250  # executions

R = TypeVar("R")


@dataclass(frozen=True)
class Trial:
    strengths: Strengths
    executions: int
    counts: dict[str, int]  # findings by oracle
    first: int | None
    cut_short: int = 0
    proof: ProofVerdict | None = None  # None: the executions were random

    @property
    def hits(self) -> int:
        return sum(self.counts.values())

    @property
    def judged(self) -> int:
        return self.executions - self.cut_short

    @property
    def clean(self) -> bool:
        return not self.counts and self.proof != "not finished"


class SiteCount(msgspec.Struct, frozen=True):
    """Of a sample: executions that came to the site, how often they did, executions that moved an access across it."""

    crossed: int = 0
    times: int = 0
    tried: int = 0

    def __add__(self, other: SiteCount) -> SiteCount:
        return SiteCount(self.crossed + other.crossed, self.times + other.times, self.tried + other.tried)


class _Sample(msgspec.Struct):
    executions: int
    sites: dict[str, SiteCount]


class Ended(Exception):  # noqa: N818 - it is no error
    """There is no time for more, or the user has had enough."""

    def __init__(self, interrupted: bool, why: str = "the time was up") -> None:
        super().__init__("it was interrupted" if interrupted else why)
        self.interrupted = interrupted


class Trials(Protocol):
    """What runs the trials of a study."""

    trials: int
    executions: int  # that count in a trial or a sample
    unfinished: int  # trials that were no proof, and found nothing
    proves: bool

    def trial(self, what: str, strengths: Strengths, executions: int, enough: int | None = ENOUGH) -> Trial: ...

    def sample(
        self, what: str, strengths: Mapping[str, str], base: Mapping[str, str], executions: int
    ) -> dict[str, SiteCount]: ...


@dataclass
class Bench:
    native: Callable[[Mapping[str, str]], bytes]  # the engine's plan of these strengths
    workers: Workers
    stop: Flag
    deadline: float | None  # of time.monotonic()
    progress: Callable[[str, int, int], None]  # what, executions so far, of how many
    trials: int = 0
    executions: int = 0  # that count in a trial or a sample
    unfinished: int = 0
    proves: bool = False

    def trial(self, what: str, strengths: Strengths, executions: int, enough: int | None = ENOUGH) -> Trial:
        """Ends at the finding that is the last of `enough`; None: it does not end early. The same with any workers."""
        plan, name = self.native(strengths), uuid4().hex
        numbers, size, merge = Numbers(0, executions, None), BatchSize(self.workers.jobs), Merge(ENOUGH, 0)
        self.trials += 1

        def hand_out() -> Future[Batch] | None:
            if enough is not None and sum(merge.counts.values()) >= enough:
                return None
            ranges = numbers.take(size.next(executions - numbers.handed_out))
            return self.workers.executor.submit(run_batch, name, plan, ranges) if ranges else None

        def take_in(batch: Batch) -> None:
            size.learn(batch)
            merge.add(batch)
            self.progress(what, merge.executions, executions)

        self._run(hand_out, take_in)
        arm = ArmResult("", executions)
        merge.write(arm)
        trial = Trial(strengths, arm.executions, arm.counts, arm.first, arm.cut_short)
        if enough is not None and sum(arm.counts.values()) >= enough:
            # Batches ran in order, so all executions up to this finding have been run.
            kept = arm.findings[:enough]
            counts = dict(Counter(finding.oracle for finding in kept))
            trial = Trial(strengths, kept[-1].execution + 1, counts, first=kept[0].execution)
        self.executions += trial.executions
        return trial

    def hunt(self, what: str, strengths: Strengths, executions: int, wanted: Collection[str]) -> ArmResult:
        """Ends once each of these oracles has fired. Their first findings do not depend on the workers."""
        plan, name = self.native(strengths), uuid4().hex
        numbers, size, merge = Numbers(0, executions, None), BatchSize(self.workers.jobs), Merge(1, 0)

        def hand_out() -> Future[Batch] | None:
            if wanted and all(merge.counts.get(oracle) for oracle in wanted):
                return None
            ranges = numbers.take(size.next(executions - numbers.handed_out))
            return self.workers.executor.submit(run_batch, name, plan, ranges) if ranges else None

        def take_in(batch: Batch) -> None:
            size.learn(batch)
            merge.add(batch)
            self.progress(what, merge.executions, executions)

        self._run(hand_out, take_in)
        arm = ArmResult("", executions)
        merge.write(arm)
        return arm

    def sample(
        self, what: str, strengths: Mapping[str, str], base: Mapping[str, str], executions: int
    ) -> dict[str, SiteCount]:
        plan, against, name = self.native(strengths), self.native(base), uuid4().hex
        numbers = Numbers(0, executions, None)
        total: dict[str, SiteCount] = {}
        done = 0

        def hand_out() -> Future[bytes] | None:
            ranges = numbers.take(SAMPLE_BATCH)
            if not ranges:
                return None
            return self.workers.executor.submit(run_crossings, name, plan, against, ranges[0])

        def take_in(data: bytes) -> None:
            nonlocal done
            part = msgspec.json.decode(data, type=_Sample)
            done += part.executions
            for site, count in part.sites.items():
                total[site] = total.get(site, SiteCount()) + count
            self.progress(what, done, executions)

        self._run(hand_out, take_in)
        self.executions += done
        return total

    def _run(self, hand_out: Callable[[], Future[R] | None], take_in: Callable[[R], None]) -> None:
        pending: list[Future[R]] = []
        try:
            while True:
                while len(pending) < 2 * self.workers.jobs and (future := hand_out()) is not None:
                    pending.append(future)
                if not pending:
                    return
                done, _ = wait(pending, timeout=POLL, return_when=FIRST_COMPLETED)
                if self.stop.is_set():
                    self._cancel(pending)
                    raise Ended(interrupted=True)
                for future in done:
                    pending.remove(future)
                    take_in(future.result())
                if self.deadline is not None and time.monotonic() >= self.deadline and pending:
                    self._cancel(pending)
                    raise Ended(interrupted=False)
        except BrokenExecutor:
            # A signal that meant the whole process group has ended the workers too: no fault of theirs.
            if self.stop.is_set():
                raise Ended(interrupted=True) from None
            raise RunError(self.workers.epitaph()) from None
        except RunError:  # an execution that cannot be run
            self._cancel(pending)
            raise

    def _cancel(self, pending: Sequence[Future[R]]) -> None:
        for future in reversed(pending):
            future.cancel()
        self.workers.cancel()
        _, late = wait(pending, timeout=GRACE)
        if late:
            self.workers.kill()
