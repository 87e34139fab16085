"""The report for a terminal; as plain text, at most 100 columns wide, when it goes elsewhere.

Only a replay token may stick out: it must be copied whole.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from rich.box import Box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from race.hardware import record as hardware
from race.report import proofs, words
from race.results import Arm, Document, Finding, printable

WIDTH = 100
NARROW_PLAN = 26  # columns, for three arms side by side; else two
STATUS_STYLES = {"held": "bold green", "failed": "bold red"}  # the others: bold yellow
# A rule below the head, in ASCII, so that it survives any pipe.
BOX = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
OUTCOME_STYLES = {"as expected": "green", "NOT AS EXPECTED": "bold red"}


def render(document: Document, to: Console) -> None:
    """In colour on a terminal; elsewhere as plain text of WIDTH columns, whatever the console takes its width for."""
    document = printable(document)
    show(_report(document, min(WIDTH, to.width) if to.is_terminal else WIDTH), to)


def show(report: RenderableType, to: Console) -> None:
    if to.is_terminal:
        to.print(report, width=min(WIDTH, to.width), crop=False)
        return
    plain = Console(file=io.StringIO(), width=WIDTH, color_system=None, force_terminal=False)
    with plain.capture() as captured:
        plain.print(report, crop=False)
    for line in captured.get().splitlines():  # rich fills each line up with blanks
        to.out(line.rstrip(), highlight=False)


def _report(document: Document, width: int) -> RenderableType:
    return Group(*_sections(document, width))


def _sections(document: Document, width: int) -> Iterator[RenderableType]:
    yield Text(f"race {document.verb} {document.scenario.name}", style="bold")
    yield pairs(words.asked(document))
    wide = any(len(part) > NARROW_PLAN for arm in document.arms for part in arm.plan.split(","))
    side_by_side = 2 if wide else 3
    for i in range(0, len(document.arms), side_by_side):
        yield Text()
        yield _arms(document, document.arms[i : i + side_by_side])
    note = proofs.NOTE if document.engine == "exhaustive" else words.RATES
    yield Padding(Text(f"\n{note}", style="dim"), (0, 0, 0, 2))
    if tests := words.shown_differences(document):
        yield from bullets("Difference (Fisher's exact test, two-sided)", map(words.difference, tests))
    for arm, findings in words.arms_findings(document):
        yield from _findings(arm, findings)
    yield from _trace(document, width)
    yield from _verdict(document)
    yield from _repeat(document, width)


def _heading(text: str) -> RenderableType:
    return Text(f"\n{text}", style="bold")


def pairs(labelled: Sequence[tuple[str, str]]) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for label, text in labelled:
        grid.add_row(Text(label), Text(text))
    return Padding(grid, (0, 0, 0, 2))


def bullets(heading: str, lines: Iterable[str]) -> Iterator[RenderableType]:
    yield _heading(heading)
    yield _list(lines)


def _list(lines: Iterable[str]) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for line in lines:
        grid.add_row("-", Text(line))
    return Padding(grid, (0, 0, 0, 2))


def _arms(document: Document, arms: Sequence[Arm]) -> RenderableType:
    table = Table(box=BOX, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    table.add_column("plan", style="dim", no_wrap=True)
    for arm in arms:
        table.add_column(Text(arm.plan.replace(",", ",\n")), overflow="fold", justify="right")

    def row(label: str, *cells: str) -> None:
        table.add_row(Text(label), *(Text(cell, style=OUTCOME_STYLES.get(cell, "")) for cell in cells))

    row("executions", *(words.count(arm.executions) for arm in arms))
    if any(arm.accesses for arm in arms):
        row("simulated accesses", *(words.count(arm.accesses) for arm in arms))
    if any(arm.cut_short for arm in arms):
        row("not judged", *(words.count(arm.cut_short) for arm in arms))
    found = words.oracles_found(document)
    for oracle in found:
        row(oracle, *(_hits(arm, oracle) for arm in arms))
    if len(found) != 1:
        row("any finding", *(words.count(arm.hits) for arm in arms))
    for label, cells in proofs.rows(arms):
        row(label, *cells)
    if not any(arm.proof for arm in arms):
        row("rate (95 %)", *(words.rate(arm.total) for arm in arms))
    row("first finding", *(words.first_finding(document, arm) for arm in arms))
    row("expected", *(words.expected(arm.expectation) for arm in arms))
    row("outcome", *(words.outcome(arm.expectation) for arm in arms))
    return Padding(table, (0, 0, 0, 2))


def _hits(arm: Arm, oracle: str) -> str:
    hits = arm.counts.get(oracle, 0)
    interval = arm.rates.get(oracle)
    if not hits or interval is None or hits == arm.hits:  # the last: the row "rate" says it
        return words.count(hits)
    return f"{words.count(hits)} = {words.rate(interval)}"


def _findings(arm: Arm, findings: Sequence[Finding]) -> Iterator[RenderableType]:
    for i, finding in enumerate(findings):
        if i == 0:
            yield _heading(f"First findings of plan {arm.plan}")
        yield Padding(Text(_title(finding)), (0, 0, 0, 2))
        yield Padding(pairs(words.facts(finding)), (0, 0, 0, 2))
    if more := words.more_findings(arm, findings):
        yield Padding(Text(more), (0, 0, 0, 2))


def _title(finding: Finding) -> str:
    return f"execution {words.count(finding.execution)}: {finding.oracle}: {finding.message}"


def _trace(document: Document, width: int) -> Iterator[RenderableType]:
    found = words.first_trace(document)
    if found is None:
        return
    arm, finding = found
    yield _heading(f"What happened in execution {words.count(finding.execution)} of plan {arm.plan}")
    for line in finding.trace:
        folded = textwrap.wrap(line, width - 2, subsequent_indent=" " * 8, break_on_hyphens=False) or [""]
        yield Padding(Text("\n".join(folded), overflow="fold"), (0, 0, 0, 2))


def _verdict(document: Document) -> Iterator[RenderableType]:
    verdict = document.verdict
    yield Text(
        f"\nVerdict: {verdict.status} - {words.STATUSES[verdict.status]}",
        style=STATUS_STYLES.get(verdict.status, "bold yellow"),
    )
    if document.interrupted:
        yield Padding(Text("The run was interrupted: the figures are of what was done until then."), (0, 0, 0, 2))
    yield _list(verdict.reasons)
    yield from bullets("What was shown", words.shown(document))
    if document.bounds:
        yield from bullets("Within these bounds", document.bounds)
    if document.hardware:
        yield from bullets("What this host was seen to reorder", hardware.summary(document.hardware))
    if verdict.not_shown:
        yield from bullets("What was not shown", verdict.not_shown)


def _repeat(document: Document, width: int) -> Iterator[RenderableType]:
    yield _heading("To repeat it")
    yield _command(words.repeat_command(document), width)
    if resume := proofs.resume_command(document):
        yield Padding(Text("to go on from where it ended:", style="dim"), (0, 0, 0, 2))
        yield _command(resume, width)
    for what, replay in words.replay_commands(document):
        yield Padding(Text(what, style="dim"), (0, 0, 0, 2))
        yield Text(f"  {replay}", no_wrap=True, overflow="ignore")
    if words.replay_commands(document):
        return
    for arm in document.arms:
        if command := words.finding_command(document, arm):
            first = words.shown_findings(arm)[0]
            text = f"the first {first.oracle} of plan {arm.plan} alone:"
            yield Padding(Text(text, style="dim"), (0, 0, 0, 2))
            yield _command(command, width)
            return


def _command(command: str, width: int) -> RenderableType:
    return Padding(Text("\n".join(words.shell_lines(command, width - 2)), overflow="fold"), (0, 0, 0, 2))
