"""`race merge`: the results of shards, added up."""

from __future__ import annotations

import argparse

from race import native, output, results
from race.cli import reports
from race.shards import merged


def main(options: argparse.Namespace, command: list[str]) -> int:
    files = reports.wanted(options)
    output.check(files.values())
    documents = [results.load(file) for file in options.files]
    document = merged(documents, options.files, native.catalog(), command)
    reports.write(document, files)
    reports.show(document, files)
    return document.verdict.exit_status
