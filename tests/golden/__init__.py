"""What the weak machine gave, to the byte. `make golden` writes it anew; look at the difference before you commit it.

The same file holds on every architecture and with every compiler: an execution depends on its plan and number alone.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from race import native
from race.plan import resolve
from race.scenario.load import find, load
from race.scenario.native_plan import native_plan

FILE = Path(__file__).with_name("weak.json")
EXECUTIONS = 1000
MODELS = ["armv8", "tso"]
SCENARIOS = ["freeobj-corruption", "freeobj-corruption-mixed-page", "malloc-free-migrate"]


class Golden(msgspec.Struct):
    scenario: str
    model: str
    accesses: int
    counts: dict[str, int]
    sha256: str  # of the engine's result, findings and traces included


def compute() -> list[Golden]:
    catalog = native.catalog()
    goldens = []
    for name in SCENARIOS:
        for model in MODELS:
            scenario = load(find(name), catalog, 256)
            strengths = resolve("off", catalog.sites, scenario.held)
            campaign = native.Campaign(native_plan(scenario, strengths, model=model, seed=2017, max_findings=1000))
            campaign.run(0, EXECUTIONS)
            text = campaign.result()
            campaign.close()
            result = msgspec.json.decode(text)
            digest = hashlib.sha256(text).hexdigest()
            goldens.append(Golden(name, model, result["accesses"], result["counts"], digest))
    return goldens


def main() -> None:
    FILE.write_bytes(msgspec.json.format(msgspec.json.encode(compute()), indent=2) + b"\n")
    print(f"wrote {FILE}")
