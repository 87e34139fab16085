"""What the search over orders leaves out: nothing is lost by it, and where something is lost a test notices."""

from __future__ import annotations

import functools
import random
import subprocess
from pathlib import Path

import msgspec
import pytest

from race.litmus.files import read_all
from tests.litmus_support import OWN, corpus
from tests.search_support import PROGRAM, Found, needs_program, random_program, search

pytestmark = needs_program

# A test that notices, for each mistake that native/memory/weak/mistakes.hpp names.
NOTICED_BY = {
    "begin-dropped": "X+stores+rel-inc",
    "other-dropped": "X+stores+load",
    "need-dropped": "2+2W+rels",
    "base-need-dropped": "S+po+inc-incA-po",
    "loads-reordered": "X+load-inc-data",
    "never-wakes": "2+2W",
    "all-sleep": "LB",
    "no-race-with-load": "LB",
    "forwarded-ignored": "X+stores-po+store-incA-inc",
    "atomic-needs-load": "LSE+swps",
    "own-reads": "LSE+swps",
    "own-all": "2+2W",
    "newest-only": "CoRR",
    "seen-too-wide": "IRIW",
    "no-split": "LB+swp-swp-ctrl",
}
# No litmus test has a lock that is one access: the program of test_locks_that_do_not_race_are_noticed has.
NOTICED_BY_LOCKS = ["condition-forgotten"]


@functools.cache
def programs(kind: str) -> list[bytes]:
    if kind == "random":
        rng = random.Random(3)
        some = [random_program(rng, threads, length) for threads, length in [(2, 5)] * 200 + [(3, 3)] * 50]
        return [msgspec.json.encode(program | {"engine": "exhaustive-orders"}) for program in some]
    tests, _ = read_all([str(OWN if kind == "own" else corpus() / kind)])
    return [test.program(model="armv8", engine="exhaustive-orders", seed=1) for test in tests]


@functools.cache
def found(kind: str, *options: str) -> list[Found]:
    return search(programs(kind), *options)


def runs(kind: str, *options: str) -> int:
    return sum(each.runs for each in found(kind, *options))


REDUCTIONS = [("sleep-sets",), ("source-sets",), ("sleep-sets", "source-sets"), ("writes-commute",)]


@pytest.mark.parametrize("off", REDUCTIONS, ids="+".join)
@pytest.mark.parametrize("kind", ["own", "open", "random"])
def test_without_a_reduction_the_final_states_are_the_same(kind: str, off: tuple[str, ...]) -> None:
    for program, usual, without in zip(programs(kind), found(kind), found(kind, *off), strict=True):
        assert without.complete, program.decode()
        assert without.states == usual.states, program.decode()
        assert without.executions >= usual.executions, program.decode()


@pytest.mark.parametrize("kind", ["own", "random"])
def test_without_a_reduction_there_is_more_to_run(kind: str) -> None:
    # With sleep sets, what source sets leave out is mostly asleep already; without them it is run.
    usual, no_sleep, none, orders = runs(kind), *(runs(kind, *off) for off in [REDUCTIONS[0], *REDUCTIONS[2:]])
    assert usual < no_sleep < none < orders


def test_without_order_of_writes_a_page_is_one() -> None:
    usual, ordered = locks(), locks("writes-commute")
    assert usual == {"executions": 6, "runs": 6}  # the orders of the lock
    assert ordered["executions"] > 6


def test_the_tables_have_every_mistake() -> None:
    done = subprocess.run([PROGRAM, "--list-mistakes"], stdout=subprocess.PIPE, check=True, text=True)
    assert set(done.stdout.split()) == {*NOTICED_BY, *NOTICED_BY_LOCKS}


@pytest.mark.parametrize("mistake", NOTICED_BY)
def test_a_mistake_is_noticed(mistake: str) -> None:
    tests, _ = read_all([str(OWN)])
    at = [Path(test.file).stem for test in tests].index(NOTICED_BY[mistake])
    right, wrong = found("own")[at], search([programs("own")[at]], mistake)[0]
    assert right.complete
    assert wrong.states < right.states or wrong.error


@pytest.mark.parametrize("mistake", NOTICED_BY_LOCKS)
def test_locks_that_do_not_race_are_noticed(mistake: str) -> None:
    assert locks(mistake)["executions"] < locks()["executions"]


def locks(*options: str) -> dict[str, int]:
    done = subprocess.run([PROGRAM, "--locks", *options], stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=dict[str, int])
