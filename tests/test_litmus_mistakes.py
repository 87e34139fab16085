"""What cannot be read is named with its file and line, and how to mend it; the other tests run all the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from race.litmus.read import UnreadableError, read
from tests.conftest import RunRace
from tests.litmus_support import MP, FakeMachine, machine, one

__all__ = ["machine"]  # the fixture

INSTRUCTIONS = [
    ("LDRB W0,[X1]", "byte and halfword accesses are not modelled"),
    ("STLRH W0,[X1]", "byte and halfword accesses are not modelled"),
    ("LDADDAH W0,W1,[X1]", "byte and halfword accesses are not modelled"),
    ("CASALB W0,W1,[X1]", "byte and halfword accesses are not modelled"),
    ("LDRSW X0,[X1]", "sign and zero extensions are not modelled"),
    ("LDP W0,W2,[X1]", "accesses to a pair are not modelled"),
    ("LDAXP X0,X2,[X1]", "accesses to a pair are not modelled"),
    ("CASP X0,X1,X2,X3,[X1]", "accesses to a pair are not modelled"),
    ("SWPPAL X0,X2,[X1]", "128-bit atomics are not modelled"),
    ("LDCLRP X0,X2,[X1]", "128-bit atomics are not modelled"),
    ("CSEL W0,W1,W2,EQ", "conditional selects are not modelled"),
    ("CSET W0,EQ", "conditional selects are not modelled"),
    ("RET", "calls and computed branches are not modelled"),
    ("DC CVAC,X1", "system instructions are not modelled"),
    ("LDDR W0,[X1]", 'LDDR is not supported; did you mean "LDR"?'),
    ("FROB W0", "FROB is not supported"),
    ("LDR W0,[X1],#8", "addresses that change their base register are not modelled"),
    ("LDR W0,[X1,#8]!", "addresses that change their base register are not modelled"),
    ("ADD X0,X1,X2,LSL #3", "shifted and extended operands are not modelled; use an instruction more"),
    ("LDR W0,[X1,X2,LSL #2]", "a shifted index is not modelled"),
    ("LDR W0,[X1,W2]", "a W register as an index needs SXTW or UXTW: [Xn,W2,SXTW]"),
    ("LDR W0,[W1]", "the base of an address must be one of X0 to X30, not W1"),
    ("LDR W0,X1", 'expected an address such as [X1], not "X1"'),
    ("LDAR W0,[X1,#8]", "this instruction takes no offset; [X1,#8] has one"),
    ("LDUR W0,[X1,X2]", "[X1,X2] is no address of LDUR"),
    ("STXR X4,W0,[X1]", "the status register must be a W register, not X4"),
    ("STXR W0,W0,[X1]", "the status register must be another one than those of the data and the address"),
    ("MOV W0,X1", "W and X registers in one instruction"),
    ("CAS W0,X2,[X1]", "W and X registers in one instruction"),
    ("MOV W31,#1", 'no register "W31"; there are X0 to X30, W0 to W30, XZR and WZR'),
    ("MOV SP,#1", "the stack pointer is not modelled"),
    ("MOV W0,#0x1FFFFFFFF", "8589934591 does not fit 32 bits"),
    ("MOV W0,#one", 'no number "#one"'),
    ("MUL W0,W1,#3", "MUL takes registers only"),
    ("LSL W0,W1,#32", "cannot shift by 32; 0 to 31 is possible"),
    ("TBZ W0,#32,L", 'no bit "#32" in W0'),
    ("ADD W0,W1", "ADD takes 3 operands, not 2"),
    ("DMB", "DMB takes 1 operand, not 0"),
    ("DMB ISHH", 'no barrier "ISHH"; did you mean "ISH"?'),
    ("B.XX L", 'no condition "XX"; known: EQ NE HS LO MI PL VS VC HI LS GE LT GT LE'),
    ("B lop", 'no label "lop" in this thread; did you mean "loop"?'),
]


@pytest.mark.parametrize(("instruction", "message"), INSTRUCTIONS, ids=[text for text, _ in INSTRUCTIONS])
def test_instruction(instruction: str, message: str) -> None:
    with pytest.raises(UnreadableError) as raised:
        read(one(f"loop: NOP; {instruction}"), "a.litmus")
    assert raised.value.reasons == [f'a.litmus:5: "{instruction}": {message}']


AROUND = [
    ("", 1, "the file is empty"),
    (
        MP.replace("AArch64", "X86_64"),
        1,
        'expected "AArch64 NAME" first, not "X86_64": tests of other kinds are not read',
    ),
    ("AArch64\n{ }\n", 1, "the test has no name; write AArch64 NAME"),
    ("AArch64 MP\nP0 ;\n", 2, "there is no initial state; it stands in braces: { 0:X1=x; }"),
    ("AArch64 MP\n{ 0:X1=x;\n P0 ;\n", 2, 'the initial state is not closed; end it with "}"'),
    ("AArch64 MP\n(* never\n{ }\n", 2, "a comment is not closed; end it with *)"),
    ("AArch64 MP\n{ }\nexists (x=1)", 2, "there is no program; it starts with a line such as P0 | P1 ;"),
    (MP.replace("P1 ", "P2 "), 6, 'expected P1 at the head of a column, not "P2"'),
    (MP.replace("[X1] | LDR", "[X1] | | LDR"), 8, "this line has 3 columns, the first one 2"),
    (MP.replace("|             ;", "|"), 9, '"STR W0,[X3] |": a line of the program ends with ";"'),
    (MP.replace("MOV W0,#1", "L: L: NOP"), 7, 'label "L" stands twice in this thread'),
    (MP.replace("1:X1=x;", "2:X1=x;"), 4, "there is no thread 2: the program has 2"),
    # the initial state
    (MP.replace("1:X1=x;", "1:X1=x"), 4, 'expected ";" before the next part of the initial state, not "1"'),
    (MP.replace("1:X1=x;", "1:X31=x;"), 4, 'no general register "X31"; there are X0 to X30 and W0 to W30'),
    (MP.replace("1:X1=x;", "1:X1=;"), 4, 'expected a number or the name of a location, not ";"'),
    (MP.replace("1:X1=x;", "0:X1=y;"), 4, "0:X1 has two initial values, x and y"),
    (MP.replace("1:X1=x;", "x=1; x=2;"), 4, "x has two initial values, 1 and 2"),
    (MP.replace("1:X1=x;", "int x; int64_t x;"), 4, "x is declared twice, with different types"),
    (MP.replace("1:X1=x;", "uint46_t x;"), 4, 'unknown type "uint46_t"; did you mean "uint64_t"?'),
    (MP.replace("1:X1=x;", "uint8_t x;"), 4, "uint8_t: byte and halfword locations are not modelled"),
    (MP.replace("1:X1=x;", "[PTE(x)]=1;"), 4, '"PTE(": page tables, tags and the like are not modelled'),
    (MP.replace("1:X1=x;", "int x[2];"), 4, '"x[": arrays are not modelled'),
    (MP.replace("1:X1=x;", "x=0x1ffffffff; int z=0x1ffffffff;"), 4, "8589934591 does not fit 32 bits"),
    (MP.replace("1:X1=x;", "z=0x1ffffffffffffffff;"), 4, "0x1ffffffffffffffff does not fit 64 bits"),
    (MP.replace("1:X1=x;", "int z=x;"), 4, "z has 32 bits and cannot hold the address of x"),
    (MP.replace("1:X1=x;", "1:X1=P0:L;"), 4, "1:X1 is set to a place in the code: computed branches are not modelled"),
    (MP.replace("1:X1=x;", "1:X1=x?;"), 4, 'cannot read "?"'),
    # the condition
    (MP.replace("1:X2=0", "2:X2=0"), 10, "there is no thread 2: the program has 2"),
    (MP.replace("1:X2=0", "flga=0").replace("x;", "flag;"), 10, 'no location "flga"; did you mean "flag"?'),
    (MP.replace("1:X2=0", "X2=0"), 10, '"X2" has no thread; write 0:X2'),
    (MP.replace("1:X2=0", "1:X2"), 10, 'expected "=" after 1:X2, not ")"'),
    (MP.replace("1:X2=0", "1:Q2=0"), 10, 'no general register "Q2"; there are X0 to X30 and W0 to W30'),
    (MP.replace("1:X2=0)", "1:X2=0"), 10, 'expected ")" to close the bracket, not the end'),
    (MP.replace("/\\", "&&"), 10, 'expected ")" to close the bracket, not "&"'),
    (
        MP.replace("1:X2=0)", "1:X2=0)\nwith"),
        11,
        'expected the end of the condition (/\\ and \\/ join its parts), not "with"',
    ),
    (MP.replace("exists", "locations [x;]"), 10, 'expected exists, ~exists or forall, not "("'),
    (MP.replace("exists", "locations x"), 10, 'expected "[" after locations, not "x"'),
    # widths
    (
        MP.replace("LDR W0,[X3]", "LDR X0,[X3]"),
        7,
        '"LDR X0,[X3]": 64 bits of y, but y is accessed by W registers too: '
        "mixed-size accesses are not modelled; use a W register",
    ),
    (
        MP.replace("1:X1=x;", "1:X1=x; uint64_t y;"),
        9,
        '"STR W0,[X3]": 32 bits of y, but y is declared with 64 bits: '
        "mixed-size accesses are not modelled; use an X register",
    ),
    (
        MP.replace("1:X1=x;", "1:X1=x; x=y;"),
        8,
        '"STR W0,[X1]": 32 bits of x, but x holds an address: mixed-size accesses are not modelled; use an X register',
    ),
]


@pytest.mark.parametrize(("text", "line", "message"), AROUND, ids=[message for *_, message in AROUND])
def test_around_the_instructions(text: str, line: int, message: str) -> None:
    with pytest.raises(UnreadableError) as raised:
        read(text, "a.litmus")
    assert raised.value.reasons[0] == f"a.litmus:{line}: {message}"


@pytest.mark.parametrize(
    "inserted", ["", "(", "*)", "{", "}", ";", "|", ":", "[", '"', "x", "9", "%", "not ", "exists "]
)
def test_whatever_is_wrong_is_a_message(inserted: str) -> None:
    text = MP.replace("AArch64 MP", 'AArch64 MP\n"text"\nKey=Value (* comment *)')
    for at in range(len(text)):
        changed = text[:at] + inserted + text[at + (not inserted) :]
        reasons: list[str] = []
        try:
            read(changed, "a.litmus").program(model="sc", engine="weak", seed=1)
        except UnreadableError as error:
            reasons = error.reasons
        assert all(re.match(r"a\.litmus:\d+: .", reason) for reason in reasons)


@pytest.mark.usefixtures("machine")
def test_the_other_tests_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_race: RunRace) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("a.litmus").write_text(one("LDRB W0,[X1]"), encoding="utf-8")
    Path("b.litmus").write_text(MP, encoding="utf-8")
    Path("c.litmus").write_bytes(b"AArch64 \xff")
    status, out, err = run_race("litmus", "a.litmus", "empty", "b.litmus", "c.litmus", "d.litmus")
    assert status == 2
    assert out.count("Test ") == 1
    assert err.splitlines() == [
        'race: error: a.litmus:4: "LDRB W0,[X1]": byte and halfword accesses are not modelled',
        "race: error: empty: there is no *.litmus in this folder",
        "race: error: c.litmus: not text in UTF-8 (byte 8)",
        "race: error: d.litmus: cannot read it: No such file or directory",
    ]


def test_what_the_machine_refuses_is_named_too(
    tmp_path: Path, machine: type[FakeMachine], monkeypatch: pytest.MonkeyPatch, run_race: RunRace
) -> None:
    from race.errors import InputError

    monkeypatch.chdir(tmp_path)
    Path("a.litmus").write_text(MP, encoding="utf-8")
    machine.answer = InputError("thread 0: LDR: 0x8 is no address of a location")
    outcome = run_race("litmus", "a.litmus")
    assert outcome == (2, "", "race: error: a.litmus: thread 0: LDR: 0x8 is no address of a location\n")
