"""Many more tests, with the answers of another simulator; they are no part of the project."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from race.litmus import values
from race.litmus.files import read_all
from race.litmus.result import Record, verdict
from tests.conftest import RunRace
from tests.litmus_support import corpus


class Judged(Record):
    condition: str = ""
    kind: str = ""


@pytest.mark.parametrize("folder", ["open", "zsmalloc"])
def test_every_test_is_read_and_its_condition_judges_the_listed_states(folder: str) -> None:
    path = corpus() / folder
    tests, unreadable = read_all([str(path)])
    assert unreadable == []
    records = [msgspec.json.decode(line, type=Judged) for line in (path / "expected.jsonl").read_bytes().splitlines()]
    by_file = {Path(test.file).name: test for test in tests}
    assert by_file.keys() == {record.file for record in records}
    for record in records:
        test = by_file[record.file]
        assert (test.name, str(test.final), test.final.kind) == (record.name, record.condition, record.kind)
        positive = []
        for state in record.states:
            assert set(state) == set(test.shown)
            positive.append(test.final.proposition.holds({n: values.parsed(text) for n, text in state.items()}))
        # Their numbers count executions, several of which may end in one state.
        assert verdict(positive) == record.verdict
        assert (any(positive), not all(positive)) == (record.positive > 0, record.negative > 0)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("folder", "model"), [("open", "armv8"), ("open", "sc"), ("zsmalloc", "armv8")])
@pytest.mark.parametrize("engine", ["exhaustive", "weak"])
def test_the_states_are_those_that_are_listed(folder: str, model: str, engine: str, run_race: RunRace) -> None:
    path = corpus() / folder
    more = ("--executions", "5000") if engine == "weak" else ()
    expected = path / "expected.jsonl"
    status, out, err = run_race("litmus", path, "--model", model, "--engine", engine, *more, "--expect", expected)
    assert (status, err) == (0, ""), "\n".join(
        line for line in out.splitlines() if line.startswith(("unsound", "incom"))
    )
