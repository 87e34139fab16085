"""What `race replay` says, as text and as JSON."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from race import replay
from race.merge import Found
from race.report import words
from race.report.steps import WIDTH, picture
from race.results import Finding, Step
from race.scenario.load import shipped
from race.why.explanation import Change, Explanation

FACTS = ("oracle", "message", "value", "value_kind", "thread", "function", "zspage", "object")


class View:
    """One replay."""

    def __init__(
        self,
        subject: replay.Subject,
        outcome: replay.Outcome,
        *,
        expected: Finding | None,  # as the result has it
        barriers: str | None,  # the plan under which it was run once more
        until: int | None,  # the last step that is shown
    ) -> None:
        self._subject = subject
        self._outcome = outcome
        self._expected = expected
        self._barriers = barriers
        self._until = until

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
                return f"nothing is found under {self._barriers}"
            if changed.finding.oracle != replayed.finding.oracle:
                return f"under {self._barriers} another oracle fires: {changed.finding.oracle}"
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
        if outcome.explanation is not None:
            yield from self._why(outcome.explanation)
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
        yield f"  from {words.size(small.before)}"
        yield f"  to   {words.size(small)}"
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
        until = self._until
        shown = [step for step in steps if until is None or step.step <= until]
        if shown:
            yield ""
            yield "Steps (those that matter)" + (f" up to step {until}" if until is not None else "")
            yield from _left_out(_smallest(self._outcome) or self._outcome.replayed.finding)
            yield from ("  " + line for line in picture(shown, WIDTH - 2))
        if until is not None:
            yield from _waiting(steps, until)

    def _why(self, why: Explanation) -> Iterator[str]:
        yield ""
        yield "Why"
        yield from _wrapped(why.sentence, "  ", 2)
        if not why.changes:
            return
        yield ""
        restored = why.changes[0].side is None  # a guard
        yield ("What mends it" if restored else "What forbids it") + (", together" if len(why.changes) > 1 else "")
        for change in why.changes:
            yield from (f"  {line}" for line in diff(change))
        if restored:
            return
        yield ""
        yield "With --litmus FILE it becomes a litmus test that is Sometimes; with --barriers as well, Never under"
        changed = {change.site: change.after for change in why.changes}
        kept = [part for part in self._subject.token.plan.split(",") if part.partition("=")[0].strip() not in changed]
        yield "  " + ",".join([*kept, *(f"{site}={strength}" for site, strength in changed.items())])

    def _changed(self, changed: replay.Replayed) -> Iterator[str]:
        yield ""
        yield f"Under barriers {self._barriers}"
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
        small, why = outcome.minimised, outcome.explanation
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
            "sentence": why.sentence if why is not None else "",
            "changes": why.changes if why is not None else [],
            "litmus": why.litmus if why is not None else "",
            "litmus_changed": why.litmus_changed if why is not None else "",
            "barriers": self._barriers,
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


def diff(change: Change) -> list[str]:
    """One site made stronger, like a hunk of a patch."""
    kernel = "as Linux 4.8 has it" if change.after == change.kernel else f"arm64 has {change.kernel} in Linux 4.8"
    return [
        f"@@ {change.file}:{change.line} {change.primitive} @@",
        f"-{change.site}={change.before}",
        f"+{change.site}={change.after}  ({kernel})",
    ]


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
