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
    tests, mistakes = read_all(options.tests)
    _say(mistakes)

    began = time.monotonic()
    runs = _Runs(tests, settings, options.json)
    runs.run(options.jobs or host.cores())
    if options.json:
        output.write(options.json, b"".join(msgspec.json.encode(record(o)) + b"\n" for o in runs.outcomes))

    to = sys.stderr if options.json == output.STDOUT else sys.stdout
    lines = [report.summary(runs.outcomes, time.monotonic() - began)] if len(runs.outcomes) > 1 else []
    differences = 0
    if expectations is not None:
        comparison = expectations.compare(runs.outcomes)
        differences = len(comparison.differences)
        lines += [*comparison.differences, expect.summary(comparison, expectations)]
        if runs.outcomes and not comparison.compared:
            runs.refused.append(f"{options.expect}: it lists none of these tests under model {options.model}")
    with output.writing_to(to):
        print(*lines, sep="\n", end="\n" if lines else "", file=to)
    _say(runs.refused)
    if runs.interrupted:
        _say([f"interrupted: {len(runs.outcomes):,} of {len(tests):,} tests"])
    if runs.error:
        _say([runs.error])

    if runs.interrupted or runs.error:
        return INCOMPLETE
    if mistakes or runs.refused:
        return UNREADABLE
    if differences:
        return DIFFERENCE
    return INCOMPLETE if any(not outcome.complete and not outcome.counted for outcome in runs.outcomes) else 0


class _Runs:
    """The runs of all tests, and what is known when they end, in whatever way."""

    def __init__(self, tests: Sequence[LitmusTest], settings: Settings, json: str | None) -> None:
        self._tests = tests
        self._settings = settings
        self._json = json
        self.outcomes: list[Outcome] = []
        self.refused: list[str] = []
        self.interrupted = False
        self.error = ""
        self._reader_gone = False

    def run(self, jobs: int) -> None:
        console = output.Screen(stderr=True)
        # Logs would tear a bar on the same terminal.
        hold = console.is_terminal and sys.stdout.isatty()
        with (
            interrupts() as stop,
            LocalPool(max(1, min(jobs, len(self._tests)))) as pool,
            progress(console, len(self._tests)) as update,
            closing(run_tests(self._tests, self._settings, pool, stop, update)) as results,
        ):
            try:
                for result in results:
                    self._take_in(result, hold)
                    if self._reader_gone and self._json is None:
                        break
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
        if self._json == output.STDOUT:
            return
        self._reader_gone = True
        with output.writing_to(sys.stdout):
            sys.stdout.write(report.log(outcome))
            sys.stdout.flush()
            self._reader_gone = False


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        output.complain(f"race: error: {line}")
