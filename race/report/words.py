"""What the reports say, as plain text: numbers, sentences, and the commands that repeat a result."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Sequence

from race.replay import Size
from race.report import proofs
from race.results import Arm, Difference, Document, Expectation, Finding, Interval
from race.stats import CONFIDENCE

MODELS = {
    "armv8": "ARMv8: stores may be late, loads may be early or late",
    "tso": "x86 (TSO): only a store may be late, and in order",
    "sc": "sequential consistency: nothing is reordered",
}
ENGINES = {
    "weak": "random executions of a simulated machine",
    "exhaustive": "each execution of a simulated machine, once",
    "hardware": "native threads on the CPUs of a host",
}
STATUSES = {
    "held": "every expectation held",
    "failed": "an expectation did not hold",
    "unjudged": "there is no expectation for what was run; findings are reported, not judged",
    "inconclusive": "this run cannot tell",
    "incomplete": "the run was not completed",
}
RATES = "rate: 95 % Wilson interval; where nothing was found, the exact one-sided 95 % bound, about 3/n"
AT_THE_END = "the checks after the last step"
SHOWN_FINDINGS = 3  # of an arm, of the oracle that it is about; one of each other oracle
SMALLEST_P = 1e-15
LONGEST_TOKEN = 600  # characters; a longer one is no use on a screen


def percent(share: float) -> str:
    return f"{_percent_digits(share)} %"


def _percent_digits(share: float) -> str:
    """Three significant digits, never in exponent form, and never rounded to all or nothing."""
    if share in (0.0, 1.0):
        return f"{share * 100:.0f}"
    value = share * 100
    # Near 100 the digits that tell something are those of what is missing.
    distance = min(value, round(100 - value, 10))
    digits = max(0, 2 - math.floor(math.log10(distance))) if distance > 0 else 12
    return f"{value:.{min(digits, 12)}f}"


def rate(interval: Interval | None) -> str:
    if interval is None:
        return "none"
    return (
        f"{percent(interval.rate)} ({_percent_digits(interval.low)} to {_percent_digits(interval.high)})"
        if interval.rate
        else f"0 % (up to {_percent_digits(interval.high)})"
    )


def count(number: int) -> str:
    return f"{number:,}"


def seconds(duration: float) -> str:
    if duration < 1:
        return f"{duration * 1000:.0f} ms"
    return f"{duration:.1f} s" if duration < 120 else f"{duration / 60:.1f} min"


def p_value(p: float) -> str:
    if p < SMALLEST_P:
        return f"p < {SMALLEST_P:.0e}"
    if p >= 0.001:
        return f"p = {p:.3g}"
    return f"p = {p:.1e}"


def oracles_found(document: Document) -> list[str]:
    """Every oracle that fired in some arm, the most frequent first."""
    totals: dict[str, int] = {}
    for arm in document.arms:
        for oracle, hits in arm.counts.items():
            if hits:
                totals[oracle] = totals.get(oracle, 0) + hits
    return sorted(totals, key=lambda oracle: (-totals[oracle], oracle))


def asked(document: Document) -> list[tuple[str, str]]:
    """What was asked, as pairs of a label and a text."""
    scenario = document.scenario
    requested = {arm.requested for arm in document.arms}
    pairs = [
        ("scenario", f"{scenario.name}: {scenario.title}"),
        ("file", f"{scenario.file} (sha256 {scenario.sha256[:12]})"),
        ("threads", f"{', '.join(scenario.threads)}; pages of {count(scenario.page_size)} bytes"),
        ("engine", f"{document.engine} - {ENGINES.get(document.engine, 'unknown to this report')}"),
        ("model", f"{document.model} - {MODELS.get(document.model, 'unknown to this report')}"),
        ("plans", "; ".join(arm.plan for arm in document.arms)),
    ]
    wanted = requested.pop() if len(requested) == 1 else None
    if wanted is not None:
        short = not document.interrupted and any(arm.executions < wanted for arm in document.arms)
        pairs.append(("executions", f"{count(wanted)} a plan{', but the time was up before' if short else ''}"))
    pairs.append(("seed", str(document.seed)))
    if document.shard:
        pairs.append(("shard", document.shard))
    if document.timing:
        pairs.append(("run", f"{document.timing.started}, took {seconds(document.timing.seconds)}"))
    host = "; ".join(f"{key} {value}" for key, value in document.host.items())
    if host:
        pairs.append(("host", host))
    return pairs


def expected(expectation: Expectation | None) -> str:
    if expectation is None:
        return "not stated"
    parts = []
    if expectation.clean:
        parts.append("no finding" if expectation.stated else "no finding (not stated)")
    if expectation.find:
        parts.append(" and ".join("a finding" if name == "any" else name for name in expectation.find))
    if expectation.never:
        parts.append("no " + ", no ".join(expectation.never))
    return "; ".join(parts)


def outcome(expectation: Expectation | None) -> str:
    if expectation is None:
        return "not judged"
    return {True: "as expected", False: "NOT AS EXPECTED", None: "cannot tell"}[expectation.met]


def first_finding(document: Document, arm: Arm) -> str:
    if arm.first is None:
        return "none"
    text = f"execution {count(arm.first)}"
    took = document.timing.first_finding_seconds.get(arm.plan) if document.timing else None
    return text if took is None else f"{text}, after {seconds(took)}"


def shown_differences(document: Document) -> list[Difference]:
    """Those in any finding and in the oracles that some arm is expected to find; the document has the others too."""
    expected_ones = {name for arm in document.arms if arm.expectation for name in arm.expectation.find}
    return [test for test in document.differences if test.oracle == "any" or test.oracle in expected_ones]


def difference(test: Difference) -> str:
    what = "any finding" if test.oracle == "any" else test.oracle
    judgement = "unlikely to be chance" if test.p_value < 1 - CONFIDENCE else "may well be chance"
    return f"{test.plans[0]} against {test.plans[1]}, {what}: {p_value(test.p_value)}; {judgement}"


def shown(document: Document) -> list[str]:
    """What each arm showed, a sentence an arm."""
    if document.engine == "exhaustive":
        return proofs.shown(document)
    sentences = []
    kind = "" if document.hardware else "random "
    for arm in document.arms:
        if arm.judged == 0:
            sentences.append(f"plan {arm.plan}: no execution was completed; nothing is known")
        elif arm.hits:
            found = ", ".join(f"{oracle} {count(n)}" for oracle, n in sorted(arm.counts.items()) if n)
            sentences.append(f"plan {arm.plan}: {count(arm.hits)} of {_executions(arm.judged)} went wrong ({found})")
        else:
            sentences.append(
                f"plan {arm.plan}: nothing went wrong in {_executions(arm.judged, kind)}; "
                f"at 95 % confidence at most {percent(arm.total.high if arm.total else 1.0)} of such executions do"
            )
        if arm.cut_short:
            sentences.append(
                f"plan {arm.plan}: {count(arm.cut_short)} more executions could not go on and are not judged: "
                "what ended them no enabled oracle looks for"
            )
    return sentences


def _executions(number: int, kind: str = "") -> str:
    return f"{count(number)} {kind}execution{'' if number == 1 else 's'}"


def facts(finding: Finding) -> list[tuple[str, str]]:
    """A finding's facts, as pairs of a label and a text; only those that are known."""
    value = finding.value + (f" ({finding.value_kind})" if finding.value_kind else "")
    newest = finding.newest
    if finding.written_by:
        newest = f"{newest or 'unknown'}, written by {finding.written_by}"
    by = AT_THE_END if finding.thread == "(the end)" else finding.thread
    if finding.function:
        by += f" in {finding.function}"
    if finding.site:
        by += f" at {finding.site}"
    where = finding.zspage
    if finding.object is not None:
        where += f"{', ' if where else ''}object {finding.object}"
    pairs = [
        ("value", value),
        ("expected", finding.expected),
        ("origin", finding.origin),
        ("newest", newest),
        ("seen by", by.strip()),
        ("zspage", where),
        ("class", finding.size_class),
        ("no token", finding.untold),
    ]
    return [(label, text) for label, text in pairs if text]


