"""Engine exhaustive: what is proved, refuted or neither, and whether that is what the scenario expects."""

from __future__ import annotations

import pytest

from race.errors import RunError
from race.exhaustive.explore import Explored
from race.exhaustive.state import Pending, State
from race.exhaustive.verdict import Judged, decided, judge, proof_of
from race.results import Arm, ProofBound, Verdict
from race.scenario.expect import Expected
from race.worker import run_unit


def expected(find: tuple[str, ...] = (), *, clean: bool = False, never: tuple[str, ...] = ()) -> Expected:
    return Expected(
        plan="", strengths={}, models=("armv8",), find=find, clean=clean, never=never, note="", weakened=True
    )


def explored(*, left: bool = False, cut: int = 0, bound: ProofBound = "", **counts: int) -> Explored:
    pending = [Pending({"root": 0, "path": [], "begin_with": []}, 0.25)] if left else []
    state = State(pending=pending, executions=60, accesses=6000, cut=cut, counts=counts, done=0.75)
    return Explored("p", state, bound)


def verdict(arm: Explored, expects: Expected | None, *, weakened: bool = True, error: str = "") -> Verdict:
    record = Arm(plan=arm.plan, sites={}, executions=arm.state.executions, counts=arm.state.counts)
    return judge([Judged(record, proof_of(arm), expects, weakened=weakened)], "armv8", {}, error)


FINDS, CLEAN, NEVER = expected(("oops",)), expected(clean=True), expected(never=("oops",))
ALL = "nothing is found in its 60 executions, which are all"
SO_FAR = "not finished: nothing found in 60 executions so far, about 20 left (an estimate)"


@pytest.mark.parametrize(
    ("arm", "expects", "status", "reason"),
    [
        (explored(), CLEAN, 0, f"proved within bounds: {ALL}, as expected"),
        (explored(), FINDS, 1, f"oops was expected, and no execution has it: proved within bounds: {ALL}"),
        (explored(), NEVER, 0, f"proved within bounds: {ALL}; no oops in any, as expected"),
        (explored(), None, 0, f"proved within bounds: {ALL}; no expectation for this plan"),
        (explored(oops=3), FINDS, 0, "refuted: oops 3 in its 60 executions, which are all, as expected"),
        (
            explored(oops=3),
            CLEAN,
            1,
            "refuted: oops 3 in its 60 executions, which are all, but nothing should be found",
        ),
        (
            explored(left=True, bound="finding", oops=1),
            FINDS,
            0,
            "refuted: oops 1 in the first 60 executions, as expected",
        ),
        (
            explored(left=True, bound="finding", oops=1),
            NEVER,
            1,
            "refuted: oops 1 in the first 60 executions, but oops must never be found",
        ),
        (
            explored(deadlock=2),
            NEVER,
            0,
            "refuted: deadlock 2 in its 60 executions, which are all; no oops in any, as expected",
        ),
        (explored(left=True, bound="time"), CLEAN, 3, f"{SO_FAR}; the time was up (--seconds)"),
        (
            explored(left=True, bound="executions"),
            FINDS,
            3,
            f"oops was expected and is not found so far: {SO_FAR}; it was to explore no more than that (--executions)",
        ),
        (
            explored(left=True, bound="time"),
            None,
            3,
            f"{SO_FAR}; the time was up (--seconds); no expectation for this plan",
        ),
        (
            explored(left=True, bound="time", deadlock=1),
            NEVER,
            3,
            "refuted: deadlock 1 in the first 60 executions; the time was up (--seconds)",
        ),
        (
            explored(cut=1),
            CLEAN,
            3,
            "not finished: nothing found in 60 executions, but 1 run was cut: a limit on steps, or a fault that no "
            "enabled oracle looks for, ended what might have gone on",
        ),
        (explored(left=True, bound="interruption"), CLEAN, 4, f"{SO_FAR}; it was interrupted"),
    ],
)
def test_verdict(arm: Explored, expects: Expected | None, status: int, reason: str) -> None:
    given = verdict(arm, expects)
    assert given.exit_status == status
    assert given.reasons[-1] == f"plan p: {reason}"


def test_a_plan_as_strong_as_the_kernels_must_find_nothing() -> None:
    assert verdict(explored(), None, weakened=False).exit_status == 0
    assert verdict(explored(oops=1), None, weakened=False).exit_status == 1


def test_an_error_is_never_a_verdict() -> None:
    given = verdict(explored(left=True, bound="error"), CLEAN, error="a worker process died: SIGSEGV")
    assert (given.status, given.exit_status) == ("incomplete", 4)
    assert given.reasons[0] == "the run could not be completed: a worker process died: SIGSEGV"


@pytest.mark.parametrize(
    ("expects", "counts", "settled"),
    [
        (None, {"deadlock": 1}, True),
        (None, {}, False),
        (CLEAN, {"deadlock": 1}, True),
        (FINDS, {"deadlock": 1}, False),
        (FINDS, {"deadlock": 1, "oops": 1}, True),
        (expected(("oops", "deadlock")), {"oops": 1}, False),
        (expected(("any",)), {"deadlock": 1}, True),
        (NEVER, {"deadlock": 1}, False),
        (NEVER, {"oops": 1}, True),
        (expected(("oops",), never=("deadlock",)), {"oops": 1}, False),
        (expected(("oops",), never=("deadlock",)), {"deadlock": 1}, True),
    ],
)
def test_when_the_rest_changes_nothing(expects: Expected | None, counts: dict[str, int], settled: bool) -> None:
    assert decided(expects)(counts) == settled


def test_a_worker_of_another_version_explores_nothing() -> None:
    with pytest.raises(RunError, match=r"they must be the same"):
        run_unit("arm", b"{}", b"{}", "0.0.1")
