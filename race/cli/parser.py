"""The command line's grammar. Every mistake is an InputError of one line, with the nearest right word."""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn

import race
from race.cli import exhaustive_options, values
from race.errors import InputError
from race.names import advice, nearest
from race.plan import PRESET_MEANINGS
from race.scenario.sizes import PAGE_SIZES

VERBS = {
    "list": "the scenarios that come with the program",
    "run": "one scenario under one barrier plan",
    "compare": "one scenario under several barrier plans, beside each other",
    "ablate": "which ordering sites a scenario needs, and how strong",
    "suite": "every known bug among the scenarios: found with its fault, by which models, and not found with its fix",
    "replay": "one execution again, from its token or from a saved result, shrunk to what is necessary",
    "litmus": "litmus tests: small AArch64 programs and the final states that they can end in",
    "calibrate": "what this host's CPUs are seen to reorder, by litmus tests on native threads",
    "plan": "a scenario as one document for race-native, on a board without Python",
    "sites": "the ordering sites of the allocator",
    "guards": "the steps of the code that a barrier plan can have otherwise than Linux 4.8",
    "merge": "the results of shards of one campaign, added up",
    "report": "a saved result again, in another form",
}
EXIT_STATUS = (
    "Exit status: 0 every expectation held, or there was none; 1 one did not; 2 the input is wrong; 3 inconclusive; "
    "4 the run could not be completed; 130 Ctrl-C before it began, or twice"
)

PLAN = (
    f"PLAN: {'; '.join(f'{preset}, {meaning}' for preset, meaning in PRESET_MEANINGS.items())}. Sites that a scenario "
    "holds stay as it holds them. Overrides by name or glob may follow, of ordering sites, such as "
    "on,zs_malloc.class.lock=none, and of guards, such as on,migrate_zspage.keep-pin=off; `race sites` and "
    "`race guards` list them."
)

EPILOGS = {
    "run": f"{PLAN} {EXIT_STATUS}",
    "compare": f"{PLAN} {EXIT_STATUS}",
    "ablate": f"{PLAN} {EXIT_STATUS}",
    "plan": f"{PLAN} There: race-native plan.json > result.json; back here: race report result.json.",
    "calibrate": "Exit status: 0 something was seen; 1 an outcome that the architecture forbids; 3 nothing was seen, "
    "or the CPU is emulated; 4 it could not be completed.",
    "suite": "Exit status: 0 every bug was found under the models that its file names, and under no other, and nothing "
    "with its fix; 1 not so; 2 the input is wrong; 4 the run could not be completed.",
    "replay": f"{PLAN} Exit status: 0 the finding came again; 1 it did not, or not under --barriers; 2 the token, or "
    "other input, is wrong; 4 interrupted.",
}


class _Parser(argparse.ArgumentParser):
    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.register("action", None, _Once)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message.removesuffix('.')}; see `{self.prog} --help`")

    def _print_message(self, message: str, file: Any = None) -> None:
        (file or sys.stdout).write(message)  # argparse's own is silent where that fails


class _Once(argparse.Action):
    """A value that is given once: argparse would silently take the last."""

    def __init__(self, *arguments: Any, instead: str = "give it once", **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._instead = instead
        self._given = False

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, value: Any, _option: str | None = None
    ) -> None:
        if self._given:
            raise argparse.ArgumentError(self, f"it is given twice; {self._instead}")
        self._given = True
        setattr(namespace, self.dest, value)


def parse(argv: list[str]) -> argparse.Namespace:
    if odd := next((word for word in argv if not _is_text(word)), None):
        raise InputError(f'argument "{odd}" is not UTF-8 text, and a result could not hold it')
    parser, verbs = _build()
    first = argv[0] if argv else ""
    if first.startswith("-") and first not in parser._option_string_actions:
        raise _unknown_option(first, parser)
    if first and not first.startswith("-") and first not in VERBS:
        raise InputError(f'unknown command "{first}"{advice(first, VERBS)}')
    options, extra = parser.parse_known_args(argv)
    if extra and extra[0].startswith("-"):
        raise _unknown_option(extra[0], verbs[options.verb])
    if extra:
        raise InputError(f'unexpected argument "{extra[0]}"; see `race {options.verb} --help`')
    exhaustive_options.check(options)
    return options


