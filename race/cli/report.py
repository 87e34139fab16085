"""`race report`: a saved result again."""

from __future__ import annotations

import argparse

from race import output, results
from race.cli import reports


def main(options: argparse.Namespace) -> int:
    files = reports.wanted(options)
    document = results.load(options.file)
    output.check(files.values())
    reports.write(document, files)
    if not files:
        reports.show(document, files)
    return 0
