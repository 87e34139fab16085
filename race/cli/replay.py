"""`race replay`: one execution again, shrunk, step by step, or under other barriers."""

from __future__ import annotations

import argparse
import shlex
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

import msgspec

from race import native, output, replay, results, token
from race.errors import InputError
from race.interrupt import interrupts
from race.merge import Found
from race.plan import resolve
from race.printable import visible
from race.report import words
from race.report.steps import WIDTH, picture
from race.results import Finding, Step
from race.scenario.load import shipped

FACTS = ("oracle", "message", "value", "value_kind", "thread", "function", "zspage", "object")
LINE_EVERY = 20  # looks at the progress, where there is no terminal


def main(options: argparse.Namespace) -> int:
    catalog = native.catalog()
    given, expected, file = _given(options)
    subject = replay.subject(token.decode(given), catalog, options.scenario or file)
    changed = None
    if options.barriers is not None:
        changed = resolve(options.barriers, catalog.sites, subject.scenario.held, catalog.guards)
    files = [options.json] if options.json is not None else []
    output.check(files)
    with interrupts() as stop, _progress() as progress:
        outcome = replay.run(subject, minimise=options.minimise, changed=changed, stop=stop, progress=progress)
    view = View(options, subject, outcome, expected)
    if options.json is not None:
        output.write(options.json, view.document())
    to = sys.stderr if options.json == output.STDOUT else sys.stdout
    with output.writing_to(to):
        _write(view.lines(), to, step=options.step)
    return view.status()


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
        raise InputError(f"{options.what}: its findings have no tokens; run the campaign again with this version")
    file = document.scenario.file if document.scenario.name not in shipped() else None
    return finding.token, finding, file


class View:
    """What the command says."""

    def __init__(
        self,
        options: argparse.Namespace,
        subject: replay.Subject,
        outcome: replay.Outcome,
        expected: Finding | None,
    ) -> None:
        self._options = options
        self._subject = subject
        self._outcome = outcome
        self._expected = expected

    def status(self) -> int:
        if self._outcome.interrupted:
            return 4
        return 0 if not self._why_not() else 1

    def _why_not(self) -> str:
        replayed = self._outcome.replayed
        if replayed.misfit:
            return f"the execution went another way than the token says: {replayed.misfit}"
        if replayed.finding is None:
            return "nothing was found"
        if self._expected is not None:
            for name in FACTS:
                was, now = getattr(self._expected, name), getattr(replayed.finding, name)
                if was != now:
                    return f"the result has {name} {was!r}, this execution {now!r}"
        changed = self._outcome.changed
        if changed is not None:
            if changed.finding is None:
                return f"nothing is found under {self._options.barriers}"
            if changed.finding.oracle != replayed.finding.oracle:
                return f"under {self._options.barriers} another oracle fires: {changed.finding.oracle}"
        return ""

    def lines(self) -> Iterator[str]:
        token, outcome = self._subject.token, self._outcome
        yield (
            f"race replay {self._subject.scenario.source.name}: plan {token.plan}, model {token.model}, "
            f"pages of {token.page_size} bytes"
        )
        found = outcome.replayed.finding
        if found is not None:
            yield ""
            yield f"{found.oracle}: {found.message}"
            for label, text in words.facts(_smallest(outcome) or found):
                yield from _wrapped(text, f"  {label:<9}", 11)
        if outcome.minimised is not None:
            yield from self._minimised(outcome.minimised)
        yield from self._steps()
        if outcome.changed is not None:
            yield from self._changed(outcome.changed)
        yield ""
        why = self._why_not()
        if outcome.interrupted:
            yield "Interrupted."
        yield f"Not reproduced: {why}." if why else "Reproduced."
        if (small := outcome.minimised) is not None and small.finding is not None:
            yield "To repeat the smallest execution"
            yield f"  {self._command(replay.token_for(self._subject, small.finding))}"

    def _command(self, text: str) -> str:
        source = self._subject.scenario.source
        options = [] if source.name in shipped() else ["--scenario", source.shown]
        return shlex.join(["race", "replay", text, *options])

    def _minimised(self, small: replay.Minimised) -> Iterator[str]:
        yield ""
        yield f"Shrunk, in {small.executions:,} executions"
        yield f"  from {_size(small.before)}"
        yield f"  to   {_size(small)}"
        if not small.complete:
            yield "  The limit came first: there may be a smaller one."
        if small.needed:
            yield ""
            yield "What is left, and what becomes of the execution without it"
        for needed in small.needed:
            without = needed.without or "not tried"
            yield from _wrapped(needed.text, "  needed  " if needed.necessary else "  kept    ", 10)
            yield from _wrapped(f"without it: {without}", " " * 10, 10)

    def _steps(self) -> Iterator[str]:
        steps = _steps_of(self._outcome)
        until = self._options.until
        shown = [step for step in steps if until is None or step.step <= until]
        if shown:
            yield ""
            yield "Steps (those that matter)" + (f" up to step {until}" if until is not None else "")
            yield from _left_out(_smallest(self._outcome) or self._outcome.replayed.finding)
            yield from ("  " + line for line in picture(shown, WIDTH - 2))
        if until is not None:
            yield from _waiting(steps, until)

    def _changed(self, changed: replay.Replayed) -> Iterator[str]:
        yield ""
        yield f"Under barriers {self._options.barriers}"
        if changed.diverged is None:
            yield "  The execution is the same, step by step."
        else:
            at = changed.diverged
            yield from _wrapped(f"The execution diverges at step {at.step}: {at.now}", "  ", 4)
            yield from _wrapped(f"where it had, at step {at.step_before}: {at.before}", "  ", 4)
        found = changed.finding
        if found is None:
            yield "  Nothing is found."
        else:
            yield f"  {found.oracle}: {found.message}" + (f": {found.value}" if found.value else "")
        steps = found.steps if found is not None else changed.steps
        if steps:
            yield ""
            yield from _left_out(found or changed)
            yield from ("  " + line for line in picture(steps, WIDTH - 2))

    def document(self) -> bytes:
        outcome, token = self._outcome, self._subject.token
        small = outcome.minimised
        document = {
            "format": "race-replay",
            "version": 1,
            "reproduced": not self._why_not(),
            "why_not": self._why_not(),
            "scenario": token.scenario,
            "plan": token.plan,
            "model": token.model,
            "page_size": token.page_size,
            "finding": self._finding(_smallest(outcome) or outcome.replayed.finding),
            "size": _size_of(small or outcome.replayed),
            "before": _size_of(small.before) if small is not None else None,
            "needed": small.needed if small is not None else [],
            "executions": small.executions if small is not None else 1,
            "complete": small.complete if small is not None else None,
            "barriers": self._options.barriers,
            "changed": self._changed_document(outcome.changed) if outcome.changed is not None else None,
        }
        return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"

    def _finding(self, found: Found | None) -> Finding | None:
        return None if found is None else found.finding(replay.token_for(self._subject, found))

    def _changed_document(self, changed: replay.Replayed) -> dict[str, object]:
        return {
            "diverged": changed.diverged,
            "finding": None if changed.finding is None else changed.finding.finding(""),
            "steps": changed.steps,
        }


