"""The page of a run or a comparison."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from race.cause import Cause, rank
from race.native import Site
from race.report import proofs, steps, words
from race.report.html import page
from race.report.html.findings import findings, headline, in_order, values
from race.report.html.picture import left_out, picture
from race.report.html.plans import plans
from race.report.html.rates import interval, rates
from race.results import Document, printable

ICONS = {"held": "✓", "failed": "✗", "unjudged": "•", "inconclusive": "?", "incomplete": "…"}
KINDS = {"held": "good", "failed": "bad"}  # the others: warn
MOST_DRAWN = 12  # causes


@dataclass
class Drawn:
    """A cause with its picture."""

    cause: Cause
    svg: Markup
    text: str  # the picture for a mail
    left_out: int
    command: str


def render(document: Document, causes: Sequence[Cause], sites: Iterable[Site]) -> str:
    """`sites`: those that this program knows."""
    document = printable(document)
    best, others = _best([printable(cause) for cause in causes], headline(document))
    oracles = words.oracles_found(document)
    tables = [(oracle, *values(document, oracle)) for oracle in in_order(oracles, headline(document))]
    return page.render(
        "result.html",
        document=document,
        icon=ICONS[document.verdict.status],
        kind=KINDS.get(document.verdict.status, "warn"),
        rates=rates(document, headline(document)) if document.engine != "exhaustive" else "",
        oracles=oracles,
        interval=interval,
        drawn=[_draw(document, cause, f"picture-{i}") for i, cause in enumerate(best[:MOST_DRAWN])],
        others=[*best[MOST_DRAWN:], *others],
        values=[table for table in tables if table[1]],
        findings=findings(document),
        plans=plans(document.arms, sites),
        proofs=proofs,
        asked=page.split(words.asked(document)),
    )


def _best(causes: Sequence[Cause], first: str | None) -> tuple[list[Cause], list[Cause]]:
    """The smallest cause of each oracle, and the rest."""
    best: dict[str, Cause] = {}
    for cause in causes:
        known = best.get(cause.finding.oracle)
        if known is None or rank(cause) < rank(known):
            best[cause.finding.oracle] = cause
    chosen = [best[oracle] for oracle in in_order(best, first)]
    return chosen, [cause for cause in causes if all(cause is not one for one in chosen)]


def _draw(document: Document, cause: Cause, name: str) -> Drawn:
    finding = cause.finding
    return Drawn(
        cause=cause,
        svg=picture(finding, name),
        text="\n".join(steps.picture(finding.steps)),
        left_out=left_out(finding),
        command=words.replay_command(document, cause.token) if cause.token else "",
    )
