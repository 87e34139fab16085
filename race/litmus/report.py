"""The log of a test, as the field's tools write and read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from race.litmus.result import Outcome, Verdict

VERDICTS: tuple[Verdict, ...] = ("Sometimes", "Never", "Always")


def log(outcome: Outcome) -> str:
    test = outcome.test
    final = test.final
    positive, negative = outcome.count(True), outcome.count(False)
    # The witnesses of ~exists are the states without; the observation is always of the proposition itself.
    witnesses = (negative, positive) if final.quantifier == "~exists" else (positive, negative)
    lines = [
        f"Test {test.name} {final.kind}",
        f"States {len(outcome.found)}",
        *_states(outcome),
        "Ok" if outcome.ok else "No",
        "Witnesses",
        f"Positive: {witnesses[0]} Negative: {witnesses[1]}",
        f"Condition {final}",
        *([] if outcome.complete or outcome.counted else [f"Incomplete {test.name}: there may be more states"]),
        f"Observation {test.name} {outcome.verdict} {positive} {negative}",
        f"Time {test.name} {outcome.seconds:.2f}",
    ]
    return "\n".join(lines) + "\n\n"


def _states(outcome: Outcome) -> list[str]:
    lines = []
    for found in outcome.found:
        # Registers as 0:X1, locations in brackets.
        state = " ".join(f"{n if ':' in n else f'[{n}]'}={value};" for n, value in found.shown.items())
        mark = f"{found.count:<7}{'*' if found.positive else ':'}>" if outcome.counted else ""
        lines.append(mark + state)
    return lines


def summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    claims = Counter(outcome.ok for outcome in outcomes)
    parts = [
        ", ".join(f"{verdicts[verdict]:,} {verdict}" for verdict in VERDICTS if verdicts[verdict]),
        ", ".join(f"{claims[ok]:,} {word}" for ok, word in ((True, "Ok"), (False, "No")) if claims[ok]),
        f"{sum(outcome.executions for outcome in outcomes):,} executions",
        f"{seconds:.1f} s",
    ]
    return f"{len(outcomes):,} tests: " + "; ".join(part for part in parts if part)
