"""What the engine cannot do, out of memory above all, is one error with its text, and never the end of the process."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable

import msgspec
import pytest

from race import native
from race.campaign import ArmPlan, Settings, run_campaign
from race.errors import InputError, RunError
from race.native import Catalog
from race.plan import resolve
from race.scenario.load import find, load
from race.scenario.native_plan import native_plan
from tests.conftest import SMALL
from tests.test_campaign import threads


@pytest.fixture(scope="module")
def plan(known: Catalog) -> bytes:
    scenario = load(find("freeobj-corruption"), known, 256)
    strengths = resolve("off", known.sites, scenario.held)
    return native_plan(scenario, strengths, model="armv8", seed=3, max_findings=10)


# Opens a campaign, then leaves the process no memory for the steps of a long execution.
STARVED = """
import resource, sys
from race import native
campaign = native.Campaign(sys.stdin.buffer.read())
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (4 << 20), size + (4 << 20)))
try:
    campaign.run(0, 1000)
except native.RunError as error:
    print(error)
print(campaign.result()[:14].decode())
"""


def long_plan(known: Catalog) -> bytes:
    """The trace of one of its executions needs much memory."""
    scenario = load(find("malloc-free-migrate"), known, 256)
    strengths = resolve("off", known.sites, scenario.held)
    text = native_plan(scenario, strengths, model="armv8", seed=3, max_findings=10)
    document = msgspec.json.decode(text)
    for thread in document["threads"]:
        thread["steps"][0]["count"] = 1500
    return bytes(msgspec.json.encode(document))


def test_an_execution_that_runs_out_of_memory_is_named(known: Catalog) -> None:
    done = subprocess.run([sys.executable, "-c", STARVED], input=long_plan(known), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    error, result = done.stdout.decode().splitlines()
    assert error.startswith("execution ")
    assert error.endswith(": out of memory")
    assert result == '{"executions":'


def test_a_wrong_plan_is_the_input_s_fault_and_nothing_else_is(plan: bytes) -> None:
    with pytest.raises(InputError, match="frames"):
        native.Campaign(plan.replace(b'"frames":24', b'"frames":0'))


def test_a_scenario_that_needs_too_much_memory_is_one_error(small: Callable[..., str]) -> None:
    steps = 'steps = [{ op = "malloc", slot = "own", object = "block" }, { op = "free", slot = "own" }]'
    assert steps in SMALL
    endless = """
[[threads.steps]]
op = "random"
count = 1_000_000
slots = ["own"]
objects = ["block"]
mix = { malloc = 1, free = 1, update = 1 }
"""
    file = small((steps, endless))
    limited = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)); "
    run = f"from race.cli import main; raise SystemExit(main(['run', '{file}', '--executions', '5', '--jobs', '1']))"
    done = subprocess.run([sys.executable, "-c", limited + run], capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    assert "Traceback" not in done.stderr
    assert "the scenario, run once in order, needs more memory than there is" in done.stderr + done.stdout


def test_a_campaign_whose_engine_fails_keeps_what_it_has(plan: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    run = native.Campaign.run

    def fails(campaign: native.Campaign, first: int, count: int) -> int:
        if first > 0:
            raise RunError(f"execution {first}: out of memory")
        return run(campaign, first, count)

    monkeypatch.setattr(native.Campaign, "run", fails)
    settings = Settings(executions=50_000, seconds=None, max_findings=10, max_traces=1)
    with threads(1) as workers:
        result = run_campaign([ArmPlan("off", plan)] * 2, workers, settings, threading.Event(), lambda _: None)
    (arm,) = result.arms
    assert 0 < arm.executions < 50_000
    assert arm.counts
    assert result.error == f"execution {arm.executions}: out of memory"
