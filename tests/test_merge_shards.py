"""`race merge`: shards add up to the whole; what does not belong together is refused."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from race import results
from tests.conftest import RunRace

COMPARE = "compare freeobj-corruption --executions 2000 --page-size 256 --jobs 1"
HARDWARE = "compare freeobj-corruption --engine hardware --executions 2000 --calibrate 0.2"


@pytest.fixture
def shards(run_race: RunRace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    for i in (1, 2):
        run_race(*f"{COMPARE} --shard {i}/2 --json {i}.json".split())
    return ["1.json", "2.json"]


def test_shards_are_the_whole(run_race: RunRace, shards: list[str]) -> None:
    whole = run_race(*f"{COMPARE} --json whole.json".split())
    outcome = run_race("merge", *shards, "--json", "sum.json")
    assert outcome.status == whole.status == 0
    one, added = results.load("whole.json"), results.load("sum.json")
    assert [arm.counts for arm in added.arms] == [arm.counts for arm in one.arms]
    assert [arm.executions for arm in added.arms] == [arm.executions for arm in one.arms]
    assert [arm.total for arm in added.arms] == [arm.total for arm in one.arms]
    assert added.differences == one.differences
    assert added.verdict == one.verdict
    # Each shard keeps its own first ones, so the sum has those of the whole, and more.
    kept = {finding.execution for finding in one.arms[0].findings}
    assert kept <= {finding.execution for finding in added.arms[0].findings}


def test_a_shard_counts_once(run_race: RunRace, shards: list[str]) -> None:
    outcome = run_race("merge", shards[0], shards[1], shards[0])
    assert outcome.status == 2
    assert "1.json is shard 1/2, and so is 1.json" in outcome.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--seed 2 --shard 2/2", "its seed is 2, not 1"),
        ("--model tso --shard 2/2", "its model is tso, not armv8"),
        ("--barriers off --shard 2/2", "its set of barrier plans is off, not off; bit-spin-only; on"),
        ("--shard 2/3", "of different campaigns: of 2 and of 3 parts"),
        ("", "2.json is no shard"),
    ],
)
def test_what_does_not_belong_together(
    run_race: RunRace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run_race(*f"{COMPARE} --executions 600 --shard 1/2 --json 1.json".replace("--executions 2000 ", "").split())
    run_race(*f"{COMPARE} --executions 600 {options} --json 2.json".replace("--executions 2000 ", "").split())
    outcome = run_race("merge", "1.json", "2.json")
    assert outcome.status == 2
    assert message in outcome.err


def test_one_is_no_sum(run_race: RunRace, shards: list[str]) -> None:
    outcome = run_race("merge", shards[0])
    assert outcome == (2, "", "race: error: give at least two results to merge\n")


def test_hardware_results_add_up(run_race: RunRace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for i in (1, 2):
        run_race(*f"{HARDWARE} --shard {i}/2 --json {i}.json".split())
    run_race("merge", "1.json", "2.json", "--json", "sum.json")
    one, two, added = (results.load(name) for name in ("1.json", "2.json", "sum.json"))
    assert [arm.executions for arm in added.arms] == [
        a.executions + b.executions for a, b in zip(one.arms, two.arms, strict=True)
    ]
    assert added.hardware is not None
    assert added.hardware.calibration is not None
    weak = [test.weak for test in added.hardware.calibration.tests]
    parts = [
        [test.weak for test in document.hardware.calibration.tests]
        for document in (one, two)
        if document.hardware and document.hardware.calibration
    ]
    assert weak == [a + b for a, b in zip(*parts, strict=True)]
    assert added.verdict.status in ("inconclusive", "held")
    same = run_race("merge", "1.json", "1.json")
    assert same.status == 2
    assert "is shard 1/2, and so is" in same.err
    assert msgspec.json.decode(Path("sum.json").read_bytes())["shard"] == "1/2, 2/2"


def test_a_scenario_in_a_folder_is_found_again(
    run_race: RunRace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = "compare w1-class-unlock-without-release --executions 3000 --jobs 1"
    for i in (1, 2):
        run_race(*f"{command} --shard {i}/2 --json {i}.json".split())
    assert run_race("merge", "1.json", "2.json").err == ""