def _is_text(word: str) -> bool:
    """Python gives bytes that are not UTF-8 as lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in word)


def _unknown_option(word: str, parser: argparse.ArgumentParser) -> InputError:
    option = word.partition("=")[0]
    near = nearest(option.strip("-"), [known.strip("-") for known in parser._option_string_actions])
    mend = f'did you mean "--{near}"?' if near else f"see `{parser.prog} --help`"
    return InputError(f'unknown option "{option}"; {mend}')


def _build() -> tuple[_Parser, dict[str, _Parser]]:
    parser = _Parser(
        prog="race",
        description="Reproduces memory-ordering races of a kernel allocator, on any host, deterministically.",
        epilog=EXIT_STATUS,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"race {race.__version__}")
    commands = parser.add_subparsers(dest="verb", metavar="COMMAND", required=True)
    verbs = {
        verb: commands.add_parser(
            verb,
            help=what,
            description=f"{what[0].upper()}{what[1:]}.",
            epilog=EPILOGS.get(verb),
            allow_abbrev=False,
        )
        for verb, what in VERBS.items()
    }
    _add_campaign_options(verbs["run"])
    _add_run_options(verbs["run"])
    _add_campaign_options(verbs["compare"])
    _add_plans_option(verbs["compare"])
    _add_plan_options(verbs["plan"])
    _add_calibrate_options(verbs["calibrate"])
    _add_ablate_options(verbs["ablate"])
    _add_suite_options(verbs["suite"])
    _add_replay_options(verbs["replay"])
    _add_litmus_options(verbs["litmus"])
    verbs["sites"].add_argument("--json", action="store_true", help="as JSON instead of a table")
    verbs["guards"].add_argument("--json", action="store_true", help="as JSON instead of a table")
    merge = verbs["merge"]
    merge.add_argument("files", metavar="FILE.json", nargs="+", help="what --json wrote, of each shard")
    merge.add_argument("--json", metavar="FILE", help="write the sum there (- is standard output)")
    _add_report_outputs(merge)
    report = verbs["report"]
    report.add_argument("file", metavar="FILE.json", help="what --json wrote")
    _add_report_outputs(report)
    return parser, verbs


def _add_machine_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--model",
        type=values.one_of("model", ["armv8", "tso", "sc"]),
        default="armv8",
        help="what the machine may reorder: armv8 (default), tso, sc",
    )
    verb.add_argument("--seed", metavar="N", type=values.integer(0, values.MAX_SEED), default=1, help="default: 1")
    verb.add_argument(
        "--jobs", metavar="N", type=values.integer(1, values.MAX_JOBS), help="worker processes; default: one a CPU"
    )


def _add_campaign_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("scenario", metavar="SCENARIO", help="a name that `race list` shows, or a file")
    _add_machine_options(verb)
    verb.add_argument(
        "--page-size",
        metavar="N",
        type=values.integer(*PAGE_SIZES),
        help="instead of the scenario's: a power of two from {} to {}".format(*PAGE_SIZES),
    )
    verb.add_argument(
        "--engine",
        type=values.one_of("engine", ["weak", "exhaustive", "hardware"]),
        default="weak",
        help="what runs the executions: weak (default), a simulated machine, at random; exhaustive, each execution of "
        "that machine, once; hardware, threads on this host's CPUs",
    )
    _add_calibrate_option(verb)
    exhaustive_options.add(verb)
    verb.add_argument(
        "--executions",
        metavar="N",
        type=values.integer(1),
        help="executions of each plan; without this and --seconds: "
        f"{values.DEFAULT_EXECUTIONS:,}, or what {values.DEFAULT_SECONDS} s a plan allow; engine exhaustive: no limit",
    )
    verb.add_argument("--seconds", metavar="S", type=values.seconds, help="time for all plans together")
    verb.add_argument(
        "--shard",
        metavar="I/N",
        type=values.shard,
        help="only the I-th of N parts: same command, other machine, other I",
    )
    verb.add_argument(
        "--max-findings",
        metavar="N",
        type=values.integer(1, 1_000_000),
        default=100,
        help="how many findings of a plan and oracle are kept with their details (default: 100); all are counted",
    )
    verb.add_argument("--json", metavar="FILE", help="write the result document there (- is standard output)")
    _add_report_outputs(verb)


def _add_plans_option(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--barriers",
        metavar="PLAN",
        action="append",
        help="a barrier plan; may be given several times; default: those of the scenario's `compare`, else off and on",
    )


def _add_calibrate_option(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--calibrate",
        metavar="S",
        type=values.seconds,
        help="engine hardware: seconds to find out first what the host reorders; default: 2",
    )


def _add_plan_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("scenario", metavar="SCENARIO", help="a name that `race list` shows, or a file")
    _add_plans_option(verb)
    verb.add_argument(
        "--engine",
        type=values.one_of("engine", ["weak", "hardware"]),
        default="hardware",
        help="hardware (default), or weak",
    )
    verb.add_argument("--seed", metavar="N", type=values.integer(0, values.MAX_SEED), default=1, help="default: 1")
    verb.add_argument("--page-size", metavar="N", type=values.integer(*PAGE_SIZES), help="instead of the scenario's")
    verb.add_argument("--executions", metavar="N", type=values.integer(1), help="of each plan")
    verb.add_argument(
        "--seconds",
        metavar="S",
        type=values.seconds,
        help="for all plans together; default: 10, or of weak 200,000 executions",
    )
    verb.add_argument(
        "--max-findings", metavar="N", type=values.integer(1, 1_000_000), default=100, help="default: 100"
    )
    verb.add_argument("--output", metavar="FILE", default="-", help="default: standard output")
    _add_calibrate_option(verb)


def _add_calibrate_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--seconds", metavar="S", type=values.seconds, help="default: 10")
    verb.add_argument("--seed", metavar="N", type=values.integer(0, values.MAX_SEED), default=1, help="default: 1")
    verb.add_argument("--json", metavar="FILE", help="write it as JSON there (- is standard output)")


def _add_run_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--barriers",
        metavar="PLAN",
        default="off",
        instead="`race compare` runs several plans",
        help="the barrier plan; default: off",
    )
    verb.add_argument(
        "--execution",
        metavar="K",
        type=values.integer(0),
        help="only the execution of this number, as in the whole run",
    )


def _add_ablate_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("scenario", metavar="SCENARIO", help="a name that `race list` shows, or a file")
    _add_machine_options(verb)
    verb.add_argument(
        "--page-size",
        metavar="N",
        type=values.integer(*PAGE_SIZES),
        help="instead of the scenario's: a power of two from {} to {}".format(*PAGE_SIZES),
    )
    verb.add_argument(
        "--barriers",
        metavar="PLAN",
        default="on",
        help="the plan whose sites are weakened; default: on. It must be clean",
    )
    verb.add_argument(
        "--executions",
        metavar="N",
        type=values.integer(1),
        help="executions of each trial, fewer where there are findings; "
        f"default: {values.ABLATION_EXECUTIONS:,}, engine exhaustive: no limit",
    )
    verb.add_argument(
        "--engine",
        type=values.one_of("engine", ["weak", "exhaustive"]),
        default="weak",
        help="weak (default): random executions, and statistics; exhaustive: each execution once, and proofs",
    )
    exhaustive_options.add_executor(verb.add_argument_group(exhaustive_options.GROUP))
    verb.add_argument(
        "--seconds", metavar="S", type=values.seconds, help="time in all; what is not reached is untested"
    )
    verb.add_argument("--json", metavar="FILE", help="write the ablation document there (- is standard output)")
    _add_documents(verb)


def _add_suite_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("scenarios", metavar="SCENARIO", nargs="*", help="only these; default: every known bug")
    verb.add_argument(
        "--executions",
        metavar="N",
        type=values.integer(1),
        default=values.SUITE_EXECUTIONS,
        help="executions of each plan that is to find nothing, under each model; the others end with what they are to "
        f"find, or after {values.SUITE_HUNT} times as many; default: {values.SUITE_EXECUTIONS:,}",
    )
    verb.add_argument("--seed", metavar="N", type=values.integer(0, values.MAX_SEED), default=1, help="default: 1")
    verb.add_argument(
        "--jobs", metavar="N", type=values.integer(1, values.MAX_JOBS), help="worker processes; default: one a CPU"
    )
    verb.add_argument("--json", metavar="FILE", help="write the table for programs there (- is standard output)")
    verb.add_argument("--markdown", metavar="FILE", help="write the table in Markdown there")
    verb.add_argument("--reports", metavar="FOLDER", help="write each bug's smallest execution there, as a picture")


def _add_replay_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("what", metavar="TOKEN|RESULT.json", help="what a report names, or a file that --json wrote")
    verb.add_argument(
        "--finding",
        metavar="N",
        type=values.integer(1),
        help="which of the result's findings, counted from 1 through all plans; default: 1",
    )
    verb.add_argument(
        "--minimise",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="shrink it to the fewest reorderings and context switches with the same finding (default)",
    )
    verb.add_argument("--barriers", metavar="PLAN", help="then run it under this plan, and say where it diverges")
    verb.add_argument(
        "--litmus",
        metavar="FILE",
        help="write its cause there as a litmus test; with --barriers, as it is under that plan (- is standard output)",
    )
    verb.add_argument("--until", metavar="STEP", type=values.integer(1), help="show it up to this step")
    verb.add_argument("--step", action="store_true", help="show one step for each Enter")
    verb.add_argument("--scenario", metavar="FILE", help="the scenario's file, where it does not come with the program")
    verb.add_argument("--json", metavar="FILE", help="write it as JSON there (- is standard output)")


def _add_litmus_options(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("tests", metavar="FILE|FOLDER", nargs="+", help="*.litmus files; folders are read recursively")
    verb.add_argument(
        "--engine",
        type=values.one_of("engine", ["exhaustive", "exhaustive-orders", "weak"]),
        default="exhaustive",
        help="exhaustive (default) finds every final state; exhaustive-orders too, by running each execution once "
        "where it can; weak counts those of random executions",
    )
    verb.add_argument(
        "--executions",
        metavar="N",
        type=values.integer(1),
        help="of each test; weak: that many (default: 100,000); exhaustive: at most that many (default: no limit)",
    )
    verb.add_argument(
        "--expect",
        metavar="FILE.jsonl",
        help="compare the final states with those in a file of --json's form; exit status 1 if they differ",
    )
    verb.add_argument("--json", metavar="FILE", help="write a line of JSON for each test there (- is standard output)")
    _add_machine_options(verb)


def _add_report_outputs(verb: argparse.ArgumentParser) -> None:
    _add_documents(verb)
    verb.add_argument("--junit", metavar="FILE", help="write a report in JUnit's XML there")


def _add_documents(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--markdown", metavar="FILE", help="write a report in Markdown there")
    verb.add_argument("--html", metavar="FILE", help="write a report as one HTML file there, with pictures")
