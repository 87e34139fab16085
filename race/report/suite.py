"""The suite's table: on a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from race.output import Screen
from race.suite.document import Row, Suite
from race.suite.run import MODELS

Link = Callable[[str, str], str]  # of a text and a file

HEADER = ("bug", "what", "kind", "sc", "tso", "armv8", "oracle", "fix: clean in")
TITLED = 130  # columns of a terminal


def render(suite: Suite, console: Screen) -> None:
    table = Table(box=SIMPLE_HEAD)
    titled = console.width >= TITLED  # else the titles would take the room of what was measured
    for column in HEADER:
        if titled or column != "what":
            table.add_column(column, justify="right" if column in MODELS else "left", no_wrap=column != "what")
    for row in suite.rows:
        style = "" if row.held else "bold yellow" if not row.done else "bold red"
        bug, what, *measured = cells(row)
        table.add_row(*map(Text, (bug, what, *measured) if titled else (bug, *measured)), style=style)
    console.print(table)
    for line in summary(suite):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def cells(row: Row) -> tuple[str, ...]:
    return (row.id, row.title, _kind(row), *(_first(row, model) for model in MODELS), _oracles(row), _fix(row))


def _kind(row: Row) -> str:
    if row.measured is None:
        return "not run"
    return row.kind if row.measured == row.kind else f"{row.measured}, not {row.kind}"


def _first(row: Row, model: str) -> str:
    """The execution in which what is expected was first found with the fault."""
    trial = next((trial for trial in row.with_fault if trial.model == model), None)
    if trial is None:
        return ""
    expected = [trial.first[oracle] for oracle in row.find if oracle in trial.first]
    at = min(expected or trial.first.values(), default=None)
    return "-" if at is None else f"{at:,}"


def _oracles(row: Row) -> str:
    found = dict.fromkeys(oracle for trial in row.with_fault for oracle in trial.first)
    expected = [oracle for oracle in row.find if oracle in found]
    return ", ".join(expected) or ", ".join(found) or "-"


def _fix(row: Row) -> str:
    if not row.with_fix:
        return "not run"
    found = [trial for trial in row.with_fix if trial.counts]
    if found:
        return "; ".join(f"{trial.model}: {', '.join(trial.counts)}" for trial in found)
    return f"{row.fix_executions:,}" if len(row.with_fix) == len(MODELS) else "not run"


def summary(suite: Suite) -> Iterator[str]:
    for row in suite.rows:
        for wrong in row.wrong:
            yield f"{row.id} ({row.scenario}): {wrong}"
    held = sum(row.held for row in suite.rows)
    yield f"{held} of {len(suite.rows)} are as their files have them."
    if suite.interrupted:
        yield "The run was interrupted: the table has what there is."
    if suite.error:
        yield f"The run could not be completed: {suite.error}"
    yield (
        "Under each model: the number of the first random execution, from 0, with what the fault is to give; -: none "
        f"was found in {suite.executions:,}. A fix is not proved: it was clean in so many executions under each."
    )


def markdown(suite: Suite, link: Link) -> str:
    """`link` makes a link to a file of the checkout."""
    lines = [f"| {' | '.join(HEADER)} |", f"|{'---|' * len(HEADER)}"]
    for row in suite.rows:
        bug, what, *rest = cells(row)
        bug = link(bug, row.report) if row.report else bug
        lines.append("| " + " | ".join(map(_cell, (bug, link(what, row.file), *rest))) + " |")
    lines += ["", *(f"{line}  " for line in _text(suite))]
    return "\n".join(lines) + "\n"


def _text(suite: Suite) -> Sequence[str]:
    took = f", {suite.timing.seconds:.0f} s" if suite.timing is not None else ""
    cpus = suite.host.get("jobs", "")
    command = " ".join(suite.command)
    return [f"`{command}` (seed {suite.seed}, {cpus} workers{took}).", *summary(suite)]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
