"""What happened, in words: derived from the cycle, whatever the scenario."""

from __future__ import annotations

from collections.abc import Sequence

from race.plan import Strengths
from race.why.cycle import Access, Communication, Cycle

IN_ORDER = (
    "All accesses up to the finding can have been performed in program order: an interleaving of the threads is "
    "enough, and no barrier forbids it."
)


def what_happened(cycle: Cycle, end: int) -> str:
    """end: the last step of the execution."""
    if not cycle:
        return IN_ORDER
    load, write = cycle.wrong_load, cycle.missed_write
    did = "loaded" if load.kind == "load" else "read"
    sentences = [
        f"{_who(load)} {did} {load.place} without seeing what {_who(write)} had stored there (step {write.step}), "
        f"although {_and([_saw(cycle, c) for c in cycle.communications[1:]])}."
    ]
    if (reason := _reordered(cycle, end)) != "":
        sentences.append(reason)
    return " ".join(sentences)


def _saw(cycle: Cycle, c: Communication) -> str:
    start, end = cycle.accesses[c.start], cycle.accesses[c.end]
    if c.kind == "rf" and start.site and end.site:
        return (
            f"{end.primitive} in {end.function} on {end.thread} (step {end.performed}) had read what "
            f"{start.primitive} in {start.function} on {start.thread} stored (step {start.step})"
        )
    match c.kind:
        case "rf":
            return f"{_who(end)} had read {end.place} as {_who(start)} stored it"
        case "co":
            return f"{_who(end)} wrote {end.place} after {_who(start)}"
        case "fr":
            return f"{_who(start)} had read {start.place} as it was before {_who(end)} wrote it"


def _reordered(cycle: Cycle, end: int) -> str:
    """Each pair of accesses of one CPU in the cycle that was performed the other way round."""
    pairs = []
    for first, last in _program_order(cycle):
        seen_first, seen_last = first.performed or end + 1, last.performed or end + 1
        after = f"{last.primitive} at {last.site}" if last.site else f"its access to {last.place} (step {last.step})"
        if first.kind != "load" and seen_first > seen_last:
            if first.performed:
                pairs.append(
                    f"the store of step {first.step} became visible {_steps(seen_first - seen_last)} after {after}"
                )
            else:
                since = _steps(end - seen_last)
                pairs.append(f"the store of step {first.step} had still not become visible {since} after {after}")
        elif first.kind == "load" and seen_first > seen_last:
            pairs.append(f"the load of step {first.step} was performed {_steps(seen_first - seen_last)} after {after}")
    load, write = cycle.wrong_load, cycle.missed_write
    if write.performed and write.performed < load.performed:
        pairs.append(
            f"the load of step {load.performed} was early: it read what the word held before step {write.performed}"
        )
    text = _and(pairs)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _program_order(cycle: Cycle) -> list[tuple[Access, Access]]:
    """The first and the last access of each CPU's way through the cycle, where these are two."""
    ends = zip(cycle.communications, [*cycle.communications[1:], cycle.communications[0]], strict=True)
    pairs = [(cycle.accesses[arrived.end], cycle.accesses[leaves.start]) for arrived, leaves in ends]
    return [(first, last) for first, last in pairs if first.step != last.step]


def what_forbids(change: Strengths, alone: Sequence[str]) -> str:
    """change: the sites that together forbid the cycle; alone: those of them that each forbid this very execution."""
    if not change:
        return "No stronger ordering at the sites between these accesses forbids it."
    text = f"With {_named(change)} it cannot happen."
    if len(change) > 1 and alone:
        text += (
            f" This very execution is impossible with {_or([_named({site: change[site]}) for site in alone])} alone, "
            "but another can still give the same values."
        )
    return text


def what_mends(guard: str, state: str) -> str:
    return f"With the same choices and {guard}={state}, as Linux 4.8 has it, it does not happen."


def _named(change: Strengths) -> str:
    return _and([f"{strength} at {site}" for site, strength in change.items()])


def _who(access: Access) -> str:
    return f"{access.function} on {access.thread}"


def _steps(n: int) -> str:
    return "1 step" if n == 1 else f"{n:,} steps"


def _and(parts: Sequence[str], last: str = " and ") -> str:
    return last.join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def _or(parts: Sequence[str]) -> str:
    return _and(parts, " or ")
