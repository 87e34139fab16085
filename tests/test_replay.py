"""`race replay`: tokens and results, shrunk, under other barriers, and every mistake in one line."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from race import native, replay, token
from race.errors import InputError
from race.plan import resolve
from race.report.steps import WIDTH, picture
from race.results import Document, Finding, Step, load
from tests.conftest import RunRace


def campaign(run_race: RunRace, path: Path, scenario: str, *options: str) -> Document:
    run_race("run", scenario, "--json", path, *options)
    return load(path)


def of(document: Document, oracle: str) -> Finding:
    return next(finding for finding in document.arms[0].findings if finding.oracle == oracle)


@pytest.fixture
def corrupted(run_race: RunRace, tmp_path: Path) -> Path:
    path = tmp_path / "out.json"
    campaign(run_race, path, "freeobj-corruption", "--executions", "2000", "--jobs", "1")
    return path


@pytest.mark.parametrize("page_size", [256, 1024])
def test_a_hundred_findings_come_again(run_race: RunRace, tmp_path: Path, page_size: int) -> None:
    path = tmp_path / "out.json"
    options = ("--page-size", str(page_size), "--executions", "3000", "--max-findings", "25")
    document = campaign(run_race, path, "malloc-free-migrate", *options)
    findings = document.arms[0].findings
    assert len(findings) >= 100
    subject = replay.subject(token.decode(findings[0].token), native.catalog())
    never = threading.Event()
    for finding in findings[:100]:
        one = dataclasses.replace(subject, token=token.decode(finding.token))
        again = replay.run(
            one, native.catalog(), minimise=False, changed=None, stop=never, progress=lambda *_: None
        ).replayed
        assert again.misfit == ""
        assert again.finding is not None
        for name in Finding.__struct_fields__:
            if name not in ("execution", "trace", "steps", "steps_left_out", "token"):
                assert getattr(again.finding, name) == getattr(finding, name), name
        assert replay.token_for(one, again.finding) == finding.token


def test_tokens_do_not_depend_on_the_workers(run_race: RunRace, tmp_path: Path) -> None:
    tokens = []
    for jobs in ("1", "2"):
        options = ("--page-size", "256", "--executions", "2000", "--jobs", jobs)
        document = campaign(run_race, tmp_path / f"{jobs}.json", "freeobj-corruption", *options)
        tokens.append([finding.token for finding in document.arms[0].findings])
    assert tokens[0] == tokens[1]
    assert all(tokens[0])


def test_a_token_shrinks_to_what_is_necessary(run_race: RunRace, corrupted: Path, tmp_path: Path) -> None:
    finding = of(load(corrupted), "garbage-freeobj")
    saved = tmp_path / "replay.json"
    status, out, err = run_race("replay", finding.token, "--json", saved)
    assert (status, err) == (0, "")
    assert "garbage-freeobj: freeobj is neither an object" in out
    assert "without it: nothing is found" in out
    assert "\nReproduced.\n" in out
    document = json.loads(saved.read_text(encoding="utf-8"))
    assert document["size"]["reorderings"] <= 2
    assert document["size"]["switches"] <= 3
    assert document["complete"]
    assert all(needed["necessary"] for needed in document["needed"])
    smallest = re.search(r"^  race replay (race1:\S+)$", out, re.MULTILINE)
    assert smallest is not None
    assert smallest[1] == document["finding"]["token"]
    assert len(smallest[1]) < 100
    # The smallest is its own smallest.
    again = run_race("replay", smallest[1])
    assert smallest[1] in again.out
    assert again.status == 0


def test_a_finding_of_a_result(run_race: RunRace, corrupted: Path) -> None:
    findings = load(corrupted).arms[0].findings
    status, out, _ = run_race("replay", corrupted, "--finding", "3", "--no-minimise")
    assert status == 0
    assert f"\n{findings[2].oracle}: {findings[2].message}\n" in out
    assert "Shrunk" not in out
    status, _, err = run_race("replay", corrupted, "--finding", "100000")
    assert status == 2
    assert err == f"race: error: {corrupted}: it has {len(findings)} findings; there is no finding 100000\n"
    status, _, err = run_race("replay", findings[0].token, "--finding", "1")
    assert (status, err.count("\n")) == (2, 1)


def test_a_result_that_says_otherwise_is_not_reproduced(run_race: RunRace, corrupted: Path) -> None:
    text = corrupted.read_text(encoding="utf-8")
    number = 1 + [f.oracle for f in load(corrupted).arms[0].findings].index("garbage-freeobj")
    value = of(load(corrupted), "garbage-freeobj").value
    corrupted.write_text(text.replace(f'"value": "{value}"', '"value": "0x1"'), encoding="utf-8")
    status, out, _ = run_race("replay", corrupted, "--finding", str(number))
    assert status == 1
    assert f"Not reproduced: the result has value '0x1', this execution '{value}'." in out


def test_other_barriers_say_where_it_diverges(run_race: RunRace, corrupted: Path) -> None:
    finding = of(load(corrupted), "garbage-freeobj")
    status, out, _ = run_race("replay", finding.token, "--barriers", "on")
    assert status == 1
    diverges = re.search(r"The execution diverges at step (\d+): .*\n +where it had, at step (\d+): ", out)
    assert diverges is None or int(diverges[1]) > int(diverges[2]) > 0
    assert "The execution diverges at step" in out
    assert "Not reproduced: nothing is found under on." in out
    status, out, _ = run_race("replay", finding.token, "--barriers", "off")
    assert status == 0
    assert "The execution is the same, step by step." in out


def test_until_a_step(run_race: RunRace, corrupted: Path) -> None:
    finding = of(load(corrupted), "garbage-freeobj")
    status, out, _ = run_race("replay", finding.token, "--until", "600")
    assert status == 0
    steps = [int(number) for number in re.findall(r"^  #(\d+)", out, re.MULTILINE)]
    assert steps
    assert max(steps) <= 600
    assert "After step 600" in out


def test_one_step_for_each_line_read(run_race: RunRace, corrupted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finding = of(load(corrupted), "garbage-freeobj")
    whole = run_race("replay", finding.token).out
    lines = io.StringIO("\n\n")
    monkeypatch.setattr("sys.stdin", lines)
    assert run_race("replay", finding.token, "--step").out == whole
    assert lines.read() == ""  # every line was waited for; at the end of the input the rest came at once


def test_a_changed_scenario_is_refused(run_race: RunRace, small: Callable[..., str], tmp_path: Path) -> None:
    file = small()
    document = campaign(run_race, tmp_path / "out.json", file, "--executions", "3000")
    text = document.arms[0].findings[0].token
    status, _, err = run_race("replay", text)
    assert status == 2
    assert err == (
        'race: error: scenario "small" does not come with this program; give its file with --scenario FILE\n'
    )
    status, out, _ = run_race("replay", text, "--scenario", file)
    assert status == 0
    assert "--scenario small.toml" in out
    assert run_race("replay", tmp_path / "out.json").status == 0  # a result knows the file
    small(("A page moves", "One page moves"))
    status, _, err = run_race("replay", text, "--scenario", file)
    assert status == 2
    assert "is not the one that the token was made with: its SHA-256 begins with" in err
    assert err.count("\n") == 1


def test_a_token_of_unknown_sites_is_refused(run_race: RunRace, corrupted: Path) -> None:
    known = token.decode(of(load(corrupted), "garbage-freeobj").token)
    other = token.encode(dataclasses.replace(known, plan="on,zs_maloc.class.lock=none"))
    status, _, err = run_race("replay", other)
    assert status == 2
    assert 'no ordering site or guard matches "zs_maloc.class.lock"; did you mean "zs_malloc.class.lock"?' in err


def test_choices_that_do_not_fit_are_not_reproduced(run_race: RunRace, corrupted: Path) -> None:
    known = token.decode(of(load(corrupted), "garbage-freeobj").token)
    other = token.encode(dataclasses.replace(known, deviations={**known.deviations, "fail": [12345, 1]}))
    status, out, _ = run_race("replay", other)
    assert status == 1
    assert "Not reproduced: the execution went another way than the token says: fail question 12345" in out
    clean = token.encode(dataclasses.replace(known, deviations={}))
    status, out, _ = run_race("replay", clean)
    assert status == 1
    assert "Not reproduced: nothing was found." in out


def test_the_engine_refuses_impossible_choices(known: native.Catalog) -> None:
    subject = replay.subject(decoded(), known)
    wrong = dataclasses.replace(subject, token=dataclasses.replace(subject.token, deviations={"guess": [0, 1]}))
    with pytest.raises(InputError):
        replay.run(
            wrong, known, minimise=True, changed=resolve("on", known.sites, {}), stop=threading.Event(), progress=print
        )


def decoded() -> token.Token:
    from race.scenario.load import find, sha256

    return token.Token(
        "freeobj-corruption", sha256(find("freeobj-corruption"))[:16], 256, "off", "armv8", 0, {"delay": [1, 1]}
    )


def step(number: int, cpu: int, kind: str = "load", **more: Any) -> Step:
    return Step(step=number, cpu=cpu, thread=f"thread-{cpu}", kind=kind, place=f"word {number}", value="0x1", **more)


@pytest.mark.parametrize("cpus", [1, 2, 3, 5, 14])
def test_the_picture_has_a_column_for_each_cpu(cpus: int) -> None:
    steps = [step(n, n % cpus, function="f" * 30, site="zs_page_migrate.zspage.write_unlock") for n in range(1, 40)]
    lines = picture(steps)
    assert max(map(len, lines)) <= WIDTH
    columns = {line.index("load") for line in lines if "load" in line}
    assert len(columns) == cpus
    for n in range(1, 40):
        assert sum(line.startswith(f"#{n} ") for line in lines) == 1


def test_the_picture_marks_what_is_out_of_order() -> None:
    steps = [
        step(1, 0, "store", held=True, done=9),
        step(2, 0, "store", held=True),
        step(3, 1, stale=True, newest="0x2", writer="a zs_free", writer_step=1, writer_done=2),
        step(4, 1, "late", done=8),
        step(8, 1, issued=4),
        step(9, 0, "commit", issued=1),
        step(10, 1, "found"),
    ]
    text = " ".join(" ".join(picture(steps)).split())
    assert "store word 1 = 0x1 [HELD: committed at #9]" in text
    assert "store word 2 = 0x1 [HELD: not committed before the end]" in text
    assert "[NOT CURRENT: newest is 0x2, stored by a zs_free at #1, visible from #2]" in text
    assert "[LATE: performed at #8]" in text
    assert "[LATE: issued at #4]" in text
    assert "[COMMIT of #1] word 9 = 0x1" in text
    assert "FOUND word 10" in text
    assert picture([]) == []
