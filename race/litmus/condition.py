"""The end of a test: what is observed, which states count, and the question about them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Literal

from race.litmus.source import TextError, Token, Tokens, number
from race.litmus.values import WORD, State, Value, canonical
from race.names import advice

Quantifier = Literal["exists", "~exists", "forall"]
KINDS: dict[Quantifier, str] = {"exists": "Allowed", "~exists": "Forbidden", "forall": "Required"}


@dataclass(frozen=True)
class Operand:
    """What a register or location holds."""

    name: str
    word: bool = False  # a W register: only the low half counts

    def value(self, state: State) -> Value:
        value = state[self.name]
        return value & WORD if self.word and isinstance(value, int) else value


@dataclass(frozen=True)
class Atom:
    left: Operand
    right: Operand | Value  # a plain name is the address of that location

    def holds(self, state: State) -> bool:
        right = self.right.value(state) if isinstance(self.right, Operand) else self.right
        return canonical(self.left.value(state)) == canonical(right)

    def names(self) -> Iterator[str]:
        yield self.left.name
        if isinstance(self.right, Operand):
            yield self.right.name

    def __str__(self) -> str:
        right = _shown(self.right.name) if isinstance(self.right, Operand) else self.right
        return f"{_shown(self.left.name)}={right}"


@dataclass(frozen=True)
class Not:
    part: Proposition

    def holds(self, state: State) -> bool:
        return not self.part.holds(state)

    def names(self) -> Iterator[str]:
        return self.part.names()

    def __str__(self) -> str:
        return f"not {_bracketed(self.part)}"


@dataclass(frozen=True)
class Joined:
    """`and` of no parts is true, `or` of none is false."""

    how: Literal["/\\", "\\/"]
    parts: tuple[Proposition, ...]

    def holds(self, state: State) -> bool:
        return (all if self.how == "/\\" else any)(part.holds(state) for part in self.parts)

    def names(self) -> Iterator[str]:
        for part in self.parts:
            yield from part.names()

    def __str__(self) -> str:
        if not self.parts:
            return "true" if self.how == "/\\" else "false"
        return f" {self.how} ".join(map(_bracketed, self.parts))


Proposition = Atom | Not | Joined
TRUE = Joined("/\\", ())
FALSE = Joined("\\/", ())


@dataclass(frozen=True)
class Final:
    quantifier: Quantifier = "forall"
    proposition: Proposition = TRUE
    filter: Proposition = TRUE  # other states do not count
    listed: tuple[str, ...] = field(default=())  # by `locations`

    @property
    def shown_names(self) -> set[str]:
        return {*self.proposition.names(), *self.listed}

    @property
    def kind(self) -> str:
        return KINDS[self.quantifier]

    def __str__(self) -> str:
        return f"{self.quantifier} ({self.proposition})"


@dataclass(frozen=True)
class Names:
    """What a condition may speak of."""

    threads: int
    locations: Collection[str]


def read_final(text: str, line: int, names: Names) -> Final:
    return _Reader(Tokens(text, line), names).final()


class _Reader:
    def __init__(self, tokens: Tokens, names: Names) -> None:
        self._tokens = tokens
        self._names = names

    def final(self) -> Final:
        tokens = self._tokens
        listed: list[str] = []
        wanted: Proposition = TRUE
        while word := tokens.accept("locations", "filter"):
            if word.text.lower() == "filter":
                wanted = self._any()
            else:
                listed += self._locations()
            tokens.accept(";")
        if tokens.peek().kind == "end":
            return Final(filter=wanted, listed=tuple(listed))  # no question: every state will do
        quantifier = self._quantifier()
        proposition = self._any()
        tokens.accept(";")
        if tokens.peek().kind != "end":
            tokens.fail("the end of the condition (/\\ and \\/ join its parts)")
        return Final(quantifier, proposition, wanted, tuple(listed))

    def _quantifier(self) -> Quantifier:
        tokens = self._tokens
        if tokens.accept("~", "not"):
            tokens.expect("exists", "after ~")
            return "~exists"
        if word := tokens.accept("exists", "forall", "final"):
            return "forall" if word.text.lower() == "forall" else "exists"
        return tokens.fail("exists, ~exists or forall")

    def _locations(self) -> Iterator[str]:
        tokens = self._tokens
        tokens.expect("[", "after locations")
        while not tokens.accept("]"):
            yield self._operand().name
            while tokens.peek().kind == "name" or tokens.peek().text == "*":
                tokens.take()  # a type: how it is printed is decided where the name is declared
            if not tokens.accept(";") and tokens.peek().text != "]":
                tokens.fail('";" or "]" in the list of locations')

    # \/ binds least, then /\, then =>, then not: as in the field's own parsers.

    def _any(self) -> Proposition:
        parts = [self._all()]
        while self._tokens.accept("\\/"):
            parts.append(self._all())
        return _joined("\\/", parts)

    def _all(self) -> Proposition:
        parts = [self._implied()]
        while self._tokens.accept("/\\"):
            parts.append(self._implied())
        return _joined("/\\", parts)

    def _implied(self) -> Proposition:
        left = self._one()
        return Joined("\\/", (Not(left), self._implied())) if self._tokens.accept("=>") else left

    def _one(self) -> Proposition:
        tokens = self._tokens
        if tokens.accept("~", "not"):
            return Not(self._one())
        if tokens.accept("("):
            inner = self._any()
            tokens.expect(")", "to close the bracket")
            return inner
        if tokens.peek(1).text not in ("=", "==") and (word := tokens.accept("true", "false")):
            return TRUE if word.text.lower() == "true" else FALSE
        left = self._operand()
        if tokens.accept("!=", "<>"):
            return Not(Atom(left, self._right()))
        if not tokens.accept("=", "=="):
            tokens.fail(f'"=" after {_shown(left.name)}')
        return Atom(left, self._right())

    def _right(self) -> Operand | Value:
        tokens = self._tokens
        token = tokens.peek()
        if token.kind == "number" and tokens.peek(1).text != ":":
            return number(tokens.take())
        if tokens.accept("&"):
            return self._location(tokens.name("the name of a location after &"))
        if token.kind == "name" and tokens.peek(1).text != ":":
            return self._location(tokens.take())
        return self._operand()

    def _operand(self) -> Operand:
        """`1:X0`, `P1:X0`, `x`, `[x]` or `*x`."""
        tokens = self._tokens
        if tokens.peek(1).text == ":":
            return self._register()
        if tokens.accept("["):
            name = self._location(tokens.name("the name of a location after ["))
            tokens.expect("]", f"after [{name}")
            return Operand(name)
        tokens.accept("*")
        token = tokens.name("a register such as 1:X0, or a location")
        if re.fullmatch(r"[WX]\d+", token.text, re.IGNORECASE) and token.text not in self._names.locations:
            raise TextError(token.line, f'"{token.text}" has no thread; write 0:{token.text.upper()}')
        if tokens.peek().text == "[":
            raise TextError(token.line, f'"{token.text}[": arrays are not modelled')
        return Operand(self._location(token))

    def _register(self) -> Operand:
        tokens = self._tokens
        thread = thread_number(tokens.take())
        if thread >= self._names.threads:
            raise TextError(tokens.peek().line, f"there is no thread {thread}: the program has {self._names.threads}")
        tokens.take()  # the colon
        token = tokens.name("a register such as X0")
        width, register = register_number(token)
        return Operand(f"{thread}:X{register}", word=width == 32)

    def _location(self, token: Token) -> str:
        if token.text not in self._names.locations:
            raise TextError(token.line, f'no location "{token.text}"{advice(token.text, self._names.locations)}')
        return token.text


def thread_number(token: Token) -> int:
    if found := re.fullmatch(r"P?(\d+)", token.text, re.IGNORECASE):
        return int(found[1])
    raise TextError(token.line, f"expected the number of a thread before the colon, not {token.shown}")


def register_number(token: Token) -> tuple[int, int]:
    """Its width and number."""
    found = re.fullmatch(r"([WX])(\d|[12]\d|30)", token.text, re.IGNORECASE)
    if found is None:
        raise TextError(token.line, f'no general register "{token.text}"; there are X0 to X30 and W0 to W30')
    return 32 if found[1] in "wW" else 64, int(found[2])


def _joined(how: Literal["/\\", "\\/"], parts: list[Proposition]) -> Proposition:
    return parts[0] if len(parts) == 1 else Joined(how, tuple(parts))


def _bracketed(part: Proposition) -> str:
    return f"({part})" if isinstance(part, Joined) and part.parts else str(part)


def _shown(name: str) -> str:
    return name if ":" in name else f"[{name}]"
