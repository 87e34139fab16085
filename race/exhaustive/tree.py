"""What goes to a unit and comes back, and the nodes that several units share.

A unit explores a tree of executions, or some of it (docs/exploration-in-units.md). A tree is a path of choices from the
root of all executions, and what is left to do below it. The nodes of the path above its own root belong to the driver
alone, because other trees begin at them too: what a unit finds to do there, it reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from race.errors import RunError
from race.results import Finding
from race.token import Deviations

Access = int  # by its CPU and its number there
Choice = tuple[Access, int]  # and the write that it reads or follows
Tree = dict[str, Any]  # as the engine writes it: root, path, begin_with


class Request(msgspec.Struct, kw_only=True):
    """A unit."""

    tree: Tree | None  # None: all executions
    runs: int  # at most
    all: bool  # False: it ends at its first finding
    split: bool  # parts of what is left are handed back by themselves
    weight: float  # share of all executions that the tree has, roughly


class Told(Finding, kw_only=True, omit_defaults=True):
    """A finding as a unit gives it: its execution counts from the unit's own."""

    deviations: Deviations | None = None  # None: it cannot be told as choices, so there is no token


class Branch(msgspec.Struct):
    """Something to do at a node above a tree's root."""

    depth: int
    sequence: list[Choice]
    begins: list[Access]  # if one of these was begun with there, somebody explores this already


class Answer(msgspec.Struct, kw_only=True):
    """What a unit gives back."""

    executions: int
    redundant: int
    cut: int  # runs that a limit ended
    accesses: int
    counts: dict[str, int]
    findings: list[Told]
    tree: Tree | None  # what is left of the unit's
    split: list[Tree]
    above: list[Branch]
    left: float  # share of the unit's tree that is left, an estimate
    rest_share: float  # of the unit's tree, what is in `tree`
    split_shares: list[float]  # and in each part

    def trees(self) -> Iterator[tuple[Tree, float]]:
        """What is left, with its share: the parts, and last the rest that they were taken off."""
        yield from zip(self.split, self.split_shares, strict=True)
        if self.tree is not None:
            yield self.tree, self.rest_share


Row = tuple[int, Choice, list[Access]]  # of a shared node: its parent's row, the choice that leads to it, `begun`


class _Node:
    __slots__ = ("begun", "below")

    def __init__(self) -> None:
        self.begun: dict[Access, None] = {}  # in order
        self.below: dict[Choice, _Node] = {}


class SharedNodes:
    """The accesses that were begun with at each node that more than one tree may have to do with.

    A node is known by the choices that lead to it.
    """

    def __init__(self) -> None:
        self._root = _Node()
        self._size = 1

    def __len__(self) -> int:
        return self._size

    def add(self, tree: Tree) -> None:
        """The nodes above a new tree's root are shared from now on."""
        node = self._root
        for depth, step in enumerate(tree["path"][: tree["root"]], start=1):
            # What else the last of these accesses may read is the tree's own.
            if step.get("to_begin") or (step.get("others") and depth < tree["root"]):
                raise RunError("the engine left something to do above a tree's root")
            chosen = _choice(step["chosen"])
            node.begun.update(dict.fromkeys([*step.get("explored", ()), chosen[0]]))
            node = self._below(node, chosen)

    def begin(self, above: Tree, branch: Branch) -> Tree | None:
        """The tree of a branch that a unit found above its own; None: it is part of one that was begun."""
        path = above["path"][: branch.depth]
        if branch.depth >= above["root"] or not branch.sequence:
            raise RunError("the engine reported a branch that is not above the tree's root")
        node = self._root
        for step in path:
            node = node.below[_choice(step["chosen"])]
        if any(access in node.begun for access in branch.begins):
            return None
        first, *rest = branch.sequence
        step = {"chosen": list(first), "open": True, "explored": list(node.begun)}
        node.begun[first[0]] = None
        self._below(node, first)
        return {"root": branch.depth + 1, "path": [*path, step], "begin_with": [list(choice) for choice in rest]}

    def forget_all_but(self, trees: Iterable[Tree]) -> None:
        """Nodes that no tree has above its root are not asked about again."""
        old, self._root, self._size = self._root, _Node(), 1
        self._root.begun = old.begun
        for tree in trees:
            before, now = old, self._root
            for step in tree["path"][: tree["root"]]:
                chosen = _choice(step["chosen"])
                before = before.below[chosen]
                now = self._below(now, chosen)
                now.begun = before.begun

    def _below(self, node: _Node, choice: Choice) -> _Node:
        found = node.below.get(choice)
        if found is None:
            found = node.below[choice] = _Node()
            self._size += 1
        return found

    def rows(self) -> list[Row]:
        return list(self._rows())

    def _rows(self) -> Iterator[Row]:
        waiting: list[tuple[int, Choice, _Node]] = [(0, (0, 0), self._root)]
        number = 0
        while waiting:
            parent, choice, node = waiting.pop()
            yield parent, choice, list(node.begun)
            waiting += [(number, leads, below) for leads, below in node.below.items()]
            number += 1

    @staticmethod
    def of(rows: Sequence[Row]) -> SharedNodes:
        shared = SharedNodes()
        nodes: list[_Node] = []
        for parent, choice, begun in rows:
            node = shared._below(nodes[parent], choice) if nodes else shared._root
            node.begun = dict.fromkeys(begun)
            nodes.append(node)
        return shared


def _choice(pair: Sequence[int]) -> Choice:
    return pair[0], pair[1]
