"""`race suite`."""

from __future__ import annotations

import argparse
import datetime
import os
import sys
import time
from pathlib import Path

from race import host, native, output, replay, token
from race.ablation.bench import Ended
from race.ablation.progress import progress
from race.cli.values import SUITE_HUNT
from race.errors import InputError, RunError
from race.interrupt import interrupts
from race.pool import LocalPool
from race.report import suite as report
from race.report.replay import View
from race.results import Timing
from race.suite.document import Row, Suite, encode
from race.suite.run import Runner, Subject, subjects


def main(options: argparse.Namespace, command: list[str]) -> int:
    catalog = native.catalog()
    wanted = subjects(options.scenarios, catalog)
    if not wanted:
        raise InputError("no scenario has a [bug] table; docs/recipes.md says how to write one")
    files = {name: file for name in ("json", "markdown") if (file := getattr(options, name)) is not None}
    output.check(files.values())
    if options.reports is not None and not Path(options.reports).is_dir():
        raise InputError(f"cannot write to {options.reports}: there is no such folder")

    jobs = options.jobs or host.cores()
    suite = Suite(
        command=command,
        seed=options.seed,
        executions=options.executions,
        rows=[subject.row() for subject in wanted],
        host=host.describe(jobs),
    )
    started, began = datetime.datetime.now(datetime.UTC), time.monotonic()
    with interrupts() as stop, LocalPool(jobs) as pool, progress(output.Screen(stderr=True)) as update:
        runner = Runner(pool, stop, update, options.executions, SUITE_HUNT * options.executions, options.seed)
        try:
            for subject, row in zip(wanted, suite.rows, strict=True):
                runner.run(subject, row)
                if options.reports is not None:
                    _draw(subject, row, Path(options.reports), catalog, stop)
        except Ended:
            suite.interrupted = True
        except RunError as error:
            suite.error = str(error)
    suite.timing = Timing(started=started.isoformat(timespec="seconds"), seconds=round(time.monotonic() - began, 3))
    suite.exit_status = _status(suite)
    _write(suite, files)
    return suite.exit_status


def _status(suite: Suite) -> int:
    if suite.interrupted or suite.error:
        return 4
    return 0 if all(row.held for row in suite.rows) else 1


def _draw(subject: Subject, row: Row, folder: Path, catalog: native.Catalog, stop: replay.Flag) -> None:
    """The smallest execution with the first finding, as `race replay` shows it."""
    if row.first is None:
        return
    file = None if subject.scenario.source.shown.startswith("scenarios/") else subject.scenario.source.shown
    one = replay.subject(token.decode(row.first.token), catalog, file)
    outcome = replay.run(one, catalog, minimise=True, changed=None, stop=stop, progress=lambda *_: None)
    if outcome.interrupted:
        raise Ended(interrupted=True)
    path = folder / f"{row.scenario}.txt"
    view = View(one, outcome, expected=None, barriers=None, until=None)
    text = "\n".join(line.rstrip() for line in view.lines())
    output.write(str(path), f"{row.title}\n\n{text}\n".encode())
    row.report = str(path)


def _write(suite: Suite, files: dict[str, str]) -> None:
    for name, file in files.items():
        folder = Path.cwd() if file == output.STDOUT else Path(file).resolve().parent

        def link(text: str, to: str, folder: Path = folder) -> str:
            return f"[{text}]({os.path.relpath(to, folder)})"

        output.write(file, encode(suite) if name == "json" else report.markdown(suite, link).encode())
    to = sys.stderr if output.STDOUT in files.values() else sys.stdout
    with output.writing_to(to):
        report.render(suite, output.Screen(file=to))
