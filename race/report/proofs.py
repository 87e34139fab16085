"""What the reports say of engine exhaustive: how far each plan was explored, and the bounds of what that proves."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from race.results import Arm, Document, ProofBound

BOUNDS: dict[ProofBound, str] = {
    "": "every execution was explored",
    "finding": "the search ended with what it was to find; --all explores the rest",
    "time": "the time was up (--seconds)",
    "executions": "it was to explore no more than that (--executions)",
    "interruption": "it was interrupted",
    "steps": "a limit on steps, or a fault that no enabled oracle looks for, ended what might have gone on",
    "error": "it could not be completed",
}
NOTE = "executions: two are one if every load reads the same write and the writes of each word have the same order"
LIMITS = ("--resume", "--seconds", "--executions")  # of a run that goes on, its own
VERDICTS = {"proved": "proved within bounds", "refuted": "refuted", "not finished": "not finished"}


def rows(arms: Sequence[Arm]) -> list[tuple[str, list[str]]]:
    """Of the table of the arms, in the place of the rates: a label, and a cell for each arm."""
    if not any(arm.proof for arm in arms):
        return []
    found = [("verdict", [verdict(arm) for arm in arms])]
    found.append(("redundant runs", [f"{arm.proof.redundant:,}" if arm.proof else "" for arm in arms]))
    if any(arm.proof and arm.proof.cut for arm in arms):
        found.append(("cut runs", [f"{arm.proof.cut:,}" if arm.proof else "" for arm in arms]))
    if not all(arm.proof and arm.proof.complete for arm in arms):
        found.append(("left to explore", [left(arm) for arm in arms]))
    return found


def verdict(arm: Arm) -> str:
    return VERDICTS[arm.proof.verdict] if arm.proof is not None else "not explored"


def left(arm: Arm) -> str:
    """The executions that are still to explore."""
    proof = arm.proof
    if proof is None or proof.complete:
        return "none"
    if proof.bound == "steps":
        return "not known"
    return "not known" if proof.left is None else f"about {proof.left:,}"


def shown(document: Document) -> list[str]:
    """What each arm showed, a sentence or two an arm."""
    sentences = []
    for arm in document.arms:
        proof = arm.proof
        if proof is None:
            continue
        executions = f"{arm.executions:,} execution{'' if arm.executions == 1 else 's'}"
        found = ", ".join(f"{oracle} {n:,}" for oracle, n in sorted(arm.counts.items()))
        went = f"went wrong ({found})" if found else "none went wrong"
        if proof.complete:
            how = f"{arm.hits:,} of its {executions} {went}" if found else f"of its {executions} {went}"
            sentences.append(f"plan {arm.plan}: {how}; the model allows no other execution within the bounds")
        else:
            how = f"{arm.hits:,} of the first {executions} {went}" if found else f"of the first {executions} {went}"
            sentences.append(f"plan {arm.plan}: {how}; {BOUNDS[proof.bound]}")
    return sentences


def resume_command(document: Document) -> str | None:
    """How to go on, where something is left that was asked for."""
    if not document.frontier:
        return None
    return shlex.join([*_without(document.command, LIMITS), "--resume", document.frontier])


def _without(command: Sequence[str], options: Sequence[str]) -> Iterator[str]:
    """What is left of a command without options that take a value."""
    words = iter(command)
    for word in words:
        if word in options:
            next(words, None)
        elif word.partition("=")[0] not in options:
            yield word
