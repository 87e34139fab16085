"""Which stronger sites forbid a cycle: decided on its litmus test, by the exhaustive engine."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

from race import native
from race.litmus import read
from race.litmus.result import Run, Verdict, outcome
from race.native import Site
from race.plan import ASCENDING, Strengths
from race.why.cycle import Cycle
from race.why.export import litmus, sides

MOST_SITES = 3  # in one suggestion
MOST_EXECUTIONS = 200_000  # of a search; a test that needs more is not decided


class Question:
    """May the cycle happen with its sites at other strengths?"""

    def __init__(self, cycle: Cycle, sites: Sequence[Site], model: str) -> None:
        self._cycle = cycle
        self._model = model
        self._sides = sides(sites)
        self._known: dict[tuple[str, ...], Verdict | None] = {}

    def verdict(self, strengths: Mapping[str, str]) -> Verdict | None:
        """None: the search was not complete."""
        key = tuple(strengths[access.site] for access in self._cycle.sites)
        if key not in self._known:
            self._known[key] = self._decide(strengths)
        return self._known[key]

    def _decide(self, strengths: Mapping[str, str]) -> Verdict | None:
        test = read.read(litmus(self._cycle, "cycle", self._sides, strengths), "cycle")
        program = test.program(model=self._model, engine="exhaustive", seed=0)
        with closing(native.LitmusMachine(program)) as machine:
            machine.run(0, MOST_EXECUTIONS)
            found = outcome(test, self._model, "exhaustive", Run(0.0, machine.result()))
        return found.verdict if found.complete else None


def weakest_change(
    question: Question, cycle: Cycle, sites: Sequence[Site], strengths: Strengths, held: Mapping[str, str]
) -> Strengths:
    """The fewest sites to strengthen, and by as little as forbids the cycle; {}: there are none.

    Of equally many sites those are taken whose own accesses are in the cycle. What the scenario holds is left."""
    if question.verdict(strengths) != "Sometimes":
        return {}  # the test is not what happened: nothing can be learnt from it
    own = {access.site for access in cycle.sites if access.in_cycle}
    candidates = [
        site
        for site in sites
        if site.name in {access.site for access in cycle.sites} and site.name not in held and _stronger(site, strengths)
    ]
    for size in range(1, MOST_SITES + 1):
        groups = sorted(itertools.combinations(candidates, size), key=lambda g: sum(s.name not in own for s in g))
        for group in groups:
            if question.verdict(strengths | {site.name: "full" for site in group}) == "Never":
                return _least(question, group, strengths)
    return {}


def _stronger(site: Site, strengths: Strengths) -> tuple[str, ...]:
    ascending = ASCENDING[site.side]
    return ascending[ascending.index(strengths[site.name]) + 1 :]


def _least(question: Question, group: Sequence[Site], strengths: Strengths) -> Strengths:
    return next(
        change for change in _ascending(group, strengths) if question.verdict(strengths | change) == "Never"
    )  # the last is `full` everywhere, which does


def _ascending(group: Sequence[Site], strengths: Strengths) -> Iterator[Strengths]:
    steps = [list(enumerate(_stronger(site, strengths))) for site in group]
    for choice in sorted(itertools.product(*steps), key=lambda c: sum(rank for rank, _ in c)):
        yield {site.name: strength for site, (_, strength) in zip(group, choice, strict=True)}