def first_trace(document: Document) -> tuple[Arm, Finding] | None:
    """The first finding that has a trace, in the order of the arms; one of what the arm is about if it has one."""
    for arm in document.arms:
        traced = [finding for finding in arm.findings if finding.trace]
        if traced:
            oracle = main_oracle(arm)
            return arm, next((finding for finding in traced if finding.oracle == oracle), traced[0])
    return None


def repeat_command(document: Document) -> str:
    command = list(document.command)
    if not _has_option(command, "--seed"):
        command += ["--seed", str(document.seed)]
    return shlex.join(command)


def shell_lines(command: str, width: int) -> list[str]:
    """A command over several lines such that it can still be copied as one."""
    lines = [""]
    for word in shlex.split(command):
        quoted = shlex.quote(word)
        if lines[-1] and len(lines[-1]) + 1 + len(quoted) > width - 2:
            lines[-1] += " \\"
            lines.append("  " + quoted)
        else:
            lines[-1] += (" " if lines[-1] else "") + quoted
    return lines


def main_oracle(arm: Arm) -> str | None:
    """The oracle that the arm is about: the first expected one that fired, or that of its first finding."""
    expected_ones = arm.expectation.find if arm.expectation else []
    fired = {finding.oracle for finding in arm.findings}
    first = arm.findings[0].oracle if arm.findings else None
    return next((oracle for oracle in expected_ones if oracle in fired), first)


