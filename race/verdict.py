"""From what was found to a verdict: were the scenario's expectations met, and could this run tell?

Of a plan that the scenario states no expectation of: one that is as strong as the kernel's must find nothing; what a
weaker one finds is reported and not judged, because to find something is what it is run for.

A clean result counts only beside a control arm: another plan of the same run that found something, significantly more
often. None is asked for where the scenario says that no plan can find anything under the model (tso and sc, usually).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from race import stats
from race.hardware.record import Hardware
from race.report.words import p_value, percent
from race.results import Arm, Expectation, Status, Verdict
from race.scenario.expect import ANY, Expected

MIN_EXECUTIONS = 1000  # of an arm; fewer say nothing about a clean result
SIGNIFICANT = 0.05  # the greatest p-value of a difference that counts

RARE = 1e-6  # a rate of findings that a run on hardware should be long enough to see

TOO_FEW = f"which is too few to tell (at least {MIN_EXECUTIONS:,})"

STATUS: dict[Status, int] = {"held": 0, "failed": 1, "unjudged": 0, "inconclusive": 3, "incomplete": 4}

IN_ORDER = (
    "{model} {how}: whoever sees an unlock sees all that was stored before it, whatever the strengths of the sites, "
    "so a copy and the unlock after it (message passing) cannot be seen in the other order"
)
WHY_CLEAN = {
    "tso": IN_ORDER.format(model="model tso", how="makes a CPU's stores visible in program order and its loads fresh"),
    "sc": IN_ORDER.format(model="model sc", how="performs every access at once and in program order"),
}
MODEL_LIMITS = {
    "armv8": "what a compiler reorders, and accesses of several sizes to one word, which the machine does not have",
}


@dataclass(frozen=True)
class Judged:
    """An arm, with what the scenario expects of it."""

    arm: Arm
    expected: Expected | None
    weakened: bool  # some site is weaker than the kernel has it

    @property
    def binding(self) -> bool:
        """There is something to hold or fail."""
        return self.expected is not None or not self.weakened

    @property
    def reported_only(self) -> bool:
        return not self.binding and self.arm.hits > 0


@dataclass(frozen=True)
class OnHardware:
    """The run was on a host's own CPUs."""

    hardware: Hardware

    @property
    def silent(self) -> str:
        """Why finding nothing says nothing here; empty: it may."""
        return self.hardware.cannot()

    def not_shown(self) -> str:
        return (
            "anything about other CPUs, or about this one under another load: what a CPU may reorder it need not "
            "reorder, and a clean run is never a proof"
        )


@dataclass(frozen=True)
class Situation:
    """What the arms have in common."""

    model: str
    can_fail: bool  # False: the scenario says that under this model not even a weakened plan finds anything
    held: dict[str, str]  # sites that the scenario holds
    verb: str
    interrupted: bool = False
    error: str = ""
    hardware: OnHardware | None = None  # None: the machine was simulated


def judge(judged: Sequence[Judged], situation: Situation) -> Verdict:
    """Also fills in each arm's expectation."""
    reasons: list[str] = []
    met: list[bool | None] = []
    for this in judged:
        others = [other.arm for other in judged if other is not this]
        outcome, why = _judge_arm(this, others, situation)
        if this.binding or (outcome is None and not this.reported_only):
            met.append(outcome)
        note = f" ({this.expected.note})" if outcome and this.expected and this.expected.note else ""
        reasons.append(f"plan {this.arm.plan}: {why}{note}")
        if (e := this.expected) is not None:
            this.arm.expectation = Expectation(
                find=list(e.find), clean=e.clean, never=list(e.never), met=outcome, why=why
            )
        elif not this.weakened:
            this.arm.expectation = Expectation(stated=False, clean=True, met=outcome, why=why)
    if any(this.weakened and not this.arm.hits for this in judged):
        if situation.hardware and situation.hardware.silent:
            reasons.append(situation.hardware.silent)
        elif situation.model in WHY_CLEAN:
            reasons.append(WHY_CLEAN[situation.model])
    if situation.error:
        reasons.insert(0, f"the run could not be completed: {situation.error}")
    elif situation.interrupted:
        reasons.insert(0, "the run was interrupted")
    status = _status(met, situation) if judged else "inconclusive"
    return Verdict(
        status=status, exit_status=STATUS[status], reasons=reasons, not_shown=list(_not_shown(judged, situation))
    )


def _status(met: Sequence[bool | None], situation: Situation) -> Status:
    if situation.error or situation.interrupted:
        return "incomplete"
    if False in met:
        return "failed"
    if None in met:
        return "inconclusive"
    return "held" if met else "unjudged"


