"""Whole tests: the forms that the field writes them in, and how wide their locations are."""

from __future__ import annotations

import msgspec
import pytest

from race.litmus.read import UnreadableError, read
from tests.litmus_support import MP, one, read_one

STRANGE = """\

aarch64 strange+name.v2 (A name for the typesetter)
"A text (* that is no comment { in quotes"
Cycle=Rfe { no brace of ours
Com = Rf Fr
(* a comment (* in a comment *) { still one
   on two lines *)
{ uint64_t y; uint64_t 1:X1;
  int x=1;int32_t [z] = -1 ;; 0: X1 = x; P1:x3=y;
  int* p=&x; *q=z; 0:W5=-2; 1:X6=0xffff_; }
"""


def test_message_passing() -> None:
    test = read(MP, "mp.litmus")
    assert (test.name, test.file) == ("MP", "mp.litmus")
    assert test.initial == {"x": 0, "y": 0}
    assert test.bits == {"x": 32, "y": 32}
    assert [thread.registers for thread in test.threads] == [{1: "x", 3: "y"}, {1: "x", 3: "y"}]
    assert [[i.text for i in thread.code] for thread in test.threads] == [
        ["MOV W0,#1", "STR W0,[X1]", "STR W0,[X3]"],
        ["LDR W0,[X3]", "LDR W2,[X1]"],
    ]
    assert [i.line for i in test.threads[1].code] == [7, 8]
    assert test.shown == ["1:X0", "1:X2"]


def test_what_the_machine_is_given() -> None:
    test = read(MP.replace("exists (1:X0=1 /\\ 1:X2=0)", "filter 0:X0=1\nexists (y=1)"), "mp.litmus")
    program = msgspec.json.decode(test.program(model="tso", engine="weak", seed=7))
    code = [thread.pop("code") for thread in program["threads"]]
    assert [len(instructions) for instructions in code] == [3, 2]
    assert program == {
        "model": "tso",
        "engine": "weak",
        "seed": 7,
        "locations": [{"name": "x", "value": 0, "bits": 32}, {"name": "y", "value": 0, "bits": 32}],
        "threads": [{"registers": {"1": {"location": 0}, "3": {"location": 1}}}] * 2,
        "observe": [{"thread": 0, "register": 0}, {"location": 1}],
    }


def test_everything_that_may_stand_around_a_program() -> None:
    text = STRANGE.replace("0xffff_", "0xffff")
    text += "p0:first | P1 ; (* columns *)\n\tLDR  w0 , [x1] | start: ;\nCBZ W0,Over|B.ne start;\n Over: NOP | ;\n"
    test = read(text + "locations [x;]\nforall\n(1:X6=65535\n/\\ z=-1)\n", "strange.litmus")
    assert test.name == "strange+name.v2"
    assert test.initial == {"y": 0, "x": 1, "z": 0xFFFFFFFF, "p": "x", "q": "z"}
    assert test.bits == {"y": 64, "x": 32, "z": 32, "p": 64, "q": 64}
    assert test.threads[0].registers == {1: "x", 5: 0xFFFFFFFE}
    assert test.threads[1].registers == {3: "y", 6: 65535}
    assert [i.text for i in test.threads[0].code] == ["LDR w0 , [x1]", "CBZ W0,Over", "NOP"]
    assert test.shown == ["1:X6", "x", "z"]


def test_line_ends_of_other_systems() -> None:
    assert read(MP.replace("\n", "\r\n"), "mp.litmus") == read(MP, "mp.litmus")


@pytest.mark.parametrize(
    ("condition", "initial", "value", "shown"),
    [
        ("x=0", "0:X1=x;", 0xFFFFFFFF, "-1"),
        ("x=0", "uint32_t x; 0:X1=x;", 0xFFFFFFFF, "4294967295"),
        ("x=0", "int64_t x; 0:X1=x;", 0xFFFFFFFFFFFFFFFE, "-2"),
        ("x=0", "uint64_t x; 0:X1=x;", 0xFFFFFFFFFFFFFFFF, "18446744073709551615"),
        ("0:X0=0", "0:X1=x;", 0xFFFFFFFF, "4294967295"),
        ("0:X0=0", "0:X1=x;", 0xFFFFFFFFFFFFFFFF, "-1"),
        ("0:X0=0", "int32_t 0:X0;", 0xFFFFFFFF, "-1"),
        ("0:X0=0", "0:X1=x;", "x", "x"),
    ],
)
def test_values_are_shown_by_their_type(condition: str, initial: str, value: int | str, shown: str) -> None:
    test = read_one("NOP", f"exists ({condition})", initial + " x=0;")
    assert test.text(test.shown[0], value) == shown


@pytest.mark.parametrize(
    ("initial", "code", "bits"),
    [
        ("0:X1=x;", "LDR W0,[X1]", 32),
        ("0:X1=x;", "LDR X0,[X1]", 64),
        ("x=1;", "NOP", 32),
        ("x=-1;", "NOP", 32),
        ("x=0x100000000;", "NOP", 64),
        ("int64_t x; 0:X1=x;", "LDR X0,[X1]", 64),
        ("0:X1=x; x=z;", "LDR X0,[X1]; LDR W2,[X0]", 64),  # a pointer
        ("0:X1=x; 0:X3=z;", "STR X3,[X1]; LDR X0,[X1]; STR W4,[X0]", 64),  # it becomes one
        ("0:X1=x; 0:X3=z;", "MOV X4,X1; EOR X5,X3,X3; LDR X0,[X4,X5]", 64),  # no dependency on z's width
        ("0:X1=x; 0:X3=z;", "SWP X3,X4,[X1]; CAS X4,X3,[X1]; LDR W0,[X4]", 64),
    ],
)
def test_the_width_of_a_location(initial: str, code: str, bits: int) -> None:
    test = read_one(code, initial=initial)
    assert test.bits["x"] == bits
    assert test.bits.get("z", 32) == 32


def test_every_mistake_of_a_program_is_named_at_once() -> None:
    with pytest.raises(UnreadableError) as raised:
        read(one("LDRB W0,[X1]; NOP; CSEL W0,W1,W2,EQ"), "two.litmus")
    assert raised.value.reasons == [
        'two.litmus:4: "LDRB W0,[X1]": byte and halfword accesses are not modelled',
        'two.litmus:6: "CSEL W0,W1,W2,EQ": conditional selects are not modelled',
    ]
