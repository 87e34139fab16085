"""The picture of an execution: a column for each CPU, time running down, who does it at the side.

A hollow mark is an access that was issued and not performed. A bracket leads from it to where it was performed: the
gap is what the execution is about. A red arrow leads from a store to the read that should have seen it and did not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from markupsafe import Markup

from race.report import steps as told
from race.report.html.svg import LINE, SMALL, Drawing, wrapped
from race.results import Finding, Step

MOST = 70  # steps that are drawn; those before them are counted
SIDE_TEXT = 60  # px: where the functions and sites begin, behind the numbers
SIDE_LEAST, SIDE_MOST = 250, 344  # px of that column
HEAD = 50  # px above the first step
LANE = 238  # px of a CPU's column, at least
WIDTH = 1058  # px of the whole, unless there are too many CPUs for it
TRACK = 9  # px between two brackets
PAD = 7  # px above and below a step
CHANNEL = 14  # px left of a column, where arrows run


@dataclass
class _Row:
    step: Step
    lane: int
    y: float  # of its first line's base
    height: float
    what: list[str]
    marks: list[str]
    side: list[str]

    @property
    def centre(self) -> float:
        return self.y - 4


@dataclass
class _Lane:
    x: float
    width: float
    tracks: int = 0  # brackets beside each other

    @property
    def line(self) -> float:
        """Where its accesses are marked."""
        return self.x + CHANNEL + TRACK * self.tracks + 8

    @property
    def text(self) -> float:
        return self.line + 14


@dataclass
class _Bracket:
    """From the issue of an access to its performance; one of the ends may lie outside of the picture."""

    lane: int
    start: int | None  # row
    end: int | None
    step: int
    kind: str
    track: int = field(default=0)


def picture(finding: Finding, name: str) -> Markup:
    """`name` is unique in the page."""
    return _Picture(finding, name).markup()


def left_out(finding: Finding) -> int:
    """Earlier steps that the picture has no room for, or the result does not have."""
    return finding.steps_left_out + max(0, len(_shown(finding)) - MOST)


def _shown(finding: Finding) -> list[Step]:
    return [step for step in finding.steps if step.kind not in ("runs", "found")]  # who runs is seen from the columns


def _writers(shown: Sequence[Step], steps: Sequence[Step]) -> Iterator[Step]:
    """The writes of what stale loads did not read, from what is said of them there: an arrow needs a place to begin."""
    there = {step.step for step in shown}
    cpus = {step.thread: step.cpu for step in steps}
    for load in shown:
        thread = next((name for name in cpus if load.writer.startswith(f"{name} ")), None)
        if not load.stale or thread is None:
            continue
        write = Step(
            step=load.writer_step,
            cpu=cpus[thread],
            thread=thread,
            kind="writes",  # a store or an atomic
            function=load.writer[len(thread) + 1 :],
            place=load.place,
            value=load.newest,
            held=load.writer_done > 0,
            done=load.writer_done,
        )
        commit = msgspec.structs.replace(
            write, step=load.writer_done, kind="commit", issued=load.writer_step, held=False, done=0
        )
        for step in (write, commit):
            if step.step and step.step not in there:
                there.add(step.step)
                yield step


class _Picture:
    def __init__(self, finding: Finding, name: str) -> None:
        self._finding = finding
        shown = _shown(finding)[-MOST:]
        self._steps = sorted([*shown, *_writers(shown, finding.steps)], key=lambda step: step.step)
        threads = {step.cpu: step.thread for step in self._steps}
        self._cpus = sorted(threads)
        self._threads = [threads[cpu] for cpu in self._cpus]
        self._side = self._side_width()
        each = max(LANE, (WIDTH - self._side) / max(1, len(self._cpus)))
        self._lanes = [_Lane(self._side + i * each, each) for i in range(len(self._cpus))]
        self._width = self._side + each * len(self._cpus)
        self._row_of = {step.step: i for i, step in enumerate(self._steps)}
        self._brackets = self._find_brackets()
        self._unseen = told.not_yet_visible(self._steps)
        self._rows = self._lay_out()
        last = self._rows[-1] if self._rows else None
        self._bottom = last.y + last.height - LINE if last else HEAD
        self._drawing = Drawing(name, f"The steps that matter: {finding.oracle}", self._description())

    def markup(self) -> Markup:
        self._draw_lanes()
        for bracket in self._brackets:
            self._draw_bracket(bracket)
        for row in self._rows:
            self._draw_row(row)
        self._draw_arrows()
        return self._drawing.markup(self._width, self._draw_found())

    def _description(self) -> str:
        parts = [f"Columns: {', '.join(self._threads)}. Time runs down. The same as text follows the picture."]
        parts += [
            f"Step {row.step.step}, {row.step.thread}: {' '.join(row.what)} {' '.join(row.marks)}."
            for row in self._rows
            if row.marks
        ]
        return " ".join(parts)

    # ---- where things go

    def _side_width(self) -> float:
        longest = max((len(_site(step)) for step in self._steps), default=0)
        return min(SIDE_MOST, max(SIDE_LEAST, SIDE_TEXT + 12 + SMALL * longest))

    def _find_brackets(self) -> list[_Bracket]:
        brackets = []
        for i, step in enumerate(self._steps):
            lane = self._cpus.index(step.cpu)
            if step.held or step.kind == "late":
                kind = "held" if step.held else "late"
                brackets.append(_Bracket(lane, i, self._row_of.get(step.done), step.step, kind))
            elif step.issued and step.issued not in self._row_of:
                brackets.append(_Bracket(lane, None, i, step.issued, "held" if step.kind == "commit" else "late"))
        for lane in range(len(self._lanes)):
            self._place_side_by_side([bracket for bracket in brackets if bracket.lane == lane])
        return brackets

    def _place_side_by_side(self, brackets: Sequence[_Bracket]) -> None:
        """The shortest nearest to the line, so that few cross."""
        last = len(self._steps)
        spans: list[list[tuple[int, int]]] = []
        ends = {
            id(bracket): (-1 if bracket.start is None else bracket.start, last if bracket.end is None else bracket.end)
            for bracket in brackets
        }
        for bracket in sorted(brackets, key=lambda b: ends[id(b)][1] - ends[id(b)][0]):
            start, end = ends[id(bracket)]
            free = (t for t, taken in enumerate(spans) if all(end < s or start > e for s, e in taken))
            bracket.track = next(free, len(spans))
            if bracket.track == len(spans):
                spans.append([])
            spans[bracket.track].append((start, end))
            self._lanes[bracket.lane].tracks = len(spans)

    def _lay_out(self) -> list[_Row]:
        rows: list[_Row] = []
        y, before = float(HEAD), None
        for step in self._steps:
            at = self._cpus.index(step.cpu)
            lane = self._lanes[at]
            what, mark = told.event(step, self._unseen.get(step.step))
            if step.issued:
                mark += f", {step.step - step.issued:,} steps later"
            room = lane.x + lane.width - lane.text - 6
            lines = wrapped(what, room, indent="  ")
            marks = wrapped(f"[{mark}]", room, indent=" ") if mark else []
            side = wrapped(step.function, self._side - SIDE_TEXT - 8)
            if step.site:
                side += wrapped(_site(step), self._side - SIDE_TEXT - 8, SMALL, "  ")
            if before is not None and before.cpu != step.cpu and "commit" not in (step.kind, before.kind):
                y += 10  # another CPU runs
            height = max(len(lines) + len(marks), len(side)) * LINE
            rows.append(_Row(step, at, y + PAD + 10, height, lines, marks, side))
            y += height + 2 * PAD
            before = step
        return rows

    # ---- drawing

    def _draw_lanes(self) -> None:
        d = self._drawing
        d.text(SIDE_TEXT - 12, 22, "step", "small muted", "end")
        d.text(SIDE_TEXT, 22, "function, and ordering site", "small muted")
        for cpu, thread, lane in zip(self._cpus, self._threads, self._lanes, strict=True):
            d.rect(lane.x, 0, lane.width - 6, self._bottom + PAD, "lane")
            d.text(lane.text, 22, f"CPU {cpu}", "small muted")
            d.text(lane.text + 44, 22, thread, "strong")
            d.line(lane.line, 32, lane.line, self._bottom + PAD, "life")

    def _draw_bracket(self, bracket: _Bracket) -> None:
        lane = self._lanes[bracket.lane]
        x = lane.line - 8 - TRACK * bracket.track
        top = self._rows[bracket.start].centre if bracket.start is not None else HEAD - 12
        end = self._rows[bracket.end].centre if bracket.end is not None else self._bottom + PAD
        points = [(lane.line, top)] if bracket.start is not None else []
        points += [(x, top), (x, end)]
        if bracket.end is not None:
            points.append((lane.line, end))
        self._drawing.path(points, f"bracket {bracket.kind}")
        if bracket.end is None:  # it goes on
            self._drawing.path([(x - 4, end - 6), (x, end), (x + 4, end - 6)], f"bracket {bracket.kind} solid")

    def _draw_row(self, row: _Row) -> None:
        d, lane, step = self._drawing, self._lanes[row.lane], row.step
        important = bool(row.marks)
        d.text(SIDE_TEXT - 12, row.y, f"#{step.step}", "strong" if important else "", "end")
        for i, line in enumerate(row.side):
            of_site = line.startswith(("@", " "))
            d.text(SIDE_TEXT, row.y + i * LINE, line, "small muted" if of_site else "")
        wrong = step.stale or step.step in self._unseen
        kind = "wrong" if wrong else _kind_of_mark(step)
        hollow = step.held or step.kind == "late"
        d.circle(lane.line, row.centre, 4.5 if important else 4, f"mark {kind}{' hollow' if hollow else ''}")
        d.lines(lane.text, row.y, row.what, "strong" if important else "")
        d.lines(lane.text, row.y + len(row.what) * LINE, row.marks, kind)

    def _draw_arrows(self) -> None:
        """From the store whose value was the newest, or was held back, to the read that did not get it."""
        unaware: dict[tuple[int, int], list[str]] = {}
        for row in self._rows:
            if row.step.stale:
                source = self._row_of.get(row.step.writer_done, self._row_of.get(row.step.writer_step))
            elif row.step.step in self._unseen:
                source = self._row_of.get(self._unseen[row.step.step].step)
            else:
                continue
            if source is not None and self._rows[source].lane != row.lane:
                self._draw_arrow(self._rows[source], row)
                unaware.setdefault((source, row.lane), []).append(f"#{row.step.step}")
        for (source, lane), reads in unaware.items():
            text = f"not seen by {', '.join(reads[:4])}{' ...' if len(reads) > 4 else ''}"
            self._drawing.text(self._lanes[lane].text, self._rows[source].y, text, "small wrong")

    def _draw_arrow(self, store: _Row, read: _Row) -> None:
        d = self._drawing
        here, there = self._lanes[store.lane], self._lanes[read.lane]
        if store.lane < read.lane:
            channel, start, tip = there.x + 5, _text_end(here, store), there.line - 6
        else:
            channel, start = here.x + 5, here.line - 6
            tip = min(_text_end(there, read), channel - 8)
        direction = 1 if store.lane < read.lane else -1
        d.path([(start, store.centre), (channel, store.centre), (channel, read.centre), (tip, read.centre)], "arrow")
        d.arrow_head(tip, read.centre, direction, "arrow-head")

    def _draw_found(self) -> float:
        """The whole width: the check may belong to no CPU. Gives the height of the picture."""
        finding = self._finding
        value = f": {finding.value}" if finding.value else ""
        by = f", by {finding.thread}" if finding.thread else ""
        site = f" at {finding.site}" if finding.site else ""
        y = self._bottom + PAD + 12
        lines = wrapped(f"FOUND {finding.oracle}{value}{by}{site}", self._width - SIDE_TEXT - 20)
        lines += wrapped(finding.message, self._width - SIDE_TEXT - 20)
        height = len(lines) * LINE + 12
        self._drawing.rect(0, y, self._width - 6, height, "found")
        found = next((step.step for step in finding.steps if step.kind == "found"), 0)
        if found:
            self._drawing.text(SIDE_TEXT - 12, y + 18, f"#{found}", "strong", "end")
        self._drawing.text(SIDE_TEXT, y + 18, lines[0], "strong")
        self._drawing.lines(SIDE_TEXT, y + 18 + LINE, lines[1:])
        return y + height + 2


def _site(step: Step) -> str:
    return f"@ {step.site}" + (f" ({step.strength})" if step.strength else "")


def _kind_of_mark(step: Step) -> str:
    if step.held or step.kind == "commit":
        return "held"
    if step.kind == "late" or step.issued:
        return "late"
    return "idle" if step.kind in ("waits", "fence") else ""


def _text_end(lane: _Lane, row: _Row) -> float:
    """Just right of the row's first line."""
    return lane.text + 7.6 * len(row.what[0]) + 6