def _judge_arm(this: Judged, others: Sequence[Arm], situation: Situation) -> tuple[bool | None, str]:
    """Whether it is as expected (None: cannot be told), and why."""
    arm, expected = this.arm, this.expected
    found = _found(arm)
    if expected is None:
        if this.reported_only:
            what = "the finding is" if arm.hits == 1 else f"{arm.hits:,} findings are"
            return None, f"{found}; no expectation for this plan: {what} reported, not judged"
        if arm.hits:
            return False, f"{found}, though no site is weaker than the kernel has it"
        return _judge_clean(arm, [ANY], others, situation, "; no expectation for this plan")
    for name in expected.never:
        if arm.counts.get(name):
            return False, f"{found}, but {name} must never be found"
    if expected.clean and arm.hits:
        return False, f"{found}, but nothing should be found"
    missing = [name for name in expected.find if not _count(arm, name)]
    if missing:
        what = _either(missing)
        if situation.hardware:  # a CPU need not do what it may do
            needed = stats.runs_needed(RARE)
            why = "" if arm.judged >= needed else f"; to see one in a million takes {needed:,} (95 % confidence)"
            return None, f"{what} not found in {_executions(arm)}, which is no evidence that it cannot happen{why}"
        if arm.judged < MIN_EXECUTIONS:
            return None, f"{what} was expected and not found in {_executions(arm)}, {TOO_FEW}"
        if situation.interrupted or situation.error:
            return None, f"{what} was expected and not found before the run ended"
        return False, f"{what} was expected and not found in {_executions(arm)}"
    if expected.clean or expected.never:
        return _judge_clean(arm, [ANY] if expected.clean else expected.never, others, situation, ", as expected")
    return True, f"{found}, as expected"


def _judge_clean(
    arm: Arm, oracles: Sequence[str], others: Sequence[Arm], situation: Situation, suffix: str
) -> tuple[bool | None, str]:
    """The arm did not find any of these oracles. Does that say anything?"""
    what = f"{'nothing' if ANY in oracles else _either(oracles)} found in {_executions(arm)}"
    what = what if ANY in oracles else f"no {what}"
    if arm.judged < MIN_EXECUTIONS:
        return None, f"{what}, {TOO_FEW}"
    if situation.hardware and situation.hardware.silent:
        return None, f"{what}, which says nothing about ordering"
    if not situation.can_fail:
        return True, f"{what}{suffix} under model {situation.model}"
    controls = [other for other in others if any(_count(other, name) for name in oracles)]
    if not controls:
        return None, f"{what}, which says little: {_no_control(others, situation)}"
    best = min(controls, key=lambda other: _p_value(arm, other, oracles))
    p = _p_value(arm, best, oracles)
    if p >= SIGNIFICANT:
        return None, f"{what}, but plan {best.plan} found too little to tell the two apart ({p_value(p)}); run more"
    return True, f"{what}{suffix}; plan {best.plan} is its control ({p_value(p)})"


def _no_control(others: Sequence[Arm], situation: Situation) -> str:
    if situation.verb == "run":
        return "there is no control arm; `race compare` runs plan off beside it"
    if not others:
        return "there is no control arm; add --barriers off"
    return f"no control arm found anything ({', '.join(other.plan for other in others)})"


def _p_value(arm: Arm, other: Arm, oracles: Sequence[str]) -> float:
    hits = max(_count(other, name) for name in oracles)
    return stats.fisher(0, arm.judged, hits, other.judged)


def _count(arm: Arm, oracle: str) -> int:
    return arm.hits if oracle == ANY else arm.counts.get(oracle, 0)


def _found(arm: Arm) -> str:
    counts = ", ".join(f"{name} {n:,}" for name, n in arm.counts.items())
    return f"{counts or 'nothing'} in {_executions(arm)}"


def _either(names: Sequence[str]) -> str:
    return "a finding" if ANY in names else " or ".join(names)


def _executions(arm: Arm) -> str:
    return f"{arm.judged:,} execution{'' if arm.judged == 1 else 's'}"


def _not_shown(judged: Sequence[Judged], situation: Situation) -> Iterable[str]:
    for this in judged:
        n = this.arm.judged
        if n and not this.arm.hits:
            yield (
                f"plan {this.arm.plan}: that no execution can fail; that none did in {n:,} leaves a chance of up to "
                f"{percent(stats.zero_hit_bound(n))} an execution (one-sided, 95 %)"
            )
    if situation.hardware:
        yield situation.hardware.not_shown()
    else:
        yield (
            f"anything about real hardware: the machine is simulated (model {situation.model}), and the rates are "
            "those of its random scheduler"
        )
        if situation.model in MODEL_LIMITS:
            yield MODEL_LIMITS[situation.model]
    for site, strength in situation.held.items():
        yield f"what {site} does by itself: the scenario holds it at {strength} in every plan that does not name it"
