"""Compares what a run reached with the final states that a file lists (`--expect`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from race.errors import InputError
from race.litmus.result import Outcome, Record, canonical

SAME_MODEL = {"aarch64": "armv8"}


@dataclass
class Comparison:
    agree: int = 0
    unlisted: int = 0  # tests that the file does not have
    unsound: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    reached: int = 0  # of the listed states, by the weak engine
    listed: int = 0

    @property
    def compared(self) -> int:
        return self.agree + len(self.unsound) + len(self.incomplete)

    @property
    def differences(self) -> list[str]:
        return self.unsound + self.incomplete


class Expectations:
    def __init__(self, name: str) -> None:
        self._records: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for number, line in enumerate(_lines(name), 1):
            if not line.strip():
                continue
            try:
                record = msgspec.json.decode(line, type=Record)
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                raise InputError(f"{name}:{number}: not a record of a test: {error}") from None
            self._records[record.name, SAME_MODEL.get(record.model, record.model)].append(record)
        self.name = name

    def find(self, outcome: Outcome) -> Record | None:
        """By name; several tests of one name are told apart by their files' names."""
        records = self._records.get((outcome.test.name, outcome.model), [])
        file = Path(outcome.test.file).name
        same_file = [record for record in records if Path(record.file).name == file]
        return next(iter(same_file or records), None)

    def compare(self, outcomes: Iterable[Outcome]) -> Comparison:
        comparison = Comparison()
        for outcome in outcomes:
            record = self.find(outcome)
            if record is None:
                comparison.unlisted += 1
            else:
                _compare(outcome, record, comparison)
        return comparison


def _lines(name: str) -> list[bytes]:
    try:
        return Path(name).read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}") from None


def _compare(outcome: Outcome, record: Record, comparison: Comparison) -> None:
    shown = {canonical(found.shown): found.shown for found in outcome.found}
    listed = {canonical(state): state for state in record.states}
    extra = [] if record.loop is True else [state for key, state in shown.items() if key not in listed]
    missing = [state for key, state in listed.items() if key not in shown]
    if outcome.counted:
        comparison.reached += len(listed) - len(missing)
        comparison.listed += len(listed)
    test = f"{outcome.test.file}: {outcome.test.name}"
    if extra:
        comparison.unsound.append(f"unsound: {test}: {_states(extra)} not in {len(listed)} listed")
    elif missing and outcome.complete:
        comparison.incomplete.append(f"incomplete: {test}: {_states(missing)} listed but not reached")
    else:
        comparison.agree += 1


def _states(states: list[dict[str, str]]) -> str:
    one, *more = (" ".join(f"{name}={value};" for name, value in state.items()) for state in states)
    return f"{one[:-1]} and {len(more)} more" if more else one[:-1]


def summary(comparison: Comparison, expectations: Expectations) -> str:
    parts = [
        f"{comparison.agree:,} agree",
        f"{len(comparison.unsound):,} unsound",
        f"{len(comparison.incomplete):,} incomplete",
    ]
    if comparison.unlisted:
        parts.append(f"{comparison.unlisted:,} not in it")
    if comparison.listed:
        parts.append(f"reached {comparison.reached:,} of {comparison.listed:,} listed states")
    return f"compared with {expectations.name}: " + ", ".join(parts)
