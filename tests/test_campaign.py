"""Campaigns: one seed gives the same findings, however its executions are dealt out, even if a campaign goes wrong."""

from __future__ import annotations

import errno
import multiprocessing
import multiprocessing.util
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest

from race import schedule
from race.campaign import ArmPlan, CampaignResult, Settings, State, run_campaign
from race.merge import ArmResult
from race.native import Catalog
from race.plan import resolve
from race.pool import LocalPool
from race.scenario.load import find, load
from race.scenario.native_plan import MAX_TRACES, native_plan
from race.schedule import Shard
from tests.threads import Threads

EXECUTIONS = 1500
MAX_FINDINGS = 20  # of each oracle
PLANS = ["off", "on"]


@contextmanager
def threads(jobs: int) -> Iterator[Threads]:
    workers = Threads(jobs)
    with workers.executor:
        yield workers


@pytest.fixture(scope="module")
def arms(known: Catalog) -> list[ArmPlan]:
    """The freeobj corruption at 256-byte pages, where executions are short."""
    scenario = load(find("freeobj-corruption"), known, 256)
    return [
        ArmPlan(
            plan,
            native_plan(
                scenario, resolve(plan, known.sites, scenario.held), model="armv8", seed=3, max_findings=MAX_FINDINGS
            ),
        )
        for plan in PLANS
    ]


def settings(
    *, executions: int | None = EXECUTIONS, seconds: float | None = None, first: int = 0, shard: Shard | None = None
) -> Settings:
    return Settings(
        executions=executions,
        seconds=seconds,
        max_findings=MAX_FINDINGS,
        max_traces=MAX_TRACES,
        first=first,
        shard=shard,
    )


def ignore(_: State) -> None:
    return


def found(arm: ArmResult) -> dict[str, object]:
    """All of a result but what the clock says."""
    return {
        "plan": arm.plan,
        "executions": arm.executions,
        "accesses": arm.accesses,
        "counts": arm.counts,
        "first": arm.first,
        "findings": msgspec.json.encode(arm.findings),
    }


@pytest.fixture(scope="module")
def alone(arms: list[ArmPlan]) -> CampaignResult:
    """What one worker finds."""
    with LocalPool(1) as pool:
        return run_campaign(arms, pool, settings(), threading.Event(), ignore)


def test_the_race_shows_without_barriers_only(alone: CampaignResult) -> None:
    off, on = alone.arms
    assert off.counts["garbage-freeobj"] > 0
    assert on.counts == {}
    assert off.executions == on.executions == EXECUTIONS
    assert off.first == off.findings[0].execution


def test_the_first_finding_of_each_oracle_has_its_steps(alone: CampaignResult) -> None:
    seen: set[str] = set()
    for finding in alone.arms[0].findings:
        assert bool(finding.trace) == (finding.oracle not in seen)
        seen.add(finding.oracle)
    assert len(seen) > 1


def test_the_limit_of_findings_is_for_each_oracle(alone: CampaignResult) -> None:
    off = alone.arms[0]
    kept = Counter(finding.oracle for finding in off.findings)
    assert kept == {oracle: min(n, MAX_FINDINGS) for oracle, n in off.counts.items()}
    assert max(off.counts.values()) > MAX_FINDINGS


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_the_number_of_workers_changes_nothing(jobs: int, arms: list[ArmPlan], alone: CampaignResult) -> None:
    with LocalPool(jobs) as pool:
        result = run_campaign(arms, pool, settings(), threading.Event(), ignore)
    assert [found(arm) for arm in result.arms] == [found(arm) for arm in alone.arms]


@pytest.mark.parametrize("size", [1, 97, EXECUTIONS])
def test_the_size_of_batches_changes_nothing(
    size: int, arms: list[ArmPlan], alone: CampaignResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule.BatchSize, "next", lambda _self, _left: size)
    with threads(2) as workers:
        result = run_campaign(arms, workers, settings(), threading.Event(), ignore)
    assert [found(arm) for arm in result.arms] == [found(arm) for arm in alone.arms]


