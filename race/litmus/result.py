"""What the machine found of one test, and what that says about its condition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec

from race.litmus import values
from race.litmus.condition import Quantifier
from race.litmus.program import LitmusTest
from race.litmus.values import State, Value

Verdict = Literal["Sometimes", "Never", "Always"]


class _Location(msgspec.Struct):
    location: int


class _Reached(msgspec.Struct):
    values: list[int | _Location]
    count: int


class _Native(msgspec.Struct):
    executions: int
    complete: bool
    states: list[_Reached]


class Run(msgspec.Struct, frozen=True):
    """What a worker gives back of one test."""

    seconds: float
    result: bytes = b""  # as the machine writes it
    error: str = ""  # why the machine cannot run it


@dataclass(frozen=True)
class Found:
    """A final state."""

    state: State
    shown: dict[str, str]
    count: int
    positive: bool  # the proposition holds in it


@dataclass(frozen=True)
class Outcome:
    test: LitmusTest
    model: str
    engine: str
    found: list[Found]
    executions: int
    complete: bool  # no other final state is possible
    seconds: float

    @property
    def counted(self) -> bool:
        """Whether how often a state came up means anything."""
        return self.engine == "weak"

    def count(self, positive: bool) -> int:
        return sum(found.count if self.counted else 1 for found in self.found if found.positive == positive)

    @property
    def verdict(self) -> Verdict:
        return verdict([found.positive for found in self.found])

    @property
    def ok(self) -> bool:
        """Whether what the condition claims is so, as far as the states show."""
        return claim_holds(self.test.final.quantifier, [found.positive for found in self.found])


class Record(msgspec.Struct):
    """A line of `--json`, and of a file for `--expect`."""

    name: str
    states: list[dict[str, str]]
    file: str = ""
    model: str = "armv8"
    engine: str = ""
    counts: list[int] | msgspec.UnsetType = msgspec.UNSET
    verdict: str = ""
    positive: int = 0
    negative: int = 0
    complete: bool = True
    executions: int = 0
    seconds: float = 0.0
    loop: bool | msgspec.UnsetType = msgspec.UNSET  # whoever wrote it had to unroll loops: states may be missing in it


def outcome(test: LitmusTest, model: str, engine: str, run: Run) -> Outcome:
    native = msgspec.json.decode(run.result, type=_Native)
    locations = list(test.initial)
    counts: dict[tuple[Value, ...], int] = {}
    for reached in native.states:
        row = [locations[v.location] if isinstance(v, _Location) else v for v in reached.values]
        state = dict(zip(test.observed, row, strict=True))
        if test.final.filter.holds(state):
            shown = tuple(state[name] for name in test.shown)
            counts[shown] = counts.get(shown, 0) + reached.count
    return Outcome(
        test,
        model,
        engine,
        sorted((_found(test, row, count) for row, count in counts.items()), key=_order),
        native.executions,
        native.complete,
        run.seconds,
    )


def _found(test: LitmusTest, row: tuple[Value, ...], count: int) -> Found:
    state = dict(zip(test.shown, row, strict=True))
    shown = {name: test.text(name, value) for name, value in state.items()}
    return Found(state, shown, count, test.final.proposition.holds(state))


def _order(found: Found) -> list[tuple[bool, int, str]]:
    """Numbers before addresses."""
    return [(isinstance(v, str), 0 if isinstance(v, str) else v, str(v)) for v in found.state.values()]


def verdict(positive: list[bool]) -> Verdict:
    if not any(positive):
        return "Never"
    return "Always" if all(positive) else "Sometimes"


def claim_holds(quantifier: Quantifier, positive: list[bool]) -> bool:
    match quantifier:
        case "exists":
            return any(positive)
        case "~exists":
            return not any(positive)
        case "forall":
            return all(positive)


def record(outcome: Outcome) -> Record:
    # Names and states in plain alphabetical order, which any other program gives too.
    ordered = sorted(outcome.found, key=lambda found: sorted(found.shown.items()))
    return Record(
        name=outcome.test.name,
        file=outcome.test.file,
        model=outcome.model,
        engine=outcome.engine,
        states=[dict(sorted(found.shown.items())) for found in ordered],
        counts=[found.count for found in ordered] if outcome.counted else msgspec.UNSET,
        verdict=outcome.verdict,
        positive=outcome.count(True),
        negative=outcome.count(False),
        complete=outcome.complete,
        executions=outcome.executions,
        seconds=round(outcome.seconds, 6),
    )


def canonical(state: dict[str, str]) -> frozenset[tuple[str, Value]]:
    """Equal for two spellings of one state."""
    return frozenset((name, values.canonical(values.parsed(text))) for name, text in state.items())
