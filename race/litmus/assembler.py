"""One instruction of a test as the native machine takes it (native/capi/race.h), or why it cannot be taken."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from race.litmus.source import MOST
from race.names import advice, nearest

Fields = dict[str, Any]
ZERO = 31

CONDITIONS = ("eq", "ne", "hs", "lo", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le")
OTHER_CONDITIONS = {"cs": "hs", "cc": "lo"}

# Three operands; those with flags also come with an S.
ALU = {"ADD", "SUB", "AND", "BIC", "ORR", "ORN", "EOR", "EON", "MUL", "LSL", "LSR", "ASR"}
WITH_FLAGS = {"ADDS": "add", "SUBS": "sub", "ANDS": "and", "BICS": "bic"}
COMPARISONS = {"CMP": "sub", "CMN": "add", "TST": "and"}
FROM_ZERO = {"MVN": ("orn", False), "NEG": ("sub", False), "NEGS": ("sub", True)}

LOADS = {
    "LDR": ("plain", False),
    "LDUR": ("plain", False),
    "LDAR": ("acquire", False),
    "LDAPR": ("acquire-pc", False),
    "LDXR": ("plain", True),
    "LDAXR": ("acquire", True),
}
STORES = {"STR": "plain", "STUR": "plain", "STLR": "release"}
STORES_EXCLUSIVE = {"STXR": "plain", "STLXR": "release"}
UPDATES = ("ADD", "CLR", "EOR", "SET", "SMAX", "SMIN", "UMAX", "UMIN")
ORDERS = {"": "plain", "A": "acquire", "L": "release", "AL": "acquire-release"}

# The shareability domain does not matter: all threads of a test share one, and the architecture's model treats even the
# non-shareable forms alike.
BARRIERS = {
    f"{domain}{suffix}" if domain else suffix: kind
    for domain in ("", "ISH", "OSH", "NSH")
    for suffix, kind in (("" if domain else "SY", "sy"), ("LD", "ld"), ("ST", "st"))
}

NOT_MODELLED = [
    (r"(LDU?RS|LDAPURS|LDT?RS)[BHW]|SXT[BHW]|UXT[BHW]", "sign and zero extensions"),
    (r"(LD|ST|SWP|CAS)\w*[BH]", "byte and halfword accesses"),
    (r"LDN?P(SW)?|STN?P|LDA?XP|STL?XP|CASPA?L?|LDIAPP|STILP", "accesses to a pair"),
    (r"SWPPA?L?|(LDCLR|LDSET)PA?L?|RCW\w*", "128-bit atomics"),
    (r"CS(EL|ET|ETM|INC|INV|NEG)|CINC|CINV|CNEG|CCM[NP]", "conditional selects"),
    (r"BL|BLR|BR|RET|ERET|SVC|ADRP?", "calls and computed branches"),
    (r"DC|IC|TLBI|AT|MRS|MSR|PRFM", "system instructions"),
]


class InstructionError(Exception):
    """Why an instruction cannot be taken, and how to mend it."""


class Register(NamedTuple):
    number: int
    word: bool


def assemble(text: str, target: Callable[[str], int]) -> Fields:
    """`target` gives a label's place in the code."""
    found = re.fullmatch(r"([A-Za-z]\w*(?:\.\w+)?)\s*(.*)", text.strip(), re.DOTALL)
    if found is None:
        _fail("no instruction")
    return _Instruction(found[1].upper(), _operands(found[2]), target).fields()


def _operands(text: str) -> list[str]:
    """Parted by commas outside square brackets."""
    parts = re.split(r",(?![^\[]*\])", text) if text.strip() else []
    return [" ".join(part.split()) for part in parts]


