"""A made-up tree of executions, explored as the engine explores one: the driver's partner in its tests.

Each node has a few choices, drawn from the seed and the node's place. Choice 2 a + b is access a, which reads write b.
Of an access that comes first, both writes are known. That another access can come first comes to light only in some
execution below: as with the engine, who explores that execution need not be who owns the node.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

Path = tuple[int, ...]


@dataclass(frozen=True)
class MadeUp:
    seed: int
    depth: int = 7
    most: int = 4  # choices of a node
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
        """The nodes above an execution of which it shows the next access that can come first: depth and access."""
        for depth, choice in enumerate(place):
            # The first execution below a choice shows it for sure, and some of the others do too.
            shows = all(c == 0 for c in place[depth + 1 :]) or self._draw("shows", place).random() < 0.3
            following = choice // 2 + 1
            if shows and 2 * following < self.choices(place[:depth]):
                yield depth, following

    def _draw(self, what: str, place: Path) -> random.Random:
        return random.Random(f"{self.seed} {what} {place}")

    def unit(self, _arm: str, _plan: bytes, request_json: bytes, _version: str) -> bytes:
        """What race.worker.run_unit does on the engine."""
        return msgspec.json.encode(_Unit(self, msgspec.json.decode(request_json)).run())


def stuck_or_small(_arm: str, plan: bytes, request_json: bytes, _version: str) -> bytes:
    """A unit for worker processes: of plan `stuck` it does not come back."""
    if plan == b"stuck":
        time.sleep(1000)
    return MadeUp(1, depth=3).unit(_arm, plan, request_json, _version)


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
        shares = [0.5 / (len(split) + 1)] * len(split)
        return {
            **self.answer,
            "tree": {"root": self.root, "path": self.path, "begin_with": []} if left else None,
            "split": split,
            "above": above,
            "left": 0.5 if left else 0.0,
            "rest_share": 0.5 - sum(shares) if left else 0.0,
            "split_shares": shares,
        }

    def _execute(self) -> Iterator[dict[str, Any]]:
        for depth, step in enumerate(self.path):
            if step.pop("open", False):
                step["others"] = self._others(depth, step["chosen"][0])
        while self.tree_of.choices(self._place()):
            depth = len(self.path)
            self.path.append({"chosen": [0, 0]})
            self.path[depth]["others"] = self._others(depth, 0)
        place = self._place()
        wrong = self.tree_of.goes_wrong(place)
        if wrong is not None:
            counts = self.answer["counts"]
            counts[wrong] = counts.get(wrong, 0) + 1
            told = {"execution": self.answer["executions"], "oracle": wrong, "message": f"at {place}"}
            self.answer["findings"].append({**told, "deviations": None, "untold": "it is made up"})
        self.answer["executions"] += 1
        self.answer["accesses"] += len(place)
        self.answer["cut"] += self.tree_of.is_cut(place)
        for depth, access in self.tree_of.comes_to_light(place):
            if depth < self.root:
                yield {"depth": depth, "sequence": [[access, 0]], "begins": [access]}
                continue
            step = self.path[depth]
            to_begin = step.setdefault("to_begin", [])
            if access not in [step["chosen"][0], *step.get("explored", []), *(s[0][0] for s in to_begin)]:
                to_begin.append([[access, 0]])

    def _others(self, depth: int, access: int) -> list[int]:
        place = self._place()[:depth]
        return [1] if 2 * access + 1 < self.tree_of.choices(place) else []

    def _place(self) -> Path:
        return tuple(2 * step["chosen"][0] + step["chosen"][1] for step in self.path)

    def _advance(self) -> bool:
        """The deepest node with something to do: there it goes on. False: there is none in this tree."""
        while self.path:
            step = self.path[-1]
            if step.get("others"):
                step["chosen"] = [step["chosen"][0], step["others"].pop()]
                return True
            if len(self.path) > self.root and step.get("to_begin"):
                step.setdefault("explored", []).append(step["chosen"][0])
                step["chosen"], step["open"] = step["to_begin"].pop(0)[0], True
                return True
            self.path.pop()
        return False

    def _split(self) -> list[dict[str, Any]]:
        """All that there is to do at the two topmost nodes: then the rest begins below them."""
        parts: list[dict[str, Any]] = []
        for depth in range(max(0, self.root - 1), min(self.root + 1, len(self.path))):
            step = self.path[depth]
            if step.get("open"):  # its branches are not known yet
                break
            others = step.pop("others", [])
            same = {**_copy(step), "to_begin": []}
            parts += [self._part(depth, {**same, "chosen": [step["chosen"][0], base]}) for base in others]
            if depth < self.root:
                continue
            explored = [*step.get("explored", []), step["chosen"][0]]
            for (choice,) in step.pop("to_begin", []):
                parts.append(self._part(depth, {"chosen": choice, "open": True, "explored": list(explored)}))
                explored.append(choice[0])
            self.root = depth + 1
        return parts

    def _part(self, depth: int, step: dict[str, Any]) -> dict[str, Any]:
        return {"root": depth + 1, "path": [*map(_copy, self.path[:depth]), step], "begin_with": []}


def _copy(step: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, list) else value for name, value in step.items()}
