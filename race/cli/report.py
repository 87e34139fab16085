"""`race report`: a saved result again."""

from __future__ import annotations

import argparse
from pathlib import Path

from race import output, results
from race.ablation import document as ablation
from race.cli import ablate, reports
from race.errors import InputError
from race.hardware import result as native_result


def main(options: argparse.Namespace) -> int:
    files = reports.wanted(options)
    if ablation.is_ablation(options.file):
        return _ablation(options.file, files)
    document = _native(options.file) or results.load(options.file)
    output.check(files.values())
    reports.write(document, files)
    if not files:
        reports.show(document, files)
    return 0


def _native(file: str) -> results.Document | None:
    """What race-native wrote, as the document that `race compare` writes."""
    header = results.header(file)
    if header.format != native_result.FORMAT:
        return None
    return native_result.document(native_result.decode(Path(file).read_bytes(), file), {})


def _ablation(file: str, files: dict[str, str]) -> int:
    if "junit" in files:
        raise InputError("an ablation has no JUnit report: it holds no expectation; use --markdown")
    document = ablation.load(file)
    output.check(files.values())
    ablate.write(document, files)
    if not files:
        ablate.show(document, files)
    return 0
