"""`race run` and `race compare` with --engine hardware, `race plan` for boards, and `race calibrate`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

import msgspec
from rich.table import Table
from rich.text import Text

from race import host, native, output
from race.campaign import State
from race.cli import reports
from race.cli.campaign import plans as wanted_plans
from race.cli.values import DEFAULT_EXECUTIONS
from race.errors import InputError, RunError
from race.hardware import process
from race.hardware import result as results
from race.hardware.record import Calibration, Hardware
from race.hardware.request import Report, Request, arms
from race.interrupt import interrupts
from race.progress import display
from race.record import scenario_record
from race.report import terminal
from race.scenario.format import Destroy, Reclaim
from race.scenario.load import Scenario, find, load

DEFAULT_SECONDS = 10.0  # of a run
CALIBRATE_SECONDS = 2.0  # before each run
CALIBRATE_ALONE = 10.0  # race calibrate
SHARD_NUMBERS = 1 << 40  # execution numbers of a shard

FORBIDDEN, INCONCLUSIVE = 1, 3


def main(options: argparse.Namespace, command: list[str]) -> int:
    files = reports.wanted(options)
    output.check(files.values())
    request = _request(options, command)
    plans = [arm.plan for arm in request.arms]
    console = output.Screen(stderr=True)
    with interrupts() as stop, display(console, plans) as shown:
        raw = process.run(request, stop, _progress(request, shown.update))
    document = results.document(results.decode(raw, "the engine's result"), {"cores": host.cores()})
    reports.write(document, files)
    reports.show(document, files)
    if document.verdict.status == "incomplete" and not document.interrupted:
        output.complain(f"race: error: {document.verdict.reasons[0]}")
    return document.verdict.exit_status


def plan(options: argparse.Namespace, command: list[str]) -> int:
    options.shard = None
    output.check([options.output])
    request = _request(options, command)
    output.write(options.output, msgspec.json.format(msgspec.json.encode(request), indent=1) + b"\n")
    return 0


def calibrate(options: argparse.Namespace) -> int:
    files = [options.json] if options.json is not None else []
    output.check(files)
    seconds = options.seconds or CALIBRATE_ALONE
    request = Request(engine="hardware", seed=options.seed, calibrate_seconds=seconds)
    with interrupts() as stop:
        raw = process.run(request, stop, lambda _: None)
    result = results.decode(raw, "the engine's result")
    if result.calibration is None:
        raise RunError(result.error or "the calibration was interrupted")
    hardware = Hardware(host=result.host, calibration=result.calibration)
    if files:
        data = msgspec.json.format(msgspec.json.encode({"format": "race-calibration", "version": 1, **_dict(hardware)}))
        output.write(options.json, data + b"\n")
    to = sys.stderr if output.STDOUT in files else sys.stdout
    with output.writing_to(to):
        _show(hardware, result.calibration, output.Screen(file=to))
    if hardware.forbidden():
        return FORBIDDEN
    return INCONCLUSIVE if hardware.host.emulated or not result.calibration.seen() else 0


def _dict(hardware: Hardware) -> dict[str, Any]:
    return {field: getattr(hardware, field) for field in ("host", "calibration")}


def _request(options: argparse.Namespace, command: list[str]) -> Request:
    if getattr(options, "execution", None) is not None:
        raise InputError("--execution names an execution of the weak engine; on hardware none comes twice")
    if options.engine == "hardware" and getattr(options, "model", "armv8") != "armv8":
        raise InputError("--model is of the simulated machine; on hardware the CPU decides")
    catalog = native.catalog()
    scenario = load(find(options.scenario), catalog, options.page_size)
    if options.engine == "hardware":
        _check_can_race(scenario)
    executions, seconds = options.executions, options.seconds
    if executions is None and seconds is None:
        executions, seconds = (None, DEFAULT_SECONDS) if options.engine == "hardware" else (DEFAULT_EXECUTIONS, None)
    shard = options.shard
    if shard is not None and executions is not None:
        executions = max(1, executions // shard.count)
    verb = "compare" if options.verb == "plan" else options.verb
    plans = wanted_plans(options, scenario, catalog)
    return Request(
        engine=options.engine,
        seed=options.seed,
        first=(shard.index - 1) * SHARD_NUMBERS if shard is not None else 0,
        executions=executions,
        seconds=seconds,
        calibrate_seconds=(options.calibrate or CALIBRATE_SECONDS) if options.engine == "hardware" else 0,
        arms=arms(scenario, plans, catalog.sites, seed=options.seed, max_findings=options.max_findings),
        report=Report(
            verb=verb,
            command=command,
            scenario=scenario_record(scenario),
            held=scenario.held,
            shard=str(shard) if shard else "",
        ),
    )


def _check_can_race(scenario: Scenario) -> None:
    """What the engine would refuse too (native/engine/hardware/instance.cpp), but only after it has calibrated."""
    for thread in scenario.tables.threads:
        if thread.shares_cpu_with is not None or any(isinstance(s, Destroy | Reclaim) for s in thread.steps):
            raise InputError(
                f'scenario {scenario.source.name}: thread "{thread.name}" destroys the pool, reclaims pages or shares '
                "a CPU, which the hardware engine cannot run; use --engine weak"
            )


def _progress(request: Request, update: Callable[[State], None]) -> Callable[[dict[str, Any]], None]:
    def tell(line: dict[str, Any]) -> None:
        if "arm" not in line:
            return
        seconds, done = max(line["seconds"], 1e-3), line["executions"]
        left = []
        if request.executions is not None:
            left.append((request.executions - done) * seconds / max(done, 1))
        if request.seconds is not None:
            left.append(max(0.0, request.seconds / len(request.arms) - seconds))
        update(
            State(
                plan=line["arm"],
                executions=done,
                requested=request.executions,
                rate=done / seconds,
                counts=line["counts"],
                left=min(left, default=None),
            )
        )

    return tell


def _show(hardware: Hardware, calibration: Calibration, to: output.Screen) -> None:
    host_facts = hardware.host
    table = Table(box=terminal.BOX, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for name in ("test", "iterations", "weak", "weak/s", "iterations/s", "allowed"):
        table.add_column(name, justify="left" if name == "test" else "right")
    for test in calibration.tests:
        table.add_row(
            Text(test.name),
            f"{test.iterations:,}",
            f"{test.weak:,}",
            f"{test.weak_per_second:,.0f}",
            f"{test.iterations_per_second:,.0f}",
            "yes" if test.allowed[host_facts.model] else "no",
        )
    pairs = [
        ("host", "; ".join([host_facts.architecture, *host_facts.cpus])),
        ("kernel", host_facts.kernel),
        ("atomics", host_facts.atomics),
        ("tuning", f"{calibration.tuning.text} (the best of {calibration.trials})"),
    ]
    terminal.show(Text("race calibrate", style="bold"), to)
    terminal.show(terminal.pairs(pairs), to)
    terminal.show(Text(), to)
    terminal.show(table, to)
    seen = ", ".join(calibration.seen()) or "nothing"
    lines = [
        f"seen to reorder: {seen}. The rates are those of the tuning that was kept; the counts of all that was tried."
    ]
    if forbidden := hardware.forbidden():
        lines.append(f"FAILED: {', '.join(forbidden)} showed an outcome that {host_facts.architecture} forbids")
    if cannot := hardware.cannot():
        lines.append(f"of the scenarios: {cannot}")
    for line in terminal.bullets("What it means", lines):
        terminal.show(line, to)
