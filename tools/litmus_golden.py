"""Writes tests/litmus/golden.jsonl: the final states of our own litmus tests under each model, exhaustively searched.

`make litmus-golden` runs it. Look at every difference: what the published tables say of a shape stands in its file, as
`exists` where ARMv8 allows it and as `~exists` where not.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import msgspec

from race.cli import main as race
from race.files import write_atomically
from race.litmus.result import Record

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "litmus"
GOLDEN = FOLDER / "golden.jsonl"
MODELS = ("armv8", "tso", "sc")


class Line(msgspec.Struct):
    """What of a record does not depend on the engine or the clock."""

    name: str
    file: str
    model: str
    states: list[dict[str, str]]
    verdict: str


def lines(records: list[Record]) -> bytes:
    golden = [
        Line(
            name=record.name,
            file=Path(record.file).resolve().relative_to(FOLDER).as_posix(),
            model=record.model,
            states=record.states,
            verdict=record.verdict,
        )
        for record in records
    ]
    golden.sort(key=lambda line: (line.file, MODELS.index(line.model)))
    return b"".join(msgspec.json.encode(line) + b"\n" for line in golden)


def main() -> int:
    records: list[Record] = []
    with tempfile.TemporaryDirectory() as folder:
        for model in MODELS:
            out = Path(folder) / f"{model}.jsonl"
            if status := race(["litmus", str(FOLDER), "--model", model, "--json", str(out)]):
                return status
            records += [msgspec.json.decode(line, type=Record) for line in out.read_bytes().splitlines()]
    write_atomically(GOLDEN, lines(records))
    print(f"wrote {GOLDEN}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
