"""From the text of a test to what the machine runs. Every mistake is named with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from race.litmus.assembler import InstructionError, assemble
from race.litmus.condition import Names, read_final
from race.litmus.initial import Initial, read_initial
from race.litmus.program import Instruction, LitmusTest, Thread
from race.litmus.source import TextError, line_of, without_comments
from race.litmus.values import WORD, Value
from race.litmus.widths import location_bits
from race.names import advice

_HEADER = re.compile(r"\s*(\S+)[ \t]*([^\s{\"]*)")
_METADATA = re.compile(r"[ \t]*[A-Za-z][\w/.-]*[ \t]*=[^\n]*")
_FINAL = re.compile(r"(?<![\w.$~])(~\s*exists|not\s+exists|exists|forall|final|locations|filter)\b(?!\s*:)", re.I)
_LABEL = re.compile(r"\s*([A-Za-z_.$][\w.$]*)\s*:")


class UnreadableError(Exception):
    """A test that cannot be read, with every reason that was found."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


class Cell(NamedTuple):
    line: int
    text: str


def read_file(path: Path) -> LitmusTest:
    try:
        return read(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise UnreadableError([f"{path}: cannot read it: {error.strerror}"]) from None
    except UnicodeDecodeError as error:
        raise UnreadableError([f"{path}: not text in UTF-8 (byte {error.start})"]) from None


def read(text: str, shown: str) -> LitmusTest:
    mistakes: list[TextError] = []
    test = None
    try:
        test = _read(without_comments(text.replace("\r\n", "\n")), shown, mistakes)
    except TextError as mistake:
        mistakes.append(mistake)
    if mistakes or test is None:
        raise UnreadableError([f"{shown}:{mistake.line}: {mistake.message}" for mistake in mistakes])
    return test


def _read(text: str, shown: str, mistakes: list[TextError]) -> LitmusTest:
    """What can be read past is added to `mistakes`, so that one reading names all of them."""
    name, at = _header(text)
    start = _initial_start(text, at)
    end = text.find("}", start)
    if end < 0:
        raise TextError(line_of(text, start), 'the initial state is not closed; end it with "}"')
    initial = read_initial(text[start:end], line_of(text, start))

    question = _FINAL.search(text, end)
    program_end = question.start() if question else len(text)
    threads = _threads(text, end + 1, program_end, initial, mistakes)
    for thread, line in initial.threads.items():
        if thread >= len(threads):
            raise TextError(line, f"there is no thread {thread}: the program has {len(threads)}")

    names = Names(len(threads), initial.values.keys())
    final = read_final(text[program_end:], line_of(text, program_end), names)
    if mistakes:
        raise mistakes.pop()
    bits, misfits = location_bits(initial.values, initial.types, threads)
    mistakes += misfits
    values = {name: _fitting(value, bits[name]) for name, value in initial.values.items()}
    return LitmusTest(shown, name, values, bits, initial.types, threads, final)


def _header(text: str) -> tuple[str, int]:
    found = _HEADER.match(text)
    if found is None:
        raise TextError(1, "the file is empty")
    line = line_of(text, found.start(1))
    if found[1].lower() != "aarch64":
        raise TextError(line, f'expected "AArch64 NAME" first, not "{found[1]}": tests of other kinds are not read')
    if not found[2]:
        raise TextError(line, "the test has no name; write AArch64 NAME")
    return found[2], found.end()


def _initial_start(text: str, at: int) -> int:
    """Past the first brace that is neither in a text in quotes nor in a line `Key=Value`."""
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        if not _METADATA.fullmatch(text, at, end):
            # Quoted texts keep their length.
            line = re.sub(r'"[^"\n]*"', lambda quoted: " " * len(quoted[0]), text[at:end])
            if "{" in line:
                return at + line.index("{") + 1
        at = end + 1
    raise TextError(line_of(text, len(text.rstrip())), "there is no initial state; it stands in braces: { 0:X1=x; }")


def _threads(text: str, start: int, end: int, initial: Initial, mistakes: list[TextError]) -> list[Thread]:
    rows = list(_rows(text, start, end))
    if not rows:
        raise TextError(line_of(text, start), "there is no program; it starts with a line such as P0 | P1 ;")
    columns = _columns(rows[0])
    for row in rows[1:]:
        if len(row) > columns:
            raise TextError(row[columns].line, f"this line has {len(row)} columns, the first one {columns}")
    return [
        Thread(
            initial.registers.get(number, {}),
            _code([row[number] for row in rows[1:] if number < len(row)], mistakes),
        )
        for number in range(columns)
    ]


def _rows(text: str, start: int, end: int) -> Iterator[list[Cell]]:
    while (stop := text.find(";", start, end)) >= 0:
        cells = []
        for part in text[start:stop].split("|"):
            first = start + len(part) - len(part.lstrip())
            cells.append(Cell(line_of(text, first), part.strip()))
            start += len(part) + 1
        yield cells
    if text[start:end].strip():
        first = start + len(text[start:end]) - len(text[start:end].lstrip())
        raise TextError(
            line_of(text, first), f'"{text[first:end].split(chr(10))[0].strip()}": a line of the program ends with ";"'
        )


def _columns(row: list[Cell]) -> int:
    for number, cell in enumerate(row):
        if not re.fullmatch(rf"P{number}(\s*:.*)?", cell.text, re.IGNORECASE):
            raise TextError(cell.line, f'expected P{number} at the head of a column, not "{cell.text}"')
    return len(row)


def _code(cells: list[Cell], mistakes: list[TextError]) -> list[Instruction]:
    labels: dict[str, int] = {}
    instructions: list[Cell] = []
    for line, text in cells:
        at = 0
        while label := _LABEL.match(text, at):
            if label[1] in labels:
                mistakes.append(TextError(line, f'label "{label[1]}" stands twice in this thread'))
            labels[label[1]] = len(instructions)
            at = label.end()
        if text[at:].strip():
            instructions.append(Cell(line, " ".join(text[at:].split())))

    def target(label: str) -> int:
        if label not in labels:
            raise InstructionError(f'no label "{label}" in this thread{advice(label, labels)}')
        return labels[label]

    code = []
    for line, text in instructions:
        try:
            code.append(Instruction(line, text, assemble(text, target)))
        except InstructionError as why:
            mistakes.append(TextError(line, f'"{text}": {why}'))
    return code


def _fitting(value: Value, bits: int) -> Value:
    return value & WORD if bits == 32 and isinstance(value, int) else value
