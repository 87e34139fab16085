"""Our own litmus tests: golden states under each model, what each file claims, and the laws that relate them."""

from __future__ import annotations

import copy
import functools
import itertools
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from race import native
from race.litmus import values
from race.litmus.files import read_all
from race.litmus.program import Instruction, LitmusTest
from race.litmus.result import Record, canonical, claim_holds, outcome, verdict
from race.litmus.run import UNLIMITED, run_program
from tests.conftest import RunRace
from tests.litmus_support import GOLDEN, MODELS, OWN

States = frozenset[frozenset[tuple[str, values.Value]]]


@functools.cache
def own() -> dict[str, LitmusTest]:
    """By the file's path inside tests/litmus."""
    tests, unreadable = read_all([str(OWN)])
    assert unreadable == []
    return {Path(test.file).relative_to(OWN).as_posix(): test for test in tests}


@functools.cache
def golden() -> dict[tuple[str, str], Record]:
    """By file and model."""
    records = [msgspec.json.decode(line, type=Record) for line in GOLDEN.read_bytes().splitlines()]
    return {(record.file, record.model): record for record in records}


def states(file: str, model: str = "armv8") -> States:
    return frozenset(canonical(state) for state in golden()[file, model].states)


def test_the_golden_file_is_about_these_tests() -> None:
    assert golden().keys() == set(itertools.product(own(), MODELS)), "make litmus-golden"
    for (file, _), record in golden().items():
        assert record.name == own()[file].name == Path(file).stem
        assert all(set(state) == set(own()[file].shown) for state in record.states)


def test_every_file_says_what_it_asks() -> None:
    for file in own():
        assert (OWN / file).read_text(encoding="utf-8").splitlines()[1].startswith("(* "), file


@pytest.mark.parametrize("model", MODELS)
def test_verdicts(model: str) -> None:
    for file, test in own().items():
        record = golden()[file, model]
        positive = [test.final.proposition.holds(_state(state)) for state in record.states]
        assert record.verdict == verdict(positive), file
        if model == "armv8":
            assert claim_holds(test.final.quantifier, positive), f"{file}: {test.final}"


def _state(shown: dict[str, str]) -> values.State:
    return {name: values.parsed(text) for name, text in shown.items()}


def test_a_stronger_model_has_no_other_states() -> None:
    for file in own():
        assert states(file, "sc") <= states(file, "tso") <= states(file, "armv8"), file


# ---- a stronger order has no other states either

STRONGER_ORDERS = {
    "plain": {"acquire-pc", "acquire", "release", "acquire-release"},
    "acquire-pc": {"acquire"},
    "acquire": {"acquire-release"},
    "release": {"acquire-release"},
}


def strengthens(strong: LitmusTest, weak: LitmusTest) -> bool:
    """Whether one test is the other with barriers added, or with stronger ones, or with more acquire or release."""
    return (
        strong.final.shown_names == weak.final.shown_names
        and strong.initial == weak.initial
        and len(strong.threads) == len(weak.threads)
        and all(s.registers == w.registers for s, w in zip(strong.threads, weak.threads, strict=True))
        and all(_code_strengthens(s.code, w.code) for s, w in zip(strong.threads, weak.threads, strict=True))
    )


def _code_strengthens(strong: list[Instruction], weak: list[Instruction]) -> bool:
    places = []  # in the strong code, of each weak instruction
    rest = iter(range(len(strong)))
    for instruction in weak:
        for at in rest:
            if _as_strong(strong[at].fields, instruction.fields):
                places.append(at)
                break
            if strong[at].fields["op"] not in ("fence", "isb"):
                return False
        else:
            return False
    if any(strong[at].fields["op"] not in ("fence", "isb") for at in rest):
        return False
    ends = [*places, len(strong)]
    for at, instruction in zip(places, weak, strict=True):
        if (target := instruction.fields.get("target")) is not None:
            first = ends[target - 1] + 1 if target else 0  # a barrier may stand on either side of the label
            if not first <= strong[at].fields["target"] <= ends[target]:
                return False
    return True


