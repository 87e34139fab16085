"""The hardware machine costs nothing: what the compiler makes of it on this CPU."""

from __future__ import annotations

import platform
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from race import native
from race.plan import STRENGTHS
from tests.disassembly import Function, functions, probe

OBJECTS = Path(__file__).parents[1] / "build/native/native/CMakeFiles"
PLANTED = "race-probe-planted"  # the compiler adds a branch to every access, and calls
BRANCH = re.compile(r"j(?!mp)\w+|b\.\w+|cbn?z|tbn?z")

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64" or shutil.which("objdump") is None,
    reason="reads x86-64; for AArch64 there is `make test-arm64`",
)


@cache
def compiled(target: str = "race-probe") -> list[Function]:
    file = OBJECTS / f"{target}.dir/tests/probe/probe.cpp.o"
    assert file.exists(), "make test-python builds it"
    return functions("objdump", file)


def named(part: str, target: str = "race-probe") -> Iterator[Function]:
    return (function for function in compiled(target) if part in function.name)


def mnemonics(name: str, target: str) -> list[str]:
    (function,) = named(f"race::probe::{name}(", target)
    return [mnemonic for mnemonic, _ in function.instructions if mnemonic != "endbr64"][:2]  # the rest is padding


@pytest.mark.parametrize("name", ["load_word", "store_word"])
def test_an_access_is_one_instruction(name: str) -> None:
    assert mnemonics(name, "race-probe") == ["mov", "ret"]
    assert mnemonics(name, PLANTED) != ["mov", "ret"]


def foreign_calls(target: str) -> set[str]:
    """Whatever the hardware machine's functions call that is neither theirs nor the C++ library's."""
    own = re.compile(
        r"(?:\S+ )?race::(zsmalloc|kernel|hardware)::.*|operator (new|delete).*|std::.*|_Unwind_Resume.*|"
        r"(mem(set|cpy|move)|sched_yield|pthread_mutex_(un)?lock)\b.*"
    )
    data = re.compile(r"\..*|(race::(hardware::machine::(plan|judged|context)|SiteDefinition<.*>::id)|stderr)\b.*")
    calls = {call for function in named("race::hardware::racing", target) for call in function.calls}
    return {call for call in calls if not own.fullmatch(call) and not data.fullmatch(call)}


def test_zs_malloc_calls_nothing_of_another_machine() -> None:
    (zs_malloc,) = named("Zsmalloc<race::hardware::racing>::zs_malloc(")
    assert any("Zsmalloc<race::hardware::racing>::obj_malloc(" in call for call in zs_malloc.calls)
    assert foreign_calls("race-probe") == set()
    assert foreign_calls(PLANTED) == {"__sanitizer_cov_trace_pc-0x4"}


def branches(function: Function) -> int:
    return sum(BRANCH.fullmatch(mnemonic) is not None for mnemonic, _ in function.instructions)


def beyond_the_toggles(name: str, target: str) -> int:
    """Conditional branches that neither the allocator itself has nor the strengths of the function's sites want."""
    (fixed,) = named(f"Zsmalloc<race::probe::fixed<(race::Strength)0> >::{name}(")  # its toggles are gone
    (toggled,) = named(f"Zsmalloc<race::hardware::racing>::{name}(", target)
    sites = len({call for call in toggled.calls if "SiteDefinition<" in call})
    return max(0, branches(toggled) - branches(fixed) - 6 * sites)  # of a site: at most one for each strength


@pytest.mark.parametrize("name", ["zs_malloc", "obj_malloc", "zs_free", "obj_free", "insert_zspage", "zs_map_object"])
def test_branches_are_only_for_the_toggles(name: str) -> None:
    assert beyond_the_toggles(name, "race-probe") == 0
    assert beyond_the_toggles(name, PLANTED) > 0


# What takes or gives something with a plain load or store, or a fence behind it, and not with one locked instruction.
FENCED = {"spin_lock", "read_lock", "write_lock", "wait_event", "spin_unlock", "write_unlock", "store_mb"}


@pytest.mark.parametrize("site", native.catalog().sites, ids=lambda site: site.name)
def test_a_site_has_a_fence_where_tso_needs_one_and_no_other(site: native.Site) -> None:
    for strength in STRENGTHS[site.side]:
        instructions = probe(compiled(), site.primitive, strength).instructions
        fences = [
            m for m, operands in instructions if m == "mfence" or (m.startswith("lock or") and "(%rsp)" in operands)
        ]
        needed = strength == "dmb.ish" or (strength == "full" and site.primitive in FENCED)
        assert bool(fences) == needed, strength