class _Instruction:
    def __init__(self, name: str, operands: list[str], target: Callable[[str], int]) -> None:
        self._name = name
        self._operands = operands
        self._target = target

    def fields(self) -> Fields:
        name = self._name
        if name in LOADS:
            return self._load(*LOADS[name])
        if name in STORES:
            return self._store(STORES[name])
        if name in STORES_EXCLUSIVE:
            return self._store_exclusive(STORES_EXCLUSIVE[name])
        if found := re.fullmatch(rf"(?:(SWP)|LD({'|'.join(UPDATES)}))(A|L|AL)?", name):
            return self._rmw((found[1] or found[2]).lower(), ORDERS[found[3] or ""])
        if found := re.fullmatch(rf"ST({'|'.join(UPDATES)})(L)?", name):
            return self._rmw(found[1].lower(), ORDERS[found[2] or ""], returns=False)
        if found := re.fullmatch(r"CAS(A|L|AL)?", name):
            return self._cas(ORDERS[found[1] or ""])
        return self._alu() or self._branch() or self._other() or self._unknown()

    # ---- arithmetic

    def _alu(self) -> Fields | None:
        name = self._name
        if name in ALU:
            return self._three(name.lower(), flags=False)
        if name in WITH_FLAGS:
            return self._three(WITH_FLAGS[name], flags=True)
        if name == "MOV":
            d, m = self._count(2)
            return self._arithmetic("orr", _register(d), ZERO, m)
        if name in FROM_ZERO:
            d, m = self._count(2)
            function, flags = FROM_ZERO[name]
            return self._arithmetic(function, _register(d), ZERO, m, flags)
        if name in COMPARISONS:
            n, m = self._count(2)
            first = _register(n)
            zero = Register(ZERO, first.word)
            return self._arithmetic(COMPARISONS[name], zero, first.number, m, flags=True)
        return None

    def _three(self, function: str, *, flags: bool) -> Fields:
        d, n, m = self._count(3)
        first, second = _register(d), _register(n)
        _same_width(first, second)
        return self._arithmetic(function, first, second.number, m, flags)

    def _arithmetic(self, function: str, d: Register, n: int, m: str, flags: bool = False) -> Fields:
        fields: Fields = {"op": "alu", "function": function, "d": d.number, "n": n}
        if (value := _immediate(m)) is None:
            last = _register(m)
            _same_width(d, last)
            fields["m"] = last.number
        elif function == "mul":
            _fail("MUL takes registers only")
        else:
            bits = 32 if d.word else 64
            if function in ("lsl", "lsr", "asr") and not 0 <= value < bits:
                _fail(f"cannot shift by {value}; 0 to {bits - 1} is possible")
            if not -(1 << (bits - 1)) <= value < 1 << bits:
                _fail(f"{value} does not fit {bits} bits")
            fields["imm"] = value & ((1 << bits) - 1)
        return fields | {"w": d.word, "flags": flags}

    # ---- branches

    def _branch(self) -> Fields | None:
        name = self._name
        if name == "B":
            (label,) = self._count(1)
            return {"op": "b", "target": self._target(label)}
        if name in ("CBZ", "CBNZ"):
            n, label = self._count(2)
            tested = _register(n)
            return {"op": name.lower(), "n": tested.number, "w": tested.word, "target": self._target(label)}
        if name in ("TBZ", "TBNZ"):
            n, k, label = self._count(3)
            tested, bit = _register(n), _immediate(k)
            if bit is None or not 0 <= bit < (32 if tested.word else 64):
                _fail(f'no bit "{k}" in {n.upper()}')
            return {"op": name.lower(), "n": tested.number, "bit": bit, "target": self._target(label)}
        if found := re.fullmatch(r"B(?:\.(\w+)|(\w\w))", name):
            condition = (found[1] or found[2]).lower()
            condition = OTHER_CONDITIONS.get(condition, condition)
            if condition in CONDITIONS:
                (label,) = self._count(1)
                return {"op": "b.cond", "cond": condition, "target": self._target(label)}
            if found[1]:
                _fail(f'no condition "{found[1]}"; known: {" ".join(CONDITIONS).upper()}')
        return None

    # ---- memory

    def _load(self, order: str, exclusive: bool) -> Fields:
        d, where = self._count(2)
        data = _register(d)
        address = self._address(where)
        return {"op": "load", "d": data.number} | address | {"w": data.word, "order": order, "exclusive": exclusive}

    def _store(self, order: str) -> Fields:
        s, where = self._count(2)
        data = _register(s)
        return {"op": "store", "s": data.number} | self._address(where) | {"w": data.word, "order": order}

    def _store_exclusive(self, order: str) -> Fields:
        status, s, where = self._count(3)
        result, data = _register(status), _register(s)
        if not result.word:
            _fail(f"the status register must be a W register, not {status}")
        base = _base(where)
        if result.number != ZERO and result.number in (data.number, base):
            _fail("the status register must be another one than those of the data and the address")
        return {
            "op": "store-exclusive",
            "d": result.number,
            "s": data.number,
            "n": base,
            "w": data.word,
            "order": order,
        }

    def _rmw(self, function: str, order: str, *, returns: bool = True) -> Fields:
        s, *loaded, where = self._count(3 if returns else 2)
        operand = _register(s)
        result = _register(loaded[0]) if loaded else Register(ZERO, operand.word)
        _same_width(operand, result)
        return {
            "op": "rmw",
            "function": function,
            "s": operand.number,
            "d": result.number,
            "n": _base(where),
            "w": operand.word,
            "order": order,
        }

    def _cas(self, order: str) -> Fields:
        s, t, where = self._count(3)
        compare, new = _register(s), _register(t)
        _same_width(compare, new)
        return {
            "op": "cas",
            "s": compare.number,
            "t": new.number,
            "n": _base(where),
            "w": compare.word,
            "order": order,
        }

    def _address(self, text: str) -> Fields:
        """`[Xn]`, and where the instruction has them `[Xn,#imm]` and `[Xn,Rm]`."""
        fields: Fields = {"n": 0, "m": ZERO, "imm": 0, "extend": "none"}
        if self._name not in ("LDR", "STR", "LDUR", "STUR"):
            return fields | {"n": _base(text)}
        parts = _bracketed(text)
        fields["n"] = _base_register(parts[0])
        if len(parts) == 1:
            return fields
        if (value := _immediate(parts[1])) is not None and len(parts) == 2:
            return fields | {"imm": value}
        if self._name in ("LDUR", "STUR") or value is not None:
            _fail(f"{text} is no address of {self._name}")
        return fields | _index(text, parts[1], parts[2:])

    # ---- the rest

    def _other(self) -> Fields | None:
        name = self._name
        if name in ("DMB", "DSB"):
            (kind,) = self._count(1)
            if kind.upper() not in BARRIERS:
                _fail(f'no barrier "{kind}"{advice(kind, BARRIERS, "known: " + " ".join(BARRIERS))}')
            return {"op": "fence", "kind": BARRIERS[kind.upper()]}
        if name == "ISB" and [operand.upper() for operand in self._operands] in ([], ["SY"]):
            return {"op": "isb"}
        if name == "NOP":
            self._count(0)
            return {"op": "nop"}
        return None

    def _unknown(self) -> NoReturn:
        for pattern, what in NOT_MODELLED:
            if re.fullmatch(pattern, self._name):
                _fail(f"{what} are not modelled")
        near = nearest(self._name, KNOWN)
        _fail(f"{self._name} is not supported" + (f'; did you mean "{near}"?' if near else ""))

    def _count(self, wanted: int) -> list[str]:
        if len(self._operands) == wanted:
            return self._operands
        if any(part.startswith("[") for part in self._operands[:-1]):
            _fail("addresses that change their base register are not modelled")
        if len(self._operands) == wanted + 1 and re.match(r"(LSL|LSR|ASR|ROR|[SU]XT\w)\b", self._operands[-1].upper()):
            _fail("shifted and extended operands are not modelled; use an instruction more")
        plural = "" if wanted == 1 else "s"
        raise InstructionError(f"{self._name} takes {wanted} operand{plural}, not {len(self._operands)}")


