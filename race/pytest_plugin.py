"""`pytest scenarios/`: each scenario of a known bug is two tests, one for its fault and one for its fix.

A worker process runs the executions, so that neither a crash nor an endless one takes pytest along. What was found is
attached to the test as the section "race".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from race.errors import RaceError

if TYPE_CHECKING:
    from race.pool import LocalPool
    from race.suite.document import Row
    from race.suite.run import Subject

EXECUTIONS = 20_000
HUNT = 10  # times as many to find what is to be found
SECONDS = 120.0
_pool = pytest.StashKey["LocalPool"]()


class WrongBug(Exception):  # noqa: N818 - it becomes a test's failure
    """A bug is not as its file has it."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("race", "scenarios of known races")
    group.addoption(
        "--race-executions",
        type=int,
        default=EXECUTIONS,
        metavar="N",
        help=f"executions of a plan that is to find nothing, under each model (default: {EXECUTIONS:,})",
    )
    group.addoption(
        "--race-seconds", type=float, default=SECONDS, metavar="S", help=f"limit of one test (default: {SECONDS:.0f})"
    )


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.File | None:
    if file_path.suffix != ".toml":
        return None
    text = file_path.read_bytes()
    # Other projects have TOML files too: only one that has both tables is ours, and then its mistakes are reported.
    if b"\n[bug]" not in text or b"\n[[threads]]" not in text:
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


def pytest_unconfigure(config: pytest.Config) -> None:
    _close(config)


class ScenarioFile(pytest.File):
    def collect(self) -> Iterator[pytest.Item]:
        for what in ("fault", "fix"):
            yield PlanItem.from_parent(self, name=what)


class PlanItem(pytest.Item):
    """One plan of a scenario, under every model."""

    def runtest(self) -> None:
        from race.ablation.bench import Ended
        from race.suite.run import Runner

        subject = self._subject()
        row = subject.row()
        executions, seconds = self.config.getoption("race_executions"), self.config.getoption("race_seconds")
        runner = Runner(
            workers=_open(self.config),
            stop=threading.Event(),
            progress=lambda *_: None,
            executions=executions,
            hunt=HUNT * executions,
            seed=1,
            deadline=time.monotonic() + seconds,
        )
        try:
            if self.name == "fault":
                runner.run_fault(subject, row)
            else:
                runner.run_fix(subject, row)
        except Ended:
            _close(self.config)  # it was told to stop, for good
            row.wrong.append(f"not done within {seconds:g} s (--race-seconds)")
        self._attach(row)
        if row.wrong:
            raise WrongBug("\n".join(row.wrong))

    def _subject(self) -> Subject:
        from race import native
        from race.scenario.load import load, read
        from race.suite.run import subject

        catalog = native.catalog()
        found = subject(load(read(self.path, str(self.path)), catalog), catalog)
        if found is None:
            raise WrongBug(f"{self.path}: it has no [bug] table")
        return found

    def _attach(self, row: Row) -> None:
        lines = [f"{row.id}: {row.title}", f"kind {row.kind}" + (f", measured {row.measured}" if row.measured else "")]
        for plan, trials in ((row.fault, row.with_fault), (row.right, row.with_fix)):
            for trial in trials:
                found = ", ".join(f"{oracle} {n:,}" for oracle, n in trial.counts.items()) or "nothing"
                lines.append(f"{plan} under {trial.model}: {found} in {trial.executions:,} executions")
                if trial.token:
                    lines.append(f"  race replay {trial.token} --scenario {self.path}")
        self.add_report_section("call", "race", "\n".join(lines))
        self.user_properties.append(("race", "\n".join(lines)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **keywords: Any) -> Any:
        if isinstance(excinfo.value, WrongBug | RaceError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, *args, **keywords)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.path.stem} with its {self.name}"


def _open(config: pytest.Config) -> LocalPool:
    """One worker for all tests of the session."""
    from race.pool import LocalPool

    pool = config.stash.get(_pool, None)
    if pool is None:
        pool = config.stash[_pool] = LocalPool(1)
    return pool


def _close(config: pytest.Config) -> None:
    pool = config.stash.get(_pool, None)
    if pool is not None:
        del config.stash[_pool]
        pool.shutdown(wait=False)
