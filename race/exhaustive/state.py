"""How far the exploration of a plan's executions is: all that is needed to go on, and what it found."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from race.errors import RunError
from race.exhaustive.tree import Answer, Request, Row, SharedNodes, Told, Tree

# What is asked of a unit depends on what was explored before alone, so that results do not depend on the workers.
FIRST_RUNS = 16  # of the first unit: a small tree needs no more
UNIT_ACCESSES = 400_000  # simulated: some tenths of a second
MOST_RUNS = 1_000_000  # of a unit
ROUND = 32  # units whose answers are taken in together: enough to keep many workers busy
ENOUGH_TREES = 2 * ROUND  # with so many, units are not asked for parts
REMEMBERED = 100_000  # shared nodes, before those that no tree needs are looked for


class Pending(msgspec.Struct):
    tree: Tree | None
    weight: float


class Limits(msgspec.Struct, frozen=True):
    max_findings: int  # kept of each oracle
    max_traces: int


class State(msgspec.Struct, kw_only=True):
    """Of one plan. A unit counts once its answer is taken in, which happens in the order of the requests."""

    pending: list[Pending] = msgspec.field(default_factory=lambda: [Pending(None, 1.0)])  # the last is the next
    round: list[Request] = []  # asked for, and not answered
    shared: SharedNodes = msgspec.field(default_factory=SharedNodes)
    executions: int = 0
    redundant: int = 0
    cut: int = 0
    accesses: int = 0
    counts: dict[str, int] = {}
    findings: list[Told] = []
    first: int | None = None
    done: float = 0.0  # sum of the weights of what is explored

    @property
    def explored(self) -> bool:
        return not self.pending and not self.round

    @property
    def runs(self) -> int:
        return self.executions + self.redundant

    def left(self) -> int | None:
        """An estimate of the executions that are still to explore."""
        weight = sum(item.weight for item in self.pending) + sum(request.weight for request in self.round)
        if weight == 0:
            return 0 if self.explored else None
        return round(self.executions * weight / self.done) if self.done > 1e-9 * weight else None

    def next_round(self, everything: bool) -> None:
        """Asks for the units of the next round. `everything`: they go on after a finding."""
        runs = FIRST_RUNS
        if self.runs:
            runs = max(1, min(MOST_RUNS, UNIT_ACCESSES * self.runs // max(1, self.accesses)))
        split = len(self.pending) < ENOUGH_TREES
        chosen = self.pending[-ROUND:][::-1]
        del self.pending[-ROUND:]
        self.round = [
            Request(tree=item.tree, runs=runs, all=everything, split=split, weight=item.weight) for item in chosen
        ]

    def take_in(self, answer: Answer, limits: Limits) -> None:
        """The answer to the first request of the round."""
        request = self.round.pop(0)
        before = self.executions
        for finding in answer.findings:
            finding.execution += before
            self.first = finding.execution if self.first is None else self.first
            self._keep(finding, limits)
        self.executions += answer.executions
        self.redundant += answer.redundant
        self.cut += answer.cut
        self.accesses += answer.accesses
        total = Counter(self.counts)
        total.update(answer.counts)
        self.counts = {name: n for name, n in sorted(total.items()) if n}
        self._share_out(request, answer)
        if len(self.shared) > REMEMBERED and not self.round:
            self.shared.forget_all_but(item.tree for item in self.pending if item.tree is not None)

    def _keep(self, finding: Told, limits: Limits) -> None:
        known = sum(one.oracle == finding.oracle for one in self.findings)
        if known >= limits.max_traces:
            finding.trace, finding.steps, finding.steps_left_out = [], [], 0
        if known < limits.max_findings:
            self.findings.append(finding)

    def _share_out(self, request: Request, answer: Answer) -> None:
        """What the unit left, and what it found above its tree, is still to do."""
        left = [Pending(tree, request.weight * share) for tree, share in answer.trees()]
        self.done += request.weight * (1 - answer.left)
        for item in left:
            assert item.tree is not None
            self.shared.add(item.tree)
        for branch in answer.above:
            if request.tree is None:
                raise RunError("the engine reported a branch above the root of all executions")
            new = self.shared.begin(request.tree, branch)
            if new is not None:
                self.pending.append(Pending(new, request.weight))
        self.pending += left


def encoded(state: State) -> dict[str, Any]:
    """As JSON can have it."""
    fields = {name: getattr(state, name) for name in State.__struct_fields__}
    return {**msgspec.to_builtins(fields | {"shared": None}), "shared": state.shared.rows()}


class _Rows(msgspec.Struct):
    shared: list[Row]


def decoded(fields: dict[str, Any]) -> State:
    """A msgspec.ValidationError if it is no state."""
    rows = msgspec.convert(fields, _Rows).shared
    plain = {name: value for name, value in fields.items() if name != "shared"}
    if rows and any(not -1 < parent <= i for i, (parent, _, _) in enumerate(rows)):
        raise msgspec.ValidationError("a shared node has no parent")
    state = msgspec.convert(plain, State)
    state.shared = SharedNodes.of(rows)
    return state
