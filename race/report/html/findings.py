"""Findings, counted: a result may hold thousands, and most of them are alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from race.report import words
from race.results import Document, Finding

MOST_KINDS = 40  # rows of a table
MOST_VALUES = 12


@dataclass
class Kind:
    """Findings of one arm that differ in their values and executions only."""

    plan: str
    first: Finding
    kept: int  # in the result; it counts more than it keeps


@dataclass
class Value:
    text: str
    kind: str
    origin: str
    times: int
    first: Finding


@dataclass
class Findings:
    kinds: list[Kind]
    kinds_left_out: int
    kept: int
    counted: int  # of all that were found


def findings(document: Document) -> Findings:
    kinds: dict[tuple[str, ...], Kind] = {}
    for arm in document.arms:
        for one in arm.findings:
            key = (arm.plan, one.oracle, one.message, one.thread, one.function, one.site)
            kinds.setdefault(key, Kind(arm.plan, one, 0)).kept += 1
    shown = list(kinds.values())[:MOST_KINDS]
    kept = sum(len(arm.findings) for arm in document.arms)
    return Findings(shown, len(kinds) - len(shown), kept, sum(arm.hits for arm in document.arms))


def values(document: Document, oracle: str) -> tuple[list[Value], int]:
    """The wrong values of an oracle's findings, the most frequent first; and how many more there are."""
    of_oracle = [one for arm in document.arms for one in arm.findings if one.oracle == oracle and one.value]
    by_value: dict[tuple[str, str, str], Value] = {}
    times = Counter(_key(one) for one in of_oracle)
    for one in of_oracle:
        by_value.setdefault(_key(one), Value(one.value, one.value_kind, one.origin, times[_key(one)], one))
    ranked = sorted(by_value.values(), key=lambda value: (-value.times, value.first.execution))
    return ranked[:MOST_VALUES], max(0, len(ranked) - MOST_VALUES)


def _key(one: Finding) -> tuple[str, str, str]:
    return one.value, one.value_kind, one.origin


def headline(document: Document) -> str | None:
    """The oracle that the result is about: that of the first arm that found something."""
    return next((oracle for arm in document.arms if (oracle := words.main_oracle(arm))), None)


def in_order(oracles: Iterable[str], first: str | None) -> list[str]:
    return sorted(oracles, key=lambda oracle: oracle != first)
