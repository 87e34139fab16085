"""`race ablate` as its user runs it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from race import schema
from race.ablation.document import Ablation, SiteRecord, load
from tests.conftest import RunRace

SMALL = ("--page-size", "256")
FEW = (*SMALL, "--executions", "6000")
RWLOCK_AND_PIN = (
    "zs_page_migrate.zspage.write_lock",
    "zs_page_migrate.zspage.write_unlock",
    "zs_page_migrate.trypin",
    "zs_page_migrate.unpin",
)


def without_clock(document: Path) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(document.read_text(encoding="utf-8"))
    for name in ("timing", "host", "command"):
        del decoded[name]
    return decoded


def sites(document: Ablation) -> dict[str, SiteRecord]:
    return {site.site: site for site in document.sites}


@pytest.fixture(scope="module")
def ablated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JSON of an ablation with two workers."""
    path = tmp_path_factory.mktemp("ablated") / "out.json"
    command = [sys.executable, "-m", "race", "ablate", "freeobj-corruption", *FEW, "--jobs", "2", "--json", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=path.parent)
    assert done.returncode == 0
    return path


def test_the_class_lock_is_necessary_the_rwlock_and_the_pin_are_not(ablated: Path) -> None:
    document = load(ablated)
    of = sites(document)
    assert document.finished
    assert document.base_trial is not None
    assert document.base_trial.hits == 0
    for name in ("zs_malloc.class.lock", "zs_page_migrate.class.unlock"):
        site = of[name]
        assert site.verdict == "necessary"
        assert site.weakened is not None
        assert site.weakened.hits == 10
        assert site.weakened.p_value is not None
        assert site.weakened.p_value < 1e-4
        assert site.tried is not None
        assert site.tried > 10
    for name in RWLOCK_AND_PIN:
        site = of[name]
        assert site.verdict in ("redundant", "untested")
        assert site.weakened is not None
        assert site.weakened.hits == 0
    # The migrator's rwlock is never taken by anybody else: no access behind it can be early.
    assert of["zs_page_migrate.zspage.write_lock"].verdict == "untested"
    assert of["zs_page_migrate.zspage.write_unlock"].verdict == "redundant"


def test_what_is_never_come_to_is_untested(ablated: Path) -> None:
    of = sites(load(ablated))
    free = of["zs_free.class.lock"]
    assert (free.crossed, free.verdict, free.weakened) == (0, "untested", None)
    assert "came to it" in free.why
    for site in of.values():
        if site.crossed == 0 or not max(site.tried or 0, site.tried_together or 0):
            assert site.verdict in ("untested", "necessary", "masked")


def test_the_scenarios_held_site_is_left_alone_and_named(ablated: Path) -> None:
    document = load(ablated)
    assert document.held == {"zs_page_migrate.put_page": "none"}
    put_page = sites(document)["zs_page_migrate.put_page"]
    assert (put_page.verdict, put_page.weakened) == ("untested", None)
    assert any("zs_page_migrate.put_page" in line for line in document.conclusions)


def test_a_minimal_set_is_enough_and_its_plan_can_be_run(ablated: Path, run_race: RunRace, tmp_path: Path) -> None:
    document = load(ablated)
    first = document.minimal[0]
    assert first.trial is not None
    assert first.trial.hits == 0
    necessary = {site.site for site in document.sites if site.verdict == "necessary"}
    assert necessary <= first.sites.keys()
    assert first.sites["zs_malloc.class.lock"] == "acquire"
    assert first.sites["zs_page_migrate.class.unlock"] == "dmb.ishst"  # a store barrier is enough for a copy
    path = tmp_path / "again.json"
    run_race("run", "freeobj-corruption", *FEW, "--barriers", first.trial.plan, "--json", path)
    arm = json.loads(path.read_text(encoding="utf-8"))["arms"][0]
    assert arm["counts"] == {}
    expected = {site.site: first.sites.get(site.site, "none") for site in document.sites}
    assert arm["sites"] == expected


def test_sites_that_stand_in_for_each_other(tmp_path: Path, run_race: RunRace) -> None:
    """With put_page as the kernel has it, the class unlock's release can be spared, and the other way round."""
    path = tmp_path / "out.json"
    plan = "on,zs_page_migrate.put_page=full"
    assert run_race("ablate", "freeobj-corruption", *FEW, "--barriers", plan, "--json", path).status == 0
    document = load(path)
    assert document.held == {}
    of = sites(document)
    unlock, put_page = of["zs_page_migrate.class.unlock"], of["zs_page_migrate.put_page"]
    assert (unlock.verdict, put_page.verdict) == ("masked", "masked")
    assert unlock.masked_by == ["zs_page_migrate.put_page"]
    assert put_page.masked_by == ["zs_page_migrate.class.unlock"]
    mask = next(mask for mask in document.masks if "zs_page_migrate.put_page" in mask.sites)
    assert mask.together.hits > 0
    members = [set(kept.sites) & {unlock.site, put_page.site} for kept in document.minimal]
    assert {unlock.site} in members
    assert {put_page.site} in members


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_the_same_with_any_number_of_workers(jobs: str, ablated: Path, tmp_path: Path, run_race: RunRace) -> None:
    path = tmp_path / "again.json"
    assert run_race("ablate", "freeobj-corruption", *FEW, "--jobs", jobs, "--json", path).status == 0
    assert without_clock(path) == without_clock(ablated)


