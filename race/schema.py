"""The JSON Schema of the result document. `python -m race.schema [FILE]` writes it, by default to docs/."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from race.files import write_atomically
from race.results import VERSION, Document

PUBLISHED = Path("docs") / "schema" / f"result-v{VERSION}.json"


def result_schema() -> dict[str, Any]:
    schema = msgspec.json.schema(Document)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"race result document, version {VERSION}",
        **schema,
    }


def text() -> str:
    return msgspec.json.format(msgspec.json.encode(result_schema(), order="sorted"), indent=2).decode() + "\n"


def main(arguments: list[str]) -> int:
    path = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent / PUBLISHED
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text().encode())
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
