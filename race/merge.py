"""What the workers found of an arm, put together. The outcome does not depend on which worker ran what."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import msgspec

from race.results import Finding
from race.token import Deviations
from race.worker import Batch


class Found(Finding, kw_only=True, omit_defaults=True):
    """A finding as the engine gives it: its execution is not a token yet."""

    deviations: Deviations = {}

    def finding(self, token: str) -> Finding:
        fields = {name: getattr(self, name) for name in Finding.__struct_fields__}
        return Finding(**fields | {"token": token})


@dataclass
class ArmResult:
    plan: str
    requested: int | None
    executions: int = 0
    accesses: int = 0
    cut_short: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    findings: list[Found] = field(default_factory=list)
    first: int | None = None
    seconds: float = 0.0
    first_finding_seconds: float | None = None


class _Cumulative(msgspec.Struct):
    """The engine's result: of everything that one worker has run of an arm."""

    executions: int
    accesses: int
    counts: dict[str, int]
    findings: msgspec.Raw  # decoded once, at the end
    first: int | None = None
    cut_short: int = 0


class Merge:
    """The newest result of each worker, and their sum. The limits are for each oracle."""

    def __init__(self, max_findings: int, max_traces: int) -> None:
        self._newest: dict[str, _Cumulative] = {}
        self._max_findings = max_findings
        self._max_traces = max_traces

    def add(self, batch: Batch) -> None:
        result = msgspec.json.decode(batch.result, type=_Cumulative)
        before = self._newest.get(batch.worker)
        if before is None or before.executions <= result.executions:
            self._newest[batch.worker] = result

    @property
    def executions(self) -> int:
        return sum(result.executions for result in self._newest.values())

    @property
    def counts(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for result in self._newest.values():
            total.update(result.counts)
        return {name: n for name, n in sorted(total.items()) if n}

    @property
    def first(self) -> int | None:
        return min((r.first for r in self._newest.values() if r.first is not None), default=None)

    def write(self, arm: ArmResult) -> None:
        arm.executions = self.executions
        arm.accesses = sum(result.accesses for result in self._newest.values())
        arm.cut_short = sum(result.cut_short for result in self._newest.values())
        arm.counts = self.counts
        arm.first = self.first
        findings = [
            finding
            for result in self._newest.values()
            for finding in msgspec.json.decode(result.findings, type=list[Found])
        ]
        findings.sort(key=lambda finding: finding.execution)
        kept: Counter[str] = Counter()
        for finding in findings:
            kept[finding.oracle] += 1
            # Every worker traced its own first findings; which of them those are depends on the number of workers.
            if kept[finding.oracle] > self._max_traces:
                finding.trace, finding.steps, finding.steps_left_out = [], [], 0
            if kept[finding.oracle] <= self._max_findings:
                arm.findings.append(finding)
