"""The picture of an ablation: a row for each site, a column for each experiment."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from race.ablation.document import Ablation, SiteRecord, TrialRecord
from race.plan import ASCENDING
from race.report import ablation as report
from race.report.html.svg import Drawing
from race.report.words import count

ROW = 26
HEAD = 64
NAME, BASE, CROSSED, TRIED, ALONE, FROM_OFF, SETS = 8, 296, 372, 466, 560, 650, 742  # px: where columns begin
BAR = 86
CELL = 82
SET = 26
BOX = 13  # px: a rung of a ladder of strengths
VERDICTS = ("necessary", "masked", "redundant", "untested")
KINDS = {"necessary": "bad", "masked": "warn", "redundant": "good", "untested": "unknown"}


def ordered(sites: Sequence[SiteRecord]) -> list[SiteRecord]:
    return sorted(sites, key=lambda site: (VERDICTS.index(site.verdict), site.site))


def matrix(document: Ablation) -> Markup:
    return _Matrix(document).markup()


class _Matrix:
    def __init__(self, document: Ablation) -> None:
        self._document = document
        self._sites = ordered(report.rows(document))
        self._sets = document.minimal
        self._ladder = SETS + SET * len(self._sets) + 14
        self._verdict = self._ladder + 190
        self._width = self._verdict + 104
        self._drawing = Drawing("matrix", "Each ordering site in each experiment", self._description())

    def markup(self) -> Markup:
        self._head()
        for i, site in enumerate(self._sites):
            self._row(site, HEAD + i * ROW)
        return self._drawing.markup(self._width, HEAD + ROW * len(self._sites) + 4)

    def _description(self) -> str:
        """Row by row, because a screen reader cannot see columns."""
        heads = ("strength", "crossed", "tried", "weakened alone", "strengthened alone", "weakest", "verdict")
        sentences = []
        for site in self._sites:
            name, *cells = report.cells(self._document, site)
            facts = ", ".join(f"{head} {cell}" for head, cell in zip(heads, cells, strict=True))
            numbers = [str(i + 1) for i, kept in enumerate(self._sets) if site.site in kept.sites]
            sets = f", in set {' and '.join(numbers)}" if numbers else ""
            sentences.append(f"{name}: {facts}{sets}")
        return ". ".join(sentences)

    def _head(self) -> None:
        heads = [
            (NAME, "", "ordering site"),
            (BASE, "base", "strength"),
            (CROSSED, "executions", "come to it"),
            (TRIED, "an access", "moves across"),
            (ALONE, "weakened", "alone: finds"),
            (FROM_OFF, "only this one", "left: finds"),
            (self._ladder, "weakest strength", "that suffices"),
            (self._verdict, "", "verdict"),
        ]
        if self._sets:
            heads.append((SETS, "minimal", "set"))
        d = self._drawing
        for x, upper, lower in heads:
            d.text(x, 18, upper, "tiny muted")
            d.text(x, 33, lower, "tiny muted")
        for i in range(len(self._sets)):
            d.text(SETS + SET * i + SET / 2, 50, str(i + 1), "small strong", "middle")
        d.line(0, HEAD - 6, self._width, HEAD - 6, "rule")

    def _row(self, site: SiteRecord, top: float) -> None:
        d, y = self._drawing, top + 17
        kind = KINDS[site.verdict]
        d.rect(0, top + 2, 4, ROW - 4, f"fill {kind}")
        d.text(NAME + 4, y, site.site, "small strong" if site.verdict == "necessary" else "small")
        _, base, crossed, tried, alone, from_off, weakest, _ = report.cells(self._document, site)
        d.text(BASE, y, base, "small muted")
        sample = self._document.sample
        self._bar(CROSSED, top, (site.crossed or 0) / sample if sample else 0, crossed)
        moved = max(site.tried or 0, site.tried_together or 0)
        self._bar(TRIED, top, moved / sample if sample else 0, tried)
        self._cell(ALONE, top, site.weakened, alone)
        self._cell(FROM_OFF, top, site.strengthened, from_off)
        for i, kept in enumerate(self._sets):
            x = SETS + SET * i
            if site.site in kept.sites:
                tip = f"in set {i + 1}, at {kept.sites[site.site]}"
                d.rect(x + 4, top + 4, SET - 8, ROW - 8, "fill member", tip)
            else:
                d.circle(x + SET / 2, top + ROW / 2, 1.5, "absent")
        self._strengths(site, top, weakest)
        d.text(self._verdict, y, site.verdict, f"small strong {kind}")
        d.line(0, top + ROW, self._width, top + ROW, "grid")

    def _bar(self, x: float, top: float, share: float, text: str) -> None:
        self._drawing.rect(x, top + ROW - 7, BAR * min(1.0, share), 3, "fill bar")
        self._drawing.text(x, top + 15, text, "tiny")

    def _cell(self, x: float, top: float, trial: TrialRecord | None, text: str) -> None:
        kind = "unknown" if trial is None else "bad" if trial.hits else "good"
        tip = "not run" if trial is None else f"{count(trial.hits)} in {count(trial.executions)} executions"
        self._drawing.rect(x, top + 3, CELL, ROW - 6, f"cell {kind}", tip)
        self._drawing.text(x + CELL / 2, top + 17, "not run" if trial is None else text, "small", "middle")

    def _strengths(self, site: SiteRecord, top: float, weakest: str) -> None:
        """A ladder from none upwards: filled as far as it must be, outlined as far as the base plan goes."""
        d = self._drawing
        rungs = ASCENDING["lock" if site.side == "lock" else "unlock"][1:]
        needed = rungs.index(weakest) + 1 if weakest in rungs else 0
        has = rungs.index(site.strength) + 1 if site.strength in rungs else 0
        x = float(self._ladder)
        for i in range(has):
            d.rect(x + i * (BOX + 2), top + 6, BOX, BOX, "rung full" if i < needed else "rung")
        text = "not known" if site.weakest is None else weakest
        d.text(x + 4 * (BOX + 2) + 6, top + 17, text, "small" if site.weakest else "small muted")
