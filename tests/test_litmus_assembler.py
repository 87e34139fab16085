"""Each instruction as the native machine takes it."""

from __future__ import annotations

from typing import Any

import pytest

from race.litmus.assembler import ALU, ORDERS, UPDATES, assemble
from tests.litmus_support import read_one


def target(label: str) -> int:
    return {"out": 7}[label]


def fields(text: str) -> dict[str, Any]:
    return assemble(text, target)


def alu(function: str, d: int, n: int, *, w: bool = True, flags: bool = False, **last: int) -> dict[str, Any]:
    return {"op": "alu", "function": function, "d": d, "n": n, **last, "w": w, "flags": flags}


ARITHMETIC = [
    ("MOV W0,#1", alu("orr", 0, 31, imm=1)),
    ("mov w0, 0x10", alu("orr", 0, 31, imm=16)),
    ("MOV W0,#-1", alu("orr", 0, 31, imm=0xFFFFFFFF)),
    ("MOV X0,#-1", alu("orr", 0, 31, imm=0xFFFFFFFFFFFFFFFF, w=False)),
    ("MOV X30,X29", alu("orr", 30, 31, m=29, w=False)),
    ("MOV W0,WZR", alu("orr", 0, 31, m=31)),
    ("ADD W0,W1,#4", alu("add", 0, 1, imm=4)),
    ("ADDS X0,X1,X2", alu("add", 0, 1, m=2, w=False, flags=True)),
    ("SUBS W0,W1,#1", alu("sub", 0, 1, imm=1, flags=True)),
    ("ANDS W0,W1,W2", alu("and", 0, 1, m=2, flags=True)),
    ("BICS W0,W1,W2", alu("bic", 0, 1, m=2, flags=True)),
    ("CMP W5,#2", alu("sub", 31, 5, imm=2, flags=True)),
    ("CMN X5,X6", alu("add", 31, 5, m=6, w=False, flags=True)),
    ("TST W5,#1", alu("and", 31, 5, imm=1, flags=True)),
    ("MVN W0,W1", alu("orn", 0, 31, m=1)),
    ("NEG X0,X1", alu("sub", 0, 31, m=1, w=False)),
    ("NEGS W0,W1", alu("sub", 0, 31, m=1, flags=True)),
    ("LSL W0,W1,#31", alu("lsl", 0, 1, imm=31)),
    ("ASR X0,X1,#63", alu("asr", 0, 1, imm=63, w=False)),
    ("MUL W0,W1,W2", alu("mul", 0, 1, m=2)),
]


@pytest.mark.parametrize(("text", "expected"), ARITHMETIC, ids=[text for text, _ in ARITHMETIC])
def test_arithmetic(text: str, expected: dict[str, Any]) -> None:
    assert fields(text) == expected


@pytest.mark.parametrize("name", sorted(ALU))
def test_three_registers(name: str) -> None:
    assert fields(f"{name} X1,X2,XZR") == alu(name.lower(), 1, 2, m=31, w=False)


BRANCHES = [
    ("B out", {"op": "b", "target": 7}),
    ("CBZ W3,out", {"op": "cbz", "n": 3, "w": True, "target": 7}),
    ("cbnz x3 , out", {"op": "cbnz", "n": 3, "w": False, "target": 7}),
    ("TBZ W3,#31,out", {"op": "tbz", "n": 3, "bit": 31, "target": 7}),
    ("TBNZ X3,63,out", {"op": "tbnz", "n": 3, "bit": 63, "target": 7}),
    *(
        (spelling, {"op": "b.cond", "cond": condition, "target": 7})
        for condition in ["eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le"]
        for spelling in (f"B.{condition.upper()} out", f"b{condition} out")
    ),
    ("B.CS out", {"op": "b.cond", "cond": "hs", "target": 7}),
    ("BCC out", {"op": "b.cond", "cond": "lo", "target": 7}),
]


@pytest.mark.parametrize(("text", "expected"), BRANCHES, ids=[text for text, _ in BRANCHES])
def test_branches(text: str, expected: dict[str, Any]) -> None:
    assert fields(text) == expected


