"""From arguments to the verb that they name, and from errors to one line and an exit status."""

from __future__ import annotations

import sys
import traceback

from race import output
from race.cli.parser import parse
from race.errors import RaceError

INCOMPLETE = RaceError.status


def run(argv: list[str]) -> int:
    try:
        status = _run(argv)
        sys.stdout.flush()
    except RaceError as error:
        _say(f"race: error: {error}")
        return error.status
    except KeyboardInterrupt:
        _say("race: interrupted")
        return INCOMPLETE
    except BrokenPipeError:
        output.drop_stdout()
        return 0
    except Exception:
        # A fault of this program. Python's own status would be 1, which means that an expectation did not hold.
        traceback.print_exc()
        return INCOMPLETE
    return status


def _run(argv: list[str]) -> int:
    options = parse(argv)
    match options.verb:
        case "list" | "sites":
            from race.cli import listing

            return listing.main(options)
        case "report":
            from race.cli import report

            return report.main(options)
        case "litmus":
            from race.cli import litmus

            return litmus.main(options)
        case _:
            from race.cli import campaign

            return campaign.main(options, ["race", *argv])


def _say(line: str) -> None:
    # One line, whatever a file name or another program's message has in it.
    print(" ".join(line.split()), file=sys.stderr)
