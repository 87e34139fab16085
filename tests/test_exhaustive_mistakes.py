"""Engine exhaustive: what it cannot do, or cannot go on from, is one line and exit status 2 before anything runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from race import native
from race.exhaustive import frontier
from race.exhaustive.state import State
from race.plan import resolve
from race.results import encode
from race.scenario.load import find, load
from tests.conftest import RunRace
from tests.documents import compared

MISTAKES = [
    ("run freeobj-corruption --all", "--all is of --engine exhaustive"),
    ("run freeobj-corruption --resume rest.json", "--resume is of --engine exhaustive"),
    ("compare freeobj-corruption --frontier rest.json", "--frontier is of --engine exhaustive"),
    ("ablate freeobj-corruption --executor dask:tcp://127.0.0.1:1", "--executor is of --engine exhaustive"),
    (
        "run freeobj-corruption --engine exhaustive --executor slurm",
        'argument --executor: "slurm" is no executor; write local, or dask:ADDRESS of a scheduler, such as '
        "dask:tcp://192.168.0.5:8786; see `race run --help`",
    ),
    (
        "run freeobj-corruption --engine exhaustive --executor dask:tcp://127.0.0.1:1 --jobs 2",
        "--jobs is of this machine's processes: with --executor the cluster has its own",
    ),
    (
        "run freeobj-corruption --engine exhaustive --shard 1/2",
        "--shard is of random executions; --executor dask:ADDRESS shares a proof among machines",
    ),
    (
        "run freeobj-corruption --engine exhaustive --execution 3",
        "--execution names a random execution; `race replay TOKEN` runs a finding of this engine again",
    ),
    ("run freeobj-corruption --engine exhaustive --calibrate 1", "--calibrate is of --engine hardware"),
    (
        "run freeobj-corruption --engine exhaustive --resume missing.json",
        "cannot read missing.json: No such file or directory; give --resume a file that an unfinished run left",
    ),
    (
        "run freeobj-corruption --engine exhaustive --resume other.json",
        'other.json: no frontier (no "format": "race-frontier"); give --resume a file that an unfinished run left',
    ),
    (
        "run freeobj-corruption --engine exhaustive --resume broken.json",
        "broken.json: no frontier, or damaged; give --resume a file that an unfinished run left",
    ),
    (
        "run freeobj-corruption --engine exhaustive --frontier no/such/folder.json",
        "cannot write no/such/folder.json: there is no folder no/such",
    ),
    (
        "plan freeobj-corruption --engine exhaustive",
        'argument --engine: unknown engine "exhaustive"; known: weak, hardware; see `race plan --help`',
    ),
]


@pytest.mark.parametrize(("command", "message"), MISTAKES, ids=[command for command, _ in MISTAKES])
def test_mistake(
    command: str, message: str, run_race: RunRace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.json").write_text('{"format": "race-result", "version": 1, "digest": "", "content": {}}', "utf-8")
    Path("broken.json").write_text('{"format": "race-fron', "utf-8")
    assert run_race(*command.split()) == (2, "", f"race: error: {message}\n")


@pytest.mark.parametrize("verb", ["run", "compare", "ablate"])
@pytest.mark.parametrize(
    ("step", "name"),
    [
        ('{ op = "migrate-any" }', "migrate-any"),
        ('{ op = "random", count = 2, slots = ["own"], objects = ["block"], mix = { malloc = 1 } }', "random"),
    ],
)
def test_chance_has_no_place(verb: str, step: str, name: str, small: Callable[..., str], run_race: RunRace) -> None:
    scenario = small(
        ('{ op = "free", slot = "own" }', step), ('{ op = "malloc", slot = "own", object = "block" }, ', "")
    )
    assert run_race(verb, scenario, "--engine", "exhaustive") == (
        2,
        "",
        f"race: error: small.toml: $.threads[1].steps[0]: {name} leaves to chance what is done, and engine exhaustive "
        "explores given operations; write them out, or use --engine weak\n",
    )


@pytest.fixture
def rest(tmp_path: Path) -> Path:
    """The frontier of a run with plan on, of which nothing is done."""
    known = native.catalog()
    scenario = load(find("freeobj-corruption"), known, 256)
    plans = {"on": resolve("on", known.sites, scenario.held)}
    path = tmp_path / "rest.json"
    frontier.save(str(path), frontier.run_of(scenario, plans, "armv8", 1, everything=False, kept=100), {"on": State()})
    return path


BASE = ["run", "freeobj-corruption", "--engine", "exhaustive", "--page-size", "256", "--barriers", "on"]


@pytest.mark.parametrize(
    ("options", "differs"),
    [
        (["--model", "tso"], "its model is armv8, not tso"),
        (["--page-size", "512"], "its page size is 256, not 512"),
        (["--seed", "2", "--all"], "its seed is 1, not 2; its --all is absent, not given"),
        (["--barriers", "off"], "its set of barrier plans is on, not off"),
        (["--max-findings", "5"], "its --max-findings is 100, not 5"),
    ],
)
def test_a_frontier_of_another_run_is_refused(options: list[str], differs: str, rest: Path, run_race: RunRace) -> None:
    given = [word for i in range(4, len(BASE), 2) if BASE[i] not in options for word in BASE[i : i + 2]]
    status, out, err = run_race(*BASE[:4], *given, *options, "--resume", rest)
    assert (status, out) == (2, "")
    assert err == (f"race: error: {rest} belongs to another run: {differs}; repeat that run's options, or begin anew\n")


def test_a_frontier_of_another_scenario_is_refused(rest: Path, run_race: RunRace, small: Callable[..., str]) -> None:
    status, _, err = run_race("run", small(), *BASE[2:], "--resume", rest)
    assert status == 2
    assert "its scenario is freeobj-corruption, not small; its scenario file (sha256) is " in err


@pytest.mark.parametrize("field", ["race", "engine"])
def test_a_frontier_of_another_version_is_refused(field: str, rest: Path, run_race: RunRace) -> None:
    content = frontier._content(str(rest))
    setattr(content.run, field, "0.0.1")
    states = {"on": State()}
    frontier.save(str(rest), content.run, states)
    status, _, err = run_race(*BASE, "--resume", rest)
    assert status == 2
    assert f"its {frontier.NAMES[field]} is 0.0.1, not " in err


def test_a_frontier_that_was_changed_is_refused(rest: Path, run_race: RunRace) -> None:
    """One number less, and a proof would be none."""
    text = rest.read_text("utf-8")
    assert '"pending":[{' in text
    document = msgspec.json.decode(text.encode())
    document["content"]["plans"]["on"]["pending"] = []
    rest.write_text(json.dumps(document), "utf-8")
    status, out, err = run_race(*BASE, "--resume", rest)
    assert (status, out) == (2, "")
    assert err == (f"race: error: {rest}: damaged: its content is not what was written; begin anew without --resume\n")


def test_dask_that_is_not_installed(run_race: RunRace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    assert run_race(*BASE, "--executor", "dask:tcp://127.0.0.1:1") == (
        2,
        "",
        "race: error: --executor dask:ADDRESS needs Dask, which is not installed: "
        "pip install 'race-reproducer[dask]'\n",
    )


def test_shards_are_not_of_proofs(run_race: RunRace, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.json", "b.json")]
    for file in files:
        document = compared()
        document.engine = "exhaustive"
        file.write_bytes(encode(document))
    assert run_race("merge", *files) == (
        2,
        "",
        "race: error: results of --engine exhaustive are not parts of one: --jobs and --executor share a proof out\n",
    )
