"""What stands at every ordering site, at every strength, in both forms of the atomics, and that nothing else orders.

Read from native/tests/probe/in_place.cpp: the allocator and its client's locks with every strength fixed, and a mark
where a site begins. What belongs to a site is all that can be reached from its mark before another one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache, reduce
from pathlib import Path

import pytest

from race import native
from race.plan import STRENGTHS
from tests.disassembly import STRENGTHS as NUMBERED
from tests.disassembly import Function, functions

BUILD = Path(__file__).parents[2] / "build" / "arm64" / "native" / "CMakeFiles"
OBJDUMP = "aarch64-linux-gnu-objdump"
SITES = {site.name: site for site in native.catalog().sites}

ORDERING = re.compile(r"ldar|ldapr|ldaxr|stlr|stlxr|dmb|dsb|isb|(?:cas|swp|ldadd|ldset|ldclr|ldeor)(?:a|l|al)")
LSE_ONLY = re.compile(r"(cas|swp|ldadd|ldset|ldclr)(a|l|al)?")
LLSC_ONLY = re.compile(r"lda?xr|stl?xr")

# Primitives by how they are built (native/kernel/ordered.hpp), with the mnemonic of LSE for those that are atomics.
BY_LOAD = {"spin_lock"}
BY_STORE = {"spin_unlock", "write_unlock", "store_mb"}
BY_FENCE = {"wait_event"}  # a load, and a fence if there is one
LOCKS_BY_CAS = {"read_lock", "write_lock"}  # acquire in the instruction, and a dmb behind it if full
LOCKS = {"bit_spin_lock": "ldset", "page_lock": "ldset", "ref_get": "cas", "work_take": "swp"}
UNLOCKS = {
    "read_unlock": "ldadd",
    "bit_spin_unlock": "ldclr",
    "page_unlock": "ldclr",
    "ref_put": "ldadd",
    "work_queue": "ldset",
}

# Where a pool that is destroyed is waited for, sleeping and waking up, and flush_work, order by themselves. No scenario
# on hardware destroys its pool, and none of it is in a critical section.
WAKES_UP = {False: {"stlxr"}, True: {"ldaddl"}}
BESIDE = {
    "zs_pool_dec_isolated.dec_and_test": WAKES_UP,
    "zs_unregister_migration.destroying": {False: {"ldar"}, True: {"ldar"}},
    "wait_for_isolated_drain.wait_event": {False: {"ldar"}, True: {"ldar"}},
    "process_one_work": {False: {"stlr"}, True: {"stlr"}},
    "async_free_zspage.class.unlock": {False: {"stlr"}, True: {"stlr"}},
    "async_free_zspage.class.reunlock": {False: {"stlr"}, True: {"stlr"}},
}
BEFORE_ANY_SITE = {"zs_destroy_pool": {"ldar"}}

# What may be called. The page allocator's own lock is the host's.
CALLS = re.compile(
    r"sched_yield|pthread_mutex_(un)?lock|operator (new|delete).*|mem(move|cpy|set)|fprintf|abort|_Unwind_Resume|"
    r"std::__throw_.*|std::vector.*|__stack_chk_fail"
)
NEVER_RETURNS = re.compile(r"abort|_Unwind_Resume|std::__throw_.*|__stack_chk_fail")


def expected(primitive: str, strength: str, lse: bool) -> set[str]:
    """Every ordering instruction that it may have; the plain forms have none."""
    fence = {"dmb.ish": {"dmb ish"}, "dmb.ishld": {"dmb ishld"}, "dmb.ishst": {"dmb ishst"}, "none": set[str]()}
    if strength in fence:
        return fence[strength]
    if primitive in BY_FENCE:
        return {"dmb ish"} if strength == "full" else set()
    if primitive in BY_LOAD:
        return {"ldar"} if strength == "acquire" else {"ldar", "dmb ish"}
    if primitive in BY_STORE:
        return {"stlr"} if strength == "release" else {"dmb ish"}
    if primitive in LOCKS_BY_CAS:
        return ({"casa"} if lse else {"ldaxr"}) | ({"dmb ish"} if strength == "full" else set())
    if strength == "acquire":
        return {LOCKS[primitive] + "a"} if lse else {"ldaxr"}
    if strength == "release":
        return {UNLOCKS[primitive] + "l"} if lse else {"stlxr"}
    return {(LOCKS | UNLOCKS)[primitive] + "al"} if lse else {"stlxr", "dmb ish"}


def mark_of(site: native.Site) -> int:
    """As native/tests/probe/in_place.cpp has it."""
    h = 0x811C9DC5
    for byte in site.name.encode():
        h = (h ^ byte) * 0x01000193 & 0xFFFFFFFF
    return ((h ^ h >> 16) << 1 | (site.side == "unlock")) & 0xFFFF


NAMES = {mark_of(site): site.name for site in SITES.values()}


@dataclass
class Region:
    """What can be reached from a mark, or from a function's beginning, before another mark."""

    orders: set[str]
    next: set[str]  # whose mark it is


def mark(mnemonic: str, operands: str) -> str | None:
    found = re.fullmatch(r"xzr, #(0x[0-9a-f]+)", operands)
    return NAMES[int(found[1], 16)] if mnemonic == "mov" and found else None


