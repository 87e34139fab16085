"""`race litmus` as a user runs it; where the engine does not matter, with a machine that says what it is told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from race.litmus.run import UNLIMITED
from tests.conftest import RunRace
from tests.litmus_support import MP, FakeMachine, InlinePool, answer, machine, one
from tests.test_cli_interrupt import workers

__all__ = ["machine"]  # the fixture


@pytest.fixture
def tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three tests, in the current folder."""
    monkeypatch.chdir(tmp_path)
    folder = Path("tests")
    (folder / "more").mkdir(parents=True)
    (folder / "b.litmus").write_text(MP, encoding="utf-8")
    (folder / "a.litmus").write_text(MP.replace("MP", "second"), encoding="utf-8")
    (folder / "more" / "c.litmus").write_text(MP.replace("MP", "third"), encoding="utf-8")
    (folder / "notes.txt").write_text("no test", encoding="utf-8")
    return folder


def order(out: str) -> list[str]:
    return [line.split()[1] for line in out.splitlines() if line.startswith("Test ")]


def test_one_test(tests: Path, machine: type[FakeMachine], run_race: RunRace) -> None:
    status, out, err = run_race("litmus", tests / "b.litmus")
    assert (status, err) == (0, "")
    assert out.startswith("Test MP Allowed\nStates 2\n")
    assert out.endswith("\n\n")  # no summary of one test
    assert machine.limits == [UNLIMITED]
    assert [(p["model"], p["engine"], p["seed"]) for p in machine.programs] == [("armv8", "exhaustive", 1)]


def test_folders_are_read_recursively_and_each_file_once(
    tests: Path, machine: type[FakeMachine], run_race: RunRace
) -> None:
    status, out, _ = run_race("litmus", "tests/b.litmus", tests, "--jobs", "2")
    assert status == 0
    assert order(out) == ["MP", "second", "third"]
    assert out.splitlines()[-1].startswith("3 tests: 3 Sometimes; 3 Ok; 6 executions; ")
    assert len(machine.programs) == 3


def test_options_reach_the_machine(tests: Path, machine: type[FakeMachine], run_race: RunRace) -> None:
    run_race("litmus", tests / "b.litmus", "--engine", "weak")
    run_race("litmus", tests / "b.litmus", "--engine", "weak", "--executions", "7", "--model", "tso", "--seed", "0x10")
    run_race("litmus", tests / "b.litmus", "--executions", "9", "--model", "sc")
    assert machine.limits == [100_000, 7, 9]
    asked = [(p["model"], p["engine"], p["seed"]) for p in machine.programs]
    assert asked == [("armv8", "weak", 1), ("tso", "weak", 16), ("sc", "exhaustive", 1)]


