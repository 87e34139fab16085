"""Conditions: how they are read, written again, and what they say of a state."""

from __future__ import annotations

import pytest

from race.litmus.condition import Final, Names, read_final
from race.litmus.values import State

NAMES = Names(2, ["x", "y"])


def final(text: str) -> Final:
    return read_final(text, 1, NAMES)


def holds(text: str, **state: int | str) -> bool:
    named: State = {name.replace("_", ":"): value for name, value in state.items()}
    return final(f"exists ({text})").proposition.holds(named)


@pytest.mark.parametrize(
    ("text", "again"),
    [
        ("exists (1:X0=1 /\\ x=2)", "exists (1:X0=1 /\\ [x]=2)"),
        ("exists 1: X0 = 1 /\\ P1:X2=0;", "exists (1:X0=1 /\\ 1:X2=0)"),
        ("exists\n(x=1\n/\\ [y]=0x10)\n", "exists ([x]=1 /\\ [y]=16)"),
        ("~exists (x=1)", "~exists ([x]=1)"),
        ("~ Exists *x=-1", "~exists ([x]=-1)"),
        ("not exists (1:w0=1)", "~exists (1:X0=1)"),
        ("forall (0:X0=y)", "forall (0:X0=y)"),
        ("forall (0:X0=&y)", "forall (0:X0=y)"),
        ("final (x=1)", "exists ([x]=1)"),
        ("exists (true)", "exists (true)"),
        ("exists false", "exists (false)"),
        ("exists (x=1 \\/ y=1 /\\ 0:X0=1)", "exists ([x]=1 \\/ ([y]=1 /\\ 0:X0=1))"),
        ("exists ((x=1 \\/ y=1) /\\ 0:X0=1)", "exists (([x]=1 \\/ [y]=1) /\\ 0:X0=1)"),
        ("exists (not x=1 /\\ ~(y=1 /\\ x=2))", "exists (not [x]=1 /\\ not ([y]=1 /\\ [x]=2))"),
        ("exists (x<>1 /\\ y!=2)", "exists (not [x]=1 /\\ not [y]=2)"),
        ("exists (0:X0=1:X0 /\\ [x]=[y])", "exists (0:X0=1:X0 /\\ [x]=[y])"),
        ("exists (x==1)", "exists ([x]=1)"),
        ("", "forall (true)"),
    ],
)
def test_read_and_written_again(text: str, again: str) -> None:
    assert str(final(text)) == again
    assert str(final(again)) == again


def test_the_operators() -> None:
    assert holds("x=1 /\\ y=2", x=1, y=2)
    assert not holds("x=1 /\\ y=2", x=1, y=1)
    assert holds("x=1 \\/ y=2", x=0, y=2)
    assert holds("not (x=1 \\/ y=2)", x=0, y=0)
    assert holds("x=1 => y=2", x=0, y=0)
    assert not holds("x=1 => y=2", x=1, y=0)
    assert holds("x<>1", x=0)
    assert holds("true /\\ not false")


def test_precedence_is_not_then_implication_then_and_then_or() -> None:
    assert holds("x=1 \\/ x=0 /\\ y=1", x=1, y=0)
    assert holds("not x=1 /\\ y=1", x=0, y=1)
    assert not holds("x=1 => y=1 /\\ y=0", x=0, y=1)  # (x=1 => y=1) /\ y=0
    assert holds("x=1 => y=1 => x=0", x=0, y=1)  # to the right


def test_addresses() -> None:
    assert holds("0:X0=y", **{"0_X0": "y"})
    assert not holds("0:X0=y", **{"0_X0": "x"})
    assert not holds("0:X0=0", **{"0_X0": "x"})
    assert holds("0:X0=1:X0", **{"0_X0": "x", "1_X0": "x"})


@pytest.mark.parametrize("value", [0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF])
def test_a_negative_number_means_either_width(value: int) -> None:
    assert holds("0:X0=-1", **{"0_X0": value})
    assert not holds("0:X0=-2", **{"0_X0": value})


def test_of_a_w_register_only_the_low_half_counts() -> None:
    assert holds("0:W0=1", **{"0_X0": 0x500000001})
    assert not holds("0:X0=1", **{"0_X0": 0x500000001})


def test_what_is_shown() -> None:
    found = final("locations [x; 1:X9; 0:w2 uint64_t; y int;]\nfilter (0:X7=1)\nexists (1:X0=1)")
    assert found.shown_names == {"x", "1:X9", "0:X2", "y", "1:X0"}
    assert set(found.filter.names()) == {"0:X7"}
    assert final("locations []\nexists x=1").shown_names == {"x"}
    assert final("locations [x]").shown_names == {"x"}
    assert final("exists (0:X0=1:X0)").shown_names == {"0:X0", "1:X0"}


def test_kinds() -> None:
    assert [final(f"{q} true").kind for q in ("exists", "~exists", "forall")] == ["Allowed", "Forbidden", "Required"]