def region(function: Function, start: int) -> Region:
    orders, following = set[str](), set[str]()
    at = {address: i for i, address in enumerate(function.addresses)}
    todo, seen = [start], set[int]()
    while todo:
        i = todo.pop()
        if i in seen or i == len(function.instructions):
            continue
        seen.add(i)
        mnemonic, operands = function.instructions[i]
        if site := mark(mnemonic, operands):
            following.add(site)
            continue
        if ORDERING.fullmatch(mnemonic):
            orders.add(f"{mnemonic} {operands}" if mnemonic in ("dmb", "dsb") else mnemonic)
        if mnemonic in ("ret", "br") or NEVER_RETURNS.fullmatch(function.called.get(i, "")):
            continue
        if (mnemonic == "b" or re.fullmatch(r"b\.\w+|cbn?z|tbn?z", mnemonic)) and i not in function.called:
            todo.append(at[int(operands.split(",")[-1], 16)])
        if mnemonic != "b":
            todo.append(i + 1)
    return Region(orders, following)


@dataclass
class Entry:
    """One entry of the allocator at one strength."""

    name: str
    strength: str
    function: Function
    first: Region
    sites: list[tuple[str, Region]]


@cache
def entries(lse: bool) -> list[Entry]:
    found = []
    for function in functions(
        OBJDUMP, BUILD / f"race-in-place-lse{int(lse)}.dir" / "tests" / "probe" / "in_place.cpp.o"
    ):
        name = re.match(r"race::probe::Entries<race::probe::marked<\(race::Strength\)(\d)> >::(\w+)\(", function.name)
        if name is None:
            continue
        marks = [(i, site) for i, (m, o) in enumerate(function.instructions) if (site := mark(m, o))]
        sites = [(site, region(function, i + 1)) for i, site in marks]
        found.append(Entry(name[2], NUMBERED[int(name[1])], function, region(function, 0), sites))
    return found


forms = pytest.mark.parametrize("lse", [False, True], ids=["LL/SC", "LSE"])


@forms
def test_every_site_is_there(lse: bool) -> None:
    assert len(NAMES) == len(SITES), "two names have one mark"
    for strength in NUMBERED:
        assert {site for entry in entries(lse) if entry.strength == strength for site, _ in entry.sites} == set(SITES)


@forms
@pytest.mark.parametrize("name", SITES)
def test_site(name: str, lse: bool) -> None:
    site = SITES[name]
    beside = BESIDE.get(name, {}).get(lse, set())
    for strength in NUMBERED:
        here = [r for e in entries(lse) if e.strength == strength for s, r in e.sites if s == name]
        should = expected(site.primitive, strength if strength in STRENGTHS[site.side] else "none", lse)
        assert not should or strength != "none"
        if site.primitive in BY_FENCE:  # a sleeper marks twice: where it looks, and where it sleeps
            here = [Region(reduce(set.union, (r.orders for r in here)), set())]
        # Before an unlock's own mark is another: what an oracle finds there is named after it.
        whole = [r for r in here if r.orders or r.next != {name}]
        assert all(r.orders <= should | beside for r in here), strength
        assert not should or (whole and all(should <= r.orders for r in whole)), strength
    assert expected(site.primitive, site.default, lse)


@forms
def test_nothing_orders_before_the_first_site(lse: bool) -> None:
    for entry in entries(lse):
        assert entry.first.orders <= BEFORE_ANY_SITE.get(entry.name, set()), entry.function.name


@forms
def test_nothing_else_is_called(lse: bool) -> None:
    for entry in entries(lse):
        assert [call for call in entry.function.calls if not CALLS.fullmatch(call)] == [], entry.function.name


@forms
def test_forms_are_kept_apart(lse: bool) -> None:
    """A build for one form has none of the other."""
    other = LLSC_ONLY if lse else LSE_ONLY
    for entry in entries(lse):
        assert [m for m, _ in entry.function.instructions if other.fullmatch(m)] == [], entry.function.name


def test_a_barrier_too_many_or_too_few_is_seen() -> None:
    """At a site, beside it, before the first one."""
    entry = next(e for e in entries(False) if (e.name, e.strength) == ("zs_malloc", "acquire"))

    instructions = entry.function.instructions
    marks = [i for i, (m, o) in enumerate(instructions) if mark(m, o)]
    before = [entry.first.orders, *(r.orders for _, r in entry.sites)]

    def orders(change: tuple[str, str], *at: int) -> list[set[str]]:
        planted = replace(entry.function, instructions=list(instructions))
        for i in at:
            planted.instructions[i] = change
        return [region(planted, 0).orders, *(region(planted, i + 1).orders for i in marks)]

    acquires = [i for i, (m, _) in enumerate(instructions) if m == "ldar"]
    assert orders(("nop", ""), *acquires) != before
    assert orders(("dmb", "ish"), 0) != before
    plain = [i for i, (m, _) in enumerate(instructions) if m in ("str", "ldr") and i > marks[0]]
    seen = [i for i in plain if orders(("dmb", "ish"), i) != before]
    assert len(seen) > 0.9 * len(plain)  # the rest unwinds exceptions
