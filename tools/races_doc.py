"""Puts the table of `race suite --json` between the marks in docs/races.md and README.md: races_doc.py SUITE.json."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import msgspec

from race.report.suite import markdown
from race.suite.document import Suite

PAGES = (Path("docs") / "races.md", Path("README.md"))
MARKS = re.compile(r"(<!-- race suite -->\n).*?(<!-- end -->)", re.DOTALL)


def main(file: str) -> None:
    suite = msgspec.json.decode(Path(file).read_bytes(), type=Suite)
    for page in PAGES:
        _write(suite, page)


def _write(suite: Suite, page: Path) -> None:
    table = markdown(suite, lambda text, to: f"[{text}]({os.path.relpath(to, page.parent)})")
    page.write_text(MARKS.sub(lambda found: found[1] + table + found[2], page.read_text()))


if __name__ == "__main__":
    main(*sys.argv[1:])
