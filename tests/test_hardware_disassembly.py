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
from tests.disassembly import Function, functions, probe

OBJECT = Path(__file__).parents[1] / "build/native/native/CMakeFiles/race-probe.dir/tests/probe/probe.cpp.o"
BRANCH = re.compile(r"j(?!mp)\w+|b\.\w+|cbn?z|tbn?z")

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64" or shutil.which("objdump") is None,
    reason="reads x86-64; for AArch64 there is `make test-arm64`",
)


@cache
def compiled() -> list[Function]:
    assert OBJECT.exists(), "make test-python builds it"
    return functions("objdump", OBJECT)


def named(part: str) -> Iterator[Function]:
    return (function for function in compiled() if part in function.name)


@pytest.mark.parametrize("name", ["load_word", "store_word"])
def test_an_access_is_one_instruction(name: str) -> None:
    (function,) = named(f"race::probe::{name}(")
    mnemonics = [mnemonic for mnemonic, _ in function.instructions if mnemonic != "endbr64"]
    assert mnemonics[:2] == ["mov", "ret"]  # what follows is padding


def test_zs_malloc_calls_nothing_of_another_machine() -> None:
    (zs_malloc,) = named("Zsmalloc<race::hardware::racing>::zs_malloc(")
    assert zs_malloc.instructions
    for function in named("race::hardware::racing"):
        assert not [call for call in function.calls if "race::weak" in call or "__atomic_" in call], function.name


def test_zs_malloc_branches_only_for_the_toggles() -> None:
    """With every strength fixed the toggles' branches are gone; the rest is the allocator's own."""

    def branches(machine: str) -> int:
        (function,) = named(f"Zsmalloc<{machine}>::zs_malloc(")
        return sum(BRANCH.fullmatch(mnemonic) is not None for mnemonic, _ in function.instructions)

    toggled = branches("race::hardware::racing")
    fixed = branches("race::probe::fixed<(race::Strength)0> ")
    sites = sum(
        site.name.startswith(("zs_malloc.", "alloc_zspage.", "SetZsPageMovable.")) for site in native.catalog().sites
    )
    assert fixed < toggled <= fixed + 6 * sites  # of a site: at most one for each strength


def test_strong_sites_have_their_fence_and_weak_ones_have_none() -> None:
    def fences(primitive: str, strength: str) -> list[str]:
        instructions = probe(compiled(), primitive, strength).instructions
        return [
            m for m, operands in instructions if m == "mfence" or (m.startswith("lock or") and "(%rsp)" in operands)
        ]

    for primitive in ("spin_unlock", "write_unlock"):
        assert fences(primitive, "full")
        assert not fences(primitive, "release")  # on x86-64 every store releases
        assert not fences(primitive, "none")
    assert not fences("bit_spin_lock", "full")  # the locked instruction is one
    assert fences("bit_spin_unlock", "dmb.ish")
