"""Units of the exhaustive engine, through JSON (docs/exploration-in-units.md)."""

from __future__ import annotations

import collections
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from race import native
from race.errors import InputError
from race.plan import resolve
from race.scenario.load import find, load
from race.scenario.native_plan import native_plan

Json = dict[str, Any]


def open_campaign(plan: str, *, page_size: int = 256, **change: Any) -> native.Campaign:
    catalog = native.catalog()
    scenario = load(find("freeobj-corruption"), catalog, page_size)
    strengths = resolve(plan, catalog.sites, scenario.held, catalog.guards)
    plan_json = native_plan(scenario, strengths, model="armv8", seed=1, max_findings=100)
    return native.Campaign(msgspec.json.encode(msgspec.json.decode(plan_json) | change))


@pytest.fixture(scope="module")
def campaign() -> Iterator[native.Campaign]:
    with open_campaign("on,zs_page_migrate.class.unlock=none") as opened:
        yield opened


def explore(campaign: native.Campaign, **request: Any) -> Json:
    whole = {"tree": None, "runs": 1_000_000, "all": True, "split": False}
    answer: Json = msgspec.json.decode(campaign.explore(msgspec.json.encode(whole | request)))
    return answer


class Driver:
    """Has trees explored in units until none is left, and keeps the nodes that they share."""

    def __init__(self, campaign: native.Campaign, runs: int) -> None:
        self.campaign = campaign
        self.runs = runs
        self.trees: list[Json | None] = [None]
        self.begun: dict[str, list[int]] = {}
        self.counts: collections.Counter[str] = collections.Counter()
        self.executions = 0

    def run(self) -> None:
        while self.trees:
            tree = self.trees.pop(0)
            answer = explore(self.campaign, tree=tree, runs=self.runs, split=True)
            self.executions += answer["executions"]
            self.counts.update(answer["counts"])
            for part in answer["split"]:
                self.known(part["path"])
            self.trees += answer["split"] + ([answer["tree"]] if answer["tree"] else [])
            for branch in answer["above"]:
                self.begin(tree["path"][: branch["depth"] + 1] if tree else [], branch)

    def known(self, path: list[Json]) -> list[int]:
        key = str([node["chosen"] for node in path[:-1]])
        begun = self.begun.setdefault(key, list(path[-1].get("explored", [])))
        if path[-1]["chosen"][0] not in begun:
            begun.append(path[-1]["chosen"][0])
        return begun

    def begin(self, path: list[Json], branch: Json) -> None:
        begun = self.known(path)
        if set(begun) & set(branch["begins"]):
            return
        first, *rest = branch["sequence"]
        node = {"chosen": first, "open": True, "explored": list(begun)}
        self.trees.append({"root": len(path), "path": [*path[:-1], node], "begin_with": rest})
        begun.append(first[0])


@pytest.mark.parametrize("runs", [1, 3, 50])
def test_units_find_what_the_whole_finds(campaign: native.Campaign, runs: int) -> None:
    whole = explore(campaign)
    assert whole["tree"] is None
    assert whole["left"] == 0
    assert whole["counts"]["garbage-freeobj"] > 0
    driver = Driver(campaign, runs)
    driver.run()
    assert driver.executions == whole["executions"]
    assert driver.counts == whole["counts"]


@pytest.mark.parametrize("order", [None, 5])
def test_an_answer_depends_on_the_request_alone(campaign: native.Campaign, order: int | None) -> None:
    request = msgspec.json.encode({"tree": None, "runs": 3, "all": True, "split": True, "order": order})
    first = campaign.explore(request)
    explore(campaign, order=7)
    explore(campaign, tree=msgspec.json.decode(first)["tree"])
    assert campaign.explore(request) == first
    with open_campaign("on,zs_page_migrate.class.unlock=none") as other:
        assert other.explore(request) == first


def test_another_order_gives_the_same_executions() -> None:
    with open_campaign("on") as campaign:
        whole = explore(campaign)
        for seed in range(1, 9):
            answer = explore(campaign, order=seed)
            assert (answer["executions"], answer["counts"]) == (whole["executions"], {})


def test_what_is_left_is_told(campaign: native.Campaign) -> None:
    answer = explore(campaign, runs=2, split=True)
    assert 0 < answer["left"] < 1
    assert answer["left"] == pytest.approx(answer["rest_share"] + sum(answer["split_shares"]))
    assert len(answer["split"]) == len(answer["split_shares"]) > 0


def test_the_first_finding_ends_a_unit(campaign: native.Campaign) -> None:
    answer = explore(campaign, all=False)
    (finding,) = answer["findings"]
    assert finding["oracle"] == "garbage-freeobj"
    assert finding["execution"] == answer["executions"] - 1
    assert answer["tree"] is not None
    assert finding["deviations"] is not None or finding["untold"]


def test_a_fault_that_the_plan_does_not_look_for_cuts() -> None:
    with open_campaign("on,zs_page_migrate.class.unlock=none", oracles=["double-allocation"]) as unseeing:
        answer = explore(unseeing)
    assert answer["counts"] == {}
    assert answer["findings"] == []
    assert 0 < answer["cut"] < answer["executions"]


def test_a_plan_that_orders_is_explored_whole() -> None:
    with open_campaign("on") as campaign:
        answer = explore(campaign, all=False)
    assert answer["tree"] is None
    assert answer["executions"] > 1
    assert answer["counts"] == {}
    assert answer["cut"] == 0


def test_after_a_cancel_all_of_it_is_left() -> None:
    with open_campaign("on") as campaign:
        campaign.cancel()
        answer = explore(campaign)
    assert answer["executions"] == 0
    assert answer["tree"] == {"root": 0, "path": [], "begin_with": []}
    assert answer["left"] == 1


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"runs": 0}, r"\$\.runs"),
        ({"tree": 7}, r"\$\.tree"),
        ({"tree": {"root": 0, "path": [{"chosen": [1]}], "begin_with": []}}, r"\$\.tree\.path\.chosen"),
        ({"tree": {"root": 2, "path": [{"chosen": [1, 0]}], "begin_with": []}}, "root"),
        ({"tree": {"root": 0, "path": [{"chosen": [1 << 30, 0]}], "begin_with": []}}, "no access"),
        ({"tree": {"root": 0, "path": [{"chosen": [900, 0]}], "begin_with": []}}, "none of this scenario's"),
        ({"tree": {"root": 0, "path": [{"chosen": [1, 0], "to_begin": [[]]}], "begin_with": []}}, "empty branch"),
    ],
)
def test_what_is_no_tree_is_refused(campaign: native.Campaign, change: Json, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        explore(campaign, **change)
    assert explore(campaign)["tree"] is None  # it goes on as before
