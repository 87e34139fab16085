"""What a run of the suite gives, for programs; the tables are drawn from it."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from race.results import Count, Timing

VERSION: Final = 1

# As measured. inconsistent: a weaker model does not show what a stronger one does.
Measured = Literal["sequential", "interleaving", "needs-tso", "needs-armv8", "not-shown", "inconsistent"]


class Trial(msgspec.Struct, kw_only=True):
    """Executions of one plan under one model. One that is to find something ends with that."""

    model: str
    executions: Count
    cut_short: Count = 0
    counts: dict[str, Count] = {}
    first: dict[str, Count] = {}  # by oracle: the number of the first execution in which it fired
    token: str = ""  # of the first finding that was expected; else of the first

    @property
    def clean(self) -> bool:
        return not self.counts


class Row(msgspec.Struct, kw_only=True):
    """One bug."""

    id: str
    scenario: str
    file: str
    title: str
    kind: str  # as its file has it
    fault: str
    right: str
    find: list[str]
    guards: dict[str, str] = {}  # that the scenario holds: the kernel that it is about
    measured: Measured | None = None  # None: the run ended before
    with_fault: list[Trial] = []
    with_fix: list[Trial] = []
    report: str = ""  # the file with the smallest execution
    wrong: list[str] = []  # what is not as the file has it

    @property
    def fix_executions(self) -> int:
        """Of each model; the fewest."""
        return min((trial.executions - trial.cut_short for trial in self.with_fix), default=0)

    @property
    def done(self) -> bool:
        return self.measured is not None

    @property
    def held(self) -> bool:
        return self.done and not self.wrong

    @property
    def first(self) -> Trial | None:
        """The strongest model that shows it."""
        return next((trial for trial in self.with_fault if trial.counts), None)


class Suite(msgspec.Struct, kw_only=True):
    format: Literal["race-suite"] = "race-suite"
    version: Literal[1] = VERSION
    command: list[str]
    seed: Count
    executions: Count
    interrupted: bool = False
    error: str = ""
    exit_status: Count = 4
    rows: list[Row]
    host: dict[str, str | int] = {}
    timing: Timing | None = None


def encode(suite: Suite) -> bytes:
    return msgspec.json.format(msgspec.json.encode(suite), indent=2) + b"\n"
