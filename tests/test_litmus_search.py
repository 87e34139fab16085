"""The search that runs every execution once finds the final states that the search over states finds."""

from __future__ import annotations

import random

import msgspec
import pytest

from race.litmus.files import read_all
from race.litmus.program import LitmusTest
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
    assert in_another_order(programs, seed=1) == [found.all_but_runs() for found in by_orders]
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
        assert in_another_order(to_order, order) == [found.all_but_runs() for found in by_orders]


def test_there_are_as_many_executions_as_the_reference_has() -> None:
    folder = corpus() / "open"
    tests, _ = read_all([str(folder)])
    lines = (folder / "expected.jsonl").read_bytes().splitlines()
    expected = {e["name"]: e for e in map(msgspec.json.decode, lines) if e["model"] == "aarch64"}
    on_graph = [test for test in tests if has_graph(test)]
    assert len(on_graph) >= 400
    found = search([test.program(model="armv8", engine="exhaustive-orders", seed=1) for test in on_graph])
    for test, each in zip(on_graph, found, strict=True):
        reference = expected[test.name]
        assert each.executions == reference["positive"] + reference["negative"], test.file


def has_graph(test: LitmusTest) -> bool:
    """Others are left to the search over states (native/litmus/runner.cpp)."""
    return not any(
        i.fields["op"] in ("cas", "store-exclusive")
        or i.fields.get("exclusive")
        or i.fields.get("target", at + 1) <= at
        for thread in test.threads
        for at, i in enumerate(thread.code)
    )


def in_another_order(programs: list[bytes], seed: int) -> list[Found]:
    """The same search, with what comes first drawn."""
    ordered = [msgspec.json.encode(msgspec.json.decode(program) | {"order": seed}) for program in programs]
    return [found.all_but_runs() for found in search(ordered)]
