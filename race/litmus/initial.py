"""The initial state of a test: `{ 0:X1=x; uint64_t y; int* p=&x; z=3; }`."""

from __future__ import annotations

from dataclasses import dataclass, field

from race.litmus.condition import register_number, thread_number
from race.litmus.source import TextError, Token, Tokens, number
from race.litmus.values import POINTER, SMALL_TYPES, TYPES, IntegerType, Value
from race.names import advice

QUALIFIERS = {"_Atomic", "volatile", "const"}
MULTIPLE_WORDS = {"unsigned int": "unsigned", "signed int": "int", "long int": "long", "long long": "long"} | {
    f"unsigned {long}": "uint64_t" for long in ("long", "long long", "long int")
}


@dataclass
class Initial:
    values: dict[str, Value] = field(default_factory=dict)  # of locations, in the order of their first mention
    registers: dict[int, dict[int, Value]] = field(default_factory=dict)  # by thread
    types: dict[str, IntegerType] = field(default_factory=dict)  # declared, by observed name
    threads: dict[int, int] = field(default_factory=dict)  # those that are named, and at which line first


def read_initial(text: str, line: int) -> Initial:
    return _Reader(Tokens(text, line)).read()


class _Reader:
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._initial = Initial()
        self._given: set[str] = set()
        self._word = False  # whether a W register is being set

    def read(self) -> Initial:
        tokens = self._tokens
        while tokens.peek().kind != "end":
            if not tokens.accept(";"):
                self._item()
                if not tokens.accept(";") and tokens.peek().kind != "end":
                    tokens.fail('";" before the next part of the initial state')
        return self._initial

    def _item(self) -> None:
        kind = self._type()
        token = self._tokens.peek()
        register = self._tokens.peek(1).text == ":"
        name = self._register() if register else self._location()
        if self._tokens.peek().text == "[":
            raise TextError(token.line, f'"{name}[": arrays are not modelled')
        if kind is not None and self._initial.types.setdefault(name, kind).bits != kind.bits:
            raise TextError(token.line, f"{name} is declared twice, with different types")
        if self._tokens.accept("="):
            self._assign(name, token)

    def _assign(self, name: str, token: Token) -> None:
        initial = self._initial
        value = self._value(name)
        thread, _, register = name.partition(":X")
        known: Value | None = initial.registers[int(thread)].get(int(register)) if register else initial.values[name]
        if name in self._given and known != value:
            raise TextError(token.line, f"{name} has two initial values, {known} and {value}")
        self._given.add(name)
        if register:
            initial.registers[int(thread)][int(register)] = value
        else:
            initial.values[name] = value

    def _type(self) -> IntegerType | None:
        """What stands before the name: words that are followed by another, by a `*`, or by a bracket."""
        tokens = self._tokens
        words: list[Token] = []
        while tokens.peek().kind == "name" and (
            tokens.peek(1).kind in ("name", "number") or tokens.peek(1).text == "*" or self._brackets_follow()
        ):
            words.append(tokens.take())
        pointer = False
        while tokens.accept("*"):
            pointer = True
        return POINTER if pointer else _type_named([word for word in words if word.text not in QUALIFIERS])

    def _brackets_follow(self) -> bool:
        """`int [x]`, but not the array `x[2]`."""
        return self._tokens.peek(1).text == "[" and self._tokens.peek(2).kind == "name"

    def _register(self) -> str:
        tokens = self._tokens
        thread_token = tokens.take()
        thread = thread_number(thread_token)
        tokens.take()  # the colon
        width, register = register_number(tokens.name("a register such as X0"))
        self._initial.threads.setdefault(thread, thread_token.line)
        self._initial.registers.setdefault(thread, {})
        name = f"{thread}:X{register}"
        self._word = width == 32
        return name

    def _location(self) -> str:
        tokens = self._tokens
        self._word = False
        bracket = tokens.accept("[")
        name = tokens.name("a register such as 0:X1, or a location").text
        if tokens.peek().text == "(":
            raise TextError(tokens.peek().line, f'"{name}(": page tables, tags and the like are not modelled')
        if bracket:
            tokens.expect("]", f"after [{name}")
        self._initial.values.setdefault(name, 0)
        return name

    def _value(self, name: str) -> Value:
        tokens = self._tokens
        token = tokens.peek()
        if token.kind == "number" and tokens.peek(1).text != ":":
            declared = self._initial.types.get(name)
            bits = 32 if self._word or (declared is not None and declared.bits == 32) else 64
            return _cut(number(tokens.take()), bits, token.line)
        if token.text == "{":
            raise TextError(token.line, f"{name} is set to a list: arrays are not modelled")
        if tokens.peek(1).text == ":":
            raise TextError(token.line, f"{name} is set to a place in the code: computed branches are not modelled")
        tokens.accept("&")
        target = tokens.name("a number or the name of a location").text
        declared = self._initial.types.get(name)
        if declared is not None and declared.bits == 32:
            raise TextError(token.line, f"{name} has 32 bits and cannot hold the address of {target}")
        self._initial.values.setdefault(target, 0)
        return target


def _type_named(words: list[Token]) -> IntegerType | None:
    if not words:
        return None
    text = " ".join(word.text for word in words)
    name = MULTIPLE_WORDS.get(text, text)
    if name in TYPES:
        return TYPES[name]
    if words[-1].text in SMALL_TYPES:
        raise TextError(words[0].line, f"{text}: byte and halfword locations are not modelled")
    raise TextError(words[0].line, f'unknown type "{text}"{advice(text, TYPES, "known: " + ", ".join(TYPES))}')


def _cut(value: int, bits: int, line: int) -> int:
    if not -(1 << (bits - 1)) <= value < 1 << bits:
        raise TextError(line, f"{value} does not fit {bits} bits")
    return value & ((1 << bits) - 1)
