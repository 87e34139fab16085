"""race-native, cross-built, under an emulator: the weak machine gives the same document to the byte, and the rest runs.

Of many more executions there is a digest: `make test-arm64` compares that first.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from race.scenario.load import shipped
from tests.conftest import RunRace
from tests.faulty import EMULATED, run_plan

BUILD = Path(__file__).parents[2] / "build"
HERE = [str(BUILD / "native" / "native" / "race-native")]
THERE = ["qemu-aarch64", str(BUILD / "arm64" / "native" / "race-native")]
EXECUTIONS = 1000


def weak_arms(command: list[str], request: bytes) -> bytes:
    """All that an execution leaves: counts, accesses, findings with their deviations, and traces."""
    done = subprocess.run(command, input=request, capture_output=True, check=True, timeout=200)
    arms = msgspec.json.decode(done.stdout)["arms"]
    for arm in arms:
        del arm["seconds"]
    return msgspec.json.encode(arms)


@pytest.mark.parametrize("scenario", shipped())
def test_weak_machine_is_the_same_to_the_byte(run_race: RunRace, scenario: str) -> None:
    command = f"plan {scenario} --engine weak --executions {EXECUTIONS} --page-size 256 --max-findings 1000"
    plan = msgspec.json.decode(run_race(*command.split()).out)
    for arm in plan["arms"]:
        arm["native"]["max_traces"] = EXECUTIONS
    request = msgspec.json.encode(plan)
    here = weak_arms(HERE, request)
    assert here == weak_arms(THERE, request)
    for arm in msgspec.json.decode(here):
        assert arm["executions"] == EXECUTIONS
        assert arm["accesses"] > EXECUTIONS
        assert len(arm["findings"]) == sum(arm["counts"].values())


@pytest.fixture(scope="module")
def emulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run on `hardware` under the emulator."""
    file = tmp_path_factory.mktemp("emulated") / "result.json"
    from race.cli import main

    plan = file.with_name("plan.json")
    command = f"plan freeobj-corruption --executions 2000 --calibrate 0.5 --barriers off --barriers on --output {plan}"
    assert main(command.split()) == 0
    with file.open("wb") as out:
        done = subprocess.run([*THERE, str(plan)], stdout=out, stderr=subprocess.PIPE, timeout=200)
    assert done.returncode == 0, done.stderr
    assert b"emulated: no evidence about ordering" in done.stderr
    return file


def test_emulated_run_is_no_evidence(run_race: RunRace, emulated: Path) -> None:
    result: dict[str, Any] = msgspec.json.decode(emulated.read_bytes())
    assert result["host"]["emulated"]
    assert [arm["executions"] >= 2000 and not arm["counts"] for arm in result["arms"]] == [True, True]
    outcome = run_race("report", str(emulated))
    assert outcome.status == 0
    assert "emulated: no evidence about ordering" in outcome.out
    assert "Verdict: inconclusive" in outcome.out


def test_publishing_before_the_copy_is_found(run_race: RunRace, tmp_path: Path) -> None:
    options = "--executions 20000 --barriers on"
    status, result, file = run_plan(run_race, tmp_path, options, EMULATED, inject="publish-before-copy")
    assert status == 1
    (arm,) = result["arms"]
    assert arm["counts"]["garbage-freeobj"] > 0
    finding = next(f for f in arm["findings"] if f["oracle"] == "garbage-freeobj")
    assert (finding["thread"], finding["function"]) == ("allocator", "obj_malloc")
    assert finding["origin"].startswith("poison of frame 2 (page 1 of the zspage), word 168")
    assert "garbage-freeobj" in run_race("report", str(file)).out


@pytest.mark.parametrize(
    ("fault", "oracle", "told"),
    [
        ("segv", "oops", "SIGSEGV at 0x10 in injected"),
        ("loop", "livelock", "no thread got on for 1 s"),
    ],
)
def test_a_process_that_dies_leaves_its_cause_and_its_counts(
    run_race: RunRace, tmp_path: Path, fault: str, oracle: str, told: str
) -> None:
    options = "--executions 29500 --barriers off"
    status, result, file = run_plan(run_race, tmp_path, options, EMULATED, inject=fault, hang_seconds=1)
    assert status == 0  # under ARMv8 plan off may find something
    (arm,) = result["arms"]
    assert arm["counts"] == {oracle: len(arm["deaths"])}
    assert arm["executions"] >= 28_900
    assert told in " ".join(run_race("report", str(file)).out.split())
