"""The result as JUnit XML: one test case for what the scenario expects of each arm."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from race.report import proofs, words
from race.results import Arm, Document

# XML 1.0 has no way to write these, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(document: Document) -> str:
    """A failure is an expectation that did not hold, an error an arm not run to its end; skipped is undecided."""
    suite = ET.Element("testsuite", name=_clean(f"race {document.verb} {document.scenario.name}"))
    properties = ET.SubElement(suite, "properties")
    for label, text in [*words.asked(document), ("repeat", words.repeat_command(document))]:
        ET.SubElement(properties, "property", name=label, value=_clean(text))
    for arm in document.arms:
        _case(suite, document, arm)
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    if document.timing:
        suite.set("time", f"{document.timing.seconds:.3f}")
        suite.set("timestamp", document.timing.started)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, document: Document, arm: Arm) -> None:
    name = f"{arm.plan}: {words.expected(arm.expectation)}"
    classname = f"race.{document.scenario.name}.{document.model}"
    case = ET.SubElement(suite, "testcase", name=_clean(name), classname=_clean(classname))
    if document.timing and arm.plan in document.timing.arm_seconds:
        case.set("time", f"{document.timing.arm_seconds[arm.plan]:.3f}")
    met, why = (arm.expectation.met, arm.expectation.why) if arm.expectation else (None, "")
    if met is False:
        _result(case, "failure", why or "the expectation did not hold")
    elif met is None and (document.interrupted or document.verdict.status == "incomplete"):
        _result(case, "error", why or "the run was not completed")
    elif met is None:
        _result(case, "skipped", why or "no expectation for this plan under this model")
    output = ET.SubElement(case, "system-out")
    output.text = _clean("\n".join(_output(document, arm)))


def _result(case: ET.Element, tag: str, message: str) -> None:
    ET.SubElement(case, tag, message=_clean(message))


def _output(document: Document, arm: Arm) -> list[str]:
    counts = ", ".join(f"{oracle} {words.count(n)}" for oracle, n in sorted(arm.counts.items()) if n) or "no finding"
    lines = [f"{words.count(arm.executions)} executions: {counts}; rate {words.rate(arm.total)}", words.RATES]
    if arm.proof is not None:
        facts = "; ".join(f"{label}: {cells[0]}" for label, cells in proofs.rows([arm]))
        lines = [f"{words.count(arm.executions)} executions: {counts}; {facts}", *document.bounds]
    for finding in words.shown_findings(arm):
        lines.append(f"execution {words.count(finding.execution)}: {finding.oracle}: {finding.message}")
        lines += [f"  {label}: {text}" for label, text in words.facts(finding)]
    if command := words.finding_command(document, arm):
        lines.append(f"repeat: {command}")
    return lines


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("?", text)
