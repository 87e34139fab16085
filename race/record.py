"""From a finished campaign to its result document."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from race import host, stats
from race.campaign import CampaignResult
from race.merge import ArmResult
from race.native import Site
from race.plan import Strengths, guards_of, is_weakened
from race.results import Arm, Difference, Document, ScenarioRecord, Timing
from race.scenario.expect import ANY
from race.scenario.load import Scenario, sha256
from race.schedule import Shard
from race.token import token_of
from race.verdict import Judged, Situation, judge


@dataclass(frozen=True)
class Run:
    """What was asked for."""

    verb: str
    command: list[str]
    scenario: Scenario
    plans: Mapping[str, Strengths]  # by the plan's text
    sites: Sequence[Site]
    engine: str
    model: str
    seed: int
    jobs: int
    shard: Shard | None


def document(run: Run, result: CampaignResult, started: datetime.datetime, seconds: float) -> Document:
    arms = [_arm(arm, run) for arm in result.arms]
    expected = [run.scenario.expectation(run.plans[arm.plan], run.model) for arm in arms]
    judged = [
        Judged(arm, expectation, weakened=is_weakened(run.plans[arm.plan], run.sites))
        for arm, expectation in zip(arms, expected, strict=True)
    ]
    verdict = judge(
        judged,
        Situation(
            model=run.model,
            can_fail=run.scenario.can_fail(run.model),
            held={
                name: strength
                for name, strength in run.scenario.held.items()
                if name not in guards_of(run.scenario.held)
            },
            verb=run.verb,
            interrupted=result.interrupted,
            error=result.error,
        ),
    )
    return Document(
        verb=run.verb,
        command=run.command,
        scenario=scenario_record(run.scenario),
        engine=run.engine,
        model=run.model,
        seed=run.seed,
        shard=str(run.shard) if run.shard else "",
        interrupted=result.interrupted,
        arms=arms,
        differences=list(differences(arms)),
        verdict=verdict,
        host=host.describe(run.jobs),
        timing=Timing(
            started=started.isoformat(timespec="seconds"),
            seconds=round(seconds, 3),
            arm_seconds={arm.plan: round(arm.seconds, 3) for arm in result.arms},
            first_finding_seconds={
                arm.plan: round(arm.first_finding_seconds, 3)
                for arm in result.arms
                if arm.first_finding_seconds is not None
            },
        ),
    )


def scenario_record(scenario: Scenario) -> ScenarioRecord:
    return ScenarioRecord(
        name=scenario.source.name,
        title=scenario.tables.title,
        file=scenario.source.shown,
        sha256=sha256(scenario.source),
        page_size=scenario.page_size,
        threads=[thread.name for thread in scenario.tables.threads],
    )


def _arm(arm: ArmResult, run: Run) -> Arm:
    judged = arm.executions - arm.cut_short
    strengths = run.plans[arm.plan]
    guards = guards_of(strengths)
    return Arm(
        plan=arm.plan,
        sites={name: strength for name, strength in sorted(strengths.items()) if name not in guards},
        guards=dict(sorted(guards.items())),
        executions=arm.executions,
        requested=arm.requested,
        counts=arm.counts,
        total=stats.interval(sum(arm.counts.values()), judged),
        rates={oracle: stats.interval(n, judged) for oracle, n in arm.counts.items()},
        first=arm.first,
        findings=[
            found.finding(token_of(run.scenario, arm.plan, run.model, run.seed, found.deviations))
            for found in arm.findings
        ],
        accesses=arm.accesses,
        cut_short=arm.cut_short,
    )


def differences(arms: Sequence[Arm]) -> list[Difference]:
    """The first arm against each other one: in all findings, and by oracle."""
    found = []
    for other in arms[1:]:
        base = arms[0]
        for oracle in [ANY, *sorted(base.counts.keys() | other.counts.keys())]:
            a, b = (arm.hits if oracle == ANY else arm.counts.get(oracle, 0) for arm in (base, other))
            p = stats.fisher(a, base.judged, b, other.judged)
            found.append(Difference(plans=(base.plan, other.plan), oracle=oracle, p_value=p))
    return found
