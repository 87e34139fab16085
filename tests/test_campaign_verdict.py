"""Verdicts: what was expected, what was found, and what the run could tell."""

from __future__ import annotations

from typing import Any

import pytest

from race import stats
from race.results import Arm, Verdict
from race.scenario.expect import Expected
from race.verdict import Judged, Situation, judge

MANY = 100_000


def arm(plan: str, executions: int = MANY, **counts: int) -> Arm:
    by_oracle = {name.replace("_", "-"): n for name, n in counts.items()}
    total = stats.interval(sum(counts.values()), executions)
    return Arm(plan=plan, sites={}, executions=executions, counts=by_oracle, total=total)


def expected(find: tuple[str, ...] = (), *, clean: bool = False, never: tuple[str, ...] = ()) -> Expected:
    return Expected(
        plan="", strengths={}, models=("armv8",), find=find, clean=clean, never=never, note="", weakened=True
    )


def situation(**changes: Any) -> Situation:
    return Situation(**{"model": "armv8", "can_fail": True, "held": {}, "verb": "compare", **changes})


def verdict(*pairs: tuple[Arm, Expected | None], **changes: Any) -> Verdict:
    judged = [Judged(a, e, weakened=a.plan != "on") for a, e in pairs]
    return judge(judged, situation(**changes))


FINDS = expected(("oops",))
CLEAN = expected(clean=True)


@pytest.mark.parametrize(
    ("arms", "status", "reason"),
    [
        (
            [(arm("off", oops=500), FINDS), (arm("on"), CLEAN)],
            0,
            "plan on: nothing found in 100,000 executions, as expected; plan off is its control (p < 1e-15)",
        ),
        (
            [(arm("off"), FINDS), (arm("on"), CLEAN)],
            1,
            "plan off: oops was expected and not found in 100,000 executions",
        ),
        (
            [(arm("off", deadlock=5), FINDS)],
            1,
            "plan off: oops was expected and not found in 100,000 executions",
        ),
        (
            [(arm("off", oops=500), FINDS), (arm("on", oops=1), CLEAN)],
            1,
            "plan on: oops 1 in 100,000 executions, but nothing should be found",
        ),
        (
            [(arm("off", oops=500), FINDS), (arm("on", oops=1), expected(never=("oops",)))],
            1,
            "plan on: oops 1 in 100,000 executions, but oops must never be found",
        ),
        (
            [(arm("off", deadlock=500, oops=9), FINDS), (arm("on", deadlock=3), expected(never=("oops",)))],
            0,
            "plan on: no oops found in 100,000 executions, as expected; plan off is its control (p = 0.00391)",
        ),
        (
            [(arm("off", deadlock=1), expected(("any",)))],
            0,
            "plan off: deadlock 1 in 100,000 executions, as expected",
        ),
        (
            [(arm("off", 50, oops=9), FINDS), (arm("on", 50), CLEAN)],
            3,
            "plan on: nothing found in 50 executions, which is too few to tell (at least 1,000)",
        ),
        (
            [(arm("off", 50), FINDS)],
            3,
            "plan off: oops was expected and not found in 50 executions, which is too few to tell (at least 1,000)",
        ),
        (
            [(arm("off", oops=5), FINDS), (arm("on"), CLEAN)],
            3,
            "plan on: nothing found in 100,000 executions, but plan off found too little to tell the two apart "
            "(p = 0.0625); run more",
        ),
        (
            [(arm("off"), None), (arm("on"), CLEAN)],
            3,
            "plan on: nothing found in 100,000 executions, which says little: no control arm found anything (off)",
        ),
        (
            [(arm("on"), CLEAN)],
            3,
            "plan on: nothing found in 100,000 executions, which says little: "
            "there is no control arm; add --barriers off",
        ),
        (
            [(arm("off", oops=5), None)],
            0,
            "plan off: oops 5 in 100,000 executions; no expectation for this plan: 5 findings are reported, not judged",
        ),
        (
            [(arm("on", oops=5), None)],
            1,
            "plan on: oops 5 in 100,000 executions, though no site is weaker than the kernel has it",
        ),
        (
            [(arm("off", oops=50), None), (arm("on"), None)],
            0,
            "plan on: nothing found in 100,000 executions; no expectation for this plan; "
            "plan off is its control (p = 1.8e-15)",
        ),
    ],
)
def test_verdict(arms: list[tuple[Arm, Expected | None]], status: int, reason: str) -> None:
    given = verdict(*arms)
    assert given.exit_status == status
    assert reason in given.reasons


