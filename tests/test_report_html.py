"""The report as HTML: whole by itself, well-formed, escaped, small, and both sides drawn."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from race.ablation import document as ablation
from race.cause import Cause, recorded, shortest
from race.native import Catalog
from race.replay import Needed, Size
from race.report import html
from race.results import Document, Finding, Step, load
from race.why.explanation import Change
from tests.conftest import RunRace
from tests.documents import compared

VOID = {"meta", "link", "br", "wbr"}
TABLE_PARTS = {"thead", "tbody", "tr", "th", "td"}
HOSTILE = "<script>alert(1)</script>\"'&\x1b[31m</title></svg></style>"


class Page(HTMLParser):
    """Reads a page and asserts what holds for every one."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text: list[str] = []
        self.ids: list[str] = []
        self.classes: list[str] = []
        self.style = ""
        assert text.startswith("<!DOCTYPE html>")
        self.feed(text)
        self.close()
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))
        assert not re.search(r"url\(|@import|https?:", self.style)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._check(tag, dict(attrs))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert "svg" in self.open, f"<{tag}/> means <{tag}> outside of SVG"
        self._check(tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.text.append(data)

    def _check(self, tag: str, attributes: dict[str, str | None]) -> None:
        assert tag not in (
            "script",
            "iframe",
            "object",
            "embed",
            "img",
            "image",
            "use",
            "foreignobject",
            "form",
            "base",
        )
        for name, value in attributes.items():
            assert not name.startswith("on"), name
            assert name not in ("src", "srcset", "style", "action", "xlink:href")
            if name == "href":
                assert value is not None
                assert value.startswith("data:,")
            if name == "id":
                self.ids.append(value or "")
            if name == "class":
                self.classes.append(value or "")
        if tag == "svg":
            assert attributes["role"] == "img"
            assert attributes["aria-labelledby"]
        if tag == "th":
            assert attributes["scope"] in ("row", "col")

    def __contains__(self, text: str) -> bool:
        return " ".join(text.split()) in " ".join(" ".join(self.text).split())


def drawn(document: Document, causes: list[Cause], known: Catalog) -> Page:
    return Page(html.render(document, causes, known.sites))


def step(number: int, cpu: int, kind: str, place: str = "a word", **more: object) -> Step:
    fields = {"step": number, "cpu": cpu, "thread": f"thread-{cpu}", "kind": kind, "place": place, "value": "0x1"}
    return Step(**fields | {"function": "zs_malloc"} | more)  # type: ignore[arg-type]


def cause(steps: list[Step], **more: object) -> Cause:
    finding = Finding(execution=3, oracle="garbage-freeobj", message="freeobj is wrong", value="0x6d6d", steps=steps)
    size = Size(reorderings=1, switches=2, deviations=3)
    needed = [Needed(kind="delay", step=1, text="held back: a store", without="nothing is found", necessary=True)]
    fields = {"arm": "off", "execution": 3, "finding": finding, "token": "race1:abc", "size": size, "before": size}
    return Cause(**fields | {"needed": needed, "complete": True} | more)  # type: ignore[arg-type]


OUT_OF_ORDER = [
    step(1, 0, "store", held=True, done=6),
    step(2, 0, "store", "another", held=True),
    step(3, 1, "load"),
    step(4, 1, "late", "third", done=8),
    step(6, 0, "commit", issued=1),
    step(7, 1, "load", stale=True, newest="0x2", writer="thread-0 zs_free", writer_step=1, writer_done=6),
    step(8, 1, "load", "third", issued=4),
    step(9, 1, "found", "garbage-freeobj"),
]


def test_it_says_everything(known: Catalog) -> None:
    change = Change(
        site="zs_malloc.class.lock",
        primitive="spin_lock",
        file="a.hpp",
        line=7,
        side="lock",
        before="none",
        after="acquire",
        kernel="acquire",
    )
    page = drawn(compared(), [cause(OUT_OF_ORDER, sentence="It came too late.", changes=[change])], known)
    for part in (
        "race compare",
        "a page of free objects migrates while another CPU allocates",
        "held : every expectation held".replace(" :", ":"),
        "7,512 of 100,000 = 7.51 % (7.35 to 7.68)",
        "0 of 100,000; at most 0.00300 %",
        "off against on, any finding: p < 1e-15; unlikely to be chance",
        "It came too late.",
        "This change makes it impossible.",
        "@@ a.hpp:7 spin_lock @@",
        "-zs_malloc.class.lock=none",
        "+zs_malloc.class.lock=acquire (as Linux 4.8 has it)",
        "1 reordering, 2 context switches and 3 deviations",
        "held back: a store",
        "needed; without it: nothing is found",
        "0x6d6d0003",
        "word 0 of page 7, the page that zs_page_migrate copied to",
        "anything about real hardware",
        "18446744073709551615",
        "race replay race1:abc",
        "race compare freeobj-corruption --executions 100000 --seed 18446744073709551615",
    ):
        assert part in page, part


def test_both_sides_are_drawn(known: Catalog) -> None:
    page = drawn(compared(), [], known)
    assert page.classes.count("dot bad") == 1  # off
    assert page.classes.count("dot none") == 1  # on
    assert page.classes.count("whisker none") == 1  # its bound


def test_the_picture_marks_what_is_out_of_order(known: Catalog) -> None:
    page = drawn(compared(), [cause(OUT_OF_ORDER)], known)
    for part in (
        "CPU 0 thread-0",
        "CPU 1 thread-1",
        "[HELD: committed at #6]",
        "[HELD: not committed before the end]",
        "[COMMIT of #1, 5 steps later]",
        "[#1 NOT YET VISIBLE]",
        "[LATE: issued at #4, 4 steps later]",
        "[NOT CURRENT: newest is 0x2,",
        "FOUND garbage-freeobj: 0x6d6d",
    ):
        assert part in page, part
    assert page.classes.count("bracket held") == 2
    assert page.classes.count("bracket held solid") == 1  # of the one that goes on
    assert page.classes.count("bracket late") == 1
    assert page.classes.count("arrow") == 2  # to the load that came before the commit, and to the stale one
    plain = drawn(compared(), [cause([step(1, 0, "store"), step(2, 1, "load")])], known)
    assert not {"arrow", "bracket held", "bracket late"} & set(plain.classes)


def test_the_write_that_a_stale_load_missed_is_drawn(known: Catalog) -> None:
    """Where the steps do not have it, from what the load says of it."""
    stale = step(30, 1, "load", stale=True, newest="0x2", writer="thread-0 zs_free", writer_step=7, writer_done=20)
    page = drawn(compared(), [cause([step(1, 0, "runs"), step(2, 1, "load", "another"), stale])], known)
    assert "writes a word = 0x2" in page
    assert "[HELD: committed at #20]" in page
    assert "[COMMIT of #7, 13 steps later]" in page
    assert "not seen by #30" in page
    assert page.classes.count("bracket held") == page.classes.count("arrow") == 1


@pytest.mark.parametrize("cpus", [1, 2, 3, 14])
def test_a_column_for_each_cpu(cpus: int, known: Catalog) -> None:
    steps = [step(n, n % cpus, "load", site="zs_page_migrate.zspage.write_unlock") for n in range(1, 100)]
    page = drawn(compared(), [cause(steps)], known)
    assert page.classes.count("lane") == cpus
    assert "29 earlier steps are left out" in page


def test_names_are_escaped(known: Catalog) -> None:
    document = compared()
    document.scenario.title = document.scenario.name = document.arms[0].plan = HOSTILE
    document.host = {HOSTILE: HOSTILE}
    document.verdict.reasons = document.verdict.not_shown = document.command = [HOSTILE]
    document.arms[0].sites = {HOSTILE: HOSTILE}
    for finding in document.arms[0].findings:
        finding.value = finding.origin = finding.message = finding.thread = finding.oracle = HOSTILE
    steps = [step(1, 0, HOSTILE, HOSTILE, thread=HOSTILE, function=HOSTILE, site=HOSTILE, held=True)]
    page = drawn(document, [cause(steps, sentence=HOSTILE, token=HOSTILE)], known)
    assert page.text.count("<script>alert(1)</script>\"'&\\x1b[31m</title></svg></style>") > 8


def test_a_thousand_findings_stay_small(known: Catalog) -> None:
    document = compared(off_hits=1000)
    one = document.arms[0].findings[0]
    steps = [step(n, n % 2, "load", place="the link of object 2, in a page of a long name") for n in range(400)]
    document.arms[0].findings = [
        Finding(
            execution=n,
            oracle=f"oracle-{n % 20}",
            message=one.message,
            thread=f"thread {n}",
            value=hex(n),
            origin=one.origin,
            steps=steps if n < 60 else [],
            token="race1:" + "x" * 5000,
        )
        for n in range(1000)
    ]
    document.arms[0].counts = {f"oracle-{n}": 50 for n in range(20)}
    causes = [recorded("off", finding, "it was not asked for") for finding in document.arms[0].findings[:60]]
    text = html.render(document, causes, known.sites)
    assert len(text) < 2_000_000
    page = Page(text)
    assert "1,000 executions with a finding; the result keeps 1,000" in page
    assert "960 more kinds of findings are left out" in page
    assert "38 more values are left out" in page  # of the 50 of an oracle
    assert "8 more are left out" in page  # of 60 causes: 12 drawn, 40 in a table


def test_of_a_real_run(run_race: RunRace, tmp_path: Path, known: Catalog) -> None:
    saved, file = tmp_path / "out.json", tmp_path / "out.html"
    options = ("--page-size", "256", "--executions", "1000", "--jobs", "1", "--json", saved, "--html", file)
    assert run_race("compare", "freeobj-corruption", *options).status == 0
    page = Page(file.read_text(encoding="utf-8"))
    assert "The shortest execution garbage-freeobj" in page
    assert "shrunk from execution" in page
    assert "arrow" in page.classes
    assert run_race("report", saved, "--html", "-").out == file.read_text(encoding="utf-8")
    # The scenario has changed since: its token fits no more, but what was recorded is still drawn.
    document = load(saved)
    document.scenario.name = document.scenario.file = "gone.toml"
    page = Page(html.render(document, shortest(document, known), ()))
    assert "Not shrunk: there is no scenario file gone.toml" in page
    assert "lane" in page.classes


def test_of_a_clean_run(run_race: RunRace, tmp_path: Path) -> None:
    file = tmp_path / "out.html"
    options = ("--page-size", "256", "--executions", "100", "--barriers", "on", "--html", file)
    assert run_race("run", "freeobj-corruption", *options).status == 3
    page = Page(file.read_text(encoding="utf-8"))
    assert "inconclusive" in page
    assert "The shortest execution" not in page
    assert "every site as arm64 has it" not in page  # the scenario holds one at none
    assert "zs_page_migrate.put_page at none instead of full" in page


def test_of_an_ablation(run_race: RunRace, tmp_path: Path) -> None:
    saved, file = tmp_path / "out.json", tmp_path / "out.html"
    options = ("--page-size", "256", "--executions", "300", "--jobs", "2", "--json", saved, "--html", file)
    assert run_race("ablate", "freeobj-corruption", *options).status == 0
    page = Page(file.read_text(encoding="utf-8"))
    document = ablation.load(saved)
    shown = [site for site in document.sites if site.crossed or site.weakened is not None]
    assert page.classes.count("cell bad") == sum(
        trial is not None and trial.hits > 0 for site in shown for trial in (site.weakened, site.strengthened)
    )
    assert page.classes.count("fill member") == sum(len(kept.sites) for kept in document.minimal)
    for site in shown:
        assert site.site in page
        assert site.why in page
    document.sites[0].why = document.scenario.title = document.conclusions[0] = HOSTILE
    assert "<script>alert(1)</script>" in Page(html.render_ablation(document))
