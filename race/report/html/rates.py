"""How often each plan fails, beside each other: rates with their intervals, on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from race import stats
from race.report import words
from race.report.html.svg import LINE, SMALL, Drawing, wrapped
from race.results import Arm, Document, Interval

LABELS = 310  # px of the plans' names, at most
ZERO, LEFT, RIGHT, TEXT = (
    20,
    70,
    410,
    428,
)  # px right of them: no finding, which a logarithm has no place for; axis; figures
FIGURES = 330
ROW = 24


@dataclass
class _Bar:
    plan: str
    hits: int
    judged: int
    rate: Interval


def rates(document: Document, oracle: str | None) -> Markup:
    """Of the oracle that the result is about, and of any finding; the others stand in a table."""
    any_finding = [
        _Bar(arm.plan, arm.hits, arm.judged, arm.total or stats.interval(arm.hits, arm.judged)) for arm in document.arms
    ]
    groups = [("any finding", any_finding)]
    if oracle is not None:
        groups.insert(0, (oracle, [_bar(arm, oracle) for arm in document.arms]))
        if len(words.oracles_found(document)) == 1:
            groups.pop()
    return _draw(groups)


def interval(arm: Arm, oracle: str) -> Interval:
    return arm.rates.get(oracle) or stats.interval(arm.counts.get(oracle, 0), arm.judged)


def _bar(arm: Arm, oracle: str) -> _Bar:
    return _Bar(arm.plan, arm.counts.get(oracle, 0), arm.judged, interval(arm, oracle))


class _Axis:
    def __init__(self, bars: Sequence[_Bar]) -> None:
        self.labels = min(LABELS, 12 + SMALL * max((len(line) for bar in bars for line in _label(bar)), default=0))
        positive = [value for bar in bars for value in (bar.rate.low, bar.rate.high) if value > 0]
        self._top = min(0, math.ceil(math.log10(max(positive, default=1.0)) - 1e-9))
        self._low = min(self._top - 2, math.floor(math.log10(min(positive, default=0.01))))
        self._low = max(self._low, -12)

    def x(self, rate: float) -> float:
        if rate <= 0:
            return self.labels + ZERO
        share = (math.log10(rate) - self._low) / (self._top - self._low)
        return self.labels + LEFT + min(1.0, max(0.0, share)) * (RIGHT - LEFT)

    def ticks(self) -> list[float]:
        step = 1 + (self._top - self._low) // 7
        return [10.0**power for power in range(self._top, self._low - 1, -step)]


def _draw(groups: Sequence[tuple[str, Sequence[_Bar]]]) -> Markup:
    bars = [bar for _, group in groups for bar in group]
    axis = _Axis(bars)
    said = ". ".join(f"{what}, plan {bar.plan}: {_figures(bar)}" for what, group in groups for bar in group)
    d = Drawing("rates", "Rate of findings by plan, with 95 % intervals, on a logarithmic axis", said)
    y = 14.0
    tops = []
    for what, group in groups:
        d.text(0, y, what, "strong")
        tops.append((y + 8, y + 10 + _height(group)))
        y += 8
        for bar in group:
            y = _draw_bar(d, axis, bar, y)
        y += 26
    bottom = y - 20
    for tick in [0.0, *axis.ticks()]:
        x = axis.x(tick)
        for top, end in tops:
            d.line(x, top, x, end, "grid")
        d.text(x, bottom + 12, f"{_tick(tick)} %" if tick else "0", "small muted", "middle")
    return d.markup(axis.labels + TEXT + FIGURES, bottom + 20)


def _height(group: Sequence[_Bar]) -> float:
    return sum(max(ROW, LINE * len(_label(bar)) + 8) for bar in group)


def _label(bar: _Bar) -> list[str]:
    return wrapped(bar.plan.replace(",", ", "), LABELS - 12, SMALL, "  ")[:6]


def _draw_bar(d: Drawing, axis: _Axis, bar: _Bar, y: float) -> float:
    label = _label(bar)
    height = max(ROW, LINE * len(label) + 8)
    centre = y + height / 2
    d.lines(12, centre - LINE * (len(label) - 1) / 2 + 4, label, "small")
    low, high = axis.x(bar.rate.low), axis.x(bar.rate.high)
    if bar.hits:
        d.line(low, centre, high, centre, "whisker bad")
        for x in (low, high):
            d.line(x, centre - 5, x, centre + 5, "whisker bad")
        d.circle(axis.x(bar.rate.rate), centre, 5, "dot bad")
    else:  # somewhere between nothing and the bound
        d.line(axis.x(0), centre, high, centre, "whisker none")
        d.line(high, centre - 6, high, centre + 6, "whisker solid")
        d.circle(axis.x(0), centre, 5, "dot none")
    d.text(axis.labels + TEXT, centre + 4, _figures(bar), "small")
    return y + height


def _figures(bar: _Bar) -> str:
    if not bar.judged:
        return "not run"
    if not bar.hits:
        return f"0 of {words.count(bar.judged)}; at most {words.percent(bar.rate.high)}"
    return f"{words.count(bar.hits)} of {words.count(bar.judged)} = {words.rate(bar.rate)}"


def _tick(rate: float) -> str:
    value = rate * 100
    return f"{value:.0f}" if value >= 1 else f"{value:.{round(-math.log10(value))}f}"
