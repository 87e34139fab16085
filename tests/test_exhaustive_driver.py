"""The driver of units, on made-up trees: each execution once, the same results however the work was dealt out."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import msgspec
import pytest

from race import campaign
from race.errors import InputError, RunError
from race.exhaustive import explore as driver
from race.exhaustive import frontier, state
from race.exhaustive.explore import ArmPlan, Result, Settings, explore
from race.exhaustive.state import Limits, State, encoded
from race.pool import LocalPool
from tests.made_up_tree import MadeUp, stuck_or_small
from tests.threads import Threads

ANY_FINDING = bool
RUN = frontier.Run(
    race="1",
    engine="1",
    scenario="made-up",
    sha256="00",
    page_size=256,
    model="armv8",
    seed=1,
    everything=True,
    max_findings=100,
    plans={"on": "00"},
)


@pytest.fixture(autouse=True)
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few hundred executions are many units and rounds."""
    monkeypatch.setattr(state, "FIRST_RUNS", 3)
    monkeypatch.setattr(state, "UNIT_ACCESSES", 60)
    monkeypatch.setattr(state, "ROUND", 5)
    monkeypatch.setattr(state, "ENOUGH_TREES", 10)
    monkeypatch.setattr(state, "REMEMBERED", 8)


def never(_: Mapping[str, int]) -> bool:
    return False


def settings(
    *, everything: bool = True, executions: int | None = None, seconds: float | None = None, max_findings: int = 100
) -> Settings:
    return Settings(seconds, executions, everything, Limits(max_findings, 0))


@contextmanager
def threads(jobs: int) -> Iterator[Threads]:
    workers = Threads(jobs)
    with workers.executor:
        yield workers


