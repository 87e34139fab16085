"""Scenarios: what a right file becomes, at any page size, and how it is found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from race.native import Campaign, Catalog
from race.plan import resolve
from race.scenario.format import SHOWN_UNDER, Name
from race.scenario.load import Scenario, find, load, shipped
from race.scenario.native_plan import native_plan

PAGE_SIZES = [256, 1024, 4096]
QUESTIONS = [  # the others are known bugs
    "freeobj-corruption",
    "freeobj-corruption-mixed-page",
    "malloc-free-migrate",
    "migrate-malloc-free",
]
FREEOBJ = ["freeobj-corruption", "freeobj-corruption-mixed-page"]


def as_json(scenario: Scenario, known: Catalog, plan: str = "on") -> dict[str, Any]:
    strengths = resolve(plan, known.sites, scenario.held)
    text = native_plan(scenario, strengths, model="armv8", seed=7, max_findings=10)
    decoded: dict[str, Any] = json.loads(text)
    return decoded


def test_the_scenarios_that_come_with_the_program() -> None:
    assert set(QUESTIONS) < set(shipped())
    assert {path.parent.name for name, path in shipped().items() if name not in QUESTIONS} == {*SHOWN_UNDER}


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("page_size", PAGE_SIZES)
def test_every_shipped_scenario_opens_at_every_page_size(name: str, page_size: int, known: Catalog) -> None:
    scenario = load(find(name), known, page_size)
    strengths = resolve("off", known.sites, scenario.held)
    with Campaign(native_plan(scenario, strengths, model="armv8", seed=1, max_findings=1)) as campaign:
        assert campaign.run(0, 1) == 1


@pytest.mark.parametrize("page_size", PAGE_SIZES)
def test_a_class_is_the_largest_of_its_shape(page_size: int, known: Catalog) -> None:
    block = load(find("freeobj-corruption"), known, page_size).sizes["block"]
    assert (block.size_class.pages, block.size_class.objects) == (2, 3)
    alike = [c.size for c in known.geometry(page_size) if (c.pages, c.objects) == (2, 3)]
    assert block.size_class.size == max(alike)
    assert block.request == block.size_class.max_request


def test_the_plan_for_the_engine(small: Callable[..., str], known: Catalog) -> None:
    plan = as_json(load(find(small()), known), known)
    assert {key: plan[key] for key in ("version", "scenario", "model", "seed", "page_size", "frames", "slots")} == {
        "version": 1,
        "scenario": "small",
        "model": "armv8",
        "seed": 7,
        "page_size": 4096,
        "frames": 24,
        "slots": ["kept", "own"],
    }
    size = plan["setup"][0]["size"]
    assert plan["setup"] == [{"op": "malloc", "slot": 0, "size": size}]
    assert plan["threads"] == [
        {"name": "mover", "steps": [{"op": "migrate", "slot": 0, "page": 1}], "shares_cpu_with": -1},
        {
            "name": "user",
            "steps": [{"op": "malloc", "slot": 1, "size": size}, {"op": "free", "slot": 1}],
            "shares_cpu_with": -1,
        },
    ]
    assert plan["sites"] == {site.name: site.default for site in known.sites}
    assert plan["oracles"] == known.oracle_names


def test_a_name_does_not_end_in_a_newline() -> None:
    assert msgspec.convert("user-1", Name) == "user-1"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert("user-1\n", Name)


def test_a_description_may_have_lines_and_tabs(small: Callable[..., str], known: Catalog) -> None:
    path = small(("[pool]", 'description = """\nTwo lines,\n\tone indented."""\n\n[pool]'))
    assert load(find(path), known).tables.description == "Two lines,\n\tone indented."


def test_random_steps_for_the_engine(small: Callable[..., str], known: Catalog) -> None:
    random = (
        'steps = [{ op = "random", count = 3, slots = ["x", "y"], objects = ["block"], '
        "mix = { malloc = 2, migrate-any = 1 } }, { op = 'can-compact' }]"
    )
    old = 'steps = [{ op = "malloc", slot = "own", object = "block" }, { op = "free", slot = "own" }]'
    plan = as_json(load(find(small((old, random))), known), known)
    size = plan["setup"][0]["size"]
    assert plan["threads"][1]["steps"] == [
        {"op": "random", "count": 3, "slots": [1, 2], "sizes": [size], "mix": {"malloc": 2, "migrate_any": 1}},
        {"op": "can_compact"},
    ]


def test_enabled_oracles_keep_the_engines_order(small: Callable[..., str], known: Catalog) -> None:
    path = small(("[pool]", '[oracles]\nenabled = ["oops", "garbage-freeobj"]\n\n[pool]'))
    assert load(find(path), known).oracles == ["garbage-freeobj", "oops"]


@pytest.mark.parametrize("name", FREEOBJ)
def test_held_sites_hold_in_every_plan_that_does_not_name_them(name: str, known: Catalog) -> None:
    scenario = load(find(name), known)
    assert scenario.held == {"zs_page_migrate.put_page": "none"}
    assert as_json(scenario, known)["sites"]["zs_page_migrate.put_page"] == "none"
    named = as_json(scenario, known, "on,zs_page_migrate.put_page=full")
    assert named["sites"]["zs_page_migrate.put_page"] == "full"


def test_an_expectation_is_found_however_its_plan_is_written(known: Catalog) -> None:
    scenario = load(find("freeobj-corruption"), known)
    for plan, find_oracles in {
        "on,zs_malloc.class.lock=none": ("garbage-freeobj",),
        "on,zs_malloc.class.lock=full,zs_malloc.class.lock=none": ("garbage-freeobj",),
        "on,*=none": ("garbage-freeobj",),  # which is off
        "on,zs_malloc.class.lock=full": None,
    }.items():
        expected = scenario.expectation(resolve(plan, known.sites, scenario.held), "armv8")
        assert (expected.find if expected else None) == find_oracles


def test_whether_a_scenario_can_fail_under_a_model(known: Catalog) -> None:
    scenario = load(find("freeobj-corruption"), known)
    assert [scenario.can_fail(model) for model in ("armv8", "tso", "sc")] == [True, False, False]


def test_that_the_kernels_own_plan_is_clean_does_not_say_that_no_plan_can_fail(
    small: Callable[..., str], known: Catalog
) -> None:
    assert load(find(small()), known).can_fail("armv8")
    assert not load(find(small(('plan = "on"', 'plan = "off"'))), known).can_fail("armv8")


def test_a_file_is_found_by_path(small: Callable[..., str]) -> None:
    assert find(small()).shown == "small.toml"
    assert find(str(Path(small()).resolve())).name == "small"
