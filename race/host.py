"""What a result says about the computer and the program that made it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import race
from race import native


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def describe(jobs: int) -> dict[str, str | int]:
    return {
        "race": race.__version__,
        "engine": native.version(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "cpu": _cpu(),
        "cores": cores(),
        "jobs": jobs,
    }


def _cpu() -> str:
    """The model's name on x86; on ARM the kernel gives numbers: implementer and part."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    facts: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    if "model name" in facts:
        return facts["model name"]
    numbers = [f"{name} {facts[name]}" for name in ("CPU implementer", "CPU part", "CPU revision") if name in facts]
    return ", ".join(numbers) or platform.processor()