def run(
    tree: MadeUp,
    jobs: int = 2,
    how: Settings | None = None,
    begun: State | None = None,
    decided: Callable[[Mapping[str, int]], bool] = ANY_FINDING,
    progress: Callable[[campaign.State], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> Result:
    plans = [ArmPlan("on", b"", decided, begun if begun is not None else State())]
    with threads(jobs) as workers:
        return explore(plans, workers, how or settings(), stop or threading.Event(), progress, tree.unit)


def only(result: Result) -> State:
    (arm,) = result.arms
    return arm.state


@pytest.mark.parametrize("seed", range(6))
def test_each_execution_is_explored_once(seed: int) -> None:
    tree = MadeUp(seed, findings=0.1)
    wanted = list(tree.executions())
    wrong = Counter(filter(None, map(tree.goes_wrong, wanted)))
    found = only(run(tree, how=settings(max_findings=10_000)))
    assert found.explored
    assert found.executions == len(wanted) > 30
    assert found.counts == dict(wrong)
    # Each of them is another: a made-up finding names its place.
    assert {finding.message for finding in found.findings} == {f"at {p}" for p in wanted if tree.goes_wrong(p)}
    assert len(found.findings) == wrong.total()
    numbers = [finding.execution for finding in found.findings]
    assert numbers == sorted(set(numbers))
    assert found.first == numbers[0]


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("everything", [False, True])
def test_the_number_of_workers_changes_nothing(jobs: int, everything: bool) -> None:
    tree = MadeUp(1, findings=0.01)
    how = settings(everything=everything)
    assert encoded(only(run(tree, jobs, how))) == encoded(only(run(tree, 2, how)))


def test_without_all_it_ends_at_the_first_finding() -> None:
    tree = MadeUp(3, findings=0.02)
    found = run(tree, how=settings(everything=False))
    assert only(found).counts.keys() <= {"garbage-freeobj", "oops"}
    assert sum(only(found).counts.values()) == 1
    assert not only(found).explored
    assert found.arms[0].bound == "finding"


def test_a_finding_that_does_not_decide_does_not_end_it() -> None:
    tree = MadeUp(3, findings=0.02)
    first = only(run(tree, how=settings(everything=False))).findings[0].oracle
    other = {"garbage-freeobj": "oops", "oops": "garbage-freeobj"}[first]
    found = only(run(tree, how=settings(everything=False), decided=lambda counts: bool(counts.get(other))))
    assert found.counts[first] >= 1
    assert found.counts[other] >= 1
    assert not found.explored
    assert only(run(tree, how=settings(everything=False), decided=never)).explored


def test_a_limit_on_executions_ends_with_the_unit_that_comes_to_it() -> None:
    tree = MadeUp(2)
    parts = [run(tree, jobs, settings(executions=100)) for jobs in (1, 3)]
    for part in parts:
        assert part.arms[0].bound == "executions"
        assert 100 <= only(part).executions < 120
        assert only(part).left()
    assert encoded(only(parts[0])) == encoded(only(parts[1]))


def test_time_that_is_up_leaves_at_least_a_unit() -> None:
    found = run(MadeUp(2), how=settings(seconds=1e-9))
    assert found.arms[0].bound == "time"
    assert not found.interrupted
    assert only(found).executions > 0


@pytest.mark.parametrize("findings", [0.0, 0.02])
def test_what_was_interrupted_goes_on_to_the_same_end(
    findings: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tree = MadeUp(4, findings=findings)
    whole = encoded(only(run(tree)))
    file = str(tmp_path_factory.mktemp("frontier") / "rest.json")
    part, sessions = State(), 0
    while not part.explored:
        stop, before = threading.Event(), part.executions

        def after_a_few(now: campaign.State, before: int = before, stop: threading.Event = stop) -> None:
            if now.executions >= before + 20:
                stop.set()

        result = run(tree, begun=part, progress=after_a_few, stop=stop)
        frontier.save(file, RUN, {"on": only(result)})
        part = frontier.load(file, RUN)["on"]
        sessions += 1
    assert sessions > 3
    ours = encoded(part)
    assert {**ours, "shared": None} == {**whole, "shared": None}


def test_a_unit_that_does_not_come_back_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the time is up its worker is ended, and the next plan has another one."""
    monkeypatch.setattr(driver, "UNIT", 0.1)
    monkeypatch.setattr(driver, "FIRST_UNIT", 0.1)
    arms = []
    with LocalPool(1) as pool:
        for plan, seconds in (("stuck", 0.1), ("on", None)):
            plans = [ArmPlan(plan, plan.encode(), never, State())]
            how = settings(seconds=seconds)
            arms += explore(plans, pool, how, threading.Event(), lambda _: None, stuck_or_small).arms
    assert [arm.bound for arm in arms] == ["time", ""]
    assert [arm.state.executions for arm in arms] == [0, len(list(MadeUp(1, depth=3).executions()))]


def test_a_unit_that_fails_ends_it_with_what_there_is() -> None:
    tree = MadeUp(5)
    calls: list[int] = []

    def unit(arm: str, plan: bytes, request: bytes, version: str) -> bytes:
        calls.append(1)
        if len(calls) == 4:
            raise RunError("an execution cannot be run again")
        return tree.unit(arm, plan, request, version)

    with threads(1) as workers:
        plans = [ArmPlan(plan, b"", never, State()) for plan in ("on", "off")]
        result = explore(plans, workers, settings(), threading.Event(), lambda _: None, unit)
    assert result.error == "an execution cannot be run again"
    assert [arm.bound for arm in result.arms] == ["error", "error"]
    assert result.arms[0].state.executions > 0
    assert not result.arms[0].state.explored


def test_what_the_engine_refuses_is_the_users_to_mend() -> None:
    def unit(*_: object) -> bytes:
        raise InputError("random operations cannot be explored")

    with threads(1) as workers, pytest.raises(InputError, match="random operations"):
        explore([ArmPlan("on", b"", never, State())], workers, settings(), threading.Event(), lambda _: None, unit)


def test_work_that_the_engine_would_leave_to_nobody_is_an_error() -> None:
    """A node above a tree's root is the driver's: what a unit left there would never be done."""
    tree = MadeUp(0)

    def unit(arm: str, plan: bytes, request: bytes, version: str) -> bytes:
        answer = msgspec.json.decode(tree.unit(arm, plan, request, version))
        for part in answer["split"]:
            part["path"][0]["to_begin"] = [[[7, 0]]]
        return msgspec.json.encode(answer)

    with threads(1) as workers:
        result = explore(
            [ArmPlan("on", b"", never, State())], workers, settings(), threading.Event(), lambda _: None, unit
        )
    assert result.error == "the engine left something to do above a tree's root"
