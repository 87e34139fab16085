"""race-native with faults to inject: the engine must see them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec

from tests.conftest import RunRace

BUILD = Path(__file__).parents[1] / "build"
HERE = [str(BUILD / "native" / "native" / "race-native-faulty")]
EMULATED = ["qemu-aarch64", str(BUILD / "arm64" / "native" / "race-native-faulty")]


def run_plan(
    run_race: RunRace, folder: Path, options: str, command: list[str] = HERE, **changes: Any
) -> tuple[int, dict[str, Any], Path]:
    """What it makes of a plan: its exit status, its result, and the result's file."""
    plan = msgspec.json.decode(run_race(*f"plan freeobj-corruption --calibrate 0.2 {options}".split()).out)
    plan.update(changes)
    done = subprocess.run(command, input=msgspec.json.encode(plan), capture_output=True, timeout=120, check=False)
    file = folder / "result.json"
    file.write_bytes(done.stdout)
    return done.returncode, msgspec.json.decode(done.stdout), file