def test_shards_together_find_what_one_machine_finds(arms: list[ArmPlan], alone: CampaignResult) -> None:
    with threads(1) as workers:
        parts = [
            run_campaign(arms[:1], workers, settings(shard=Shard(i, 3)), threading.Event(), ignore).arms[0]
            for i in (1, 2, 3)
        ]
    whole = alone.arms[0]
    assert sum(part.executions for part in parts) == whole.executions
    assert sum(part.accesses for part in parts) == whole.accesses
    assert {name: sum(part.counts.get(name, 0) for part in parts) for name in whole.counts} == whole.counts
    assert min(part.first for part in parts if part.first is not None) == whole.first
    for oracle in whole.counts:
        first = [finding.execution for finding in whole.findings if finding.oracle == oracle]
        found_by_shards = sorted(f.execution for part in parts for f in part.findings if f.oracle == oracle)
        assert found_by_shards[: len(first)] == first


def test_one_execution_alone_is_the_same_as_in_the_whole_run(arms: list[ArmPlan], alone: CampaignResult) -> None:
    wanted = alone.arms[0].findings[MAX_TRACES - 1]
    with threads(1) as workers:
        result = run_campaign(
            arms[:1], workers, settings(executions=1, first=wanted.execution), threading.Event(), ignore
        )
    assert [msgspec.json.encode(f) for f in result.arms[0].findings] == [msgspec.json.encode(wanted)]


def test_time_runs_out_after_the_first_executions(arms: list[ArmPlan]) -> None:
    with threads(2) as workers:
        result = run_campaign(arms, workers, settings(executions=None, seconds=0.4), threading.Event(), ignore)
    assert not result.interrupted
    assert all(arm.executions > 0 for arm in result.arms)
    assert all(arm.requested is None for arm in result.arms)


def test_what_ran_until_the_time_was_up_is_the_start_of_the_sequence(arms: list[ArmPlan]) -> None:
    with threads(3) as workers:
        short = run_campaign(arms[:1], workers, settings(executions=None, seconds=0.2), threading.Event(), ignore)
        n = short.arms[0].executions
        again = run_campaign(arms[:1], workers, settings(executions=n), threading.Event(), ignore)
    assert found(again.arms[0]) == found(short.arms[0])


def after_the_first_batch(do: Callable[[], None]) -> Callable[[State], None]:
    calls: list[State] = []

    def progress(state: State) -> None:
        if not calls:
            do()
        calls.append(state)

    return progress


def test_an_interrupted_campaign_keeps_what_it_has(arms: list[ArmPlan]) -> None:
    stop = threading.Event()
    with LocalPool(2) as pool:
        endless = settings(executions=None)
        result = run_campaign(arms, pool, endless, stop, after_the_first_batch(stop.set))
    assert result.interrupted
    assert result.error == ""
    assert [arm.plan for arm in result.arms] == ["off"]
    assert result.arms[0].executions > 0


def test_a_dead_worker_ends_the_campaign_with_what_it_has(arms: list[ArmPlan]) -> None:
    def kill() -> None:
        pid = multiprocessing.active_children()[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    with LocalPool(2) as pool:
        endless = settings(executions=None)
        result = run_campaign(arms, pool, endless, threading.Event(), after_the_first_batch(kill))
    assert not result.interrupted
    assert result.error == "a worker process died: SIGKILL"
    assert result.arms[0].executions > 0


def test_workers_that_cannot_start(arms: list[ArmPlan], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with LocalPool(2) as pool:
        monkeypatch.setattr(multiprocessing.util, "spawnv_passfds", fail)
        result = run_campaign(arms, pool, settings(), threading.Event(), ignore)
    assert result.error == "cannot start 2 workers: Too many open files"
    assert result.arms[0].executions == 0
