"""Litmus programs on the native search, and random ones."""

from __future__ import annotations

import random
import subprocess
from typing import Any

import msgspec
import pytest

from tests.litmus_support import CHECKOUT

PROGRAM = CHECKOUT / "build" / "native" / "native" / "race-broken-rules"

needs_program = pytest.mark.skipif(
    not PROGRAM.is_file(), reason="the native tests are not built: `make test` builds them"
)


class Found(msgspec.Struct):
    complete: bool
    states: set[tuple[int, ...]]
    executions: int
    runs: int  # executions, and what could only be completed as one that was explored
    error: str = ""

    def all_but_runs(self) -> Found:
        """When it is seen that a run is redundant depends on the order of exploration."""
        return msgspec.structs.replace(self, runs=0)


def search(programs: list[bytes], *options: str) -> list[Found]:
    """Options: see native/tests/broken_rules/main.cpp."""
    done = subprocess.run([PROGRAM, *options], input=b"\n".join(programs), stdout=subprocess.PIPE, check=True)
    return [msgspec.json.decode(line, type=Found) for line in done.stdout.splitlines()]


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
