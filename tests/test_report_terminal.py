"""The report on a terminal, and as plain text."""

from __future__ import annotations

import io
import shlex

import pytest
from rich.console import Console

from race.printable import CONTROL
from race.report import terminal, words
from race.results import Document, Expectation, Finding, Interval
from tests.documents import arm, compared


def plain(document: Document) -> str:
    file = io.StringIO()
    terminal.render(document, Console(file=file))
    return file.getvalue()


def test_it_says_everything() -> None:
    text = plain(compared())
    for part in (
        "race compare freeobj-corruption",
        "a page of free objects migrates while another CPU allocates",
        "armv8 - ARMv8: stores may be late, loads may be early",
        "18446744073709551615",
        "100,000 a plan",
        "7.51 % (7.35 to 7.68)",
        "0 % (up to 0.00300)",
        "execution 1, after 10 ms",
        "as expected",
        "off against on, any finding: p < 1e-15; unlikely to be chance",
        "0x6d6d0003 (poison)",
        "word 0 of page 7, the page that zs_page_migrate copied to",
        "0x4, written by migrator in zs_page_migrate",
        "allocator in zs_malloc at zs_malloc.class.unlock",
        "and 7,510 more",
        "migrator | allocator",
        "Verdict: held - every expectation held",
        "plan off: 7,512 of 100,000 executions went wrong (garbage-freeobj 7,512)",
        "at 95 % confidence at most 0.00300 %",
        "rate: 95 % Wilson interval; where nothing was found, the exact one-sided 95 % bound, about 3/n",
        "anything about real hardware",
    ):
        assert part in text, part


def test_plain_text_has_no_escapes_no_wide_lines_and_no_trailing_blanks() -> None:
    document = compared()
    document.arms.append(arm("on,zs_page_migrate.class.unlock=none,zs_malloc.class.lock=none", 10, 1, None))
    document.verdict.reasons.append("word " * 60)
    text = plain(document)
    assert "\x1b" not in text
    for line in text.splitlines():
        assert len(line) <= terminal.WIDTH, line
        assert line == line.rstrip()


def test_a_failed_expectation_is_plain_to_see() -> None:
    text = plain(compared(on_hits=3))
    assert "NOT AS EXPECTED" in text
    assert "Verdict: failed - an expectation did not hold" in text
    assert "First findings of plan on" in text


def test_an_expectation_that_the_scenario_does_not_state() -> None:
    document = compared(on_hits=3)
    document.arms[1].expectation = Expectation(stated=False, clean=True, met=False)
    document.arms.append(arm("bit-spin-only", 1000, 3, None))
    rows = {line.split("  ")[1].strip(): line.split() for line in plain(document).splitlines() if line.startswith("  ")}
    assert " ".join(rows["expected"]) == "expected garbage-freeobj no finding (not stated) not stated"
    assert " ".join(rows["outcome"]) == "outcome as expected NOT AS EXPECTED not judged"


def test_every_arm_is_shown_however_many() -> None:
    document = compared()
    for n in range(8):
        document.arms.append(arm(f"on,zs_malloc.*=none,zs_{n}=none", 1000 + n, n, None))
    text = plain(document)
    for n in range(8):
        assert f"zs_{n}=none" in text
        assert f"1,00{n}" in text


def test_several_oracles_each_have_their_row_and_rate() -> None:
    document = compared()
    document.arms[0].counts["free-list"] = 100
    document.arms[0].rates["free-list"] = Interval(rate=0.001, low=0.0008, high=0.0012)
    text = plain(document)
    assert "100 = 0.100 % (0.0800 to 0.120)" in text
    assert "any finding" in text
    assert "7,612" in text


def test_what_was_expected_is_shown_before_other_findings() -> None:
    document = compared()
    other = [Finding(execution=n, oracle="free-list", message=f"cycle {n}", trace=["of a cycle"]) for n in range(5)]
    document.arms[0].findings = [*other, *document.arms[0].findings]
    text = plain(document)
    assert text.index("execution 1: garbage-freeobj") < text.index("cycle 0")
    assert "cycle 1" not in text
    assert "migrator | allocator" in text
    assert "of a cycle" not in text


def test_a_long_step_of_a_trace_is_folded_and_indented() -> None:
    document = compared()
    document.arms[0].findings[0].trace = ["#1     migrator    " + "word " * 30]
    lines = plain(document).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("  #1     migrator    word"))
    assert lines[start + 1].startswith("          word")


