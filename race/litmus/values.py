"""What a register or location of a test can hold, how it is written, and when two spellings are one value."""

from __future__ import annotations

import re
from typing import NamedTuple

WORD = (1 << 32) - 1
LONG = (1 << 64) - 1

Value = int | str  # an unsigned number, or the name of the location whose address it is
State = dict[str, Value]  # by the observed name


class IntegerType(NamedTuple):
    bits: int
    signed: bool = True


# Only what fits a word or a doubleword: the machine has no smaller accesses.
TYPES = {
    "int": IntegerType(32),
    "signed": IntegerType(32),
    "unsigned": IntegerType(32, signed=False),
    "int32_t": IntegerType(32),
    "uint32_t": IntegerType(32, signed=False),
    "long": IntegerType(64),
    "int64_t": IntegerType(64),
    "uint64_t": IntegerType(64, signed=False),
    "intptr_t": IntegerType(64),
    "uintptr_t": IntegerType(64, signed=False),
}
POINTER = IntegerType(64, signed=False)
SMALL_TYPES = ("char", "int8_t", "uint8_t", "short", "int16_t", "uint16_t", "bool", "_Bool")


def canonical(value: Value) -> Value:
    """The same for both widths of -1: a W register's is zero-extended, yet conditions write it as -1."""
    if isinstance(value, str):
        return value
    value &= LONG
    return value & WORD if value > LONG - (1 << 31) else value


def shown(value: Value, kind: IntegerType) -> str:
    if isinstance(value, str):
        return value
    negative = kind.signed and value >> (kind.bits - 1) == 1
    return str(value - (1 << kind.bits) if negative else value)


def parsed(text: str) -> Value:
    """What `shown` wrote."""
    try:
        return int(text, 0) & LONG
    except ValueError:
        return text


def order(name: str) -> tuple[int, int, str]:
    """Registers by thread and number, then locations by name."""
    register = re.fullmatch(r"(\d+):X(\d+)", name)
    return (int(register[1]), int(register[2]), "") if register else (1 << 30, 0, name)