def _left_out(of: Finding | replay.Replayed | None) -> Iterator[str]:
    if of is not None and of.steps_left_out:
        yield f"  {of.steps_left_out:,} earlier steps left out"


def _wrapped(text: str, head: str, indent: int) -> Iterable[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=head, subsequent_indent=" " * indent, break_on_hyphens=False, break_long_words=False
    )


def _smallest(outcome: replay.Outcome) -> Found | None:
    return outcome.minimised.finding if outcome.minimised is not None else None


def _steps_of(outcome: replay.Outcome) -> Sequence[Step]:
    found = _smallest(outcome) or outcome.replayed.finding
    return found.steps if found is not None else outcome.replayed.steps


def _size(size: replay.Size) -> str:
    def count(number: int, one: str, many: str) -> str:
        return f"{number:,} {one if number == 1 else many}"

    reorderings = count(size.reorderings, "reordering", "reorderings")
    switches = count(size.switches, "context switch", "context switches")
    return f"{reorderings}, {switches} and {count(size.deviations, 'deviation', 'deviations')}"


def _size_of(size: replay.Size) -> dict[str, int]:
    return {"reorderings": size.reorderings, "switches": size.switches, "deviations": size.deviations}


def _waiting(steps: Sequence[Step], until: int) -> Iterator[str]:
    """What has been issued and not performed when the execution stops there."""
    pending = [
        step
        for step in steps
        if step.step <= until and (step.held or step.kind == "late") and (step.done == 0 or step.done > until)
    ]
    yield ""
    yield f"After step {until}" + ("" if pending else ": nothing is held back or late")
    for step in pending:
        value = f" = {step.value}" if step.value else ""
        what = "holds back" if step.held else "has yet to perform"
        yield f"  {step.thread} {what} #{step.step}: {step.place}{value}"


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
