"""The hardware engine from the command line: budgets, verdicts, and processes that die.

Nothing here depends on what the CPU happens to reorder, or on how fast it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from race import results
from race.errors import InputError, RunError
from race.hardware import process
from race.hardware.request import Request
from tests.conftest import RunRace
from tests.faulty import run_plan

NATIVE = Path(__file__).parents[1] / "build" / "native" / "native"
MAY_FIND = {"tso": 1, "armv8": 0}  # exit status when plan off finds something: under TSO it may not
SHORT = "--engine hardware --executions 2000 --calibrate 0.2"


def test_compare_runs_its_budget_and_claims_nothing(run_race: RunRace, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    outcome = run_race(
        *f"compare freeobj-corruption {SHORT} --barriers off --barriers on".split(),
        *("--json", str(file), "--markdown", str(tmp_path / "out.md")),
    )
    document = results.load(file)
    assert document.hardware is not None
    assert document.hardware.calibration is not None
    assert [test.name for test in document.hardware.calibration.tests] == ["MP", "SB", "LB", "S", "R", "2+2W", "CoRR"]
    assert [arm.plan for arm in document.arms] == ["off", "on"]
    assert all(arm.executions >= 2000 for arm in document.arms)
    assert document.arms[1].counts == {}
    assert "safe" not in outcome.out.lower()
    for text in (outcome.out, (tmp_path / "out.md").read_text(encoding="utf-8")):
        assert "What this host was seen to reorder" in text
    if document.hardware.host.model == "tso":
        assert document.arms[0].counts == {}
        assert document.hardware.forbidden() == []
        assert outcome.status == 3
        assert "this host cannot show it" in outcome.out


def test_run_is_one_arm(run_race: RunRace) -> None:
    outcome = run_race(*f"run freeobj-corruption {SHORT} --barriers on".split())
    assert outcome.status == 3
    assert "Verdict: inconclusive" in outcome.out


def test_publishing_before_the_copy_is_found(run_race: RunRace, tmp_path: Path) -> None:
    status, result, file = run_plan(
        run_race, tmp_path, "--executions 100000 --barriers on", inject="publish-before-copy"
    )
    assert status == 1
    (arm,) = result["arms"]
    assert arm["counts"]["garbage-freeobj"] > 0
    finding = next(f for f in arm["findings"] if f["oracle"] == "garbage-freeobj")
    assert finding["thread"] == "allocator"
    assert finding["function"] == "obj_malloc"
    assert finding["value_kind"] == "poison"
    assert finding["origin"].startswith("poison of frame 2 (page 1 of the zspage), word 168")
    outcome = run_race("report", str(file))
    assert "Verdict: failed" in outcome.out
    assert "garbage-freeobj" in outcome.out


def test_a_crash_is_a_finding_and_the_counts_are_kept(run_race: RunRace, tmp_path: Path) -> None:
    status, result, file = run_plan(run_race, tmp_path, "--executions 40000 --barriers off", inject="segv")
    assert status == MAY_FIND[result["host"]["model"]]
    (arm,) = result["arms"]
    assert arm["deaths"][0]["last_words"]["died"] == "SIGSEGV"
    assert arm["counts"] == {"oops": len(arm["deaths"])}
    assert arm["executions"] >= 28_900  # of the first process, up to the batch in which it died
    assert arm["findings"][0]["function"] == "injected"
    assert "SIGSEGV at 0x10 in injected" in " ".join(run_race("report", str(file)).out.split())


def test_an_endless_loop_is_a_finding(run_race: RunRace, tmp_path: Path) -> None:
    status, result, file = run_plan(
        run_race, tmp_path, "--executions 29500 --barriers off", inject="loop", hang_seconds=1
    )
    assert status == MAY_FIND[result["host"]["model"]]
    (arm,) = result["arms"]
    assert arm["counts"] == {"livelock": 1}
    assert arm["executions"] >= 28_900
    assert "no thread got on for 1 s" in " ".join(run_race("report", str(file)).out.split())


def test_an_exit_ends_the_run_and_the_counts_are_kept(run_race: RunRace, tmp_path: Path) -> None:
    status, result, file = run_plan(run_race, tmp_path, "--seconds 60 --barriers off", inject="exit")
    assert status == 4
    assert result["error"] == "the process that raced ended: exit status 3"
    assert result["arms"][0]["counts"] == {}
    outcome = run_race("report", str(file))
    assert "Verdict: incomplete" in outcome.out
    assert "exit status 3" in outcome.out


def test_calibrate(run_race: RunRace, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    outcome = run_race("calibrate", "--seconds", "0.5", "--json", str(file))
    document = json.loads(file.read_text(encoding="utf-8"))
    tests = {test["name"]: test for test in document["calibration"]["tests"]}
    assert all(test["iterations"] == sum(test["outcomes"].values()) > 0 for test in tests.values())
    assert all(test["weak"] <= test["iterations"] for test in tests.values())
    model = document["host"]["model"]
    forbidden = [name for name, test in tests.items() if test["weak"] and not test["allowed"][model]]
    assert forbidden == []
    assert outcome.status == (0 if any(test["weak"] for test in tests.values()) else 3)
    assert "2+2W" in outcome.out


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="on one CPU nothing is reordered")
def test_calibrate_sees_store_buffering(run_race: RunRace, tmp_path: Path) -> None:
    """Every CPU with a store buffer shows it, this one in one of four iterations: ten tries do not all fail."""
    file = tmp_path / "out.json"
    for _ in range(10):
        run_race("calibrate", "--seconds", "1", "--json", str(file))
        tests = json.loads(file.read_text(encoding="utf-8"))["calibration"]["tests"]
        if any(test["weak"] for test in tests if test["name"] == "SB"):
            return
    pytest.fail("no SB in 10 s")


MISTAKES = [
    (b"[]", "is not a JSON object"),
    (b'{"format": "race-plan", "version": 2}', "$.version: this program reads version 1"),
    (b'{"format": "race-plan", "version": 1, "engine": "fast"}', '$.engine: unknown "fast"'),
    (b'{"format": "race-plan", "version": 1, "engine": "weak", "seed": 1, "arms": []}', "$.arms: is empty"),
]


@pytest.mark.parametrize(("plan", "message"), MISTAKES)
def test_race_native_refuses(plan: bytes, message: str) -> None:
    done = subprocess.run([str(NATIVE / "race-native")], input=plan, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"race-native: error: ")
    assert message in done.stderr.decode()


def test_no_faults_in_the_ordinary_build(run_race: RunRace) -> None:
    plan = msgspec.json.decode(run_race("plan", "freeobj-corruption", "--executions", "1").out)
    plan["inject"] = "segv"
    done = subprocess.run(
        [str(NATIVE / "race-native")], input=msgspec.json.encode(plan), capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 4
    assert b"this build injects no faults" in done.stderr


def test_an_engine_that_dies_is_a_run_that_failed() -> None:
    dies = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    with pytest.raises(RunError, match="ended without a result: signal 9"):
        process.run(Request(engine="hardware", seed=1), threading.Event(), lambda _: None, dies)


def test_what_the_engine_refuses_is_the_input() -> None:
    with pytest.raises(InputError, match="is empty"):
        process.run(Request(engine="hardware", seed=1), threading.Event(), lambda _: None)


def test_interrupted_runs_say_so() -> None:
    stop = threading.Event()
    stop.set()
    raw = process.run(Request(engine="hardware", seed=1, calibrate_seconds=60), stop, lambda _: None)
    assert msgspec.json.decode(raw)["interrupted"]


@pytest.mark.parametrize("scenario", ["b5-destroy-against-migration", "a2-pins-without-class-lock"])
def test_what_the_engine_cannot_run_is_refused_at_once(run_race: RunRace, scenario: str) -> None:
    status, out, err = run_race("run", scenario, "--engine", "hardware", "--seconds", "1")
    assert (status, out) == (2, "")
    assert "which the hardware engine cannot run; use --engine weak" in err


def test_race_native_judges_the_weak_machine_by_its_own_model(run_race: RunRace) -> None:
    """Not by this CPU's: under TSO, plan off would have to be clean."""
    outcome = run_race("plan", "freeobj-corruption", "--engine", "weak", "--executions", "300")
    plan = msgspec.json.decode(outcome.out)
    for strength, status in (("off", 0), ("on", 1)):
        (arm,) = [arm for arm in plan["arms"] if arm["plan"] == "off"]
        request = plan | {"arms": [arm | {"weakened": strength == "off"}]}
        done = subprocess.run(
            [str(NATIVE / "race-native")], input=msgspec.json.encode(request), capture_output=True, check=False
        )
        assert msgspec.json.decode(done.stdout)["arms"][0]["counts"]
        assert done.returncode == status