def test_nothing_moves_where_nothing_is_reordered(tmp_path: Path, run_race: RunRace) -> None:
    path = tmp_path / "out.json"
    command = ("ablate", "freeobj-corruption", *SMALL, "--executions", "1000", "--model", "sc", "--json", path)
    assert run_race(*command).status == 0
    document = load(path)
    assert {site.verdict for site in document.sites} == {"untested"}
    assert [kept.sites for kept in document.minimal] == [{}]


def test_another_scenario(small: Callable[..., str], run_race: RunRace) -> None:
    status, out, _ = run_race("ablate", small(), *SMALL, "--executions", "1500", "--json", "out.json")
    assert status == 0
    verdicts = {site.site: site.verdict for site in load("out.json").sites}
    assert verdicts["zs_free.class.unlock"] != "untested"  # its thread frees
    assert "race ablate small" in out


def test_the_report(ablated: Path, run_race: RunRace, tmp_path: Path) -> None:
    status, out, err = run_race("report", ablated)
    assert (status, err) == (0, "")
    assert all(len(line) <= 100 for line in out.splitlines())
    line = next(line for line in out.splitlines() if line.split()[:1] == ["zs_malloc.class.lock"])
    assert re.fullmatch(r"  zs_malloc\.class\.lock +acquire .* % +acquire +necessary", line)
    text = " ".join(out.split())
    assert "sites were not come to, and are untested: __free_zspage.page.unlock," in text
    assert "nothing in 6,000 executions leaves a chance of up to 0.0499 %" in text
    markdown = tmp_path / "out.md"
    assert run_race("report", ablated, "--markdown", markdown) == (0, "", "")
    assert "| `zs_malloc.class.lock` | acquire |" in markdown.read_text(encoding="utf-8")


def test_the_schema(ablated: Path) -> None:
    published = Path(__file__).parent.parent / schema.PUBLISHED_ABLATION
    assert published.read_text() == schema.ablation_text(), "regenerate it: make schema"
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json.loads(schema.ablation_text()))
    assert list(validator.iter_errors(json.loads(ablated.read_text(encoding="utf-8")))) == []


def test_when_the_time_is_up(tmp_path: Path, run_race: RunRace) -> None:
    path = tmp_path / "out.json"
    command = ("ablate", "freeobj-corruption", *SMALL, "--executions", "100000000", "--seconds", "1", "--json", path)
    status, out, err = run_race(*command)
    assert (status, err) == (4, "")
    document = load(path)
    assert (document.finished, document.interrupted, document.ended) == (False, False, "the time was up")
    assert {site.verdict for site in document.sites} == {"untested"}
    assert "Not finished: the time was up" in out


def test_a_signal(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "race",
        "ablate",
        "freeobj-corruption",
        *SMALL,
        "--jobs",
        "2",
        "--json",
        "out.json",
    ]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while len(children.read_text(encoding="ascii").split()) < 2:
            assert process.poll() is None
            time.sleep(0.02)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        assert process.returncode == 4
        assert "Traceback" not in err
    document = load(tmp_path / "out.json")
    assert (document.finished, document.interrupted) == (False, True)
    assert "Not finished: it was interrupted" in out
    unfinished = [site for site in document.sites if site.verdict == "untested" and site.crossed]
    assert all("the run ended before" in site.why for site in unfinished)


MISTAKES = [
    ([], "the following arguments are required: SCENARIO; see `race ablate --help`"),
    (["nothing"], 'unknown scenario "nothing"; `race list` lists them; a path works too'),
    (["freeobj-corruption", "--barriers", "om"], 'barrier plan "om": unknown preset "om"; known: on, off'),
    (["freeobj-corruption", "--executions", "0"], "0 is out of range"),
    (["freeobj-corruption", "--second", "1"], 'unknown option "--second"; did you mean "--seconds"?'),
    (["freeobj-corruption", "--shard", "1/2"], 'unknown option "--shard"'),
    (["freeobj-corruption", "--json", "/nowhere/out.json"], "cannot write /nowhere/out.json"),
    (
        ["freeobj-corruption", *SMALL, "--executions", "2000", "--barriers", "off"],
        "the base plan is not clean: execution ",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=lambda value: str(value)[:40])
def test_mistakes(arguments: list[str], message: str, run_race: RunRace) -> None:
    status, out, err = run_race("ablate", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("race: error: ")
    assert err.count("\n") == 1
    assert message in err


def test_a_damaged_document(ablated: Path, tmp_path: Path, run_race: RunRace) -> None:
    document = json.loads(ablated.read_text(encoding="utf-8"))
    path = tmp_path / "damaged.json"
    path.write_text(json.dumps({**document, "sites": 5}), encoding="utf-8")
    assert run_race("report", path).err.startswith(f"race: error: {path}: damaged: ")
    path.write_text(json.dumps({**document, "version": 2}), encoding="utf-8")
    status, _, err = run_race("report", path)
    assert status == 2
    assert "ablation version 2, this program reads version 1" in err
    assert run_race("report", ablated, "--junit", tmp_path / "out.xml").status == 2
