"""`race run` and `race compare`."""

from __future__ import annotations

import argparse
import datetime
import time

from race import host, native, output
from race.campaign import ArmPlan, CampaignResult, Settings, run_campaign
from race.cli import reports
from race.cli.values import DEFAULT_EXECUTIONS, DEFAULT_SECONDS
from race.errors import InputError
from race.interrupt import interrupts
from race.plan import Strengths, resolve
from race.pool import LocalPool
from race.progress import display
from race.record import Run, document
from race.scenario.load import Scenario, find, load
from race.scenario.native_plan import MAX_TRACES, native_plan


def main(options: argparse.Namespace, command: list[str]) -> int:
    catalog = native.catalog()
    scenario = load(find(options.scenario), catalog, options.page_size)
    wanted = plans(options, scenario, catalog)
    settings = _settings(options, len(wanted))
    run = Run(
        verb=options.verb,
        command=command,
        scenario=scenario,
        plans=wanted,
        sites=catalog.sites,
        engine=options.engine,
        model=options.model,
        seed=options.seed,
        jobs=options.jobs or host.cores(),
        shard=options.shard,
    )
    arms = [_arm(plan, strengths, run, settings) for plan, strengths in wanted.items()]
    files = reports.wanted(options)
    output.check(files.values())

    started, began = datetime.datetime.now(datetime.UTC), time.monotonic()
    result = _run(arms, run.jobs, settings)
    outcome = document(run, result, started, time.monotonic() - began)
    reports.write(outcome, files)
    reports.show(outcome, files)
    if result.error:
        output.complain(f"race: error: {result.error}")
    return outcome.verdict.exit_status


def _run(arms: list[ArmPlan], jobs: int, settings: Settings) -> CampaignResult:
    console = output.Screen(stderr=True)
    with (
        interrupts() as stop,
        LocalPool(jobs) as pool,
        display(console, [arm.plan for arm in arms]) as shown,
    ):
        return run_campaign(arms, pool, settings, stop, shown.update)


def plans(options: argparse.Namespace, scenario: Scenario, catalog: native.Catalog) -> dict[str, Strengths]:
    """The barrier plans that were asked for, resolved."""
    wanted = [options.barriers] if options.verb == "run" else options.barriers or scenario.compare
    resolved: dict[str, Strengths] = {}
    for text in wanted:
        if text in resolved:
            raise InputError(f'barrier plan "{text}" is given twice')
        resolved[text] = resolve(text, catalog.sites, scenario.held, catalog.guards)
    return resolved


def _arm(plan: str, strengths: Strengths, run: Run, settings: Settings) -> ArmPlan:
    as_json = native_plan(run.scenario, strengths, model=run.model, seed=run.seed, max_findings=settings.max_findings)
    try:
        native.Campaign(as_json).close()  # what the engine refuses, it refuses here and not in a worker
    except InputError as error:
        raise InputError(f"{run.scenario.source.shown}: {error}") from None
    return ArmPlan(plan, as_json)


def _settings(options: argparse.Namespace, arms: int) -> Settings:
    executions, seconds = options.executions, options.seconds
    alone = getattr(options, "execution", None)
    if alone is not None:
        if executions is not None or seconds is not None or options.shard is not None:
            raise InputError("--execution runs one execution: it does not go with --executions, --seconds or --shard")
        executions = 1
    elif executions is None and seconds is None:
        executions, seconds = DEFAULT_EXECUTIONS, DEFAULT_SECONDS * arms
    return Settings(
        executions=executions,
        seconds=seconds,
        max_findings=options.max_findings,
        max_traces=MAX_TRACES,
        first=alone or 0,
        shard=options.shard,
    )
