"""The report as Markdown, for a pull request or a CI job's summary."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from race.hardware import record as hardware
from race.report import proofs, words
from race.results import Arm, Document, Finding, printable

ICONS = {"held": "✅", "failed": "❌", "unjudged": "🔍", "inconclusive": "⚠️", "incomplete": "⚠️"}
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


def render(document: Document) -> str:
    return "\n".join(_lines(printable(document))) + "\n"


def escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text).replace("\n", " ")


def code(text: str) -> str:
    """An inline code span, whatever back quotes the text has; a pipe would end a table's cell even there."""
    text = text.replace("\n", " ").replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}"


def block(lines: Iterable[str]) -> list[str]:
    text = "\n".join(lines)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return [fence + "text", text, fence]


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The first row is the head; the cells are Markdown already."""
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    rule = "|---" + "|---:" * (len(rows[0]) - 1) + "|"
    return [head, rule, *body]


def _lines(document: Document) -> Iterator[str]:
    verdict = document.verdict
    yield f"## {ICONS[verdict.status]} race {document.verb} {escaped(document.scenario.name)}: {verdict.status}"
    yield ""
    if document.interrupted:
        yield "**The run was interrupted**: the figures are of what was done until then."
        yield ""
    yield from (f"- {escaped(reason)}" for reason in verdict.reasons)
    yield ""
    yield from _arms(document)
    if tests := words.shown_differences(document):
        yield from _list("Difference (Fisher's exact test, two-sided)", map(words.difference, tests))
    for arm, findings in words.arms_findings(document):
        yield from _findings(arm, findings)
    yield from _trace(document)
    yield from _list("What was shown", words.shown(document))
    if document.bounds:
        yield from _list("Within these bounds", document.bounds)
    if document.hardware:
        yield from _list("What this host was seen to reorder", hardware.summary(document.hardware))
    if verdict.not_shown:
        yield from _list("What was not shown", verdict.not_shown)
    yield from _list("What was asked", (f"{label}: {text}" for label, text in words.asked(document)))
    yield from ["", "### To repeat it", ""]
    commands = [words.repeat_command(document)]
    commands += [resume] if (resume := proofs.resume_command(document)) else []
    commands += [command for _, command in words.replay_commands(document)] or [
        command for arm in document.arms if (command := words.finding_command(document, arm))
    ][:1]
    yield from block(commands)


def _list(heading: str, lines: Iterable[str]) -> Iterator[str]:
    yield from ["", f"### {heading}", ""]
    for line in lines:
        yield f"- {escaped(line)}"


def _arms(document: Document) -> Iterator[str]:
    arms = document.arms
    found = words.oracles_found(document)
    rows = [
        ["plan", *(code(arm.plan) for arm in arms)],
        ["executions", *(words.count(arm.executions) for arm in arms)],
        *(
            [["not judged", *(words.count(arm.cut_short) for arm in arms)]]
            if any(arm.cut_short for arm in arms)
            else []
        ),
        *([escaped(oracle), *(words.count(arm.counts.get(oracle, 0)) for arm in arms)] for oracle in found),
        *([] if len(found) == 1 else [["any finding", *(words.count(arm.hits) for arm in arms)]]),
        *([label, *cells] for label, cells in proofs.rows(arms)),
        *([] if any(arm.proof for arm in arms) else [["rate (95 %)", *(words.rate(arm.total) for arm in arms)]]),
        ["first finding", *(words.first_finding(document, arm) for arm in arms)],
        ["expected", *(escaped(words.expected(arm.expectation)) for arm in arms)],
        ["outcome", *(words.outcome(arm.expectation) for arm in arms)],
    ]
    yield from table(rows)
    yield from ["", escaped(proofs.NOTE if any(arm.proof for arm in arms) else words.RATES)]


def _findings(arm: Arm, findings: Sequence[Finding]) -> Iterator[str]:
    for i, finding in enumerate(findings):
        if i == 0:
            yield from ["", f"### First findings of plan {code(arm.plan)}", ""]
        yield f"- execution {words.count(finding.execution)}: **{escaped(finding.oracle)}**: {escaped(finding.message)}"
        yield from (f"  - {label}: {_fact(label, text)}" for label, text in words.facts(finding))
    if more := words.more_findings(arm, findings):
        yield f"- {more}"


def _fact(label: str, text: str) -> str:
    return code(text) if label == "value" else escaped(text)


def _trace(document: Document) -> Iterator[str]:
    found: tuple[Arm, Finding] | None = words.first_trace(document)
    if found is None:
        return
    arm, finding = found
    summary = f"What happened in execution {words.count(finding.execution)} of plan <code>{_html(arm.plan)}</code>"
    yield from ["", f"<details><summary>{summary}</summary>", ""]
    yield from block(finding.trace)
    yield from ["", "</details>"]


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
