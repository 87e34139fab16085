"""`race replay`: one execution again, shrunk, step by step, or under other barriers."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import TextIO

from race import native, output, replay, results, token
from race.errors import InputError, RunError
from race.interrupt import interrupts
from race.native import Site
from race.plan import Strengths, resolve
from race.printable import visible
from race.report.replay import View
from race.results import Finding
from race.scenario.load import shipped
from race.why.explanation import Explanation
from race.why.export import litmus, sides

LINE_EVERY = 20  # looks at the progress, where there is no terminal


def main(options: argparse.Namespace) -> int:
    catalog = native.catalog()
    given, expected, file = _given(options)
    subject = replay.subject(token.decode(given), catalog, options.scenario or file)
    changed = None
    if options.barriers is not None:
        changed = resolve(options.barriers, catalog.sites, subject.scenario.held, catalog.guards)
    files = [name for name in (options.json, options.litmus) if name is not None]
    output.check(files)
    with interrupts() as stop, _progress() as progress:
        outcome = replay.run(subject, catalog, minimise=options.minimise, changed=changed, stop=stop, progress=progress)
    view = View(subject, outcome, expected=expected, barriers=options.barriers, until=options.until)
    if options.json is not None:
        output.write(options.json, view.document())
    to = sys.stderr if output.STDOUT in files else sys.stdout
    with output.writing_to(to):
        _write(view.lines(), to, step=options.step)
    if options.litmus is not None and not outcome.interrupted:
        output.write(options.litmus, _litmus(outcome.explanation, changed, catalog.sites).encode())
    return view.status()


def _litmus(explanation: Explanation | None, changed: Strengths | None, sites: Sequence[Site]) -> str:
    """The test; with `--barriers` under those."""
    if explanation is None:
        raise RunError("there is no litmus test: nothing was found in this execution")
    if not explanation.litmus:
        raise RunError(f"there is no litmus test of this execution. {explanation.sentence}")
    if changed is None:
        return explanation.litmus
    return litmus(explanation.cycle, explanation.name, sides(sites), changed)


def _write(lines: Iterator[str], to: TextIO, *, step: bool) -> None:
    """With `step` each step of the picture waits for Enter; at the end of the input the rest comes at once."""
    began = False
    for line in lines:
        if step and line.startswith("  #"):
            to.flush()
            step = not began or bool(sys.stdin.readline())
            began = True
        to.write(visible(line).rstrip() + "\n")


def _given(options: argparse.Namespace) -> tuple[str, Finding | None, str | None]:
    """The token; from a result also the finding that it is of, and the scenario's file."""
    if token.looks_like(options.what):
        if options.finding is not None:
            raise InputError("--finding picks one of a result's findings; a token names one already")
        return options.what, None, None
    document = results.load(options.what)
    findings = [finding for arm in document.arms for finding in arm.findings]
    number = options.finding or 1
    if not findings:
        raise InputError(f"{options.what}: it has no finding")
    if number > len(findings):
        raise InputError(f"{options.what}: it has {len(findings)} findings; there is no finding {number}")
    finding = findings[number - 1]
    if not finding.token:
        why = finding.untold or "run the campaign again with this version"
        raise InputError(f"{options.what}: finding {number} has no token: {why}")
    file = document.scenario.file if document.scenario.name not in shipped() else None
    return finding.token, finding, file


class _Progress:
    """A line on standard error that is written over; without a terminal one now and then."""

    def __init__(self) -> None:
        self._console = output.Screen(stderr=True)
        self._looks = 0

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal and self._looks:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def __call__(self, executions: int, reorderings: int, switches: int) -> None:
        self._looks += 1
        text = f"shrinking: {executions:,} executions, {reorderings:,} reorderings, {switches} context switches"
        if self._console.is_terminal:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
        elif self._looks % LINE_EVERY == 0:
            sys.stderr.write(text + "\n")


def _progress() -> _Progress:
    return _Progress()
