"""From arguments to the verb that they name, and from errors to one line and an exit status."""

from __future__ import annotations

import contextlib
import io
import sys
import traceback

from race import output
from race.cli.parser import parse
from race.errors import RaceError, RunError

INCOMPLETE = RaceError.status


def run(argv: list[str]) -> int:
    try:
        output.claim_standard_streams()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a title may have what the locale has not
        return _run(argv)
    except RaceError as error:
        output.complain(f"race: error: {error}")
        return error.status
    except Exception:
        # A fault of this program. Python's own status would be 1, which means that an expectation did not hold.
        with contextlib.suppress(RunError), output.writing_to(sys.stderr):
            traceback.print_exc()
        return INCOMPLETE


def _run(argv: list[str]) -> int:
    options = None
    with output.writing_to(sys.stdout), contextlib.suppress(SystemExit):  # which is how --help and --version end
        options = parse(argv)
    if options is None:
        return 0
    match options.verb:
        case "list" | "sites" | "guards":
            from race.cli import listing

            with output.writing_to(sys.stdout):
                listing.main(options)
            return 0
        case "report":
            from race.cli import report

            return report.main(options)
        case "merge":
            from race.cli import merge

            return merge.main(options, ["race", *argv])
        case "replay":
            from race.cli import replay

            return replay.main(options)
        case "litmus":
            from race.cli import litmus

            return litmus.main(options)
        case "suite":
            from race.cli import suite

            return suite.main(options, ["race", *argv])
        case "ablate":
            from race.cli import ablate

            return ablate.main(options, ["race", *argv])
        case "plan" | "calibrate":
            from race.cli import hardware

            return (
                hardware.calibrate(options) if options.verb == "calibrate" else hardware.plan(options, ["race", *argv])
            )
        case _ if options.engine == "hardware":
            from race.cli import hardware

            return hardware.main(options, ["race", *argv])
        case _ if options.engine == "exhaustive":
            from race.cli import exhaustive

            return exhaustive.main(options, ["race", *argv])
        case _:
            from race.cli import campaign

            return campaign.main(options, ["race", *argv])
