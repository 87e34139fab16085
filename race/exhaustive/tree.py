"""What goes to a unit and comes back, and the nodes that several units share.

A unit explores a tree of executions, or some of it (native/capi/race.h, race_campaign_explore). A tree is a path of
choices from the root of all executions, and what is left to do below it. The nodes of the path above its own root
belong to the driver alone, because other trees begin at them too: what a unit finds to do there, it reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from race.errors import RunError
from race.results import Finding
from race.token import Deviations

Choice = tuple[int, int]  # an access, and the write that it reads or follows
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
    begins: list[Choice]  # if one of these was begun there, this is part of it


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
    left: float  # share of the tree that is left


class _Node:
    __slots__ = ("begun", "below")

    def __init__(self) -> None:
        self.begun: dict[Choice, None] = {}  # in order
        self.below: dict[Choice, _Node] = {}


class SharedNodes:
    """The choices that were begun at each node that more than one tree may have to do with."""

    def __init__(self) -> None:
        self._root = _Node()
        self._size = 1

    def __len__(self) -> int:
        return self._size

    def add(self, tree: Tree) -> None:
        """The nodes above a new tree's root are shared from now on."""
        node = self._root
        for step in tree["path"][: tree["root"]]:
            if step["others"] or step["to_begin"]:
                raise RunError("the engine left something to do above a tree's root")
            chosen = _choice(step["chosen"])
            node.begun.update(dict.fromkeys(map(_choice, step["explored"])))
            node.begun[chosen] = None
            node = self._below(node, chosen)

    def begin(self, above: Tree, branch: Branch) -> Tree | None:
        """The tree of a branch that a unit found above its own; None: it is part of one that was begun."""
        path = above["path"][: branch.depth]
        if branch.depth >= above["root"] or not branch.sequence:
            raise RunError("the engine reported a branch that is not above the tree's root")
        node = self._root
        for step in path:
            node = node.below[_choice(step["chosen"])]
        if any(_choice(choice) in node.begun for choice in branch.begins):
            return None
        first, *rest = branch.sequence
        step = {
            "chosen": list(first),
            "open": True,
            "others": [],
            "explored": [list(choice) for choice in node.begun],
            "to_begin": [],
        }
        node.begun[first] = None
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

    # As rows of: the parent's row, the choice that leads here, the choices begun here.

    def rows(self) -> list[tuple[int, Choice, list[Choice]]]:
        return list(self._rows())

    def _rows(self) -> Iterator[tuple[int, Choice, list[Choice]]]:
        waiting: list[tuple[int, Choice, _Node]] = [(0, (0, 0), self._root)]
        number = 0
        while waiting:
            parent, choice, node = waiting.pop()
            yield parent, choice, list(node.begun)
            waiting += [(number, leads, below) for leads, below in node.below.items()]
            number += 1

    @staticmethod
    def of(rows: Sequence[tuple[int, Choice, list[Choice]]]) -> SharedNodes:
        shared = SharedNodes()
        nodes: list[_Node] = []
        for parent, choice, begun in rows:
            node = shared._below(nodes[parent], choice) if nodes else shared._root
            node.begun = dict.fromkeys(begun)
            nodes.append(node)
        return shared


def _choice(pair: Sequence[int]) -> Choice:
    return pair[0], pair[1]
