"""A made-up tree of executions, explored as the engine explores one: the driver's partner in its tests.

Each node has a few choices, drawn from the seed and the node's place. The first is taken, and any other comes to light
only in some execution below an earlier one: as with the engine, who explores that execution need not be who owns the
node.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import msgspec

Choice = tuple[int, int]
Path = tuple[int, ...]


@dataclass(frozen=True)
class MadeUp:
    seed: int
    depth: int = 9
    most: int = 3  # choices of a node
    findings: float = 0.0  # share of the executions that go wrong
    cut: float = 0.0  # share that a limit ends

    def choices(self, place: Path) -> int:
        return 0 if len(place) == self.depth else self._draw("choices", place).randint(1, self.most)

    def executions(self, place: Path = ()) -> Iterator[Path]:
        """All of them, by another way than the search's."""
        n = self.choices(place)
        if n == 0:
            yield place
        for choice in range(n):
            yield from self.executions((*place, choice))

    def goes_wrong(self, place: Path) -> str | None:
        draw = self._draw("finding", place)
        return draw.choice(["garbage-freeobj", "oops"]) if draw.random() < self.findings else None

    def is_cut(self, place: Path) -> bool:
        return self._draw("cut", place).random() < self.cut

    def comes_to_light(self, place: Path) -> Iterator[tuple[int, int]]:
        """The nodes above an execution of which it shows the next choice: depth and choice."""
        for depth, choice in enumerate(place):
            # The first execution below a choice shows the next one for sure, and some of the others do too.
            shows = all(c == 0 for c in place[depth + 1 :]) or self._draw("shows", place).random() < 0.3
            if shows and choice + 1 < self.choices(place[:depth]):
                yield depth, choice + 1

    def _draw(self, what: str, place: Path) -> random.Random:
        return random.Random(f"{self.seed} {what} {place}")

    def unit(self, _arm: str, _plan: bytes, request_json: bytes, _version: str) -> bytes:
        """What race.worker.run_unit does on the engine."""
        return msgspec.json.encode(_Unit(self, msgspec.json.decode(request_json)).run())


@dataclass
class _Unit:
    tree_of: MadeUp
    request: dict[str, Any]
    path: list[dict[str, Any]] = field(default_factory=list)
    root: int = 0
    answer: dict[str, Any] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        self.answer = {"executions": 0, "redundant": 0, "cut": 0, "accesses": 0, "counts": {}, "findings": []}
        above: list[dict[str, Any]] = []
        tree = self.request["tree"]
        if tree is not None:
            self.root, self.path = tree["root"], [_copy(step) for step in tree["path"]]
        runs, left = self.request["runs"], True
        while left and runs > 0:
            above += self._execute()
            runs -= 1
            left = self._advance()
            if self.answer["findings"] and not self.request["all"]:
                break
        split = self._split() if left and self.request["split"] else []
        rest = {"root": self.root, "path": self.path, "begin_with": []} if left else None
        share = 0.5 if left else 0.0
        return {**self.answer, "tree": rest, "split": split, "above": above, "left": share}

    def _execute(self) -> Iterator[dict[str, Any]]:
        place = tuple(step["chosen"][1] for step in self.path)
        while self.tree_of.choices(place):
            self.path.append(_step(len(place), 0, []))
            place = (*place, 0)
        wrong = self.tree_of.goes_wrong(place)
        if wrong is not None:
            counts = self.answer["counts"]
            counts[wrong] = counts.get(wrong, 0) + 1
            told = {"execution": self.answer["executions"], "oracle": wrong, "message": f"at {place}"}
            self.answer["findings"].append({**told, "deviations": None, "untold": "it is made up"})
        self.answer["executions"] += 1
        self.answer["accesses"] += len(place)
        self.answer["cut"] += self.tree_of.is_cut(place)
        for depth, choice in self.tree_of.comes_to_light(place):
            new = (depth, choice)
            if depth < self.root:
                yield {"depth": depth, "sequence": [new], "begins": [new]}
                continue
            step = self.path[depth]
            known = [step["chosen"], *step["explored"], *(sequence[0] for sequence in step["to_begin"])]
            if list(new) not in known:
                step["to_begin"].append([list(new)])

    def _advance(self) -> bool:
        """The deepest node with something to do: there it goes on. False: there is none in this tree."""
        while len(self.path) > self.root:
            step = self.path.pop()
            if step["to_begin"]:
                (depth, choice), *_ = step["to_begin"].pop(0)
                explored = [*step["explored"], step["chosen"]]
                self.path.append({**_step(depth, choice, explored), "to_begin": step["to_begin"]})
                return True
        return False

    def _split(self) -> list[dict[str, Any]]:
        """All that there is to do at the two topmost nodes: then the rest begins below them."""
        parts: list[dict[str, Any]] = []
        for _ in range(2):
            if self.root + 1 >= len(self.path):
                break
            step = self.path[self.root]
            explored = [*step["explored"], step["chosen"]]
            for ((depth, choice),) in step["to_begin"]:
                path = [_copy(s) for s in self.path[: self.root]]
                path.append(_step(depth, choice, list(explored)))
                parts.append({"root": self.root + 1, "path": path, "begin_with": []})
                explored.append([depth, choice])
            step["to_begin"] = []
            self.root += 1
        return parts


def _step(depth: int, choice: int, explored: Sequence[Any]) -> dict[str, Any]:
    return {"chosen": [depth, choice], "open": False, "others": [], "explored": list(explored), "to_begin": []}


def _copy(step: dict[str, Any]) -> dict[str, Any]:
    return {**step, "explored": list(step["explored"]), "to_begin": list(step["to_begin"])}


class Threads:
    """Workers that are threads of this process: any Executor will do."""

    def __init__(self, jobs: int) -> None:
        self.executor: Executor = ThreadPoolExecutor(jobs)
        self.jobs = jobs

    def cancel(self) -> None:
        return

    def kill(self) -> None:
        return

    def epitaph(self) -> str:
        return "a thread died"
