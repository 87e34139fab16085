"""The log of a test, its line of JSON, and the comparison with listed states."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from race.errors import InputError
from race.litmus import expect, report
from race.litmus.read import read
from race.litmus.result import Outcome, Record, Run, outcome, record
from tests.litmus_support import MP, answer, one


def ran(text: str, native: dict[str, Any], engine: str = "exhaustive", model: str = "armv8") -> Outcome:
    return outcome(read(text, "folder/mp.litmus"), model, engine, Run(0.0123, msgspec.json.encode(native)))


FOUND = answer((1, 1), (0, 1), (1, 0), counts=[200, 3000, 17])


def test_the_log_of_the_weak_engine() -> None:
    assert report.log(ran(MP, FOUND, "weak")) == (
        "Test MP Allowed\n"
        "States 3\n"
        "3000   :>1:X0=0; 1:X2=1;\n"
        "17     *>1:X0=1; 1:X2=0;\n"
        "200    :>1:X0=1; 1:X2=1;\n"
        "Ok\n"
        "Witnesses\n"
        "Positive: 17 Negative: 3200\n"
        "Condition exists (1:X0=1 /\\ 1:X2=0)\n"
        "Observation MP Sometimes 17 3200\n"
        "Time MP 0.01\n"
        "\n"
    )


def test_the_log_of_the_exhaustive_engine_counts_states() -> None:
    lines = report.log(ran(MP, FOUND)).splitlines()
    assert lines[1:6] == ["States 3", "1:X0=0; 1:X2=1;", "1:X0=1; 1:X2=0;", "1:X0=1; 1:X2=1;", "Ok"]
    assert "Positive: 1 Negative: 2" in lines
    assert "Observation MP Sometimes 1 2" in lines


def test_a_search_that_is_not_complete_says_so() -> None:
    log = report.log(ran(MP, answer((1, 1), complete=False)))
    assert "Incomplete MP: there may be more states\nObservation MP Never 0 1\n" in log


@pytest.mark.parametrize(
    ("quantifier", "kind", "states", "claim", "witnesses", "observation"),
    [
        ("exists", "Allowed", [(1, 0)], "Ok", "Positive: 1 Negative: 0", "Always 1 0"),
        ("exists", "Allowed", [(1, 1)], "No", "Positive: 0 Negative: 1", "Never 0 1"),
        ("~exists", "Forbidden", [(1, 1)], "Ok", "Positive: 1 Negative: 0", "Never 0 1"),
        ("~exists", "Forbidden", [(1, 0), (1, 1), (0, 0)], "No", "Positive: 2 Negative: 1", "Sometimes 1 2"),
        ("forall", "Required", [(1, 0)], "Ok", "Positive: 1 Negative: 0", "Always 1 0"),
        ("forall", "Required", [(1, 0), (1, 1)], "No", "Positive: 1 Negative: 1", "Sometimes 1 1"),
    ],
)
def test_claims(
    quantifier: str, kind: str, states: list[tuple[int, int]], claim: str, witnesses: str, observation: str
) -> None:
    lines = report.log(ran(MP.replace("exists", quantifier), answer(*states))).splitlines()
    assert lines[0] == f"Test MP {kind}"
    assert lines[2 + len(states) : 5 + len(states)] == [claim, "Witnesses", witnesses]
    assert f"Observation MP {observation}" in lines


def test_addresses_and_locations_are_named() -> None:
    text = one("LDR X0,[X1]", "exists (0:X0=y /\\ x=y)", "0:X1=x; x=y;", "address")
    found = ran(text, answer(({"location": 1}, {"location": 1}), (0, {"location": 0})))
    assert report.log(found).splitlines()[2:4] == ["0:X0=0; [x]=x;", "0:X0=y; [x]=y;"]
    assert record(found).states == [{"0:X0": "0", "x": "x"}, {"0:X0": "y", "x": "y"}]


def test_a_filter_drops_states_and_what_it_alone_looks_at() -> None:
    text = MP.replace("exists (1:X0=1 /\\ 1:X2=0)", "filter (1:X2=0)\nexists (1:X0=1)")
    found = ran(text, answer((0, 0), (1, 0), (1, 1), counts=[2, 3, 4]), "weak")
    assert record(found).states == [{"1:X0": "0"}, {"1:X0": "1"}]
    assert record(found).counts == [2, 3]


def test_states_that_differ_only_in_what_is_not_shown_are_one() -> None:
    text = MP.replace("exists (1:X0=1 /\\ 1:X2=0)", "filter (1:X2=0 \\/ 1:X2=1)\nexists (1:X0=1)")
    assert record(ran(text, answer((1, 0), (1, 1), counts=[3, 4]), "weak")).counts == [7]


def test_the_record() -> None:
    encoded = msgspec.json.decode(msgspec.json.encode(record(ran(MP, FOUND, "weak", "tso"))))
    assert encoded == {
        "name": "MP",
        "states": [{"1:X0": "0", "1:X2": "1"}, {"1:X0": "1", "1:X2": "0"}, {"1:X0": "1", "1:X2": "1"}],
        "file": "folder/mp.litmus",
        "model": "tso",
        "engine": "weak",
        "counts": [3000, 17, 200],
        "verdict": "Sometimes",
        "positive": 17,
        "negative": 3200,
        "complete": True,
        "executions": 3217,
        "seconds": 0.0123,
    }
    assert "counts" not in msgspec.json.decode(msgspec.json.encode(record(ran(MP, FOUND))))


def test_names_and_states_of_a_record_are_in_alphabetical_order() -> None:
    text = MP.replace("exists (", "exists (1:X10=0 /\\ ")
    states = record(ran(text, answer((1, 10, 0), (1, 9, 0)))).states
    assert [list(state.items()) for state in states] == [
        [("1:X0", "1"), ("1:X10", "0"), ("1:X2", "10")],
        [("1:X0", "1"), ("1:X10", "0"), ("1:X2", "9")],
    ]


def test_the_summary() -> None:
    outcomes = [ran(MP, FOUND), ran(MP, answer((1, 1))), ran(MP, answer((1, 0)))]
    assert (
        report.summary(outcomes, 1.25) == "3 tests: 1 Sometimes, 1 Never, 1 Always; 2 Ok, 1 No; 3,219 executions; 1.2 s"
    )


# ---- --expect


def listed(tmp_path: Path, *records: Record) -> expect.Expectations:
    file = tmp_path / "expected.jsonl"
    file.write_bytes(b"".join(msgspec.json.encode(r) + b"\n" for r in records) + b"\n")
    return expect.Expectations(str(file))


def states(*rows: tuple[int, int]) -> list[dict[str, str]]:
    return [{"1:X0": str(a), "1:X2": str(b)} for a, b in rows]


ALL = states((0, 1), (1, 0), (1, 1))


@pytest.mark.parametrize("model", ["armv8", "aarch64"])
def test_the_same_states_agree(model: str, tmp_path: Path) -> None:
    expectations = listed(tmp_path, Record("MP", ALL[:1], model="sc"), Record("MP", ALL, model=model))
    comparison = expectations.compare([ran(MP, FOUND)])
    assert (comparison.agree, comparison.differences) == (1, [])
    assert expect.summary(comparison, expectations).endswith(": 1 agree, 0 unsound, 0 incomplete")
    assert len(expectations.compare([ran(MP, FOUND, model="sc")]).unsound) == 1


def test_a_record_without_a_model_is_of_armv8(tmp_path: Path) -> None:
    file = tmp_path / "expected.jsonl"
    file.write_bytes(msgspec.json.encode({"name": "MP", "states": ALL, "their_seconds": 0.1}))
    assert expect.Expectations(str(file)).compare([ran(MP, FOUND)]).agree == 1


def test_other_states_are_differences(tmp_path: Path) -> None:
    extra = listed(tmp_path, Record("MP", ALL[:1])).compare([ran(MP, FOUND)])
    assert extra.differences == ["unsound: folder/mp.litmus: MP: 1:X0=1; 1:X2=0 and 1 more not in 1 listed"]
    missing = listed(tmp_path, Record("MP", [*ALL, *states((0, 0))])).compare([ran(MP, FOUND)])
    assert missing.differences == ["incomplete: folder/mp.litmus: MP: 1:X0=0; 1:X2=0 listed but not reached"]


def test_whoever_unrolled_loops_may_have_missed_states(tmp_path: Path) -> None:
    assert listed(tmp_path, Record("MP", ALL[:1], loop=True)).compare([ran(MP, FOUND)]).agree == 1
    more = [*ALL, *states((0, 0))]
    assert len(listed(tmp_path, Record("MP", more, loop=True)).compare([ran(MP, FOUND)]).incomplete) == 1


def test_the_weak_engine_need_not_reach_everything(tmp_path: Path) -> None:
    expectations = listed(tmp_path, Record("MP", [*ALL, *states((0, 0))]))
    comparison = expectations.compare([ran(MP, answer(*FOUND_ROWS, complete=False), "weak")])
    assert (comparison.agree, comparison.differences) == (1, [])
    assert expect.summary(comparison, expectations).endswith("reached 3 of 4 listed states")


FOUND_ROWS = ((0, 1), (1, 0), (1, 1))


def test_a_search_that_is_not_complete_need_not_either(tmp_path: Path) -> None:
    comparison = listed(tmp_path, Record("MP", ALL)).compare([ran(MP, answer((1, 1), complete=False))])
    assert comparison.differences == []


def test_tests_that_are_not_listed_are_counted(tmp_path: Path) -> None:
    expectations = listed(tmp_path, Record("SB", ALL))
    comparison = expectations.compare([ran(MP, FOUND)])
    assert (comparison.compared, comparison.unlisted) == (0, 1)
    assert "1 not in it" in expect.summary(comparison, expectations)


def test_two_tests_of_one_name_are_told_apart_by_their_files(tmp_path: Path) -> None:
    records = Record("MP", ALL[:1], file="other.litmus"), Record("MP", ALL, file="elsewhere/mp.litmus")
    assert listed(tmp_path, *records).compare([ran(MP, FOUND)]).agree == 1


def test_spellings_of_a_value_do_not_matter(tmp_path: Path) -> None:
    found = ran(MP, answer((0xFFFFFFFF, 0x10)))
    for value in ("-1", "4294967295", "0xffffffff"):
        assert listed(tmp_path, Record("MP", [{"1:X2": "16", "1:X0": value}])).compare([found]).agree == 1


def test_a_file_that_is_no_list_of_records(tmp_path: Path) -> None:
    file = tmp_path / "expected.jsonl"
    file.write_text('{"name":"MP","states":[]}\n{"name":3}\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"expected\.jsonl:2: not a record of a test: "):
        expect.Expectations(str(file))
    with pytest.raises(InputError, match="cannot read nothing: No such file or directory"):
        expect.Expectations("nothing")