def test_an_interrupted_run_says_so_and_an_arm_without_executions_too() -> None:
    document = compared()
    document.interrupted = True
    document.arms[1] = arm("on", 0, 0, None)
    document.verdict.status = "incomplete"
    text = plain(document)
    assert "The run was interrupted" in text
    assert "plan on: no execution was completed; nothing is known" in text


def test_a_run_that_the_time_cut_short_says_so() -> None:
    document = compared()
    assert "100,000 a plan\n" in plain(document)
    document.arms[1].executions -= 1
    assert "100,000 a plan, but the time was up before\n" in plain(document)


def test_who_saw_what_only_the_end_shows() -> None:
    document = compared()
    document.arms[0].findings[0].thread = "(the end)"
    document.arms[0].findings[0].function = document.arms[0].findings[0].site = ""
    assert "seen by  the checks after the last step\n" in plain(document)


def test_a_finding_with_nothing_but_its_sentence() -> None:
    document = compared()
    document.arms[0].findings = [Finding(execution=4, oracle="deadlock", message="all wait")]
    document.arms[0].counts = {"deadlock": 1}
    text = plain(document)
    assert "execution 4: deadlock: all wait" in text
    assert "What happened in execution" not in text


def test_markup_in_a_name_is_only_text() -> None:
    document = compared()
    document.scenario.title = "[bold]title[/bold] :warning:"
    assert "[bold]title[/bold] :warning:" in plain(document)


@pytest.mark.parametrize("terminal_or_not", [False, True])
def test_control_characters_never_reach_the_reader(terminal_or_not: bool) -> None:
    document = compared()
    document.scenario.title = "a\x1b]0;b\x07 \u202e"
    document.verdict.reasons = ["\x9b2J"]
    document.host["cpu"] = "\x1b[8m"
    file = io.StringIO()
    terminal.render(document, Console(file=file, force_terminal=terminal_or_not, color_system=None))
    assert not CONTROL.search(file.getvalue().replace("\n", ""))
    for shown in (r"a\x1b]0;b\x07 \u202e", r"- \x9b2J", r"cpu \x1b[8m"):
        assert shown in file.getvalue()


def test_colour_on_a_terminal() -> None:
    file = io.StringIO()
    terminal.render(compared(), Console(file=file, force_terminal=True, color_system="standard", width=70))
    assert "\x1b[" in file.getvalue()


def test_the_command_is_repeated_with_its_seed() -> None:
    document = compared()
    assert shlex.split(words.repeat_command(document))[-2:] == ["--seed", str(2**64 - 1)]
    document.command = ["race", "compare", "my scenario.toml", "--seed=7", "--json", "x.toml"]
    document.scenario.file = "my scenario.toml"
    assert words.repeat_command(document) == "race compare 'my scenario.toml' --seed=7 --json x.toml"
    command = words.finding_command(document, document.arms[0])
    assert command is not None
    assert shlex.split(command)[:3] == ["race", "run", "my scenario.toml"]
    assert shlex.split(command)[-2:] == ["--execution", "1"]
    assert words.finding_command(document, document.arms[1]) is None


@pytest.mark.parametrize("width", [20, 40, 98, 500])
def test_a_folded_command_is_still_one_command(width: int) -> None:
    command = words.repeat_command(compared()) + " --json 'a file.json'"
    lines = words.shell_lines(command, width)
    assert shlex.split("\n".join(lines).replace("\\\n", "")) == shlex.split(command)  # as a shell joins lines


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.5, "50.0 %"),
        (0.0751234, "7.51 %"),
        (3.0e-5, "0.00300 %"),
        (1.2e-9, "0.000000120 %"),
        (0.99999, "99.99900 %"),
        (0.999, "99.900 %"),
    ],
)
def test_percent(share: float, text: str) -> None:
    assert words.percent(share) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [(0.0, "p < 1e-15"), (3.2e-7, "p = 3.2e-07"), (0.0312, "p = 0.0312"), (0.5, "p = 0.5"), (1.0, "p = 1")],
)
def test_p_value(p: float, text: str) -> None:
    assert words.p_value(p) == text


@pytest.mark.parametrize(("duration", "text"), [(0.01, "10 ms"), (3.25, "3.2 s"), (600, "10.0 min")])
def test_seconds(duration: float, text: str) -> None:
    assert words.seconds(duration) == text
