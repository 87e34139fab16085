"""`race ablate`."""

from __future__ import annotations

import argparse
import datetime
import sys
import time
from collections.abc import Callable, Mapping

from race import host, native, output
from race.ablation.bench import ENOUGH, Bench, Ended
from race.ablation.document import Ablation, encode
from race.ablation.progress import progress
from race.ablation.proofs import ProofBench
from race.ablation.record import Asked, ablation
from race.ablation.study import Study
from race.cli.exhaustive import check_fixed
from race.cli.values import ABLATION_EXECUTIONS
from race.errors import InputError, RunError
from race.exhaustive.workers import workers
from race.interrupt import interrupts
from race.plan import resolve
from race.report import ablation as report
from race.scenario.load import Scenario, find, load
from race.scenario.native_plan import native_plan


def main(options: argparse.Namespace, command: list[str]) -> int:
    catalog = native.catalog()
    scenario = load(find(options.scenario), catalog, options.page_size)
    base = resolve(options.barriers, catalog.sites, scenario.held, catalog.guards)
    # A site that the plan gives another strength is asked about: the scenario does not hold it here.
    if options.engine == "exhaustive":
        check_fixed(scenario)
    held = {name: strength for name, strength in scenario.held.items() if base.get(name) == strength}
    asked = Asked(
        command=command,
        scenario=scenario,
        model=options.model,
        seed=options.seed,
        jobs=options.jobs or host.cores(),
        base=options.barriers,
        engine=options.engine,
    )
    proves = options.engine == "exhaustive"
    executions = options.executions or (0 if proves else ABLATION_EXECUTIONS)
    files = wanted(options)
    output.check(files.values())

    def engine_plan(strengths: Mapping[str, str]) -> bytes:
        return native_plan(scenario, strengths, model=asked.model, seed=asked.seed, max_findings=ENOUGH)

    _check(engine_plan(base), scenario)
    started, began = datetime.datetime.now(datetime.UTC), time.monotonic()
    ended = error = ""
    with (
        interrupts() as stop,
        workers(options.executor, asked.jobs) as pool,
        progress(output.Screen(stderr=True)) as update,
    ):
        deadline = None if options.seconds is None else began + options.seconds
        bench = (ProofBench if proves else Bench)(engine_plan, pool, stop, deadline, update)
        off = {**base, **{site.name: "none" for site in catalog.sites}, **held}
        study = Study(bench, base, off, catalog.sites, held, executions)
        interrupted = False
        try:
            study.run()
        except Ended as end:
            ended, interrupted = str(end), end.interrupted
        except RunError as failure:
            ended = error = str(failure)
    document = ablation(asked, study, started, time.monotonic() - began, ended)
    document.interrupted = interrupted
    write(document, files)
    show(document, files)
    if error:
        output.complain(f"race: error: {error}")
    return document.exit_status


def _check(plan: bytes, scenario: Scenario) -> None:
    try:
        native.Campaign(plan).close()  # what the engine refuses, it refuses here and not in a worker
    except InputError as error:
        raise InputError(f"{scenario.source.shown}: {error}") from None


def wanted(options: argparse.Namespace) -> dict[str, str]:
    """The files that the user asked for, by format."""
    files = {name: getattr(options, name, None) for name in ("json", "markdown", "html")}
    return {name: file for name, file in files.items() if file is not None}


def write(document: Ablation, files: dict[str, str]) -> None:
    drawn: dict[str, Callable[[], bytes]] = {
        "json": lambda: encode(document),
        "markdown": lambda: report.render_markdown(document).encode(),
        "html": lambda: _html(document),
    }
    for name, file in files.items():
        output.write(file, drawn[name]())


def _html(document: Ablation) -> bytes:
    from race.report import html  # not before it is wanted: it takes as long to import as all the rest

    return html.render_ablation(document).encode()


def show(document: Ablation, files: dict[str, str]) -> None:
    """On standard output, or on standard error if a file has gone to standard output."""
    to = sys.stderr if output.STDOUT in files.values() else sys.stdout
    with output.writing_to(to):
        report.render(document, output.Screen(file=to))