def _as_strong(strong: dict[str, Any], weak: dict[str, Any]) -> bool:
    rest_s, rest_w = ({k: v for k, v in f.items() if k not in ("order", "kind", "target")} for f in (strong, weak))
    if rest_s != rest_w:
        return False
    order = strong.get("order") == weak.get("order") or strong.get("order") in STRONGER_ORDERS.get(
        weak.get("order", ""), ()
    )
    return order and (strong.get("kind") == weak.get("kind") or strong.get("kind") == "sy")


def test_a_stronger_order_adds_no_states() -> None:
    pairs = [
        (strong, weak) for strong, weak in itertools.permutations(own(), 2) if strengthens(own()[strong], own()[weak])
    ]
    assert len(pairs) > 100
    for (strong, weak), model in itertools.product(pairs, MODELS):
        assert states(strong, model) <= states(weak, model), f"{strong} has states that {weak} has not, {model}"
    assert sum(states(strong) < states(weak) for strong, weak in pairs) > 50  # the law is not about nothing


# ---- with the machine


@pytest.mark.parametrize("model", MODELS)
def test_the_exhaustive_engine_finds_the_golden_states(model: str, run_race: RunRace) -> None:
    status, out, err = run_race("litmus", OWN, "--model", model, "--expect", GOLDEN)
    assert (status, err) == (0, ""), out[-2000:]
    assert out.endswith(f": {len(own())} agree, 0 unsound, 0 incomplete\n")
    assert model != "armv8" or "\nNo\n" not in out


@pytest.mark.parametrize("model", MODELS)
def test_the_weak_engine_finds_golden_states_only(model: str, run_race: RunRace) -> None:
    command = ("litmus", OWN, "--engine", "weak", "--executions", "2000", "--model", model, "--expect", GOLDEN)
    status, out, err = run_race(*command)
    assert (status, err) == (0, ""), out[-2000:]
    assert f": {len(own())} agree, 0 unsound" in out


def exhaust(test: LitmusTest, program: dict[str, Any]) -> States:
    run = run_program(msgspec.json.encode(program), UNLIMITED)
    assert run is not None
    assert not run.error
    found = outcome(test, program["model"], "exhaustive", run)
    assert found.complete
    return frozenset(canonical(each.shown) for each in found.found)


def strengthened(program: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every program that differs in one order: a barrier in one place, or one access with acquire or release."""
    for number, thread in enumerate(program["threads"]):
        for at, fields in enumerate(thread["code"]):
            for order in sorted(_orders(fields)):
                changed = copy.deepcopy(program)
                changed["threads"][number]["code"][at]["order"] = order
                yield changed
            for barrier in (
                {"op": "fence", "kind": "sy"},
                {"op": "fence", "kind": "ld"},
                {"op": "fence", "kind": "st"},
            ):
                changed = copy.deepcopy(program)
                code = changed["threads"][number]["code"]
                for other in code:
                    if other.get("target", 0) > at:
                        other["target"] += 1
                code.insert(at, barrier)
                yield changed


def _orders(fields: dict[str, Any]) -> set[str]:
    possible = {
        "load": {"acquire"} if fields.get("exclusive") else {"acquire-pc", "acquire"},
        "store": {"release"},
        "store-exclusive": {"release"},
        "rmw": {"acquire", "release", "acquire-release"},
        "cas": {"acquire", "release", "acquire-release"},
    }
    return possible.get(fields["op"], set()) & STRONGER_ORDERS.get(fields.get("order", ""), set())


@pytest.mark.parametrize("model", MODELS)
def test_one_order_more_adds_no_states(model: str) -> None:
    for file, test in own().items():
        program = msgspec.json.decode(test.program(model=model, engine="exhaustive", seed=1))
        changed = list(strengthened(program))
        for stronger in random.Random(file).sample(changed, min(4, len(changed))):
            extra = exhaust(test, stronger) - states(file, model)
            assert not extra, f"{file}: {stronger['threads']}: {extra}"


def test_the_weak_engine_repeats_itself() -> None:
    test = own()["SB.litmus"]
    results = []
    for parts in ([(0, 3000)], [(0, 1000), (1000, 2000)]):
        with closing(native.LitmusMachine(test.program(model="armv8", engine="weak", seed=5))) as machine:
            assert sum(machine.run(first, count) for first, count in parts) == 3000
            results.append(machine.result())
    assert results[0] == results[1]
