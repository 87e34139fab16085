"""Draws the picture in README.md anew: the shortest execution with a garbage freeobj, of a run and its replay."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from race import native
from race.cause import rank, shortest
from race.report.steps import WIDTH, picture
from race.results import Finding, load

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"(?<=<!-- picture -->\n).*?(?=<!-- /picture -->)", re.DOTALL)
RUN = ["run", "freeobj-corruption", "--executions", "500", "--jobs", "1"]
ORACLE = "garbage-freeobj"
INDENT = "    "


def block() -> str:
    with tempfile.TemporaryDirectory() as folder:
        result, replayed = Path(folder, "run.json"), Path(folder, "replay.json")
        _race(*RUN, "--json", str(result))
        causes = [cause for cause in shortest(load(result), native.catalog()) if cause.finding.oracle == ORACLE]
        command = ["replay", min(causes, key=rank).token]
        _race(*command, "--json", str(replayed))
        finding = msgspec.convert(msgspec.json.decode(replayed.read_bytes())["finding"], type=Finding)
    lines = [f"$ race {' '.join(command)}", *picture(finding.steps, WIDTH - len(INDENT))]
    return "\n" + "".join(f"{INDENT}{line}".rstrip() + "\n" for line in lines) + "\n"


def drawn(readme: str) -> str:
    """The README with the picture as it is now."""
    text, count = BLOCK.subn(lambda _: block(), readme)
    if count != 1:
        raise SystemExit(f"error: {README}: it must have one block from <!-- picture --> to <!-- /picture -->")
    return text


def main() -> None:
    README.write_text(drawn(README.read_text(encoding="utf-8")), encoding="utf-8")


def _race(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "race", *arguments], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
