"""Explores the executions of each plan, in rounds of units, on any Executor.

Counts, findings and files depend on the scenario and the options alone: what a unit is asked for depends on the answers
before its round, an answer on its request, and the answers are taken in in the order of the requests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass
from uuid import uuid4

import msgspec

import race
from race import campaign
from race.campaign import POLL, Flag, Workers
from race.errors import InputError, RaceError, RunError
from race.exhaustive.state import Limits, State
from race.exhaustive.tree import Answer
from race.results import ProofBound
from race.worker import run_unit

UNIT = 1.0  # seconds that a unit may need to come back when it is not wanted any more
FIRST_UNIT = 5.0  # seconds that the first may take longer than the budget

Unit = Callable[[str, bytes, bytes, str], bytes]


@dataclass(frozen=True)
class ArmPlan:
    """A barrier plan, the engine's plan made from it, and when what it is run for is decided."""

    plan: str
    native: bytes
    decided: Callable[[Mapping[str, int]], bool]  # by the findings so far, whatever the rest has
    state: State


@dataclass(frozen=True)
class Settings:
    """When it ends, beside at its end."""

    seconds: float | None  # of all plans together
    executions: int | None  # of a plan; the unit that comes to it is the last
    everything: bool  # all findings are wanted
    limits: Limits


@dataclass
class Explored:
    """A plan, as far as it was explored."""

    plan: str
    state: State
    bound: ProofBound = ""
    seconds: float = 0.0
    first_finding_seconds: float | None = None


@dataclass
class Result:
    arms: list[Explored]
    interrupted: bool = False
    error: str = ""  # why it could not be completed


def explore(
    plans: Sequence[ArmPlan],
    workers: Workers,
    settings: Settings,
    stop: Flag,
    progress: Callable[[campaign.State], None],
    unit: Unit = run_unit,
) -> Result:
    """Plan after plan. What there is when it is stopped or a worker dies is still a result, and can be gone on from."""
    result = Result([Explored(plan.plan, plan.state) for plan in plans])
    began = time.monotonic()
    for i, (plan, arm) in enumerate(zip(plans, result.arms, strict=True)):
        if result.interrupted or result.error:
            arm.bound = "interruption" if result.interrupted else "error"
            continue
        seconds = None
        if settings.seconds is not None:
            seconds = max(0.0, settings.seconds - (time.monotonic() - began)) / (len(plans) - i)
        try:
            _Exploration(plan, arm, workers, settings, seconds, stop, progress, unit).run()
        except RunError as error:
            result.error = str(error)
        except InputError as error:
            # What is not explored shows at the first execution, as a rule. Later there is a result to keep.
            if not any(one.state.runs for one in result.arms):
                raise
            result.error = str(error)
        result.interrupted = stop.is_set()
    return result


class _Exploration:
    """One plan, while it is explored."""

    def __init__(
        self,
        plan: ArmPlan,
        arm: Explored,
        workers: Workers,
        settings: Settings,
        seconds: float | None,
        stop: Flag,
        progress: Callable[[campaign.State], None],
        unit: Unit,
    ) -> None:
        self._plan = plan
        self._arm = arm
        self._state = plan.state
        self._workers = workers
        self._settings = settings
        self._seconds = seconds
        self._stop = stop
        self._progress = progress
        self._unit = unit
        self._name = uuid4().hex
        self._asked: list[Future[bytes]] = []  # for the first units of the round, in its order
        self._began = time.monotonic()
        self._before = plan.state.executions
        self._answers = 0

    def run(self) -> None:
        try:
            self._arm.bound = self._explore()
        except RaceError:
            self._arm.bound = "error"
            raise
        except BrokenExecutor:
            # A signal that meant the whole process group has ended the workers too: no fault of theirs.
            self._arm.bound = "interruption" if self._stop.is_set() else "error"
            if not self._stop.is_set():
                raise RunError(self._workers.epitaph()) from None
        finally:
            self._drop()
            self._arm.seconds = self._elapsed()

    def _explore(self) -> ProofBound:
        state = self._state
        while True:
            if self._is_decided():
                return "" if state.explored else "finding"
            if not state.round:
                if not state.pending:
                    return ""
                # After a finding that does not decide, more of them are to be expected.
                state.next_round(self._settings.everything or bool(state.counts))
            self._ask()
            wait(self._asked[:1], timeout=POLL)
            if self._stop.is_set():
                return "interruption"
            if self._time_is_up():
                return "time"
            while self._asked and self._asked[0].done() and not self._is_decided():
                self._take_in(self._asked.pop(0))
                if self._is_enough():
                    return "executions"

    def _is_decided(self) -> bool:
        return not self._settings.everything and self._plan.decided(self._state.counts)

    def _time_is_up(self) -> bool:
        """There is at least one unit each time: with a short budget it would otherwise never come to its end."""
        patience = 0.0 if self._answers else FIRST_UNIT
        return self._seconds is not None and self._elapsed() >= self._seconds + patience and not self._state.explored

    def _is_enough(self) -> bool:
        most = self._settings.executions
        return most is not None and self._state.executions >= most and not self._state.explored

    def _ask(self) -> None:
        """No more at a time than keeps the workers busy: what has begun at a worker cannot be taken back."""
        busy = sum(not future.done() for future in self._asked)
        first = len(self._asked)
        for request in self._state.round[first : first + self._workers.jobs + 1 - busy]:
            asked = {"tree": request.tree, "runs": request.runs, "all": request.all, "split": request.split}
            future = self._workers.executor.submit(
                self._unit, self._name, self._plan.native, msgspec.json.encode(asked), race.__version__
            )
            self._asked.append(future)

    def _take_in(self, future: Future[bytes]) -> None:
        try:
            data = future.result()
        except (RaceError, BrokenExecutor):
            raise
        except CancelledError:
            raise RunError("the workers dropped a unit: is their cluster still there?") from None
        except Exception as error:  # of somebody's cluster, whatever it is
            text = " ".join(str(error).split()) or type(error).__name__
            raise RunError(f"a worker could not explore: {text}") from None
        self._state.take_in(msgspec.json.decode(data, type=Answer), self._settings.limits)
        self._answers += 1
        if self._arm.first_finding_seconds is None and self._state.first is not None:
            self._arm.first_finding_seconds = self._elapsed()
        self._report()

    def _drop(self) -> None:
        """What was asked for and not taken in does not count: it is asked for again when the search goes on."""
        running = [future for future in reversed(self._asked) if not future.cancel()]
        self._asked = []
        if running and wait(running, timeout=UNIT).not_done:  # one that is much longer than others
            self._workers.renew()

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _report(self) -> None:
        state, elapsed = self._state, self._elapsed()
        rate = (state.executions - self._before) / elapsed if elapsed > 0 else 0.0
        left = state.left()
        seconds = [left / rate] if left is not None and rate > 0 else []
        if self._seconds is not None:
            seconds.append(max(0.0, self._seconds - elapsed))
        self._progress(
            campaign.State(
                plan=self._plan.plan,
                executions=state.executions,
                requested=None,
                rate=rate,
                counts=state.counts,
                left=min(seconds, default=None),
                about=left,
            )
        )