@pytest.mark.usefixtures("machine")
def test_json(tests: Path, run_race: RunRace) -> None:
    status, out, err = run_race("litmus", tests, "--json", "out.jsonl")
    assert (status, err) == (0, "")
    assert order(out) == ["second", "MP", "third"]
    lines = [json.loads(line) for line in Path("out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["name"] for line in lines] == ["second", "MP", "third"]
    assert [line["file"] for line in lines] == ["tests/a.litmus", "tests/b.litmus", "tests/more/c.litmus"]


@pytest.mark.usefixtures("machine")
def test_json_on_standard_output_leaves_it_to_the_json(tests: Path, run_race: RunRace) -> None:
    status, out, err = run_race("litmus", tests, "--json", "-")
    assert status == 0
    assert [json.loads(line)["name"] for line in out.splitlines()] == ["second", "MP", "third"]
    assert err.startswith("3 tests: ")


def test_expect(tests: Path, machine: type[FakeMachine], run_race: RunRace) -> None:
    run_race("litmus", tests, "--json", "out.jsonl")
    status, out, err = run_race("litmus", tests, "--expect", "out.jsonl")
    assert (status, err) == (0, "")
    assert out.endswith("compared with out.jsonl: 3 agree, 0 unsound, 0 incomplete\n")
    machine.answer = answer((1, 0), (0, 0))
    status, out, err = run_race("litmus", tests, "--expect", "out.jsonl")
    assert (status, err) == (1, "")
    assert "unsound: tests/b.litmus: MP: 1:X0=0; 1:X2=0 not in 2 listed\n" in out
    assert out.endswith("compared with out.jsonl: 0 agree, 3 unsound, 0 incomplete\n")


@pytest.mark.usefixtures("machine")
def test_expectations_for_other_tests_only_are_a_mistake(tests: Path, run_race: RunRace) -> None:
    run_race("litmus", tests / "a.litmus", "--json", "out.jsonl")
    status, _, err = run_race("litmus", tests / "b.litmus", "--expect", "out.jsonl")
    assert (status, err) == (2, "race: error: out.jsonl: it lists none of these tests under model armv8\n")


def test_a_search_that_hits_its_limit_is_incomplete(tests: Path, machine: type[FakeMachine], run_race: RunRace) -> None:
    machine.answer = answer((1, 1), complete=False)
    assert run_race("litmus", tests / "b.litmus", "--executions", "2").status == 4
    assert run_race("litmus", tests / "b.litmus", "--executions", "2", "--engine", "weak").status == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "the following arguments are required: FILE|FOLDER; see `race litmus --help`"),
        ("a --engine week", 'argument --engine: unknown engine "week"; did you mean "weak"?; see `race litmus --help`'),
        ("a --model arm", 'argument --model: unknown model "arm"; did you mean "armv8"?; see `race litmus --help`'),
        ("a --expct b", 'unknown option "--expct"; did you mean "--expect"?'),
        ("a --expect b", "cannot read b: No such file or directory"),
        ("a --json missing/out", "cannot write missing/out: there is no folder missing"),
    ],
)
def test_mistakes_on_the_command_line(
    arguments: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_race: RunRace
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_race("litmus", *arguments.split()) == (2, "", f"race: error: {message}\n")


class StoppingPool(InlinePool):
    """The first test ends, the second one is cut short, the third never begins."""

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs)
        self._futures: list[Future[Any]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = super().submit(fn, *args, **kwargs) if not self._futures else Future()
        if len(self._futures) == 1:
            future.set_running_or_notify_cancel()
            self._arguments = fn, args
        self._futures.append(future)
        return future

    def cancel(self) -> None:
        fn, arguments = self._arguments
        self._futures[1].set_result(fn(*arguments))


def test_an_interruption_writes_what_there_is(
    tests: Path, machine: type[FakeMachine], monkeypatch: pytest.MonkeyPatch, run_race: RunRace
) -> None:
    @contextmanager
    def interrupted() -> Iterator[threading.Event]:
        stop = threading.Event()
        stop.set()
        yield stop

    monkeypatch.setattr("race.cli.litmus.interrupts", interrupted)
    monkeypatch.setattr("race.cli.litmus.LocalPool", StoppingPool)
    status, out, err = run_race("litmus", tests, "--json", "out.jsonl")
    assert (status, err) == (4, "race: error: interrupted: 2 of 3 tests\n")
    assert order(out) == ["second", "MP"]
    assert len(machine.programs) == 2
    assert Path("out.jsonl").read_text(encoding="utf-8").count("\n") == 2


@pytest.mark.usefixtures("machine")
def test_a_dead_worker(tests: Path, monkeypatch: pytest.MonkeyPatch, run_race: RunRace) -> None:
    class Dying(InlinePool):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            future = super().submit(fn, *args, **kwargs)
            if args[0] and b"second" not in args[0] and len(FakeMachine.programs) > 1:
                future = Future()
                future.set_exception(BrokenExecutor())
            return future

    monkeypatch.setattr("race.cli.litmus.LocalPool", Dying)
    status, out, err = run_race("litmus", tests)
    assert (status, err) == (4, "race: error: a worker process died: SIGSEGV\n")
    assert order(out) == ["second"]


# ---- with the real machine


@pytest.mark.parametrize("engine", ["exhaustive", "weak"])
def test_results_do_not_depend_on_the_number_of_workers(engine: str, tests: Path, run_race: RunRace) -> None:
    results = []
    for jobs in ("1", "3"):
        command = ("litmus", tests, "--engine", engine, "--jobs", jobs)
        assert run_race(*command, "--json", "out.jsonl").status == 0
        lines = [json.loads(line) for line in Path("out.jsonl").read_text(encoding="utf-8").splitlines()]
        results.append([{name: line[name] for name in line if name != "seconds"} for line in lines])
    assert results[0] == results[1]
    assert [line["verdict"] for line in results[0]] == ["Sometimes"] * 3
    assert engine == "weak" or all(line["complete"] for line in results[0])


def test_an_address_that_is_no_location_is_refused(tests: Path, run_race: RunRace) -> None:
    (tests / "a.litmus").write_text(one("MOV X1,#8; LDR W0,[X1]"), encoding="utf-8")
    status, out, err = run_race("litmus", tests)
    assert status == 2
    assert order(out) == ["MP", "third"]
    assert err.startswith("race: error: tests/a.litmus: ")
    assert err.count("\n") == 1


def test_a_signal_writes_what_there_is(tests: Path) -> None:
    endless = ("--engine", "weak", "--executions", "1_000_000_000_000", "--jobs", "2", "--json", "out.jsonl")
    command = [sys.executable, "-m", "race", "litmus", str(tests), *endless]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while len(workers(process.pid)) < 2:
            assert process.poll() is None
            time.sleep(0.02)
        time.sleep(1.5)  # until they run
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, err) == (4, "race: error: interrupted: 2 of 3 tests\n")
    assert order(out) == ["second", "MP"]
    lines = [json.loads(line) for line in Path("out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert all(0 < line["executions"] == sum(line["counts"]) for line in lines)


def test_a_reader_that_has_gone_ends_the_run(tests: Path) -> None:
    for number in range(30):
        (tests / f"{number}.litmus").write_text(MP, encoding="utf-8")
    command = [sys.executable, "-m", "race", "litmus", str(tests), "--engine", "weak", "--executions", "10_000_000"]
    read, write = os.pipe()
    os.close(read)
    began = time.monotonic()
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(command, check=False, stdout=pipe, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert time.monotonic() - began < 60
