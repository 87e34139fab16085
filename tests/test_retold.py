"""Executions that the exhaustive search explores are told to the random machine: as deviations, like any other's.

Of litmus programs every execution is told, and has to come to the same final state; of scenarios the findings, and
each has to be the same finding, again from its deviations alone.
"""

from __future__ import annotations

import random
import subprocess

import msgspec
import pytest

from race import native
from race.litmus.files import read_all
from race.plan import resolve
from race.scenario.load import find, load, shipped
from race.scenario.native_plan import native_plan
from tests.litmus_support import CHECKOUT, MODELS, OWN, corpus
from tests.search_support import random_program

PROGRAM = CHECKOUT / "build" / "native" / "native" / "race-retell"

# The random machine performs a late atomic as a whole: its store cannot come after one that takes its result.
NOT_TOLD = {"LB+swp-swp-ctrl.litmus": 1}

pytestmark = pytest.mark.skipif(not PROGRAM.is_file(), reason="the native tests are not built: `make test` builds them")


class Executions(msgspec.Struct):
    executions: int
    told: int
    first: str  # what kept the first of the others from it


class Findings(msgspec.Struct):
    findings: int
    told: int
    first: str


def tell(programs: list[bytes], *arguments: str) -> list[bytes]:
    command = [str(PROGRAM), *arguments]
    return subprocess.run(command, input=b"\n".join(programs), stdout=subprocess.PIPE, check=True).stdout.splitlines()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("folder", ["own", "open"])
def test_every_execution_of_litmus_tests_is_told(folder: str, model: str) -> None:
    tests, _ = read_all([str(OWN if folder == "own" else corpus() / folder)])
    lines = tell([test.program(model=model, engine="exhaustive-orders", seed=1) for test in tests])
    total = 0
    for test, line in zip(tests, lines, strict=True):
        found = msgspec.json.decode(line, type=Executions | None)
        if found is None:  # it has no graph
            continue
        total += found.executions
        name = test.file.rpartition("/")[2]
        assert found.executions - found.told == (NOT_TOLD.get(name, 0) if model == "armv8" else 0), (name, found.first)
    assert total > 2 * len(tests)


def test_nearly_every_execution_of_random_programs_is_told() -> None:
    rng = random.Random(3)
    programs = [random_program(rng, 2 + k % 2, 4) | {"engine": "exhaustive-orders"} for k in range(300)]
    found = [msgspec.json.decode(line, type=Executions) for line in tell(list(map(msgspec.json.encode, programs)))]
    executions, told = sum(f.executions for f in found), sum(f.told for f in found)
    assert executions > 1000
    assert executions - told <= executions // 200, next(f.first for f in found if f.first)


def test_every_finding_of_a_scenario_is_told() -> None:
    catalog = native.catalog()
    names: list[tuple[str, str, str]] = []
    plans: list[bytes] = []
    for name in shipped():
        scenario = load(find(name), catalog)
        for text in scenario.compare:
            strengths = resolve(text, catalog.sites, scenario.held, catalog.guards)
            for model in ("armv8", "tso"):
                names.append((name, text, model))
                plans.append(native_plan(scenario, strengths, model=model, seed=1, max_findings=0))
    found = [msgspec.json.decode(line, type=Findings) for line in tell(plans, "plan", "40")]
    for subject, f in zip(names, found, strict=True):
        assert f.told == f.findings, (subject, f.first)
    assert sum(f.findings for f in found) > 200
    assert len({name for (name, *_), f in zip(names, found, strict=True) if f.findings}) > 12
