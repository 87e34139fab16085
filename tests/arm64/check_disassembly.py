"""What each ordering site compiles to on AArch64, in both forms of the atomics."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from race import native
from race.plan import STRENGTHS
from tests.disassembly import Function, functions, probe

BUILD = Path(__file__).parents[2] / "build" / "arm64" / "native" / "CMakeFiles"
OBJDUMP = "aarch64-linux-gnu-objdump"

ORDERING = re.compile(r"ldar|ldapr|ldaxr|stlr|stlxr|dmb|dsb|isb|(?:cas|swp|ldadd|ldset|ldclr|ldeor)(?:a|l|al)")

# Primitives by how they are built (native/kernel/ordered.hpp), with the mnemonic of LSE for those that are atomics.
BY_LOAD = {"spin_lock"}
BY_STORE = {"spin_unlock", "write_unlock"}
LOCKS_BY_CAS = {"read_lock", "write_lock"}  # acquire in the instruction, and a dmb behind it if full
LOCKS = {"bit_spin_lock": "ldset", "page_lock": "ldset", "ref_get": "cas", "work_take": "swp"}
UNLOCKS = {
    "read_unlock": "ldadd",
    "bit_spin_unlock": "ldclr",
    "page_unlock": "ldclr",
    "ref_put": "ldadd",
    "work_queue": "ldset",
}


def expected(primitive: str, strength: str, lse: bool) -> set[str]:
    """Every ordering instruction that it may have; the plain forms have none."""
    fence = {"dmb.ish": {"dmb ish"}, "dmb.ishld": {"dmb ishld"}, "dmb.ishst": {"dmb ishst"}, "none": set[str]()}
    if strength in fence:
        return fence[strength]
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


@cache
def probes(lse: bool) -> list[Function]:
    return functions(OBJDUMP, BUILD / f"race-probe-lse{int(lse)}.dir" / "tests" / "probe" / "probe.cpp.o")


def ordering(function: Function) -> set[str]:
    return {
        f"{mnemonic} {operands}" if mnemonic in ("dmb", "dsb") else mnemonic
        for mnemonic, operands in function.instructions
        if ORDERING.fullmatch(mnemonic)
    }


@pytest.mark.parametrize("lse", [False, True], ids=["LL/SC", "LSE"])
@pytest.mark.parametrize("site", native.catalog().sites, ids=lambda site: site.name)
def test_site(site: native.Site, lse: bool) -> None:
    assert ordering(probe(probes(lse), site.primitive, "none")) == set()
    assert ordering(probe(probes(lse), site.primitive, site.default)) != set()
    for strength in STRENGTHS[site.side]:
        found = ordering(probe(probes(lse), site.primitive, strength))
        assert found == expected(site.primitive, strength, lse), strength


@pytest.mark.parametrize("lse", [False, True], ids=["LL/SC", "LSE"])
@pytest.mark.parametrize(
    ("strength", "allowed"),
    [
        ("none", set[str]()),
        # Whole functions: what is inside the critical sections too. Nothing but what the sites ask for.
        ("acquire", {"ldar", "ldaxr", "casa", "ldseta", "swpa", "ldadda", "ldclra"}),
        ("release", {"stlr", "stlxr", "casl", "ldsetl", "swpl", "ldaddl", "ldclrl"}),
    ],
)
def test_no_other_barrier_in_the_allocator(lse: bool, strength: str, allowed: set[str]) -> None:
    machine = f"fixed<(race::Strength){['none', '', '', 'acquire', 'release'].index(strength)}>"
    of_machine = [f for f in probes(lse) if machine in f.name and not f.name.startswith("void race::probe::")]
    assert len(of_machine) > 10
    found = set().union(*(ordering(function) for function in of_machine))
    assert found <= allowed
    if strength != "none":
        assert ("ldar" if strength == "acquire" else "stlr") in found


def test_forms_are_kept_apart() -> None:
    """A build for one form has none of the other."""
    lse = re.compile(r"(cas|swp|ldadd|ldset|ldclr)(a|l|al)?")
    for function in probes(True):
        assert not [m for m, _ in function.instructions if re.fullmatch(r"lda?xr|stl?xr", m)], function.name
    for function in probes(False):
        assert not [m for m, _ in function.instructions if lse.fullmatch(m)], function.name
