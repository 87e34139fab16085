"""What the tests of `race litmus` share: small tests, a machine that says what it is told, and where the judges lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import msgspec
import pytest

from race.litmus.program import LitmusTest
from race.litmus.read import read

P = ParamSpec("P")
T = TypeVar("T")

CHECKOUT = Path(__file__).resolve().parent.parent
OWN = CHECKOUT / "tests" / "litmus"
GOLDEN = OWN / "golden.jsonl"
MODELS = ("armv8", "tso", "sc")

MP = """\
AArch64 MP
{
0:X1=x; 0:X3=y;
1:X1=x; 1:X3=y;
}
 P0          | P1          ;
 MOV W0,#1   | LDR W0,[X3] ;
 STR W0,[X1] | LDR W2,[X1] ;
 STR W0,[X3] |             ;
exists (1:X0=1 /\\ 1:X2=0)
"""


def one(code: str, condition: str = "", initial: str = "0:X1=x; 0:X3=y;", name: str = "one") -> str:
    """A test of one thread; instructions are parted by semicolons."""
    rows = "".join(f" {instruction.strip()} ;\n" for instruction in code.split(";"))
    return f"AArch64 {name}\n{{ {initial} }}\n P0 ;\n{rows}{condition}\n"


def read_one(code: str, condition: str = "", initial: str = "0:X1=x; 0:X3=y;") -> LitmusTest:
    return read(one(code, condition, initial), "one.litmus")


def corpus() -> Path:
    """The tests with another simulator's answers, which are no part of the project."""
    folder = Path(os.environ.get("RACE_LITMUS") or CHECKOUT.parent / "shared" / "litmus")
    if not (folder / "open" / "expected.jsonl").is_file():
        pytest.skip(f"no litmus tests with answers in {folder}; RACE_LITMUS names their folder")
    return folder


class InlinePool:
    """race.pool's, without processes: what is submitted has run."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future

    def cancel(self) -> None:
        pass

    def kill(self) -> None:
        pass

    def epitaph(self) -> str:
        return "a worker process died: SIGSEGV"

    def __enter__(self) -> InlinePool:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class FakeMachine:
    """Gives `answer`, or raises it; remembers what it was asked."""

    answer: Any = None
    programs: list[Any] = []
    limits: list[int] = []

    def __init__(self, program: bytes) -> None:
        FakeMachine.programs.append(msgspec.json.decode(program))

    def run(self, _first: int, count: int) -> int:
        FakeMachine.limits.append(count)
        if isinstance(FakeMachine.answer, Exception):
            raise FakeMachine.answer
        return min(count, 4)

    def cancel(self) -> None:
        pass

    def result(self) -> bytes:
        return msgspec.json.encode(FakeMachine.answer)

    def close(self) -> None:
        pass


def answer(*states: Sequence[Any], counts: Sequence[int] | None = None, complete: bool = True) -> dict[str, Any]:
    """As the native machine writes a result. An address is {"location": i}."""
    numbers = counts or [1] * len(states)
    return {
        "executions": sum(numbers),
        "complete": complete,
        "states": [{"values": list(s), "count": n} for s, n in zip(states, numbers, strict=True)],
    }


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> type[FakeMachine]:
    """The fake in the place of the native machine, in this process."""
    monkeypatch.setattr("race.native.LitmusMachine", FakeMachine)
    monkeypatch.setattr("race.cli.litmus.LocalPool", InlinePool)
    monkeypatch.setattr(FakeMachine, "programs", [])
    monkeypatch.setattr(FakeMachine, "limits", [])
    monkeypatch.setattr(FakeMachine, "answer", answer((1, 0), (1, 1)))
    return FakeMachine
