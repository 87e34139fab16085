"""The JSON Schema of the result document. `python -m race.schema [FILE]` writes it, by default to docs/ and with
those of the ablation and the suite document."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from race.ablation import document as ablation
from race.files import write_atomically
from race.results import VERSION, Document
from race.suite import document as suite

PUBLISHED = Path("docs") / "schema" / f"result-v{VERSION}.json"
PUBLISHED_SUITE = PUBLISHED.with_name(f"suite-v{suite.VERSION}.json")
PUBLISHED_ABLATION = PUBLISHED.with_name(f"ablation-v{ablation.VERSION}.json")


def text() -> str:
    return _text(Document, f"race result document, version {VERSION}")


def ablation_text() -> str:
    return _text(ablation.Ablation, f"race ablation document, version {ablation.VERSION}")


def suite_text() -> str:
    return _text(suite.Suite, f"race suite document, version {suite.VERSION}")


def _text(of: type, title: str) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **msgspec.json.schema(of)}
    return msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2).decode() + "\n"


def main(arguments: list[str]) -> int:
    path = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent / PUBLISHED
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text().encode())
    print(path)
    if not arguments:
        beside = path.with_name(PUBLISHED_ABLATION.name)
        write_atomically(beside, ablation_text().encode())
        print(beside)
        third = path.with_name(PUBLISHED_SUITE.name)
        write_atomically(third, suite_text().encode())
        print(third)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
