"""Result documents for the tests of the reports: made by hand, so that every part of a report has something to show."""

from __future__ import annotations

from race import stats
from race.results import (
    Arm,
    Difference,
    Document,
    Expectation,
    Finding,
    ScenarioRecord,
    Timing,
    Verdict,
)

SITES = {"zs_malloc.class.lock": "none", "zs_page_migrate.class.unlock": "none"}


def finding(execution: int = 1, trace: list[str] | None = None) -> Finding:
    return Finding(
        execution=execution,
        oracle="garbage-freeobj",
        message="freeobj is neither an object of the zspage nor a legal end marker",
        thread="allocator",
        function="zs_malloc",
        site="zs_malloc.class.unlock",
        zspage="zspage 1",
        object=3,
        value="0x6d6d0003",
        value_kind="poison",
        origin="word 0 of page 7, the page that zs_page_migrate copied to",
        newest="0x4",
        written_by="migrator in zs_page_migrate",
        trace=trace or [],
    )


def arm(plan: str, executions: int, hits: int, expectation: Expectation | None) -> Arm:
    counts = {"garbage-freeobj": hits} if hits else {}
    return Arm(
        plan=plan,
        sites=SITES,
        executions=executions,
        requested=executions,
        counts=counts,
        total=stats.interval(hits, executions),
        rates={name: stats.interval(n, executions) for name, n in counts.items()},
        first=1 if hits else None,
        findings=[finding(1, ["migrator | allocator", "copy     |"]), finding(9)] if hits else [],
        accesses=executions * 100,
        expectation=expectation,
    )


def compared(off_hits: int = 7512, on_hits: int = 0) -> Document:
    """A comparison as it should be: `off` finds, `on` does not."""
    n = 100_000
    held = on_hits == 0
    return Document(
        verb="compare",
        command=["race", "compare", "freeobj-corruption", "--executions", "100000"],
        scenario=ScenarioRecord(
            name="freeobj-corruption",
            title="a page of free objects migrates while another CPU allocates",
            file="scenarios/freeobj-corruption.toml",
            sha256="ab" * 32,
            page_size=4096,
            threads=["migrator", "allocator"],
        ),
        engine="weak",
        model="armv8",
        seed=2**64 - 1,
        arms=[
            arm("off", n, off_hits, Expectation(find=["garbage-freeobj"], met=True, why="found, as expected")),
            arm("on", n, on_hits, Expectation(clean=True, met=held, why="" if held else "something was found")),
        ],
        differences=[Difference(plans=("off", "on"), oracle="any", p_value=stats.fisher(off_hits, n, on_hits, n))],
        verdict=Verdict(
            status="held" if held else "failed",
            exit_status=0 if held else 1,
            reasons=["plan off: found, as expected", "plan on: judged"],
            not_shown=["anything about real hardware"],
        ),
        host={"cpu": "a CPU", "cores": 2},
        timing=Timing(
            started="2017-01-18T22:39:00Z",
            seconds=3.25,
            arm_seconds={"off": 1.5, "on": 1.75},
            first_finding_seconds={"off": 0.01},
        ),
    )