def test_a_run_alone_has_no_control_and_says_what_has() -> None:
    given = verdict((arm("on"), CLEAN), verb="run")
    assert given.status == "inconclusive"
    assert given.reasons == [
        "plan on: nothing found in 100,000 executions, which says little: "
        "there is no control arm; `race compare` runs plan off beside it"
    ]


@pytest.mark.parametrize(("model", "why"), [("tso", "in program order"), ("sc", "at once")])
def test_a_model_that_cannot_show_it_needs_no_control_if_the_scenario_says_so(model: str, why: str) -> None:
    given = verdict((arm("off"), CLEAN), (arm("on"), CLEAN), model=model, can_fail=False)
    assert given.status == "held"
    assert given.reasons[0] == f"plan off: nothing found in 100,000 executions, as expected under model {model}"
    assert given.reasons[2].startswith(f"model {model} ")
    assert why in given.reasons[2]


def test_a_model_that_cannot_show_it_is_inconclusive_if_the_scenario_says_nothing() -> None:
    given = verdict((arm("off"), None), (arm("on"), None), model="tso")
    assert given.status == "inconclusive"


@pytest.mark.parametrize("end", [{"interrupted": True}, {"error": "a worker process died: SIGSEGV"}])
def test_a_run_that_was_not_completed_is_neither_held_nor_failed(end: dict[str, Any]) -> None:
    given = verdict((arm("off"), FINDS), **end)
    assert (given.status, given.exit_status) == ("incomplete", 4)
    assert given.reasons[0] in (
        "the run was interrupted",
        "the run could not be completed: a worker process died: SIGSEGV",
    )
    assert given.reasons[1] == "plan off: oops was expected and not found before the run ended"


@pytest.mark.parametrize(
    ("arms", "status"),
    [
        ([(arm("off", oops=5), None)], "unjudged"),
        ([(arm("off", 9, oops=1), None)], "unjudged"),
        ([(arm("off", oops=5), None), (arm("off-too", deadlock=7), None)], "unjudged"),
        ([(arm("off", oops=50), None), (arm("weak"), None)], "unjudged"),
        ([(arm("off"), None)], "inconclusive"),
        ([(arm("off", oops=50), None), (arm("on"), None)], "held"),
        ([(arm("off", oops=50), None), (arm("on", oops=1), None)], "failed"),
    ],
)
def test_where_the_scenario_states_no_expectation(arms: list[tuple[Arm, None]], status: str) -> None:
    """The kernel's own strengths must find nothing; what a weaker plan finds is reported."""
    assert verdict(*arms).status == status
    for a, _ in arms:
        assert (a.expectation is None) == (a.plan != "on")
        if a.expectation is not None:
            assert (a.expectation.stated, a.expectation.clean) == (False, True)
            assert a.expectation.met == (status == "held")


def test_the_expectation_is_written_into_the_arm() -> None:
    off, on = arm("off", oops=500), arm("on")
    verdict((off, FINDS), (on, CLEAN))
    assert off.expectation is not None
    assert (off.expectation.find, off.expectation.met) == (["oops"], True)
    assert on.expectation is not None
    assert (on.expectation.clean, on.expectation.met) == (True, True)


def test_what_was_not_shown() -> None:
    given = verdict((arm("off", oops=500), FINDS), (arm("on"), CLEAN), held={"f.put_page": "none"})
    assert given.not_shown == [
        "plan on: that no execution can fail; that none did in 100,000 leaves a chance of up to 0.00300 % an execution "
        "(one-sided, 95 %)",
        "anything about real hardware: the machine is simulated (model armv8), and the rates are those of "
        "its random scheduler",
        "what a compiler reorders, and accesses of several sizes to one word, which the machine does not have",
        "what f.put_page does by itself: the scenario holds it at none in every plan that does not name it",
    ]
