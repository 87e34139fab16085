"""The process in which the hardware engine runs: `python -m race.hardware.child`, a request on standard input.

It starts processes of its own, which may die. Lines of JSON go to standard output; the last one has the result.
"""

from __future__ import annotations

import sys

import msgspec

from race import native
from race.errors import RaceError

PRELUDE = b'{"result": '


def main() -> int:
    request = sys.stdin.buffer.read()
    try:
        result = native.run_request(request, sys.stdout.fileno())
    except RaceError as error:
        sys.stdout.buffer.write(msgspec.json.encode({"error": str(error), "status": error.status}) + b"\n")
        return error.status
    sys.stdout.buffer.write(PRELUDE + result + b"}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
