"""Why an execution goes wrong: the sentence, what forbids it, and the litmus test of it."""

from __future__ import annotations

import itertools
import threading
from contextlib import closing
from pathlib import Path

import pytest

from race import native, replay, token
from race.litmus import read
from race.litmus.result import Run, outcome
from race.plan import STRENGTHS
from race.results import Finding, load
from race.why import sentence
from race.why.cycle import Cycle
from race.why.explanation import Explanation
from race.why.export import instructions
from tests.conftest import RunRace

UNLOCK, LOCK = "zs_page_migrate.class.unlock", "zs_malloc.class.lock"


def findings(run_race: RunRace, path: Path, *options: str) -> list[Finding]:
    run_race("run", *options, "--jobs", "1", "--json", path)
    return load(path).arms[0].findings


def explained(finding: Finding, *, minimise: bool = True) -> Explanation:
    catalog = native.catalog()
    subject = replay.subject(token.decode(finding.token), catalog)
    stop = threading.Event()
    done = replay.run(subject, catalog, minimise=minimise, changed=None, stop=stop, progress=lambda *_: None)
    assert done.explanation is not None
    return done.explanation


def verdict(test: str) -> str:
    parsed = read.read(test, "test")
    with closing(native.LitmusMachine(parsed.program(model="armv8", engine="exhaustive", seed=0))) as machine:
        machine.run(0, 1 << 30)
        found = outcome(parsed, "armv8", "exhaustive", Run(0.0, machine.result()))
    assert found.complete
    return found.verdict


def test_the_question_of_2017(run_race: RunRace, tmp_path: Path) -> None:
    """Neither side of the class lock suffices: with one, this very execution is impossible, but not its value."""
    options = ("freeobj-corruption", "--executions", "4000", "--max-findings", "20")
    found = [f for f in findings(run_race, tmp_path / "r.json", *options) if f.oracle == "garbage-freeobj"]
    assert len(found) >= 5
    for finding in found:
        why = explained(finding)
        for part in ("obj_malloc on allocator loaded", "zs_page_migrate on migrator had stored there", UNLOCK, LOCK):
            assert part in why.sentence
        assert {change.site: change.after for change in why.changes} == {UNLOCK: "dmb.ishst", LOCK: "acquire"}
        assert verdict(why.litmus) == "Sometimes"
        assert verdict(why.litmus_changed) == "Never"
        assert f"impossible with dmb.ishst at {UNLOCK} alone" in why.sentence


@pytest.mark.parametrize(("site", "weakest"), [(UNLOCK, "dmb.ishst"), (LOCK, "acquire")])
def test_one_weak_site_is_named_alone(run_race: RunRace, tmp_path: Path, site: str, weakest: str) -> None:
    options = ("freeobj-corruption", "--barriers", f"on,{site}=none", "--executions", "12000", "--page-size", "1024")
    why = explained(findings(run_race, tmp_path / "r.json", *options)[0])
    assert {change.site: change.after for change in why.changes} == {site: weakest}
    assert f"With {weakest} at {site} it cannot happen." in why.sentence
    assert "alone" not in why.sentence
    assert (verdict(why.litmus), verdict(why.litmus_changed)) == ("Sometimes", "Never")


def test_every_finding_gives_a_faithful_test(run_race: RunRace, tmp_path: Path) -> None:
    """`Sometimes` as it happened, shrunk or not; and `Never` with the changes, where a site has a part in it."""
    options = ("malloc-free-migrate", "--page-size", "256", "--executions", "1000", "--max-findings", "10")
    found = findings(run_race, tmp_path / "r.json", *options)[:40]
    assert len({finding.oracle for finding in found}) >= 4
    changed = 0
    for finding, minimise in itertools.product(found, (True, False)):
        why = explained(finding, minimise=minimise)
        assert verdict(why.litmus) == "Sometimes"
        if why.changes:
            assert verdict(why.litmus_changed) == "Never"
            changed += 1
        else:  # zs_can_compact, say, looks at the statistics without the class lock
            assert "No stronger ordering at the sites between these accesses forbids it." in why.sentence
    assert changed > len(found)


def test_a_test_for_the_litmus_command(run_race: RunRace, tmp_path: Path) -> None:
    options = ("freeobj-corruption", "--executions", "1000")
    finding = findings(run_race, tmp_path / "r.json", *options)[0]
    before, after = tmp_path / "before.litmus", tmp_path / "after.litmus"
    status, out, err = run_race("replay", finding.token, "--litmus", before)
    assert (status, err) == (0, "")
    assert "What forbids it, together" in out
    plan = next(line.strip() for line in out.splitlines() if line.strip().startswith("off,"))
    run_race("replay", finding.token, "--barriers", plan, "--litmus", after)
    status, out, _ = run_race("litmus", before, after)
    observations = [line.split()[2] for line in out.splitlines() if line.startswith("Observation")]
    assert observations == ["Sometimes", "Never"]
    assert status == 0
    assert run_race("replay", finding.token, "--litmus", "-").out == before.read_text()


def test_an_execution_without_a_cycle_has_no_test(run_race: RunRace, tmp_path: Path) -> None:
    finding = findings(run_race, tmp_path / "r.json", "freeobj-corruption", "--executions", "1000")[0]
    known = token.decode(finding.token)
    known.deviations.clear()
    text = token.encode(known)
    status, _, err = run_race("replay", text, "--litmus", tmp_path / "x.litmus")
    assert status == 4
    assert err.count("\n") == 1
    assert "there is no litmus test: nothing was found" in err
    assert not (tmp_path / "x.litmus").exists()


def test_an_interleaving_needs_no_barrier() -> None:
    assert "an interleaving of the threads is enough" in sentence.what_happened(Cycle([], []), 10)


def test_each_strength_is_what_the_primitives_do() -> None:
    def of(kind: str, side: str | None, strength: str) -> str:
        return "; ".join(instructions(kind, side, strength, "W0", "W1", "X2"))

    assert of("load", "lock", "acquire") == "LDAR W1,[X2]"
    assert of("load", "lock", "dmb.ishld") == "LDR W1,[X2]; DMB ISHLD"
    assert of("atomic", "lock", "full") == of("atomic", "unlock", "full") == "SWPL W0,W1,[X2]; DMB ISH"
    assert of("store", "unlock", "full") == "DMB ISH; STR W0,[X2]; DMB ISH"
    assert of("atomic", "unlock", "dmb.ishst") == "DMB ISHST; SWP W0,W1,[X2]"
    assert of("store", None, "none") == "STR W0,[X2]"
    for side, strengths in STRENGTHS.items():
        for kind, strength in itertools.product(("store" if side == "unlock" else "load", "atomic"), strengths):
            code = " ;\n ".join(instructions(kind, side, strength, "W0", "W1", "X2"))
            read.read(f"AArch64 t\n{{ 0:X2=x; }}\n P0 ;\n {code} ;\nexists (0:X1=0)\n", "t")


def test_a_guard_is_what_mends_it(run_race: RunRace, tmp_path: Path) -> None:
    guard = "get_first_obj_offset.rule"
    options = ("a7-v7-first-object-offset", "--barriers", f"on,{guard}=v7", "--executions", "10", "--model", "sc")
    why = explained(findings(run_race, tmp_path / "r.json", *options)[0])
    assert f"With the same choices and {guard}=4.8, as Linux 4.8 has it, it does not happen." in why.sentence
    assert [(change.site, change.before, change.after) for change in why.changes] == [(guard, "v7", "4.8")]
    assert why.litmus == ""
