"""The report as Markdown."""

from __future__ import annotations

from race.printable import CONTROL
from race.report import markdown
from tests.documents import compared


def test_it_says_everything() -> None:
    text = markdown.render(compared())
    for part in (
        "## ✅ race compare freeobj-corruption: held",
        "| plan | `off` | `on` |",
        "| garbage-freeobj | 7,512 | 0 |",
        "| rate (95 %) | 7.51 % (7.35 to 7.68) | 0 % (up to 0.00300) |",
        "| outcome | as expected | as expected |",
        "  - value: `0x6d6d0003 (poison)`",
        "<details><summary>What happened in execution 1 of plan <code>off</code></summary>",
        "### What was not shown",
        "- seed: 18446744073709551615",
        "race compare freeobj-corruption --executions 100000 --seed 18446744073709551615",
    ):
        assert part in text, part


def test_every_row_of_the_table_has_as_many_cells() -> None:
    document = compared()
    document.arms[0].plan = "on,a|b=none"
    rows = [line for line in markdown.render(document).splitlines() if line.startswith("|")]
    assert {row.replace("\\|", "").count("|") for row in rows} == {4}


def test_text_cannot_become_markup() -> None:
    document = compared()
    document.scenario.title = "<script>*x*</script> [a](b)"
    document.arms[0].findings[0].message = "a`b"
    document.arms[0].findings[0].trace = ["```", "x"]
    text = markdown.render(document)
    assert r"\<script\>\*x\*\</script\> \[a\](b)" in text
    assert r"a\`b" in text
    assert "````text\n```\nx\n````" in text


def test_control_characters_never_reach_the_reader() -> None:
    document = compared()
    document.scenario.title = "a\x1b]0;b\x07"
    document.arms[0].findings[0].trace = ["\x9b2J"]
    assert not CONTROL.search(markdown.render(document).replace("\n", ""))


def test_a_failed_and_an_interrupted_run() -> None:
    document = compared(on_hits=3)
    document.interrupted = True
    text = markdown.render(document)
    assert "## ❌ race compare freeobj-corruption: failed" in text
    assert "**The run was interrupted**" in text
    assert "NOT AS EXPECTED" in text


def test_code_spans_hold_any_text() -> None:
    assert markdown.code("a") == "`a`"
    assert markdown.code("a`b") == "`` a`b ``"
    assert markdown.code("a|b\nc") == "`a\\|b c`"
