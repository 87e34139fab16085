"""The disassembly of an object file, by function."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

STRENGTHS = ["none", "dmb.ishst", "dmb.ishld", "acquire", "release", "dmb.ish", "full"]  # as native/memory/site.hpp


@dataclass
class Function:
    """Instructions as mnemonic and operands, their addresses, and what relocations name: functions that are called."""

    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    addresses: list[int] = field(default_factory=list)
    called: dict[int, str] = field(default_factory=dict)  # by the instruction that calls


def functions(objdump: str, file: Path) -> list[Function]:
    text = subprocess.run(
        [objdump, "-drC", "--no-show-raw-insn", str(file)], capture_output=True, text=True, check=True
    ).stdout
    found: list[Function] = []
    for line in text.splitlines():
        if head := re.fullmatch(r"[0-9a-f]+ <(.*)>:", line):
            found.append(Function(head[1]))
        elif relocation := re.match(r"\s+[0-9a-f]+: R_\w+(?:CALL26|JUMP26|PLT32|PC32)\s+(.*)", line):
            found[-1].calls.append(relocation[1])
            found[-1].called[len(found[-1].instructions) - 1] = relocation[1]
        elif instruction := re.match(r"\s+([0-9a-f]+):\t(\S+)\s*(.*)", line):
            found[-1].addresses.append(int(instruction[1], 16))
            mnemonic, operands = instruction[2], instruction[3]
            if mnemonic == "lock":  # a prefix of x86
                mnemonic, _, operands = operands.partition(" ")
                mnemonic = f"lock {mnemonic}"
            found[-1].instructions.append((mnemonic, operands.partition(" <")[0].partition("//")[0].strip()))
    return found


def probe(all_functions: list[Function], primitive: str, strength: str) -> Function:
    """The function of native/tests/probe/probe.cpp that performs this primitive at this strength."""
    start = f"void race::probe::{primitive}<race::probe::fixed<(race::Strength){STRENGTHS.index(strength)}>"
    (one,) = [function for function in all_functions if function.name.startswith(start)]
    return one
