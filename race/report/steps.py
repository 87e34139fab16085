"""The picture of an execution: a column for each CPU, its steps down the side, plain text of at most WIDTH columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from race.results import Step

WIDTH = 100
NUMBER = 7  # columns of a step's number
GAP = 1
NARROWEST = 28  # of a column; with more CPUs the columns overlap, each beginning a little further right


def picture(steps: Sequence[Step], width: int = WIDTH) -> list[str]:
    """Each access stands in its CPU's column; what is out of order about it stands in brackets and capitals."""
    shown = [step for step in steps if step.kind != "runs"]  # who runs is seen from the columns
    cpus = list(dict.fromkeys(step.cpu for step in sorted(shown, key=lambda step: step.cpu)))
    if not cpus:
        return []
    names = {step.cpu: step.thread for step in shown}
    starts, widths = _columns(len(cpus), width)
    column = dict(zip(cpus, range(len(cpus)), strict=True))
    ends = [*starts[1:], width + GAP]
    room = [end - start - GAP for start, end in zip(starts, ends, strict=True)]
    heads = {starts[column[cpu]]: names[cpu][: room[column[cpu]]] for cpu in cpus}
    lines = [_place(heads, "step"), _place({start: "-" * len(name) for start, name in heads.items()}, "-----")]
    running: int | None = None
    unseen = not_yet_visible(shown)
    for step in shown:
        at = column[step.cpu]
        text = _text(step, unseen.get(step.step))
        if step.kind != "commit":  # which happens by itself, whoever runs
            if running not in (None, step.cpu):
                lines.append("")
            running = step.cpu
        head = f"#{step.step}"
        for line in textwrap.wrap(text, widths[at], subsequent_indent="  ", break_on_hyphens=False):
            lines.append(_place({starts[at]: line}, head))
            head = ""
    return lines


def not_yet_visible(steps: Sequence[Step]) -> dict[int, Step]:
    """Of reads that come while another CPU holds a store to the same word back: that store, by the read's number."""
    unseen: dict[int, Step] = {}
    for i, read in enumerate(steps):
        if read.kind not in ("load", "atomic") or read.stale or read.forwarded:
            continue
        for store in steps[:i]:
            pending = store.held and (store.done == 0 or store.done > read.step)
            if pending and store.cpu != read.cpu and store.place == read.place:
                unseen[read.step] = store
    return unseen


def _columns(count: int, width: int) -> tuple[list[int], list[int]]:
    room = width - NUMBER
    each = (room - GAP * (count - 1)) // count
    if each >= NARROWEST:
        return [NUMBER + i * (each + GAP) for i in range(count)], [each] * count
    shift = (room - NARROWEST) // max(1, count - 1)
    starts = [NUMBER + i * shift for i in range(count)]
    return starts, [min(width - start, max(NARROWEST, shift)) for start in starts]


def _place(texts: dict[int, str], head: str) -> str:
    line = head
    for start, text in sorted(texts.items()):
        line = line.ljust(start) + text
    return line.rstrip()


def _text(step: Step, unseen: Step | None) -> str:
    """What happens, then who does it."""
    where = f" in {step.function}" if step.function else ""
    if step.site:
        where += f" @ {step.site}" + (f" ({step.strength})" if step.strength else "")
    what, mark = event(step, unseen)
    if mark:
        what = f"[{mark}] {what}" if step.kind == "commit" else f"{what} [{mark}]"
    return what + where


def event(step: Step, unseen: Step | None = None) -> tuple[str, str]:
    """What happens, and what is out of order about it. `unseen`: a store that it comes too early to see."""
    early = f"#{unseen.step} NOT YET VISIBLE" if unseen is not None else ""
    match step.kind:
        case "load" if step.stale:
            writer = f" by {step.writer} at #{step.writer_step}" if step.writer else ""
            seen = f", visible from #{step.writer_done}" if step.writer_done else ""
            return _read(step), f"NOT CURRENT: newest is {step.newest}, stored{writer}{seen}"
        case "load" if step.issued:
            return _read(step), f"LATE: issued at #{step.issued}" + (f"; {early}" if early else "")
        case "load":
            return _read(step) + (" (its own held store)" if step.forwarded else ""), early
        case "late":
            return f"issue an access to {step.place}", f"LATE: {_when(step.done, 'performed')}"
        case "store" | "atomic" | "writes" if step.held:
            return _written(step), f"HELD: {_when(step.done, 'committed')}"
        case "atomic" if step.issued:
            return _written(step), f"LATE: issued at #{step.issued}"
        case "commit":
            return f"{step.place} = {step.value}", f"COMMIT of #{step.issued}"
        case "fence":
            return step.value, ""
        case "waits":
            return f"waits for {step.place}", ""
        case "found":
            return f"FOUND {step.place}" + (f": {step.value}" if step.value else ""), ""
        case _:
            return _written(step), early if step.kind == "atomic" else ""


def _read(step: Step) -> str:
    return f"load {step.place} = {step.value}"


def _written(step: Step) -> str:
    return f"{step.kind} {step.place}{':' if step.kind == 'atomic' else ' ='} {step.value}"


def _when(step: int, how: str) -> str:
    return f"{how} at #{step}" if step else f"not {how} before the end"
