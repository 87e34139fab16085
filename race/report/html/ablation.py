"""The page of an ablation."""

from __future__ import annotations

from race.ablation.document import Ablation
from race.report import ablation as report
from race.report.html import matrix, page
from race.results import printable


def render_ablation(document: Ablation) -> str:
    document = printable(document)
    return page.render(
        "ablation.html",
        document=document,
        matrix=matrix.matrix(document),
        sites=matrix.ordered(report.rows(document)),
        kinds=matrix.KINDS,
        tally={verdict: sum(site.verdict == verdict for site in document.sites) for verdict in matrix.VERDICTS},
        not_crossed=report.not_crossed(document),
        sets=report.sets(document),
        asked=page.split(report.asked(document)),
    )
