"""What the shipped scenarios expect of every plan is what they give, under every model."""

from __future__ import annotations

from pathlib import Path

import pytest

from race.native import Catalog
from race.results import load as load_result
from race.scenario.load import find, load, shipped, shipped_folder
from tests.conftest import RunRace

# Enough that what is to be found is found: the rarest of it comes some ten times in 10,000 executions.
EXECUTIONS = {"malloc-free-migrate": 3000}
DEFAULT_EXECUTIONS = 20_000


@pytest.mark.parametrize("model", ["armv8", "tso", "sc"])
@pytest.mark.parametrize("name", [name for name, path in shipped().items() if path.parent == shipped_folder()])
def test_expectations_hold(name: str, model: str, known: Catalog, tmp_path: Path, run_race: RunRace) -> None:
    expected = [e for e in load(find(name), known, 256).expected if model in e.models]
    assert expected
    plans = [part for e in expected for part in ("--barriers", e.plan)]
    size = ["--page-size", "256", "--executions", str(EXECUTIONS.get(name, DEFAULT_EXECUTIONS))]
    path = tmp_path / "result.json"
    outcome = run_race("compare", name, "--model", model, *size, *plans, "--json", path)
    assert outcome.status == 0, outcome.out
    arms = load_result(path).arms
    assert [arm.plan for arm in arms] == [e.plan for e in expected]
    assert all(arm.expectation is not None and arm.expectation.met for arm in arms)


def test_the_garbage_is_the_poison_of_the_page_that_the_copy_went_to(tmp_path: Path, run_race: RunRace) -> None:
    path = tmp_path / "result.json"
    run_race("run", "freeobj-corruption", "--page-size", "256", "--executions", "3000", "--json", path)
    garbage = [f for f in load_result(path).arms[0].findings if f.oracle == "garbage-freeobj"]
    assert garbage
    for finding in garbage:
        assert finding.value_kind == "poison"
        assert "zs_page_migrate copies to" in finding.origin
        assert finding.thread == "allocator"
        assert int(finding.value, 16) not in (0, 0x7FFFFFFF, 0xFFFFFFFF)
