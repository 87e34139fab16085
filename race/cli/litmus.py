"""`race litmus`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import closing

import msgspec

from race import host, output
from race.errors import InputError, RaceError, RunError
from race.interrupt import interrupts
from race.litmus import expect, report
from race.litmus.files import read_all
from race.litmus.program import LitmusTest
from race.litmus.progress import progress
from race.litmus.result import Outcome, record
from race.litmus.run import UNLIMITED, Refused, Settings, run_tests
from race.pool import LocalPool

WEAK_EXECUTIONS = 100_000  # of a test
DIFFERENCE, UNREADABLE, INCOMPLETE = 1, InputError.status, RunError.status


def main(options: argparse.Namespace) -> int:
    settings = Settings(
        model=options.model,
        engine=options.engine,
        seed=options.seed,
        executions=options.executions or (WEAK_EXECUTIONS if options.engine == "weak" else UNLIMITED),
    )
    output.check([options.json] if options.json else [])
    expectations = expect.Expectations(options.expect) if options.expect else None
    tests, unreadable = read_all(options.tests)
    _say(unreadable)
    began = time.monotonic()
    session = _Session(tests, settings, options.jobs or host.cores(), quiet=options.json == output.STDOUT)
    session.run()
    outcomes = session.outcomes
    if options.json:
        output.write(options.json, b"".join(msgspec.json.encode(record(o)) + b"\n" for o in outcomes))

    status = 0
    last: list[str] = []
    if len(outcomes) > 1:
        last.append(report.summary(outcomes, time.monotonic() - began))
    if any(not outcome.complete and not outcome.counted for outcome in outcomes):
        status = INCOMPLETE
    if expectations is not None:
        comparison = expectations.compare(outcomes)
        if outcomes and not comparison.compared:
            session.refused.append(f"{expectations.name}: it lists none of these tests under model {settings.model}")
        last += [*comparison.differences, expect.summary(comparison, expectations)]
        status = DIFFERENCE if comparison.differences else status
    _show(last, session.quiet)
    _say(session.refused)
    if unreadable or session.refused:
        status = UNREADABLE
    if session.interrupted:
        _say([f"interrupted: {len(outcomes):,} of {len(tests):,} tests"])
    if session.error:
        _say([session.error])
    return INCOMPLETE if session.interrupted or session.error else status


class _Session:
    """One run over the tests, and what is known when it ends, in whatever way."""

    def __init__(self, tests: Sequence[LitmusTest], settings: Settings, jobs: int, *, quiet: bool) -> None:
        self._tests = tests
        self._settings = settings
        self._jobs = max(1, min(jobs, len(tests)))
        self.quiet = quiet  # standard output belongs to the JSON
        self.outcomes: list[Outcome] = []
        self.refused: list[str] = []
        self.interrupted = False
        self.error = ""

    def run(self) -> None:
        console = output.Screen(stderr=True)
        # Logs would tear a bar on the same terminal.
        hold = console.is_terminal and sys.stdout.isatty()
        with (
            interrupts() as stop,
            LocalPool(self._jobs) as pool,
            progress(console, len(self._tests)) as update,
            closing(run_tests(self._tests, self._settings, pool, stop, update)) as results,
        ):
            try:
                for result in results:
                    self._take_in(result, hold)
            except RaceError as error:
                self.error = str(error)
            self.interrupted = stop.is_set()
        if hold:
            for outcome in self.outcomes:
                self._log(outcome)

    def _take_in(self, result: Outcome | Refused, hold: bool) -> None:
        if isinstance(result, Refused):
            self.refused.append(f"{result.test.file}: {result.why}")
            return
        self.outcomes.append(result)
        if not hold:
            self._log(result)

    def _log(self, outcome: Outcome) -> None:
        if not self.quiet:
            sys.stdout.write(report.log(outcome))
            sys.stdout.flush()


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        print(f"race: error: {' '.join(line.split())}", file=sys.stderr)


def _show(lines: Sequence[str], quiet: bool) -> None:
    for line in lines:
        print(line, file=sys.stderr if quiet else sys.stdout)
