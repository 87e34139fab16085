"""Sets of sites that can be weakened together, found with few tests."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from race.ablation.search import Search, Sites

NAMES = list("abcdefgh")
Failing = st.lists(st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=3), max_size=4)


class Machine:
    """Fails when all sites of one of these groups are weakened."""

    def __init__(self, failing: list[Sites]) -> None:
        self.failing = failing
        self.tested: list[Sites] = []

    def clean(self, weakened: Sites) -> bool:
        return not any(group <= weakened for group in self.failing)

    def test(self, weakened: Sites) -> bool:
        self.tested.append(weakened)
        return self.clean(weakened)


@given(Failing)
def test_the_largest_set_is_clean_and_no_site_more_would_be(failing: list[Sites]) -> None:
    machine = Machine(failing)
    found = Search(machine.test).largest(frozenset(), NAMES)
    assert machine.clean(found)
    assert not any(machine.clean(found | {name}) for name in NAMES if name not in found)


@given(Failing, st.sampled_from(NAMES))
def test_a_cause_fails_and_no_part_of_it_does(failing: list[Sites], name: str) -> None:
    machine = Machine(failing)
    alone = frozenset((name,))
    if not machine.clean(alone) or machine.clean(frozenset(NAMES)):
        return
    others = [other for other in NAMES if other != name]
    cause = frozenset(Search(machine.test).cause(alone, others))
    assert not machine.clean(alone | cause)
    assert all(machine.clean((alone | cause) - {one}) for one in cause)


def test_what_is_known_is_not_tested_again() -> None:
    machine = Machine([frozenset("ab")])
    search = Search(machine.test)
    search.learn(frozenset("bcd"), clean=True)
    search.learn(frozenset("ab"), clean=False)
    assert search.clean(frozenset("bc"))
    assert not search.clean(frozenset("abc"))
    assert machine.tested == []


def test_where_all_can_be_weakened_one_test_tells() -> None:
    machine = Machine([])
    assert Search(machine.test).largest(frozenset(), NAMES) == frozenset(NAMES)
    assert len(machine.tested) == 1
