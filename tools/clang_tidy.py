"""Runs clang-tidy over the native sources of a build folder, several at once."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def check(build: Path, source: str) -> tuple[str, int, str]:
    done = subprocess.run(
        ["clang-tidy", "--quiet", "-p", str(build), source], capture_output=True, text=True, check=False
    )
    # Its standard error counts the suppressed warnings of system headers, and has more only when it could not run.
    return source, done.returncode, done.stdout or (done.stderr if done.returncode else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=Path, help="a CMake build folder with compile_commands.json")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    database = json.loads((options.build / "compile_commands.json").read_text())
    sources = sorted({entry["file"] for entry in database if entry["file"].endswith(".cpp")})
    if not sources:
        print(f"{options.build}: no C++ source to check", file=sys.stderr)
        return 1
    failed = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for source, status, output in pool.map(lambda source: check(options.build, source), sources):
            failed += status != 0
            if output:
                print(output)
            print(f"clang-tidy {os.path.relpath(source)}: {'ok' if status == 0 else 'FAILED'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
