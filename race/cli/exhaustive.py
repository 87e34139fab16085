"""`race run` and `race compare` with --engine exhaustive."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime
import time
from pathlib import Path

from race import host, native, output
from race.cli import reports
from race.cli.campaign import plans as wanted_plans
from race.errors import InputError
from race.exhaustive import frontier
from race.exhaustive.explore import ArmPlan, Result, Settings, explore
from race.exhaustive.record import document
from race.exhaustive.state import Limits, State
from race.exhaustive.verdict import decided
from race.exhaustive.workers import workers
from race.interrupt import interrupts
from race.plan import Strengths
from race.progress import display
from race.record import Run
from race.scenario.format import MigrateAny, Random
from race.scenario.load import Scenario, find, load
from race.scenario.native_plan import MAX_TRACES, native_plan

SUFFIX = ".frontier.json"


def main(options: argparse.Namespace, command: list[str]) -> int:
    _check_options(options)
    catalog = native.catalog()
    scenario = load(find(options.scenario), catalog, options.page_size)
    check_fixed(scenario)
    run = Run(
        verb=options.verb,
        command=command,
        scenario=scenario,
        plans=wanted_plans(options, scenario, catalog),
        sites=catalog.sites,
        engine=options.engine,
        model=options.model,
        seed=options.seed,
        jobs=options.jobs or host.cores(),
        shard=None,
    )
    settings = Settings(
        seconds=options.seconds,
        executions=options.executions,
        everything=options.all,
        limits=Limits(options.max_findings, MAX_TRACES),
    )
    same = frontier.run_of(scenario, run.plans, run.model, run.seed, options.all, options.max_findings)
    states = {plan: State() for plan in run.plans}
    if options.resume is not None:
        states = frontier.load(options.resume, same)
    arms = [_arm(plan, strengths, run, settings, states[plan]) for plan, strengths in run.plans.items()]
    files, rest = reports.wanted(options), _frontier_file(options, scenario)
    output.check([*files.values(), *([rest] if rest else [])])

    started, began = datetime.datetime.now(datetime.UTC), time.monotonic()
    result, jobs = _run(scenario, arms, options.executor, run.jobs, settings)
    run = dataclasses.replace(run, jobs=jobs)
    seconds = time.monotonic() - began
    unfinished = any(arm.bound in ("time", "executions", "interruption", "error") for arm in result.arms)
    if unfinished and rest:
        frontier.save(rest, same, states)
    outcome = document(run, result, started, seconds, rest if unfinished else "")
    reports.write(outcome, files)
    reports.show(outcome, files)
    if result.error:
        output.complain(f"race: error: {result.error}")
    return outcome.verdict.exit_status


def _run(scenario: Scenario, arms: list[ArmPlan], executor: str, jobs: int, settings: Settings) -> tuple[Result, int]:
    console = output.Screen(stderr=True)
    with (
        interrupts() as stop,
        workers(executor, jobs) as pool,
        display(console, [arm.plan for arm in arms]) as shown,
    ):
        try:
            return explore(arms, pool, settings, stop, shown.update), pool.jobs
        except InputError as error:
            raise InputError(f"{scenario.source.shown}: {error}") from None


def _check_options(options: argparse.Namespace) -> None:
    if options.shard is not None:
        raise InputError("--shard is of random executions; --executor dask:ADDRESS shares a proof among machines")
    if getattr(options, "execution", None) is not None:
        raise InputError(
            "--execution names a random execution; `race replay TOKEN` runs a finding of this engine again"
        )
    if options.calibrate is not None:
        raise InputError("--calibrate is of --engine hardware")


def check_fixed(scenario: Scenario) -> None:
    """What a thread does must be said: chance has no place among all executions."""
    for i, thread in enumerate(scenario.tables.threads):
        for j, step in enumerate(thread.steps):
            if isinstance(step, Random | MigrateAny):
                raise InputError(
                    f"{scenario.source.shown}: $.threads[{i}].steps[{j}]: {step.__struct_config__.tag} leaves to "
                    "chance what is done, and engine exhaustive explores given operations; write them out, or use "
                    "--engine weak"
                )


def _arm(plan: str, strengths: Strengths, run: Run, settings: Settings, state: State) -> ArmPlan:
    as_json = native_plan(
        run.scenario, strengths, model=run.model, seed=run.seed, max_findings=settings.limits.max_findings
    )
    try:
        native.Campaign(as_json).close()  # what the engine refuses, it refuses here and not in a worker
    except InputError as error:
        raise InputError(f"{run.scenario.source.shown}: {error}") from None
    return ArmPlan(plan, as_json, decided(run.scenario.expectation(strengths, run.model)), state)


def _frontier_file(options: argparse.Namespace, scenario: Scenario) -> str:
    """Where an unfinished run leaves what is left: where it is told, where it came from, beside the result, or here."""
    for file in (options.frontier, options.resume):
        if file is not None:
            return str(file)
    if options.json is not None and options.json != output.STDOUT:
        return str(Path(options.json).with_suffix(SUFFIX))
    here = scenario.source.name + SUFFIX
    with contextlib.suppress(InputError):  # nobody asked for it: a folder that cannot be written to is no mistake
        output.check([here])
        return here
    return ""