def _fail(message: str) -> NoReturn:
    raise InstructionError(message)


def _register(text: str) -> Register:
    upper = text.upper()
    if upper in ("WZR", "XZR"):
        return Register(ZERO, upper == "WZR")
    if upper in ("SP", "WSP"):
        _fail("the stack pointer is not modelled")
    found = re.fullmatch(r"([WX])(\d|[12]\d|30)", upper)
    if found is None:
        _fail(f'no register "{text}"; there are X0 to X30, W0 to W30, XZR and WZR')
    return Register(int(found[2]), found[1] == "W")


def _same_width(one: Register, other: Register) -> None:
    if one.word != other.word:
        _fail("W and X registers in one instruction")


def _immediate(text: str) -> int | None:
    found = re.fullmatch(r"(#?)\s*([-+]?)(0X[0-9A-F]+|\d+)", text.upper())
    if found is None:
        if text.startswith("#"):
            _fail(f'no number "{text}"')
        return None
    digits = found[3]
    value = int(digits, 16) if digits.startswith("0X") else int(digits)
    if value > MOST:
        _fail(f"{text} does not fit 64 bits")
    return -value if found[2] == "-" else value


def _bracketed(text: str) -> list[str]:
    if re.fullmatch(r"\[.*\]\s*!", text):
        _fail("addresses that change their base register are not modelled")
    found = re.fullmatch(r"\[([^\[\]]*)\]", text)
    if found is None:
        _fail(f'expected an address such as [X1], not "{text}"')
    return [part.strip() for part in found[1].split(",")]


def _base_register(text: str) -> int:
    base = _register(text)
    if base.word or base.number == ZERO:
        _fail(f"the base of an address must be one of X0 to X30, not {text}")
    return base.number


def _base(text: str) -> int:
    """Of an address that can have nothing else."""
    base, *more = _bracketed(text)
    if more and [_immediate(part) for part in more] != [0]:
        _fail(f"this instruction takes no offset; {text} has one")
    return _base_register(base)


def _index(text: str, register: str, extension: list[str]) -> Fields:
    index = _register(register)
    if not extension:
        if index.word:
            _fail(f"a W register as an index needs SXTW or UXTW: [Xn,{register},SXTW]")
        return {"m": index.number}
    found = re.fullmatch(r"(SXTW|UXTW|LSL)(?: *#?(\d+))?", extension[0].upper()) if len(extension) == 1 else None
    if found is None or (found[1] == "LSL") == index.word:
        _fail(f"cannot read the index in {text}")
    if found[2] not in (None, "0"):
        _fail("a shifted index is not modelled")
    return {"m": index.number, "extend": "none" if found[1] == "LSL" else found[1].lower()}


KNOWN = sorted(
    {*ALU, *WITH_FLAGS, *COMPARISONS, *FROM_ZERO, *LOADS, *STORES, *STORES_EXCLUSIVE}
    | {"MOV", "B", "CBZ", "CBNZ", "TBZ", "TBNZ", "DMB", "DSB", "ISB", "NOP"}
    | {f"{stem}{order}" for stem in ("SWP", "CAS", *(f"LD{update}" for update in UPDATES)) for order in ORDERS}
    | {f"ST{update}{order}" for update in UPDATES for order in ("", "L")}
    | {f"B.{condition.upper()}" for condition in (*CONDITIONS, *OTHER_CONDITIONS)}
)
