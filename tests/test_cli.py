"""The commands, run as a user runs them."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import race
from race.cli.values import DEFAULT_EXECUTIONS, DEFAULT_SECONDS
from race.native import Catalog
from race.report import words
from race.results import Document, load
from race.scenario.load import shipped
from tests.conftest import RunRace

FEW = ("--page-size", "256", "--executions", "2000")


def without_clock(document: Path) -> dict[str, Any]:
    """A result but for what may differ between two runs of one command."""
    decoded: dict[str, Any] = json.loads(document.read_text(encoding="utf-8"))
    for name in ("timing", "host", "command"):
        del decoded[name]
    return decoded


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JSON of a comparison with one worker."""
    path = tmp_path_factory.mktemp("compared") / "one.json"
    command = [sys.executable, "-m", "race", "compare", "freeobj-corruption", *FEW, "--jobs", "1", "--json", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=path.parent)
    assert (done.returncode, done.stderr) == (0, "")
    return path


def test_version(run_race: RunRace) -> None:
    assert run_race("--version") == (0, f"race {race.__version__}\n", "")


def test_list_names_each_scenario(run_race: RunRace) -> None:
    status, out, err = run_race("list")
    assert (status, err) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert set(shipped()) <= lines.keys()
    assert re.search(r"migrator, allocator +4096", lines["freeobj-corruption"])


def test_help_says_what_the_defaults_are(run_race: RunRace) -> None:
    status, out, err = run_race("compare", "--help")
    assert (status, err) == (0, "")
    text = " ".join(out.split())
    assert f"{DEFAULT_EXECUTIONS:,}, or what {DEFAULT_SECONDS} s a plan allow" in text
    assert "default: those of the scenario's `compare`, else off and on" in text


def test_sites_as_a_table(run_race: RunRace, known: Catalog) -> None:
    status, out, err = run_race("sites")
    assert (status, err) == (0, "")
    for site in known.sites:
        line = next(line for line in out.splitlines() if line.split()[:1] == [site.name])
        assert line.split()[1:5] == [site.primitive, site.side, site.default, f"{site.file}:{site.line}"]


def test_sites_as_json(run_race: RunRace, known: Catalog) -> None:
    status, out, _ = run_race("sites", "--json")
    assert status == 0
    assert [entry["name"] for entry in json.loads(out)] == [site.name for site in known.sites]


def test_compare_finds_the_corruption_without_barriers_only(compared: Path) -> None:
    document = load(compared)
    off, bit_spin_only, on = document.arms
    assert bit_spin_only.counts == off.counts  # nothing is unpinned here: what they differ in is never crossed
    assert (off.plan, bit_spin_only.plan, on.plan) == ("off", "bit-spin-only", "on")
    assert off.counts["garbage-freeobj"] > 0
    assert on.counts == {}
    assert off.executions == on.executions == 2000
    assert document.verdict.status == "held"
    assert document.verdict.not_shown
    assert all(d.p_value < 1e-6 for d in document.differences if d.oracle == "any" and "on" in d.plans)
    assert document.scenario.page_size == 256


@pytest.mark.parametrize("jobs", ["1", "2", "3"])
def test_the_same_seed_gives_the_same_result_with_any_number_of_workers(
    jobs: str, compared: Path, tmp_path: Path, run_race: RunRace
) -> None:
    path = tmp_path / "again.json"
    run_race("compare", "freeobj-corruption", *FEW, "--jobs", jobs, "--json", path)
    assert without_clock(path) == without_clock(compared)


def test_another_seed_gives_other_findings(compared: Path, tmp_path: Path, run_race: RunRace) -> None:
    path = tmp_path / "other.json"
    run_race("compare", "freeobj-corruption", *FEW, "--seed", "0xdead_beef", "--json", path)
    other = load(path)
    assert other.seed == 0xDEADBEEF
    assert [f.execution for f in other.arms[0].findings] != [f.execution for f in load(compared).arms[0].findings]


@pytest.mark.parametrize("model", ["tso", "sc"])
def test_stronger_models_find_nothing_and_say_why(model: str, tmp_path: Path, run_race: RunRace) -> None:
    path = tmp_path / "result.json"
    status, out, err = run_race("compare", "freeobj-corruption", *FEW, "--model", model, "--json", path)
    assert (status, err) == (0, "")
    assert all(arm.counts == {} for arm in load(path).arms)
    assert f"model {model} " in " ".join(out.split())


def test_a_clean_run_alone_is_inconclusive(run_race: RunRace) -> None:
    status, out, err = run_race("run", "freeobj-corruption", *FEW, "--barriers", "on")
    assert (status, err) == (3, "")
    assert "there is no control arm; `race compare` runs plan off beside it" in " ".join(out.split())


def test_every_bound_of_a_plan_that_found_nothing_is_the_same(run_race: RunRace) -> None:
    text = " ".join(run_race("run", "freeobj-corruption", *FEW, "--barriers", "on").out.split())
    bounds = re.findall(r"(?:up to|at most) ([0-9.]+)", text)
    assert bounds == ["0.150"] * 3  # the rate, what was shown, what was not


