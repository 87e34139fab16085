"""The search that runs every execution once finds the final states that the search over states finds."""

from __future__ import annotations

import random

import msgspec
import pytest

from race.litmus.files import read_all
from tests.litmus_support import MODELS, OWN, corpus
from tests.search_support import Found, needs_program, random_program, search

pytestmark = needs_program


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("folder", ["own", "open"])
def test_the_final_states_are_the_same(folder: str, model: str) -> None:
    tests, _ = read_all([str(OWN if folder == "own" else corpus() / folder)])
    by_states = search([test.program(model=model, engine="exhaustive", seed=1) for test in tests])
    programs = [test.program(model=model, engine="exhaustive-orders", seed=1) for test in tests]
    by_orders = search(programs)
    for test, states, orders in zip(tests, by_states, by_orders, strict=True):
        assert orders.complete, test.file
        assert orders.states == states.states, test.file
    assert in_another_order(programs, seed=1) == [what(found) for found in by_orders]
    assert sum(found.executions for found in by_orders) < sum(found.executions for found in by_states)


@pytest.mark.parametrize(("seed", "threads", "length", "count"), [(1, 2, 5, 250), (2, 3, 3, 50)])
def test_of_random_programs_too(seed: int, threads: int, length: int, count: int) -> None:
    rng = random.Random(seed)
    programs = [random_program(rng, threads, length) for _ in range(count)]
    by_states = search([msgspec.json.encode(program | {"engine": "exhaustive"}) for program in programs])
    to_order = [msgspec.json.encode(program | {"engine": "exhaustive-orders"}) for program in programs]
    by_orders = search(to_order)
    for program, states, orders in zip(programs, by_states, by_orders, strict=True):
        assert states.complete
        assert orders.complete
        assert orders.states == states.states, msgspec.json.encode(program).decode()
    for order in range(1, 4):
        assert in_another_order(to_order, order) == [what(found) for found in by_orders]


def what(found: Found) -> tuple[bool, set[tuple[int, ...]], int]:
    return found.complete, found.states, found.executions


def in_another_order(programs: list[bytes], seed: int) -> list[tuple[bool, set[tuple[int, ...]], int]]:
    """The same search, with what comes first drawn."""
    drawn = [msgspec.json.encode(msgspec.json.decode(program) | {"order": seed}) for program in programs]
    return [what(found) for found in search(drawn)]
