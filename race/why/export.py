"""A cycle as an AArch64 litmus test, with the wrong values as its `exists` clause.

Each access becomes the instructions of its site's primitive (native/kernel/ordered.hpp), each write a number of its
own, and an atomic a SWP of such a number. Dependencies are left out: the test allows at least what the code does, so
where it is `Never`, the code cannot do it either.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from race.native import Site
from race.why.cycle import Access, Cycle

NAMES = "xyzabcdefghijklmnopqrstuvw"
VALUE, IGNORED = "W0", "W28"  # what is written next; what an atomic reads and nobody asks for
LAST_REGISTER = 27

# (before it, on the instruction, behind it)
_Parts = tuple[str, str, str]
_LOCK: dict[str, _Parts] = {
    "none": ("", "", ""),
    "acquire": ("", "A", ""),
    "dmb.ishld": ("", "", "DMB ISHLD"),
    "full": ("", "A", "DMB ISH"),
}
_UNLOCK: dict[str, _Parts] = {
    "none": ("", "", ""),
    "dmb.ishst": ("DMB ISHST", "", ""),
    "release": ("", "L", ""),
    "dmb.ish": ("DMB ISH", "", ""),
    "full": ("DMB ISH", "", "DMB ISH"),
}
_FULL_ATOMIC: _Parts = ("", "L", "DMB ISH")  # LDXR, STLXR, dmb ish


def instructions(kind: str, side: str | None, strength: str, value: str, result: str, address: str) -> list[str]:
    """Of one access, `value` into `address` or from there into `result`. side: None, it orders nothing."""
    before, order, behind = ("", "", "") if side is None else (_LOCK if side == "lock" else _UNLOCK)[strength]
    if kind == "atomic" and side is not None and strength == "full":
        before, order, behind = _FULL_ATOMIC
    match kind:
        case "load":
            access = f"LD{'A' if order == 'A' else ''}R {result},[{address}]"
        case "store":
            access = f"ST{'L' if order == 'L' else ''}R {value},[{address}]"
        case _:
            access = f"SWP{order} {value},{result},[{address}]"
    return [line for line in (before, access, behind) if line]


class TooLargeError(Exception):
    """The cycle needs more registers or locations than a test has."""


@dataclass
class _Thread:
    number: int
    initial: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    addresses: dict[str, str] = field(default_factory=dict)
    last: int = 0  # of the registers in use

    def register(self) -> int:
        self.last += 1
        if self.last > LAST_REGISTER:
            raise TooLargeError("too many accesses for the registers of one thread")
        return self.last

    def address(self, location: str) -> str:
        if location not in self.addresses:
            self.addresses[location] = f"X{self.register()}"
            self.initial.append(f"{self.number}:{self.addresses[location]}={location};")
        return self.addresses[location]


def sides(sites: Sequence[Site]) -> dict[str, str]:
    """The side of each site, by name."""
    return {site.name: site.side for site in sites}


def litmus(cycle: Cycle, title: str, side_of: Mapping[str, str], strengths: Mapping[str, str]) -> str:
    """side_of: "lock" or "unlock" of each site; strengths: of each site. Of both, those of the cycle are enough.

    Sites between the cycle's accesses that order nothing are left out."""
    shown = [access for access in cycle.accesses if access.in_cycle or strengths[access.site] != "none"]
    locations = list(dict.fromkeys(access.location for access in shown))
    if len(locations) > len(NAMES):
        raise TooLargeError("too many locations")
    names = {location: NAMES[i] for i, location in enumerate(locations)}
    written = _numbers(shown)
    asked = _asked(cycle)
    threads: dict[int, _Thread] = {}
    condition = []
    for access in shown:
        thread = threads.setdefault(access.cpu, _Thread(len(threads)))
        address = thread.address(names[access.location])
        result = IGNORED
        if access in asked:
            result = f"W{thread.register()}"
            read = written.get(cycle.accesses[access.reads], 0) if access.reads >= 0 else 0
            condition.append(f"{thread.number}:X{result[1:]}={read}")
        if access in written:
            thread.code.append(f"MOV {VALUE},#{written[access]}")
        side, strength = (side_of[access.site], strengths[access.site]) if access.site else (None, "none")
        thread.code += instructions(access.kind if access.order else "load", side, strength, VALUE, result, address)
    last = {
        names[access.location]: number
        for access, number in sorted(written.items(), key=lambda item: item[1])
        if access.location in {cycle.accesses[c.start].location for c in cycle.communications if c.kind == "co"}
    }
    claim = " /\\ ".join(condition + [f"[{name}]={number}" for name, number in last.items()])
    lines = [
        f"AArch64 {title}",
        *_comment(shown, names, strengths),
        "{",
        *(" ".join(t.initial) for t in threads.values()),
        "}",
    ]
    return "\n".join([*lines, *_columns(list(threads.values())), f"exists ({claim})"]) + "\n"


def _numbers(shown: Sequence[Access]) -> dict[Access, int]:
    """What each write writes: its place among those to its location, from 1."""
    numbers: dict[Access, int] = {}
    last: dict[int, int] = {}
    for access in sorted(shown, key=lambda access: access.order):
        if access.order:
            numbers[access] = last[access.location] = last.get(access.location, 0) + 1
    return numbers


def _asked(cycle: Cycle) -> list[Access]:
    """The reads that make the cycle."""
    return [
        cycle.accesses[c.start if c.kind == "fr" else c.end] for c in cycle.communications if c.kind in ("fr", "rf")
    ]


def _columns(threads: list[_Thread]) -> list[str]:
    cells = [[f"P{thread.number}", *thread.code] for thread in threads]
    height, widths = max(map(len, cells)), [max(map(len, column)) for column in cells]
    rows = [[column[i] if i < len(column) else "" for column in cells] for i in range(height)]
    return [" " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " ;" for row in rows]


def _comment(shown: Sequence[Access], names: Mapping[int, str], strengths: Mapping[str, str]) -> list[str]:
    places = {access.location: access.place for access in shown}
    lines = [f"{names[at]} is {place}" for at, place in places.items()]
    number = {cpu: f"P{i}" for i, cpu in enumerate(dict.fromkeys(access.cpu for access in shown))}
    for access in shown:
        site = f" @ {access.site} ({strengths[access.site]})" if access.site else ""
        lines.append(
            f"{number[access.cpu]} {access.thread}, step {access.step}, {access.function}: "
            f"{access.kind} {names[access.location]}{site}"
        )
    wrapped = [part for line in lines for part in textwrap.wrap(line, 100, subsequent_indent="  ")]
    return ["(* " + "\n   ".join(line.replace("*)", "* )") for line in wrapped) + " *)"]
