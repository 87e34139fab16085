"""The result as JUnit XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from race.report import junit
from race.results import Document, Expectation
from tests.documents import arm, compared


def suite(document: Document) -> ET.Element:
    found = ET.fromstring(junit.render(document)).find("testsuite")
    assert found is not None
    return found


def numbers(element: ET.Element) -> tuple[str | None, ...]:
    return tuple(element.get(name) for name in ("tests", "failures", "errors", "skipped"))


def test_one_case_for_each_arm() -> None:
    found = suite(compared())
    assert numbers(found) == ("2", "0", "0", "0")
    assert [case.get("name") for case in found.iter("testcase")] == ["off: garbage-freeobj", "on: no finding"]
    assert {case.get("classname") for case in found.iter("testcase")} == {"race.freeobj-corruption.armv8"}
    assert [case.get("time") for case in found.iter("testcase")] == ["1.500", "1.750"]
    assert found.get("timestamp") == "2017-01-18T22:39:00Z"
    properties = {p.get("name"): p.get("value") for p in found.iter("property")}
    assert properties["seed"] == str(2**64 - 1)
    assert "0x6d6d0003" in "".join(found.itertext())


def test_an_expectation_that_did_not_hold_is_a_failure() -> None:
    found = suite(compared(on_hits=3))
    assert numbers(found) == ("2", "1", "0", "0")
    failure = found.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "something was found"


def test_what_is_undecided_is_skipped() -> None:
    document = compared()
    document.arms[1].expectation = Expectation(clean=True, met=None, why="there is no control arm")
    document.arms.append(arm("bit-spin-only", 1000, 0, None))
    found = suite(document)
    assert numbers(found) == ("3", "0", "0", "2")
    messages = [skipped.get("message") for skipped in found.iter("skipped")]
    assert messages == ["there is no control arm", "no expectation for this plan under this model"]


def test_what_was_not_run_to_its_end_is_an_error() -> None:
    document = compared()
    document.interrupted = True
    document.arms[1].expectation = Expectation(clean=True, met=None)
    found = suite(document)
    assert numbers(found) == ("2", "0", "1", "0")
    error = found.find("testcase/error")
    assert error is not None
    assert error.get("message") == "the run was not completed"


def test_characters_that_xml_cannot_hold() -> None:
    document = compared()
    document.scenario.title = 'a\x00b\x1b[1m <&"> \ud800'
    properties = {p.get("name"): p.get("value") for p in suite(document).iter("property")}
    assert properties["scenario"] == 'freeobj-corruption: a?b?[1m <&"> ?'