def shown_findings(arm: Arm) -> list[Finding]:
    """Those of the oracle that the arm is about first, then the first of each other oracle."""
    oracle = main_oracle(arm)
    shown = [finding for finding in arm.findings if finding.oracle == oracle][:SHOWN_FINDINGS]
    seen = {oracle}
    for finding in arm.findings:
        if finding.oracle not in seen:
            seen.add(finding.oracle)
            shown.append(finding)
    return shown


def arms_findings(document: Document) -> list[tuple[Arm, list[Finding]]]:
    """What to show of each arm: of the first that found something a selection, of the others one finding."""
    shown: list[tuple[Arm, list[Finding]]] = []
    for arm in document.arms:
        if findings := shown_findings(arm):
            shown.append((arm, findings[:1] if shown else findings))
    return shown


def more_findings(arm: Arm, shown: Sequence[Finding]) -> str | None:
    more = arm.hits - len(shown)
    return f"and {count(more)} more" if shown and more > 0 else None


def size(of: Size) -> str:
    """Of an execution: what is out of order about it."""

    def amount(number: int, one: str, many: str) -> str:
        return f"{count(number)} {one if number == 1 else many}"

    reorderings = amount(of.reorderings, "reordering", "reorderings")
    switches = amount(of.switches, "context switch", "context switches")
    return f"{reorderings}, {switches} and {amount(of.deviations, 'deviation', 'deviations')}"


def _has_option(command: Iterable[str], option: str) -> bool:
    return any(part == option or part.startswith(option + "=") for part in command)


def replay_commands(document: Document) -> list[tuple[str, str]]:
    """Of the first finding of each oracle: what it is, and the command that runs that execution again."""
    commands: dict[str, tuple[str, str]] = {}
    for arm in document.arms:
        for finding in shown_findings(arm):
            if finding.oracle in commands or not 0 < len(finding.token) <= LONGEST_TOKEN:
                continue
            what = f"the first {finding.oracle} of plan {arm.plan}, step by step:"
            commands[finding.oracle] = (what, replay_command(document, finding.token))
    return list(commands.values())


def replay_command(document: Document, token: str) -> str:
    named = ["--scenario", document.scenario.file] if document.scenario.file in document.command else []
    return shlex.join(["race", "replay", token, *named])


def finding_command(document: Document, arm: Arm) -> str | None:
    """Runs the execution alone that the report shows of this arm."""
    findings = shown_findings(arm)
    # On hardware none comes twice; in a search an execution has no number of its own.
    if not findings or document.engine in ("hardware", "exhaustive"):
        return None
    scenario = document.scenario
    named = scenario.file if scenario.file in document.command else scenario.name
    options = ["--engine", document.engine, "--model", document.model, "--barriers", arm.plan]
    if _has_option(document.command, "--page-size"):
        options += ["--page-size", str(scenario.page_size)]
    options += ["--seed", str(document.seed), "--execution", str(findings[0].execution)]
    return shlex.join(["race", "run", named, *options])
