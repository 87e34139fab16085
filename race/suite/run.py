"""Runs one bug after the other: what its fault gives under each model, and that its fix gives nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from race import native
from race.ablation.bench import Bench
from race.campaign import Flag, Workers
from race.errors import InputError
from race.merge import ArmResult
from race.names import advice
from race.plan import Strengths, guards_of, resolve
from race.replay import Replayed
from race.scenario.format import SHOWN_UNDER, Bug
from race.scenario.load import Scenario, find, load, shipped
from race.scenario.native_plan import native_plan
from race.suite.document import Measured, Row, Trial
from race.token import token_of

MODELS = ("sc", "tso", "armv8")  # the strongest first: what it shows, the others show too


@dataclass(frozen=True)
class Subject:
    """A scenario of a known bug, ready to run."""

    scenario: Scenario
    bug: Bug
    fault: Strengths
    right: Strengths

    def row(self) -> Row:
        source = self.scenario.source
        return Row(
            id=self.bug.id,
            scenario=source.name,
            file=source.shown,
            title=self.scenario.tables.title,
            kind=self.bug.kind,
            fault=self.bug.fault,
            right=self.bug.right,
            find=self.bug.find,
            guards=guards_of(self.scenario.held),
        )


def subjects(wanted: Sequence[str], catalog: native.Catalog) -> list[Subject]:
    """Those that are wanted, by name or path; none: all that come with the program."""
    found = []
    for name in wanted or shipped():
        one = subject(load(find(name), catalog), catalog)
        if one is not None:
            found.append(one)
        elif wanted:
            bugs = [known for known in shipped() if load(find(known), catalog).tables.bug is not None]
            raise InputError(f'scenario "{name}" is no known bug: it has no [bug] table{advice(name, bugs)}')
    return sorted(found, key=_order)


def _order(subject: Subject) -> tuple[int, list[tuple[str, int]]]:
    """By kind, then by number: A2 before A10."""
    parts = re.findall(r"(\D*)(\d*)", subject.bug.id)
    return list(SHOWN_UNDER).index(subject.bug.kind), [(letters, int(number or 0)) for letters, number in parts]


def subject(scenario: Scenario, catalog: native.Catalog) -> Subject | None:
    bug = scenario.tables.bug
    if bug is None:
        return None
    fault, right = (resolve(plan, catalog.sites, scenario.held, catalog.guards) for plan in (bug.fault, bug.right))
    return Subject(scenario, bug, fault, right)


@dataclass
class Runner:
    workers: Workers
    stop: Flag
    progress: Callable[[str, int, int], None]
    executions: int  # of a trial that is to find nothing
    hunt: int  # at most, of one that is to find something
    seed: int
    deadline: float | None = None  # of time.monotonic()

    def run(self, subject: Subject, row: Row) -> None:
        """Fills the row in, as far as it comes."""
        self.run_fault(subject, row)
        self.run_fix(subject, row)

    def run_fault(self, subject: Subject, row: Row) -> None:
        for model in MODELS:
            shown = model in SHOWN_UNDER[subject.bug.kind]
            wanted = subject.bug.find if shown else []
            executions = self.hunt if shown else self.executions
            row.with_fault.append(self._trial(subject, subject.fault, "fault", model, executions, wanted))
        row.measured = _measured(row, sequential=_is_sequential(subject, self.seed))
        row.wrong += _wrong_fault(row)

    def run_fix(self, subject: Subject, row: Row) -> None:
        for model in MODELS:
            trial = self._trial(subject, subject.right, "fix", model, self.executions, [])
            row.with_fix.append(trial)
            if not trial.clean:
                row.wrong.append(f"with its fix {_found(trial)} under {model}")
            if trial.cut_short:
                row.wrong.append(f"with its fix {trial.cut_short} executions were not judged under {model}")

    def _trial(
        self, subject: Subject, strengths: Strengths, what: str, model: str, executions: int, wanted: Sequence[str]
    ) -> Trial:
        def engine_plan(given: object) -> bytes:
            assert given is strengths
            return native_plan(subject.scenario, strengths, model=model, seed=self.seed, max_findings=1)

        bench = Bench(engine_plan, self.workers, self.stop, self.deadline, self.progress)
        arm = bench.hunt(f"{subject.scenario.source.name}, {what}, {model}", strengths, executions, wanted)
        return self._record(subject, subject.bug.fault if what == "fault" else subject.bug.right, model, arm, wanted)

    def _record(self, subject: Subject, plan: str, model: str, arm: ArmResult, wanted: Sequence[str]) -> Trial:
        first = {found.oracle: found for found in reversed(arm.findings)}
        best = next((first[oracle] for oracle in wanted if oracle in first), arm.findings[0] if arm.findings else None)
        return Trial(
            model=model,
            executions=arm.executions,
            cut_short=arm.cut_short,
            counts=arm.counts,
            first={oracle: found.execution for oracle, found in sorted(first.items())},
            token=token_of(subject.scenario, plan, model, self.seed, best.deviations) if best is not None else "",
        )


def _is_sequential(subject: Subject, seed: int) -> bool:
    """Does it fail with nothing left to chance, and without ever going from one CPU to another?"""
    plan = native_plan(subject.scenario, subject.fault, model="sc", seed=seed, max_findings=0)
    with native.Campaign(plan) as campaign:
        plain = msgspec.json.decode(campaign.replay(b"{}"), type=Replayed)
    return plain.finding is not None and plain.finding.oracle in subject.bug.find and plain.switches == 0


def _measured(row: Row, *, sequential: bool) -> Measured:
    shows = [not trial.clean for trial in row.with_fault]
    if sorted(shows) != shows:
        return "inconsistent"
    if sequential:
        return "sequential"
    kinds: dict[int, Measured] = {3: "interleaving", 2: "needs-tso", 1: "needs-armv8", 0: "not-shown"}
    return kinds[sum(shows)]


def _wrong_fault(row: Row) -> list[str]:
    wrong = []
    if row.measured != row.kind:
        wrong.append(f"its file has it as {row.kind}, measured it is {row.measured}")
    for trial in row.with_fault:
        missing = [oracle for oracle in row.find if oracle not in trial.first]
        if trial.counts and missing:
            wrong.append(
                f"with its fault no {' or '.join(missing)} in {trial.executions:,} executions under {trial.model}"
            )
    return wrong


def _found(trial: Trial) -> str:
    return ", ".join(f"{oracle} {n:,}" for oracle, n in trial.counts.items())
