"""The suite of known bugs: what their files say is what is measured, and what is not so is said."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from race import schema
from race.cli.values import SUITE_EXECUTIONS
from race.native import Catalog
from race.scenario.load import find, load, shipped, shipped_folder
from race.suite.document import Suite
from tests.conftest import RunRace

FEW = 2000  # executions of a plan that is to find nothing; the others end with what they are to find
ROOT = Path(__file__).parent.parent
BUGS = {name: path for name, path in shipped().items() if path.parent != shipped_folder()}
A7 = BUGS["a7-v7-first-object-offset"].read_text(encoding="utf-8")


def run(path: Path, run_race: RunRace, *arguments: str | Path) -> tuple[int, Suite, str]:
    outcome = run_race("suite", *arguments, "--json", path)
    return outcome.status, msgspec.json.decode(path.read_bytes(), type=Suite), outcome.out


def test_every_known_bug_is_what_its_file_says(tmp_path: Path, run_race: RunRace) -> None:
    status, suite, out = run(tmp_path / "suite.json", run_race, "--executions", str(FEW))
    assert status == 0, out
    assert {row.scenario for row in suite.rows} == BUGS.keys()
    for row in suite.rows:
        assert row.measured == row.kind == BUGS[row.scenario].parent.name
        assert [trial.model for trial in row.with_fault] == ["sc", "tso", "armv8"]
        assert {trial.executions for trial in row.with_fix} == {FEW}
        assert all(trial.clean and trial.cut_short == 0 for trial in row.with_fix)
        assert (row.first is None) == (row.kind == "not-shown")
    assert f"{len(BUGS)} of {len(BUGS)} are as their files have them" in out


@pytest.mark.parametrize("name", BUGS)
def test_a_file_tells_the_whole_story(name: str, known: Catalog) -> None:
    tables = load(find(name), known).tables
    assert tables.bug is not None
    assert tables.date is not None
    assert tables.reference
    for line in tables.bug.interleaving.splitlines():
        assert len(line) <= 110
    assert name.startswith(tables.bug.id.split(",")[-1].strip().lower()) or tables.bug.id.lower().startswith(
        name.partition("-")[0]
    )


def test_a_bug_that_is_not_what_its_file_says(tmp_path: Path, run_race: RunRace) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(A7.replace('kind = "sequential"', 'kind = "needs-armv8"'), encoding="utf-8")
    status, suite, out = run(tmp_path / "suite.json", run_race, wrong, "--executions", "50")
    assert status == 1
    assert suite.rows[0].measured == "sequential"
    assert "its file has it as needs-armv8, measured it is sequential" in " ".join(out.split())


def test_a_fix_that_mends_nothing(tmp_path: Path, run_race: RunRace) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(A7.replace('right = "on"', 'right = "off,get_first_obj_offset.rule=v7"'), encoding="utf-8")
    status, suite, _ = run(tmp_path / "suite.json", run_race, wrong, "--executions", "50")
    assert status == 1
    assert suite.rows[0].wrong == [f"with its fix garbage-freeobj 50 under {model}" for model in ("sc", "tso", "armv8")]


def test_a_fault_that_gives_something_else(tmp_path: Path, run_race: RunRace) -> None:
    wrong = tmp_path / "wrong.toml"
    enabled = 'enabled = ["garbage-freeobj", "oops"]'
    text = A7.replace('find = ["garbage-freeobj"]', 'find = ["garbage-freeobj", "oops"]')
    wrong.write_text(text.replace('enabled = ["garbage-freeobj"]', enabled), encoding="utf-8")
    status, suite, _ = run(tmp_path / "suite.json", run_race, wrong, "--executions", "5")
    assert status == 1
    assert suite.rows[0].wrong[0] == "with its fault no oops in 50 executions under sc"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('kind = "sequential"', 'kind = "always"'), "$.bug.kind: unknown"),
        (('find = ["garbage-freeobj"]', ""), "$.bug.find: name the oracles that it must give"),
        (('kind = "sequential"', 'kind = "not-shown"'), "$.bug.find: nothing can be found of a bug that is not shown"),
        (("rule=v7", "rule=v8"), '$.bug.fault: barrier plan "on,get_first_obj_offset.rule=v8": guard'),
        (('right = "on"', 'right = "on,get_first_obj_offset.rule=v7"'), "$.bug.right: bug.fault speaks of plan"),
        (('reported-by = "Sergey Senozhatsky"\n', ""), '$.bug: field "reported-by" is missing'),
        (("[pool]", '[guards]\n"get_first.rule" = "v7"\n[pool]'), '$.guards: no guard matches "get_first.rule"'),
        (('{ op = "free", slot = "c" },', '{ op = "lock", lock = "l" },'), 'lock "l" is never given back'),
        (('{ op = "free", slot = "c" },', '{ op = "unlock", lock = "l" },'), 'lock "l" is not taken here'),
        (
            ('{ op = "malloc", slot = "d"', '{ op = "destroy" }, { op = "malloc", slot = "d"'),
            "destroy must be the last",
        ),
        (('name = "only"', 'name = "only"\nshares-cpu-with = "onl"'), 'there is no other thread "onl"'),
        (('{ op = "free", slot = "c" },', '{ op = "reclaim", object = "hal" },'), 'did you mean "half"?'),
        (
            ("[[threads]]", '[[setup]]\nop = "destroy"\n\n[[threads]]'),
            "the set-up runs alone: destroy belongs in a thread",
        ),
    ],
)
def test_mistakes(change: tuple[str, str], message: str, tmp_path: Path, run_race: RunRace) -> None:
    assert change[0] in A7
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(A7.replace(*change, 1), encoding="utf-8")
    outcome = run_race("suite", wrong)
    assert outcome.status == 2
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_scenario_that_is_no_bug(run_race: RunRace) -> None:
    outcome = run_race("suite", "freeobj-corruption")
    assert outcome.status == 2
    assert 'scenario "freeobj-corruption" is no known bug: it has no [bug] table' in outcome.err


def test_a_bug_alone_with_its_report_and_its_table(tmp_path: Path, run_race: RunRace) -> None:
    name = "w2-class-lock-without-acquire"
    table = tmp_path / "table.md"
    status, suite, _ = run(
        tmp_path / "suite.json", run_race, name, "--executions", "100", "--reports", tmp_path, "--markdown", table
    )
    assert status == 0
    drawn = (tmp_path / f"{name}.txt").read_text(encoding="utf-8")
    assert "NOT CURRENT" in drawn
    assert "Reproduced." in drawn
    assert f"[W2]({name}.txt)" in table.read_text(encoding="utf-8")
    token = suite.rows[0].with_fault[2].token
    outcome = run_race("replay", token, "--no-minimise")
    assert outcome.status == 0
    assert "garbage-freeobj" in outcome.out


def test_guards_are_listed(run_race: RunRace, known: Catalog) -> None:
    lines = run_race("guards").out.splitlines()
    for guard in known.guards:
        assert any(line.split()[:1] == [guard.name] and guard.places[0] in line for line in lines)
    assert [guard["name"] for guard in json.loads(run_race("guards", "--json").out)] == [g.name for g in known.guards]


def test_results_name_the_changed_guards(tmp_path: Path, run_race: RunRace) -> None:
    path = tmp_path / "out.json"
    plan = "on,migrate_zspage.keep-pin=off"
    outcome = run_race("run", "a1-record-obj-drops-pin", "--barriers", plan, "--executions", "1", "--json", path)
    arm = json.loads(path.read_bytes())["arms"][0]
    assert arm["guards"] == {"migrate_zspage.keep-pin": "off"}
    assert "migrate_zspage.keep-pin" not in arm["sites"]
    assert outcome.status in (0, 3)


def test_the_published_schema_is_current() -> None:
    assert (ROOT / schema.PUBLISHED_SUITE).read_text(encoding="utf-8") == schema.suite_text(), "make schema"


def test_the_table_in_the_docs_is_of_these_bugs() -> None:
    text = (ROOT / "docs" / "races.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| (?:\[[^\]]+\]\(([^)]+)\)|[^|]+) \| \[[^\]]+\]\(([^)]+)\) \| ([\w-]+) \|.*\| ([\d,]+) \|$", text, re.M
    )
    assert {Path(file).stem: kind for _, file, kind, _ in rows} == {n: p.parent.name for n, p in BUGS.items()}
    for report, file, kind, executions in rows:
        assert (ROOT / "docs" / file).is_file()
        assert (ROOT / "docs" / report).is_file() == (kind != "not-shown") or not report
        assert int(executions.replace(",", "")) >= SUITE_EXECUTIONS


@pytest.fixture
def pytest_on(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs pytest on a scenario, as a user would."""

    def on(text: str, *options: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "bug.toml").write_text(text, encoding="utf-8")
        (tmp_path / "other.toml").write_text("[tool]\n", encoding="utf-8")  # is left alone
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", *options, "."]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return on


def test_the_pytest_plugin(pytest_on: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = pytest_on(A7, "--race-executions", "50")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
    assert re.search(r"Captured race call -+\nA7: Version 7 .*\nkind sequential, measured sequential\n", done.stdout)
    assert "race replay race1:" in done.stdout


def test_the_pytest_plugin_on_a_bug_that_is_not_what_its_file_says(
    pytest_on: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = pytest_on(A7.replace('"sequential"', '"interleaving"'), "--race-executions", "50")
    assert done.returncode == 1
    assert "its file has it as interleaving, measured it is sequential" in done.stdout
    assert "1 failed, 1 passed" in done.stdout
    done = pytest_on(A7, "--race-executions", "100000000", "--race-seconds", "0.5", "-k", "fix")
    assert done.returncode == 1
    assert "not done within 0.5 s (--race-seconds)" in done.stdout
