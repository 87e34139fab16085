"""How wide each location is, and whether every access to it is as wide: the machine has no mixed-size accesses.

A location has the width of its declared type; one that holds an address has 64 bits. One that is only named, as in
`0:X1=x`, has 64 bits if all its accesses are by X registers, otherwise 32: the field's tests are mostly written with W
registers and no types.

Which locations an instruction may access follows from the addresses that its registers may hold at any time, loaded
ones included, in whatever order the thread runs. What the analysis does not see, such as an address made from numbers,
the machine refuses when it comes to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from race.litmus.assembler import ZERO
from race.litmus.program import Instruction, Thread
from race.litmus.source import TextError
from race.litmus.values import WORD, IntegerType, Value, canonical

MEMORY = ("load", "store", "store-exclusive", "rmw", "cas")
Addresses = dict[tuple[int, int] | str, set[str]]  # that a register of a thread, or a location, may hold


def location_bits(
    initial: dict[str, Value], types: dict[str, IntegerType], threads: Sequence[Thread]
) -> tuple[dict[str, int], list[TextError]]:
    """The bits of every location, and the accesses that do not fit."""
    held = _addresses(initial, threads)
    accesses = [
        (name, instruction)
        for number, thread in enumerate(threads)
        for instruction in thread.code
        if instruction.fields["op"] in MEMORY
        for name in sorted(_accessed(number, instruction, held))
    ]
    by_word: dict[str, set[bool]] = defaultdict(set)
    for name, instruction in accesses:
        by_word[name].add(instruction.fields["w"])

    bits: dict[str, int] = {}
    why: dict[str, str] = {}
    for name, value in initial.items():
        if name in types:
            bits[name], why[name] = types[name].bits, f"{name} is declared with {types[name].bits} bits"
        elif held[name]:
            bits[name], why[name] = 64, f"{name} holds an address"
        elif isinstance(value, int) and value > WORD and canonical(value) == value:
            bits[name], why[name] = 64, f"{name} starts with a value of 64 bits"
        elif by_word[name] == {False}:
            bits[name] = 64
        else:
            bits[name], why[name] = 32, f"{name} is accessed by W registers too"
    return bits, list(_misfits(accesses, bits, why))


def _misfits(accesses: list[tuple[str, Instruction]], bits: dict[str, int], why: dict[str, str]) -> Iterator[TextError]:
    for name, instruction in accesses:
        wanted = 32 if instruction.fields["w"] else 64
        if wanted != bits[name]:
            mend = "use a W register" if bits[name] == 32 else "use an X register"
            yield TextError(
                instruction.line,
                f'"{instruction.text}": {wanted} bits of {name}, but {why[name]}: '
                f"mixed-size accesses are not modelled; {mend}",
            )


def _accessed(thread: int, instruction: Instruction, held: Addresses) -> set[str]:
    fields = instruction.fields
    return held[thread, fields["n"]] | held[thread, fields.get("m", ZERO)]


def _addresses(initial: dict[str, Value], threads: Sequence[Thread]) -> Addresses:
    held: Addresses = defaultdict(set)
    for name, value in initial.items():
        if isinstance(value, str):
            held[name].add(value)
    for number, thread in enumerate(threads):
        for register, value in thread.registers.items():
            if isinstance(value, str):
                held[number, register].add(value)
    code = [(number, instruction) for number, thread in enumerate(threads) for instruction in thread.code]
    while any(_flow(number, instruction, held) for number, instruction in code):
        pass  # until nothing is new
    return held


def _flow(thread: int, instruction: Instruction, held: Addresses) -> bool:
    """Carries addresses through one instruction; whether any was new."""
    fields = instruction.fields
    if fields.get("w", True):
        return False  # half of an address is none
    if fields["op"] == "alu":
        if fields["n"] == fields.get("m") and fields["function"] in ("eor", "sub"):
            return False  # the field's way to make a dependency of nothing
        sources = held[thread, fields["n"]] | held[thread, fields.get("m", ZERO)]
        return _add(held, (thread, fields["d"]), sources)
    if fields["op"] not in MEMORY:
        return False
    new = False
    stored = held[thread, fields["t" if fields["op"] == "cas" else "s"]] if "s" in fields else set()
    loaded = fields["s"] if fields["op"] == "cas" else fields["d"] if fields["op"] in ("load", "rmw") else ZERO
    for name in _accessed(thread, instruction, held):
        new |= _add(held, name, set(stored))
        new |= _add(held, (thread, loaded), set(held[name]))
    return new


def _add(held: Addresses, to: tuple[int, int] | str, addresses: set[str]) -> bool:
    if isinstance(to, tuple) and to[1] == ZERO:
        return False
    before = len(held[to])
    held[to] |= addresses
    return len(held[to]) > before
