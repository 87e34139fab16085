"""A test that has been read: what the machine runs, and what is asked about it."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from race.litmus import values
from race.litmus.assembler import Fields
from race.litmus.condition import Final
from race.litmus.values import IntegerType, Value


@dataclass(frozen=True)
class Instruction:
    line: int
    text: str
    fields: Fields


@dataclass(frozen=True)
class Thread:
    registers: dict[int, Value]
    code: list[Instruction]


@dataclass(frozen=True)
class LitmusTest:
    file: str  # as it is shown
    name: str
    initial: dict[str, Value]  # every location, in the order of their first mention
    bits: dict[str, int]  # of every location
    types: dict[str, IntegerType] = field(repr=False)  # of what was declared, by observed name
    threads: list[Thread]
    final: Final

    @property
    def observed(self) -> list[str]:
        """What the machine reports: a filter may look at more than is shown."""
        return sorted({*self.final.shown_names, *self.final.filter.names()}, key=values.order)

    @property
    def shown(self) -> list[str]:
        return sorted(self.final.shown_names, key=values.order)

    def text(self, name: str, value: Value) -> str:
        kind = self.types.get(name) or IntegerType(self.bits.get(name, 64))
        return values.shown(value, kind)

    def program(self, *, model: str, engine: str, seed: int) -> bytes:
        """For the native machine, as native/capi/race.h has it."""
        numbers = {name: number for number, name in enumerate(self.initial)}

        def value(known: Value) -> object:
            return {"location": numbers[known]} if isinstance(known, str) else known

        def observed(name: str) -> object:
            if name in numbers:
                return {"location": numbers[name]}
            thread, _, register = name.partition(":X")
            return {"thread": int(thread), "register": int(register)}

        return msgspec.json.encode(
            {
                "model": model,
                "engine": engine,
                "seed": seed,
                "locations": [
                    {"name": name, "value": value(first), "bits": self.bits[name]}
                    for name, first in self.initial.items()
                ],
                "threads": [
                    {
                        "registers": {str(register): value(first) for register, first in thread.registers.items()},
                        "code": [instruction.fields for instruction in thread.code],
                    }
                    for thread in self.threads
                ],
                "observe": [observed(name) for name in self.observed],
            }
        )
