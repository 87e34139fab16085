"""Replay tokens: one line that names an execution, whoever found it and with how many workers.

`race1:` and base64url of: the scenario's name and the start of its SHA-256, page size, barrier plan, model, seed, the
deviations of the execution, and a CRC-32 of all that. Numbers are LEB128, so that a token is the same everywhere.
There is no general compression: its output differs from one build of zlib to another. Runs of equal numbers are folded
instead.
"""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from race.errors import InputError
from race.scenario.format import MigrateAny, Random
from race.scenario.load import Scenario, sha256

VERSION: Final = 1
PREFIX: Final = f"race{VERSION}:"
HASH_BYTES: Final = 8
MODELS: Final = ("armv8", "tso", "sc")
# The engine's kinds of choice that an execution can deviate in. A token holds their numbers: append only.
KINDS: Final = ("schedule", "preempt", "preempt-sync", "delay", "commit", "flush", "stale", "client", "late", "fail")
MAX_NUMBER: Final = (1 << 32) - 2  # of a question, or of its answer
MAX_DEVIATIONS: Final = 1_000_000
_FORM = re.compile(r"race(\d+):(.*)", re.DOTALL)

Deviations = dict[str, list[int]]  # by kind: ordinal of the question, answer, ordinal, answer, ...


@dataclass(frozen=True)
class Token:
    scenario: str
    sha256: str  # its first HASH_BYTES bytes, in hex
    page_size: int
    plan: str
    model: str
    seed: int  # draws the random operations of the set-up and of the plain run that sets the step limit; else 0
    deviations: Deviations


def encode(token: Token) -> str:
    data = bytearray()
    _write_text(data, token.scenario)
    data += bytes.fromhex(token.sha256)[:HASH_BYTES]
    _write(data, token.page_size)
    _write_text(data, token.plan)
    _write(data, MODELS.index(token.model))
    _write(data, token.seed)
    for kind, name in enumerate(KINDS):
        pairs = token.deviations.get(name)
        if pairs:
            ordinals = pairs[::2]
            _write(data, kind)
            _write(data, len(ordinals))
            before = [-1, *ordinals[:-1]]
            _write_list(data, [ordinal - last - 1 for ordinal, last in zip(ordinals, before, strict=True)])
            _write_list(data, [answer - 1 for answer in pairs[1::2]])
    data += zlib.crc32(data).to_bytes(4, "big")
    return PREFIX + base64.urlsafe_b64encode(data).decode().rstrip("=")


def token_of(scenario: Scenario, plan: str, model: str, seed: int, deviations: Deviations) -> str:
    source = scenario.source
    steps = [*scenario.tables.setup, *(step for thread in scenario.tables.threads for step in thread.steps)]
    if not any(isinstance(step, Random | MigrateAny) for step in steps):
        seed = 0  # it has nothing to draw
    sha = sha256(source)[: 2 * HASH_BYTES]
    return encode(Token(source.name, sha, scenario.page_size, plan, model, seed, deviations))


def looks_like(text: str) -> bool:
    return _FORM.match(text.strip()) is not None


def decode(text: str) -> Token:
    """Another version, or a token that is damaged, is an InputError, never another execution."""
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise InputError(f"this is no replay token: one begins with {PREFIX}")
    if int(form[1][:9]) != VERSION:
        raise InputError(
            f"replay token of version {form[1][:9]}, this program reads version {VERSION}; "
            "replay it with the program that wrote it, or run the campaign again"
        )
    data = _bytes(form[2])
    reader = _Reader(data[:-4])
    token = Token(
        scenario=reader.text(),
        sha256=reader.take(HASH_BYTES).hex(),
        page_size=reader.number(),
        plan=reader.text(),
        model=reader.one_of(MODELS),
        seed=reader.number(),
        deviations=dict(reader.deviations()),
    )
    # What was written otherwise than `encode` writes would be a second name of the same execution.
    if encode(token) != PREFIX + form[2]:
        raise _damaged("it is not written as this version writes tokens")
    return token


def _damaged(what: str) -> InputError:
    return InputError(f"the replay token is damaged: {what}; copy it whole, it is one line")


def _bytes(text: str) -> bytes:
    if odd := re.search(r"[^A-Za-z0-9_-]", text):
        raise _damaged(f"{odd[0]!r} cannot be part of it")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise _damaged("its length is wrong") from None
    if len(data) < 4 or zlib.crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
        raise _damaged("its checksum does not match")
    return data


def _write(data: bytearray, number: int) -> None:
    while number >= 0x80:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    data.append(number)


def _write_text(data: bytearray, text: str) -> None:
    encoded = text.encode()
    _write(data, len(encoded))
    data += encoded


def _write_list(data: bytearray, numbers: Sequence[int]) -> None:
    """Each number, doubled; plus one if it stands for several, and then how many."""
    i = 0
    while i < len(numbers):
        end = i + 1
        while end < len(numbers) and numbers[end] == numbers[i]:
            end += 1
        _write(data, 2 * numbers[i] + (end - i > 1))
        if end - i > 1:
            _write(data, end - i)
        i = end


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self._at:
            raise _damaged("it is too short")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        if value >> 64:
            raise _damaged("a number is too large")
        return value

    def text(self) -> str:
        try:
            return self.take(self.number()).decode()
        except UnicodeDecodeError:
            raise _damaged("a name is not UTF-8") from None

    def one_of(self, names: Sequence[str]) -> str:
        index = self.number()
        if index >= len(names):
            raise _damaged(f"{index} is none of {', '.join(names)}")
        return names[index]

    def deviations(self) -> Iterator[tuple[str, list[int]]]:
        while self._at < len(self._data):
            kind = self.one_of(KINDS)
            count = self.number()
            gaps, answers = self._list(count), self._list(count)
            pairs, ordinal = [], -1
            for gap, answer in zip(gaps, answers, strict=True):
                ordinal += gap + 1
                if max(ordinal, answer + 1) > MAX_NUMBER:
                    raise _damaged("a number is too large")
                pairs += [ordinal, answer + 1]
            yield kind, pairs

    def _list(self, count: int) -> list[int]:
        if count > MAX_DEVIATIONS:
            raise _damaged("it has too many choices")
        numbers: list[int] = []
        while len(numbers) < count:
            number = self.number()
            repeat = self.number() if number & 1 else 1
            if not 1 <= repeat <= count - len(numbers):
                raise _damaged("a list is too long")
            numbers += [number >> 1] * repeat
        return numbers