def test_an_expectation_that_fails(small: Callable[..., str], run_race: RunRace) -> None:
    scenario = small(('plan = "on"\nclean = true', 'plan = "on"\nfind = ["garbage-freeobj"]'))
    assert run_race("run", scenario, "--barriers", "on", "--executions", "1000").status == 1


def test_findings_that_nobody_expects_or_forbids_are_reported_not_judged(
    small: Callable[..., str], run_race: RunRace
) -> None:
    scenario = small(('[[expect]]\nplan = "on"\nclean = true\n', ""))
    files = ["--json", "out.json", "--markdown", "out.md", "--junit", "out.xml"]
    status, out, err = run_race("run", scenario, "--barriers", "off", "--executions", "2000", *files)
    assert (status, err) == (0, "")
    document = load("out.json")
    hits = document.arms[0].hits
    assert hits > 1
    line = f"no expectation for this plan: {hits} findings are reported, not judged"
    assert (document.verdict.status, document.verdict.exit_status) == ("unjudged", 0)
    assert document.verdict.reasons[0].endswith(line)
    assert document.arms[0].expectation is None
    for text in (out, Path("out.md").read_text(encoding="utf-8")):
        assert line in " ".join(text.split())
        assert "unjudged" in text
        assert "not judged" in text
    assert ET.parse("out.xml").find("testsuite/testcase/skipped") is not None


def test_one_execution_again(compared: Path, tmp_path: Path, run_race: RunRace) -> None:
    wanted = next(f for f in load(compared).arms[0].findings if f.oracle == "garbage-freeobj")
    path = tmp_path / "one.json"
    number = str(wanted.execution)
    status = run_race("run", "freeobj-corruption", "--page-size", "256", "--execution", number, "--json", path).status
    assert status == 0
    assert load(path).arms[0].findings == [wanted]


def test_the_command_for_a_finding_finds_it_again(compared: Path, run_race: RunRace, tmp_path: Path) -> None:
    document = load(compared)
    command = words.finding_command(document, document.arms[0])
    assert command is not None
    path = tmp_path / "again.json"
    assert run_race(*shlex.split(command)[1:], "--json", path).status == 0
    assert load(path).arms[0].findings == words.shown_findings(document.arms[0])[:1]


def test_shards_share_the_executions(tmp_path: Path, run_race: RunRace, compared: Path) -> None:
    parts: list[Document] = []
    for shard in ("1/2", "2/2"):
        path = tmp_path / "part.json"
        run_race("run", "freeobj-corruption", *FEW, "--shard", shard, "--json", path)
        parts.append(load(path))
        assert parts[-1].shard == shard
    whole = load(compared).arms[0]
    assert sum(part.arms[0].executions for part in parts) == whole.executions
    assert sum(part.arms[0].hits for part in parts) == whole.hits


def test_max_findings_limits_what_is_kept_not_what_is_counted(
    compared: Path, tmp_path: Path, run_race: RunRace
) -> None:
    path = tmp_path / "result.json"
    run_race("run", "freeobj-corruption", *FEW, "--max-findings", "2", "--json", path)
    arm, whole = load(path).arms[0], load(compared).arms[0]
    for oracle in whole.counts:
        kept = [finding for finding in whole.findings if finding.oracle == oracle][:2]
        assert [finding for finding in arm.findings if finding.oracle == oracle] == kept
    assert arm.counts == whole.counts


def test_every_output_is_written(tmp_path: Path, run_race: RunRace) -> None:
    files = {name: tmp_path / f"result.{name}" for name in ("json", "markdown", "junit")}
    options = [part for name, path in files.items() for part in (f"--{name}", path)]
    assert run_race("run", "freeobj-corruption", *FEW, *options).status == 0
    assert load(files["json"]).verb == "run"
    assert "freeobj-corruption" in files["markdown"].read_text(encoding="utf-8")
    assert ET.parse(files["junit"]).getroot().tag == "testsuites"
    assert sorted(tmp_path.iterdir()) == sorted(files.values())  # no temporary file is left


def test_json_on_standard_output_leaves_it_to_the_json(run_race: RunRace) -> None:
    status, out, err = run_race("run", "freeobj-corruption", *FEW, "--json", "-")
    assert status == 0
    assert json.loads(out)["format"] == "race-result"
    assert "Verdict: held" in err


def test_report_draws_a_saved_result_again(compared: Path, tmp_path: Path, run_race: RunRace) -> None:
    status, out, err = run_race("report", compared)
    assert (status, err) == (0, "")
    assert "garbage-freeobj" in out
    markdown, junit = tmp_path / "again.md", tmp_path / "again.xml"
    assert run_race("report", compared, "--markdown", markdown, "--junit", junit) == (0, "", "")
    assert "garbage-freeobj" in markdown.read_text(encoding="utf-8")
    assert ET.parse(junit).getroot().tag == "testsuites"
