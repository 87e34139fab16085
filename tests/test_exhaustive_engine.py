"""Engine exhaustive on the allocator: both sides of the corruption, and one result whoever explores what."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from race.exhaustive import state
from race.report import words
from race.results import Document, load
from tests.conftest import RunRace

EXHAUSTIVE = ["--engine", "exhaustive", "--page-size", "256"]
PROVED = ["on", "on,zs_page_migrate.zspage.*=none", "on,*pin*=none"]
REFUTED = ["off", "on,zs_page_migrate.class.unlock=none", "on,zs_malloc.class.lock=none"]
# Some hundred executions: with small units it is many rounds.
LARGER = ["run", "a8a-migrate-without-pins", *EXHAUSTIVE, "--barriers", "on"]


def without_times(path: Path) -> Document:
    document = load(path)
    document.timing, document.host, document.command, document.frontier = None, {}, [], ""
    return document


@pytest.fixture
def small_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "FIRST_RUNS", 5)
    monkeypatch.setattr(state, "UNIT_ACCESSES", 40_000)


def test_the_corruption_is_proved_and_refuted(run_race: RunRace, tmp_path: Path) -> None:
    plans = [word for plan in PROVED + REFUTED for word in ("--barriers", plan)]
    files = {name: tmp_path / f"result.{name}" for name in ("json", "markdown", "html", "junit")}
    outputs = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    status, out, err = run_race("compare", "freeobj-corruption", *EXHAUSTIVE, *plans, *outputs, "--jobs", "1")
    assert (status, err) == (0, "")
    document = load(files["json"])
    assert (document.verdict.status, document.engine) == ("held", "exhaustive")
    for arm in document.arms:
        assert arm.proof is not None
        assert arm.total is None
        assert arm.expectation is not None
        assert arm.expectation.met
        assert arm.proof.verdict == ("proved" if arm.plan in PROVED else "refuted")
        assert arm.proof.complete == (arm.plan in PROVED)
        assert arm.counts.keys() == (set() if arm.plan in PROVED else {"garbage-freeobj"})
        assert arm.executions > 1
        for finding in arm.findings:
            assert bool(finding.token) != bool(finding.untold)
    assert document.bounds[0] == (
        "the threads and their steps: migrator (1 step), allocator (1 step), "
        "after a set-up of 6 steps in their one order"
    )
    markdown, html = (files[name].read_text("utf-8") for name in ("markdown", "html"))
    for text in (out, markdown, html):
        assert "proved within bounds" in text
        assert "refuted" in text
        assert "pages of 256 bytes; 24 page frames" in text
        assert "95 %" not in text  # nothing is left to chance, so there is no rate
    cases = ET.parse(files["junit"]).findall("testsuite/testcase")
    assert [case.find("failure") is None for case in cases] == [True] * 6
    assert "verdict: proved within bounds" in (cases[0].findtext("system-out") or "")
    status, out, _ = run_race("report", files["json"])
    assert status == 0
    assert "proved within bounds" in out


def test_what_should_be_found_and_is_proved_absent_fails(run_race: RunRace, small: Callable[..., str]) -> None:
    scenario = small(("clean = true", 'find = ["oops"]'))
    status, out, _ = run_race("run", scenario, *EXHAUSTIVE, "--barriers", "on", "--jobs", "1")
    assert status == 1
    assert "oops was expected, and no execution has it: proved within bounds" in " ".join(out.split())


def test_all_counts_every_execution(run_race: RunRace, tmp_path: Path) -> None:
    first, all_of_them = tmp_path / "first.json", tmp_path / "all.json"
    options = ["run", "freeobj-corruption", *EXHAUSTIVE, "--barriers", REFUTED[1], "--jobs", "1"]
    assert run_race(*options, "--json", first).status == 0
    assert run_race(*options, "--all", "--json", all_of_them).status == 0
    one, every = load(first).arms[0], load(all_of_them).arms[0]
    assert one.proof is not None
    assert every.proof is not None
    assert (one.proof.complete, one.proof.bound, one.hits) == (False, "finding", 1)
    assert (every.proof.complete, every.proof.bound) == (True, "")
    assert every.hits >= 1
    assert every.executions > one.executions
    assert every.first == one.first


@pytest.mark.usefixtures("small_units")
def test_results_do_not_depend_on_the_number_of_workers(run_race: RunRace, tmp_path: Path) -> None:
    documents = []
    for jobs in ("1", "2", "3"):
        path = tmp_path / f"{jobs}.json"
        assert run_race(*LARGER, "--jobs", jobs, "--json", path).status == 0
        documents.append(without_times(path))
    assert documents[0] == documents[1] == documents[2]
    assert documents[0].arms[0].executions > 100


@pytest.mark.usefixtures("small_units")
def test_what_is_resumed_comes_to_the_same_end(
    run_race: RunRace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_race(*LARGER, "--jobs", "1", "--json", "whole.json").status == 0
    whole = load("whole.json").arms[0].executions
    assert not Path("whole.frontier.json").exists()
    options = ["--jobs", "1", "--json", "part.json"]
    sessions, done = 0, 0
    while True:
        limit = ["--executions", str(done + whole // 4)]
        status, out, err = run_race(*LARGER, *options, *(limit if sessions < 3 else []))
        assert err == ""
        if status == 0:
            break
        assert status == 3
        arm = load("part.json").arms[0]
        assert arm.proof is not None
        assert (arm.proof.verdict, arm.proof.bound) == ("not finished", "executions")
        assert arm.proof.left
        assert done < arm.executions < whole
        assert "--resume part.frontier.json" in " ".join(out.replace("\\\n", "").split())
        assert load("part.json").verdict.status == "inconclusive"
        sessions, done = sessions + 1, arm.executions
        options = ["--jobs", "1", "--json", "part.json", "--resume", "part.frontier.json"]
    assert sessions >= 2
    assert without_times(Path("part.json")) == without_times(Path("whole.json"))


@pytest.fixture
def endless(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A proof that takes longer than anybody waits, at work."""
    command = [sys.executable, "-m", "race", "run", "endless.toml", "--engine", "exhaustive", "--barriers", "off"]
    steps = ", ".join(f'{{ op = "malloc", slot = "s{i}", object = "block" }}' for i in range(4))
    frees = ", ".join(f'{{ op = "free", slot = "t{i}" }}' for i in range(4))
    setup = "".join(f'[[setup]]\nop = "malloc"\nslot = "t{i}"\nobject = "block"\n\n' for i in range(4))
    text = f"""title = "Many executions"

[pool]
page-size = 256
frames = 200

[objects.block]
class = {{ pages = 2, objects = 3 }}

{setup}[[threads]]
name = "one"
steps = [{steps}]

[[threads]]
name = "two"
steps = [{frees}]

[[threads]]
name = "three"
steps = [{{ op = "migrate", slot = "t0", page = 1 }}]
"""
    (tmp_path / "endless.toml").write_text(text, "utf-8")
    options = ["--all", "--jobs", "2", "--json", "out.json"]
    with subprocess.Popen(
        [*command, *options], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while len(children.read_text("ascii").split()) < 3:  # two workers, and Python's resource tracker
            assert process.poll() is None
            time.sleep(0.02)
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal(number: signal.Signals, endless: subprocess.Popen[str], tmp_path: Path) -> None:
    endless.send_signal(number)
    out, err = endless.communicate()
    assert (endless.returncode, err) == (4, "")
    document = load(tmp_path / "out.json")
    assert document.interrupted
    assert (document.verdict.status, document.verdict.reasons[0]) == ("incomplete", "the run was interrupted")
    assert document.frontier == "out.frontier.json"
    assert "it was interrupted" in " ".join(out.split())
    assert (tmp_path / "out.frontier.json").is_file()


def test_an_ablation_of_proofs(run_race: RunRace, tmp_path: Path) -> None:
    path, html, markdown = tmp_path / "ablation.json", tmp_path / "a.html", tmp_path / "a.md"
    status, out, err = run_race(
        "ablate",
        "freeobj-corruption",
        *EXHAUSTIVE,
        "--json",
        path,
        "--html",
        html,
        "--markdown",
        markdown,
        "--jobs",
        "1",
    )
    assert (status, err) == (0, "")
    document = msgspec.json.decode(path.read_bytes())
    sites = {site["site"]: site for site in document["sites"]}
    for necessary in ("zs_malloc.class.lock", "zs_page_migrate.class.unlock"):
        assert sites[necessary]["verdict"] == "necessary"
        assert sites[necessary]["weakened"]["proof"] == "refuted"
    for redundant in ("zs_page_migrate.trypin", "zs_page_migrate.zspage.write_lock"):
        assert sites[redundant]["verdict"] == "redundant"
        assert sites[redundant]["weakened"]["proof"] == "proved"
        assert sites[redundant]["why"].startswith("proved: ")
    assert sites["zs_free.class.lock"]["verdict"] == "untested"  # nobody frees
    assert document["unfinished"] == 0
    assert all(kept["trial"]["proof"] == "proved" for kept in document["minimal"])
    for text in (out, markdown.read_text("utf-8"), html.read_text("utf-8")):
        assert "each proved alone within bounds" in " ".join(text.split())
        assert "95 %" not in text


def test_an_ablation_whose_base_plan_is_not_proved_says_nothing_of_sites(run_race: RunRace) -> None:
    status, out, _ = run_race("ablate", *LARGER[1:-2], "--executions", "20", "--jobs", "1")
    assert status == 4
    assert "Not finished: the base plan was not proved" in out
    assert "redundant in this scenario" not in out


def test_without_a_token_a_finding_says_why(run_race: RunRace, tmp_path: Path) -> None:
    path = tmp_path / "off.json"
    assert run_race("run", "freeobj-corruption", *EXHAUSTIVE, "--jobs", "1", "--json", path).status == 0
    finding = load(path).arms[0].findings[0]
    assert words.finding_command(load(path), load(path).arms[0]) is None
    if finding.token:
        assert run_race("replay", path, "--no-minimise").status == 0
    else:
        assert run_race("replay", path) == (
            2,
            "",
            f"race: error: {path}: finding 1 has no token: {finding.untold}\n",
        )


@pytest.mark.usefixtures("small_units")
@pytest.mark.filterwarnings("default")  # of the cluster's own
def test_a_dask_cluster_of_two_workers_explores_the_same(run_race: RunRace, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    local, clusters = tmp_path / "local.json", tmp_path / "cluster.json"
    assert run_race(*LARGER, "--jobs", "2", "--json", local).status == 0
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        status, _, err = run_race(*LARGER, "--executor", f"dask:{cluster.scheduler_address}", "--json", clusters)
        assert (status, err) == (0, "")
    assert load(clusters).host["jobs"] == 2
    assert without_times(clusters) == without_times(local)
