"""Sets of sites that can be weakened together. Whether a set can is found by a test, which is dear: what a larger clean
set or a smaller failing one has answered is not asked again.

It is taken for granted that weakening more sites never takes a finding away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

Sites = frozenset[str]


class Search:
    def __init__(self, test: Callable[[Sites], bool]) -> None:
        """`test` says whether nothing is found with these sites weakened."""
        self._test = test
        self._clean: list[Sites] = []
        self._failing: list[Sites] = []

    def learn(self, weakened: Sites, clean: bool) -> None:
        (self._clean if clean else self._failing).append(weakened)

    def clean(self, weakened: Sites) -> bool:
        if any(weakened <= known for known in self._clean):
            return True
        if any(known <= weakened for known in self._failing):
            return False
        clean = self._test(weakened)
        self.learn(weakened, clean)
        return clean

    def largest(self, weakened: Sites, more: Sequence[str]) -> Sites:
        """Weakens as many more sites as can be, in their order, by halves: none that is left could be weakened too."""
        if not more:
            return weakened
        if self.clean(weakened | set(more)):
            return weakened | set(more)
        if len(more) == 1:
            return weakened
        half = len(more) // 2
        return self.largest(self.largest(weakened, more[:half]), more[half:])

    def cause(self, weakened: Sites, among: Sequence[str]) -> list[str]:
        """Of a set that fails together with `among`: the fewest of these that it needs for it, none to spare."""
        return self._cause(weakened, bool(weakened), among)

    def _cause(self, background: Sites, grown: bool, among: Sequence[str]) -> list[str]:
        # QuickXplain (Junker, 2004).
        if grown and not self.clean(background):
            return []
        if len(among) <= 1:
            return list(among)
        half = len(among) // 2
        first, second = among[:half], among[half:]
        of_second = self._cause(background | set(first), bool(first), second)
        of_first = self._cause(background | set(of_second), bool(of_second), first)
        return of_first + of_second
