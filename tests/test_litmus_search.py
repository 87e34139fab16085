"""The search that runs every execution once finds the final states that the search over states finds."""

from __future__ import annotations

import random
import subprocess
from typing import Any

import msgspec
import pytest

from race.litmus.files import read_all
from tests.litmus_support import CHECKOUT, MODELS, OWN, corpus

PROGRAM = CHECKOUT / "build" / "native" / "native" / "race-broken-rules"

pytestmark = pytest.mark.skipif(not PROGRAM.is_file(), reason="the native tests are not built: `make test` builds them")


class Found(msgspec.Struct):
    complete: bool
    states: set[tuple[int, ...]]
    executions: int


def run(programs: list[bytes]) -> list[Found]:
    done = subprocess.run([PROGRAM], input=b"\n".join(programs), stdout=subprocess.PIPE, check=True)
    return [msgspec.json.decode(line, type=Found) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("folder", ["own", "open"])
def test_the_final_states_are_the_same(folder: str, model: str) -> None:
    tests, _ = read_all([str(OWN if folder == "own" else corpus() / folder)])
    by_states = run([test.program(model=model, engine="exhaustive", seed=1) for test in tests])
    programs = [test.program(model=model, engine="exhaustive-orders", seed=1) for test in tests]
    by_orders = run(programs)
    for test, states, orders in zip(tests, by_states, by_orders, strict=True):
        assert orders.complete, test.file
        assert orders.states == states.states, test.file
    assert in_another_order(programs, seed=1) == by_orders
    assert sum(found.executions for found in by_orders) < sum(found.executions for found in by_states)


@pytest.mark.parametrize(("seed", "threads", "length", "count"), [(1, 2, 5, 250), (2, 3, 3, 50)])
def test_of_random_programs_too(seed: int, threads: int, length: int, count: int) -> None:
    rng = random.Random(seed)
    programs = [random_program(rng, threads, length) for _ in range(count)]
    by_states = run([msgspec.json.encode(program | {"engine": "exhaustive"}) for program in programs])
    to_order = [msgspec.json.encode(program | {"engine": "exhaustive-orders"}) for program in programs]
    by_orders = run(to_order)
    for program, states, orders in zip(programs, by_states, by_orders, strict=True):
        assert states.complete
        assert orders.complete
        assert orders.states == states.states, msgspec.json.encode(program).decode()
    for order in range(1, 4):
        assert in_another_order(to_order, order) == by_orders


def in_another_order(programs: list[bytes], seed: int) -> list[Found]:
    """The same search, with what comes first drawn."""
    return run([msgspec.json.encode(msgspec.json.decode(program) | {"order": seed}) for program in programs])


def random_program(rng: random.Random, threads: int, length: int) -> dict[str, Any]:
    locations = rng.choice([1, 2, 2, 3])
    code: list[dict[str, Any]] = []
    observe: list[dict[str, int]] = [{"location": i} for i in range(locations)]
    programs = []
    for thread in range(threads):
        code, loaded = random_thread(rng, locations, rng.randint(1, length))
        registers: dict[str, Any] = {"1": 1, "2": 2} | {str(20 + i): {"location": i} for i in range(locations)}
        programs.append({"registers": registers, "code": code})
        observe += [{"thread": thread, "register": r} for r in loaded]
    return {
        "model": rng.choice(["armv8"] * 8 + ["tso", "sc"]),
        "seed": 1,
        "locations": [{"name": "xyz"[i], "value": 0, "bits": 64} for i in range(locations)],
        "threads": programs,
        "observe": observe,
    }


def random_thread(rng: random.Random, locations: int, length: int) -> tuple[list[dict[str, Any]], list[int]]:
    code: list[dict[str, Any]] = []
    loaded: list[int] = []
    for _ in range(length):
        address, d = 20 + rng.randrange(locations), 3 + len(loaded)
        source = rng.choice([1, 2, *loaded[-2:], *loaded[-1:]])
        kind = rng.random()
        if kind < 0.3:
            order = rng.choice(["plain", "plain", "plain", "acquire", "acquire-pc"])
            code.append({"op": "load", "d": d, "n": address, "order": order, "exclusive": False})
            loaded.append(d)
        elif kind < 0.6:
            order = rng.choice(["plain", "plain", "plain", "release"])
            code.append({"op": "store", "s": source, "n": address, "order": order})
        elif kind < 0.8:
            order = rng.choice(["plain", "plain", "acquire", "release", "acquire-release"])
            function = rng.choice(["swp", "add"])
            code.append({"op": "rmw", "function": function, "s": source, "d": d, "n": address, "order": order})
            loaded.append(d)
        elif kind < 0.88:
            code.append({"op": "fence", "kind": rng.choice(["sy", "ld", "st"])})
        elif loaded and kind < 0.93:  # a control dependency
            code.append({"op": "cbz", "n": loaded[-1], "target": len(code) + 1})
        elif loaded:  # an address dependency
            code.append({"op": "alu", "function": "eor", "d": 15, "n": loaded[-1], "m": loaded[-1]})
            code.append({"op": "alu", "function": "add", "d": 16, "n": address, "m": 15})
            code.append({"op": "store", "s": source, "n": 16, "order": "plain"})
    return code, loaded
