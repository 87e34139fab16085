"""Why a finding happens: the shortest execution that shows it, and what would have prevented it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from race import replay, token
from race.errors import RaceError
from race.native import Catalog
from race.replay import Flag, Needed, Size
from race.results import Document, Finding
from race.scenario.load import shipped
from race.why.explanation import Change

TRIED = 3  # findings of an oracle in an arm that are shrunk: the first one's cause need not be the shortest

Progress = Callable[[str, int, int, int], None]  # what is shrunk; executions, and the fewest reorderings and switches


class Cause(msgspec.Struct, kw_only=True):
    """The shortest execution found. Without one (`why_not`) the finding is as it was recorded."""

    arm: str  # its plan
    execution: int  # that was shrunk
    finding: Finding
    token: str = ""  # of that execution
    size: Size | None = None
    before: Size | None = None  # of the execution that was found
    needed: list[Needed] = []  # what is left of it, and what becomes of it without
    executions: int = 0  # that shrinking took
    complete: bool = False
    why_not: str = ""
    sentence: str = ""  # what happened, in words
    changes: list[Change] = []  # that together make it impossible
    litmus: str = ""  # its critical cycle as a litmus test


def shortest(
    document: Document,
    catalog: Catalog,
    stop: Flag | None = None,
    progress: Progress = lambda *_: None,
) -> list[Cause]:
    """Of each oracle in each arm. A token that no longer fits gives a reason, not an error."""
    file = document.scenario.file if document.scenario.name not in shipped() else None
    stop = stop or threading.Event()
    causes: dict[tuple[str, str], Cause] = {}
    for arm, found in firsts(document):
        cause = _shrunk(arm, found, file, catalog, stop, progress)
        known = causes.setdefault((arm, found.oracle), cause)
        if rank(cause) < rank(known):
            causes[arm, found.oracle] = cause
    return list(causes.values())


def firsts(document: Document) -> Iterator[tuple[str, Finding]]:
    """The first findings of each oracle in each arm, with the arm's plan."""
    for arm in document.arms:
        seen: Counter[str] = Counter()
        for finding in arm.findings:
            seen[finding.oracle] += 1
            if seen[finding.oracle] <= TRIED:
                yield arm.plan, finding


def rank(cause: Cause) -> tuple[int, ...]:
    """The smaller, the more it explains."""
    size = cause.size
    return (0, size.reorderings, size.switches, size.deviations) if size is not None else (1,)


def recorded(arm: str, finding: Finding, why_not: str) -> Cause:
    return Cause(arm=arm, execution=finding.execution, finding=finding, token=finding.token, why_not=why_not)


def of(subject: replay.Subject, outcome: replay.Outcome) -> Cause | None:
    """What a replay shrank its execution to; None: it did not."""
    small = outcome.minimised
    if small is None or small.finding is None:
        return None
    text = replay.token_for(subject, small.finding)
    why = outcome.explanation
    return Cause(
        arm=subject.token.plan,
        execution=small.finding.execution,
        finding=small.finding.finding(text),
        token=text,
        size=_size(small),
        before=small.before,
        needed=small.needed,
        executions=small.executions,
        complete=small.complete,
        sentence=why.sentence if why is not None else "",
        changes=why.changes if why is not None else [],
        litmus=why.litmus if why is not None else "",
    )


def _size(of: Size) -> Size:
    return Size(reorderings=of.reorderings, switches=of.switches, deviations=of.deviations)


def _shrunk(arm: str, found: Finding, file: str | None, catalog: Catalog, stop: Flag, progress: Progress) -> Cause:
    if stop.is_set():
        return recorded(arm, found, "interrupted before it was shrunk")
    if not found.token:
        return recorded(arm, found, found.untold or "the result has no replay token of it")
    if file is not None and not Path(file).is_file():
        return recorded(arm, found, f"there is no scenario file {file}")
    try:
        subject = replay.subject(token.decode(found.token), catalog, file)
        outcome = replay.run(
            subject, catalog, minimise=True, changed=None, stop=stop, progress=lambda *at: progress(found.oracle, *at)
        )
    except RaceError as error:
        return recorded(arm, found, str(error))
    again = outcome.replayed
    if again.misfit:
        return recorded(arm, found, f"the execution went another way than its token says: {again.misfit}")
    if again.finding is None or again.finding.oracle != found.oracle:
        now = again.finding.oracle if again.finding is not None else "nothing"
        return recorded(arm, found, f"its token gives {now} now")
    cause = of(subject, outcome)
    if cause is None:
        return recorded(arm, found, "interrupted before it was shrunk")
    cause.arm, cause.execution = arm, found.execution
    return cause