def load(**changes: Any) -> dict[str, Any]:
    plain = {"op": "load", "d": 0, "n": 1, "m": 31, "imm": 0, "extend": "none", "w": True}
    return {**plain, "order": "plain", "exclusive": False, **changes}


def store(**changes: Any) -> dict[str, Any]:
    return {"op": "store", "s": 0, "n": 1, "m": 31, "imm": 0, "extend": "none", "w": True, "order": "plain", **changes}


MEMORY = [
    ("LDR W0,[X1]", load()),
    ("LDR X0 , [ X1 ]", load(w=False)),
    ("LDR W0,[X1,#0]", load()),
    ("LDR W0,[X1,#8]", load(imm=8)),
    ("LDUR W0,[X1,#-8]", load(imm=-8)),
    ("LDR W0,[X1,X2]", load(m=2)),
    ("LDR W0,[X1,X2,LSL #0]", load(m=2)),
    ("LDR W0,[X1,W2,SXTW]", load(m=2, extend="sxtw")),
    ("LDR W0,[X1,W2,uxtw #0]", load(m=2, extend="uxtw")),
    ("LDAR W0,[X1]", load(order="acquire")),
    ("LDAPR X0,[X1]", load(order="acquire-pc", w=False)),
    ("LDXR W0,[X1]", load(exclusive=True)),
    ("LDAXR W0,[X1,#0]", load(order="acquire", exclusive=True)),
    ("LDR WZR,[X1]", load(d=31)),
    ("STR W0,[X1]", store()),
    ("STR WZR,[X1]", store(s=31)),
    ("STUR X0,[X1,#16]", store(imm=16, w=False)),
    ("STR W0,[X1,W2,SXTW]", store(m=2, extend="sxtw")),
    ("STLR W0,[X1]", store(order="release")),
    ("STXR W4,X0,[X1]", {"op": "store-exclusive", "d": 4, "s": 0, "n": 1, "w": False, "order": "plain"}),
    ("STLXR W4,W0,[X1]", {"op": "store-exclusive", "d": 4, "s": 0, "n": 1, "w": True, "order": "release"}),
]


@pytest.mark.parametrize(("text", "expected"), MEMORY, ids=[text for text, _ in MEMORY])
def test_memory(text: str, expected: dict[str, Any]) -> None:
    assert fields(text) == expected


@pytest.mark.parametrize(("suffix", "order"), ORDERS.items())
def test_atomics(suffix: str, order: str) -> None:
    common = {"n": 2, "w": True, "order": order}
    assert fields(f"SWP{suffix} W0,W1,[X2]") == {"op": "rmw", "function": "swp", "s": 0, "d": 1, **common}
    assert fields(f"CAS{suffix} W0,W1,[X2]") == {"op": "cas", "s": 0, "t": 1, **common}
    for update in UPDATES:
        expected = {"op": "rmw", "function": update.lower(), "s": 0, "d": 1, **common}
        assert fields(f"LD{update}{suffix} W0,W1,[X2]") == expected
        if suffix in ("", "L"):
            assert fields(f"ST{update}{suffix} W0,[X2]") == {**expected, "d": 31}


@pytest.mark.parametrize("name", ["DMB", "dsb"])
@pytest.mark.parametrize(
    ("options", "kind"),
    [("SY ISH OSH NSH sy", "sy"), ("LD ISHLD OSHLD NSHLD", "ld"), ("ST ISHST OSHST NSHST", "st")],
)
def test_barriers(name: str, options: str, kind: str) -> None:
    for option in options.split():
        assert fields(f"{name} {option}") == {"op": "fence", "kind": kind}


def test_the_rest() -> None:
    assert fields("ISB") == fields("isb sy") == {"op": "isb"}
    assert fields("NOP") == {"op": "nop"}


def test_labels_are_places_in_the_code() -> None:
    test = read_one("first: second: CBZ W0,last; B first; last:")
    cbz, b = test.threads[0].code
    assert cbz.fields["target"] == 2  # behind the last instruction
    assert b.fields["target"] == 0
