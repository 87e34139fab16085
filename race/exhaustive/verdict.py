"""From explored plans to a verdict. Only a plan of which every execution was explored to its end is called proved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from race.exhaustive.explore import Explored
from race.report.proofs import BOUNDS
from race.results import Arm, Expectation, Proof, Status, Verdict
from race.scenario.expect import ANY, Expected
from race.verdict import MODEL_LIMITS, STATUS

OUTSIDE = "anything outside of the bounds: more threads or steps, other sizes, another order of the set-up"
NOT_EXPLORED = "what the search leaves out: docs/exhaustive.md has the list"


@dataclass(frozen=True)
class Judged:
    """An arm with its proof, and what the scenario expects of it."""

    arm: Arm
    proof: Proof
    expected: Expected | None
    weakened: bool  # some site is weaker than the kernel has it


def decided(expected: Expected | None) -> Callable[[Mapping[str, int]], bool]:
    """Whether findings so far settle what a plan is run for, whatever the rest of its executions has."""

    def by(counts: Mapping[str, int]) -> bool:
        if expected is None or expected.clean:
            return bool(counts)
        if any(counts.get(name) for name in expected.never):
            return True
        found = all(counts if name == ANY else counts.get(name) for name in expected.find)
        return bool(expected.find) and found and not expected.never

    return by


def proof_of(arm: Explored) -> Proof:
    state = arm.state
    complete = state.explored and not state.cut
    return Proof(
        verdict="refuted" if state.counts else "proved" if complete else "not finished",
        complete=complete,
        redundant=state.redundant,
        cut=state.cut,
        bound="steps" if state.explored and state.cut else arm.bound,
        left=None if state.explored else state.left(),
    )


def judge(judged: Sequence[Judged], model: str, held: Mapping[str, str], error: str) -> Verdict:
    """Also fills in each arm's expectation."""
    reasons: list[str] = []
    met: list[bool | None] = []
    for this in judged:
        outcome, why = _judge_arm(this)
        e = this.expected
        if e is not None or not this.weakened or this.proof.verdict == "not finished":
            met.append(outcome)
        if e is not None:
            this.arm.expectation = Expectation(
                find=list(e.find), clean=e.clean, never=list(e.never), met=outcome, why=why
            )
        elif not this.weakened:
            this.arm.expectation = Expectation(stated=False, clean=True, met=outcome, why=why)
        note = f" ({e.note})" if outcome and e and e.note else ""
        reasons.append(f"plan {this.arm.plan}: {why}{note}")
    interrupted = any(this.proof.bound == "interruption" for this in judged)
    if error:
        reasons.insert(0, f"the run could not be completed: {error}")
    elif interrupted:
        reasons.insert(0, "the run was interrupted")
    status = _status(met, ended_early=bool(error) or interrupted)
    return Verdict(
        status=status, exit_status=STATUS[status], reasons=reasons, not_shown=list(_not_shown(judged, model, held))
    )


def _status(met: Sequence[bool | None], *, ended_early: bool) -> Status:
    if ended_early:
        return "incomplete"
    if False in met:
        return "failed"
    if None in met:
        return "inconclusive"
    return "held" if met else "unjudged"


def _judge_arm(this: Judged) -> tuple[bool | None, str]:
    """Whether it is as expected (None: cannot be told), and why."""
    arm, proof, expected = this.arm, this.proof, this.expected
    found = finding(arm, proof)
    if expected is None:
        if this.weakened:
            return None, f"{found}; no expectation for this plan"
        if arm.hits:
            return False, f"{found}, though no site is weaker than the kernel has it"
        return proof.complete or None, found
    for name in expected.never:
        if arm.counts.get(name):
            return False, f"{found}, but {name} must never be found"
    if expected.clean and arm.hits:
        return False, f"{found}, but nothing should be found"
    missing = [name for name in expected.find if not (arm.hits if name == ANY else arm.counts.get(name))]
    if missing:
        what = "a finding" if ANY in missing else " and ".join(missing)
        if proof.complete:
            return False, f"{what} was expected, and no execution has it: {found}"
        return None, f"{what} was expected and is not found so far: {found}"
    if (expected.clean or expected.never) and not proof.complete:
        return None, found
    if expected.never:
        return True, f"{found}; no {' and no '.join(expected.never)} in any, as expected"
    return True, f"{found}, as expected"


def finding(arm: Arm, proof: Proof) -> str:
    """The verdict of a plan, in words."""
    executions = f"{arm.executions:,} execution{'' if arm.executions == 1 else 's'}"
    all_of_them = f"its {executions}, which {'is' if arm.executions == 1 else 'are'} all"
    if proof.verdict == "proved":
        return f"proved within bounds: nothing is found in {all_of_them}"
    counts = ", ".join(f"{name} {n:,}" for name, n in arm.counts.items())
    if proof.verdict == "refuted":
        if proof.complete:
            return f"refuted: {counts} in {all_of_them}"
        return f"refuted: {counts} in the first {executions}{_ended(proof)}"
    if proof.bound == "steps":
        return f"not finished: nothing found in {executions}{_ended(proof)}"
    about = (
        f", about {proof.left:,} left (an estimate)" if proof.left is not None else ", how many are left is not known"
    )
    return f"not finished: nothing found in {executions} so far{about}{_ended(proof)}"


def _ended(proof: Proof) -> str:
    if proof.bound == "steps":
        runs = "1 run was" if proof.cut == 1 else f"{proof.cut:,} runs were"
        return f", but {runs} cut: {BOUNDS['steps']}"
    if proof.bound in ("", "finding"):
        return ""
    return f"; {BOUNDS[proof.bound]}"


def _not_shown(judged: Sequence[Judged], model: str, held: Mapping[str, str]) -> Iterator[str]:
    for this in judged:
        if this.proof.verdict == "not finished":
            yield f"plan {this.arm.plan}: anything about the executions that were not explored; it is no proof"
    if any(this.proof.verdict == "proved" for this in judged):
        yield OUTSIDE
        yield NOT_EXPLORED
    yield f"anything about real hardware: the machine is simulated (model {model}), and a proof is about that model"
    if model in MODEL_LIMITS:
        yield MODEL_LIMITS[model]
    for site, strength in held.items():
        yield f"what {site} does by itself: the scenario holds it at {strength} in every plan that does not name it"
