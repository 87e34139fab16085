"""A digest of all that the weak machine does in every shipped scenario, to compare one machine with another.

python -m tests.digest [--jobs N] --output FILE [--same-as FILE] PROGRAM...
PROGRAM is race-native, or an emulator and race-native.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from race import native
from race.hardware.request import Request, arms
from race.plan import resolve
from race.scenario.load import find, load, shipped

SEEDS = 1000
EXECUTIONS = 2  # of each seed
VARIANTS = [("armv8", 4096), ("armv8", 256), ("tso", 256)]  # model and page size


class Arm(msgspec.Struct):
    plan: str
    digest: str


class Digests(msgspec.Struct):
    arms: list[Arm]


def request(name: str, model: str, page_size: int) -> bytes:
    catalog = native.catalog()
    scenario = load(find(name), catalog, page_size)
    plans = {plan: resolve(plan, catalog.sites, scenario.held, catalog.guards) for plan in scenario.compare}
    of_armv8 = arms(scenario, plans, catalog.sites, seed=1, max_findings=1)
    for arm in of_armv8:
        arm.native["model"] = model
    return msgspec.json.encode(Request(engine="weak", seed=1, executions=EXECUTIONS, arms=of_armv8))


def digest(program: list[str], plan: bytes, seeds: int) -> list[Arm]:
    done = subprocess.run([*program, "--digest", str(seeds)], input=plan, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=Digests).arms


def lines(program: list[str], scenario: str, seeds: int = SEEDS) -> list[str]:
    """One for each variant and plan."""
    return [
        f"{arm.digest} {scenario} {model} page-size={page_size} {arm.plan}"
        for model, page_size in VARIANTS
        for arm in digest(program, request(scenario, model, page_size), seeds)
    ]


def differences(here: Iterable[str], there: Iterable[str]) -> list[str]:
    """What has another digest there, or none."""
    one, other = ({what: number for number, what in (line.split(" ", 1) for line in side)} for side in (here, there))
    all_of_them = one | other
    return [
        f"{what}: {one.get(what)}, not {other.get(what)}" for what in all_of_them if one.get(what) != other.get(what)
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--same-as", type=Path)
    parser.add_argument("program", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    began = time.monotonic()
    with ThreadPoolExecutor(options.jobs) as pool:
        of_scenarios = list(pool.map(lambda name: lines(options.program, name, options.seeds), shipped()))
    all_lines = [line for of_one in of_scenarios for line in of_one]
    options.output.write_text("".join(line + "\n" for line in all_lines), encoding="utf-8")
    print(
        f"{options.output}: {len(of_scenarios)} scenarios, {len(all_lines)} digests, each of {options.seeds} seeds of "
        f"{EXECUTIONS} executions, {time.monotonic() - began:.0f} s"
    )
    if options.same_as is None:
        return 0
    if different := differences(all_lines, options.same_as.read_text(encoding="utf-8").splitlines()):
        print("\n".join(different), file=sys.stderr)
        print(f"FAILED: {len(different)} of {len(all_lines)} differ from {options.same_as}", file=sys.stderr)
        return 1
    print(f"the same as {options.same_as}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
