"""From explored plans to the result document."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from race import host
from race.exhaustive.explore import Explored, Result
from race.exhaustive.tree import Told
from race.exhaustive.verdict import Judged, judge, proof_of
from race.plan import guards_of, is_weakened
from race.record import Run, scenario_record
from race.results import Arm, Document, Finding, Timing
from race.scenario.load import Scenario
from race.token import token_of

NOT_TOLD = "the engine has not said how the weak machine would run it"


def document(run: Run, result: Result, started: datetime.datetime, seconds: float, frontier: str) -> Document:
    """`frontier`: the file from which it can be gone on; empty: there is none."""
    judged = [
        Judged(
            _arm(arm, run),
            proof_of(arm),
            run.scenario.expectation(run.plans[arm.plan], run.model),
            weakened=is_weakened(run.plans[arm.plan], run.sites),
        )
        for arm in result.arms
    ]
    guards = guards_of(run.scenario.held)
    held = {name: strength for name, strength in run.scenario.held.items() if name not in guards}
    return Document(
        verb=run.verb,
        command=run.command,
        scenario=scenario_record(run.scenario),
        engine=run.engine,
        model=run.model,
        seed=run.seed,
        interrupted=any(this.proof.bound == "interruption" for this in judged),
        verdict=judge(judged, run.model, held, result.error),
        arms=[this.arm for this in judged],
        bounds=list(bounds(run.scenario, run.model)),
        frontier=frontier,
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


def bounds(scenario: Scenario, model: str) -> Iterator[str]:
    """Within which every execution is one that is explored."""
    tables = scenario.tables
    threads = ", ".join(f"{thread.name} ({_steps(len(thread.steps))})" for thread in tables.threads)
    setup = f", after a set-up of {_steps(len(tables.setup))} in their one order" if tables.setup else ""
    yield f"the threads and their steps: {threads}{setup}"
    yield f"pages of {scenario.page_size:,} bytes; {tables.pool.frames:,} page frames, none of them used twice"
    yield f"what model {model} may reorder, under each plan's strengths (docs/memory-model.md says what it leaves out)"
    yield "a waiting loop's turns that change nothing are left out: such executions are one"
    yield f"what the oracles look for: {', '.join(scenario.oracles)}"


def _steps(n: int) -> str:
    return f"{n} step{'' if n == 1 else 's'}"


def _arm(arm: Explored, run: Run) -> Arm:
    state, strengths = arm.state, run.plans[arm.plan]
    guards = guards_of(strengths)
    return Arm(
        plan=arm.plan,
        sites={name: strength for name, strength in sorted(strengths.items()) if name not in guards},
        guards=dict(sorted(guards.items())),
        executions=state.executions,
        counts=state.counts,
        first=state.first,
        findings=[_finding(told, arm.plan, run) for told in state.findings],
        accesses=state.accesses,
        proof=proof_of(arm),
    )


def _finding(told: Told, plan: str, run: Run) -> Finding:
    fields = {name: getattr(told, name) for name in Finding.__struct_fields__}
    if told.deviations is None:
        return Finding(**fields | {"untold": told.untold or NOT_TOLD})
    return Finding(**fields | {"token": token_of(run.scenario, plan, run.model, run.seed, told.deviations)})
