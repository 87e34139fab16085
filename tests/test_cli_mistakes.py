"""A mistake on the command line gives one line on standard error, says how to mend it, and exit status 2."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import RunRace

MISTAKES = [
    ("", "the following arguments are required: COMMAND; see `race --help`"),
    ("compar freeobj-corruption", 'unknown command "compar"; did you mean "compare"?'),
    ("--versoin", 'unknown option "--versoin"; did you mean "--version"?'),
    ("run", "the following arguments are required: SCENARIO; see `race run --help`"),
    ("run freeobj-corruption --executons 5", 'unknown option "--executons"; did you mean "--executions"?'),
    ("run freeobj-corruption --executio 5", 'unknown option "--executio"; did you mean "--execution"?'),
    ("run freeobj-corruption --colour", 'unknown option "--colour"; see `race run --help`'),
    ("list all", 'unexpected argument "all"; see `race list --help`'),
    ("run freeobj-corruption --seed", "argument --seed: expected one argument; see `race run --help`"),
    ("run freobj-corruption", 'unknown scenario "freobj-corruption"; did you mean "freeobj-corruption"?'),
    ("run nothing.toml", "cannot read scenario nothing.toml: No such file or directory"),
    ("run ./", "cannot read scenario ./: Is a directory"),
    (
        "run freeobj-corruption --engine hardware --model tso",
        "--model is of the simulated machine; on hardware the CPU decides",
    ),
    (
        "run freeobj-corruption --engine hardware --execution 7",
        "--execution names an execution of the weak engine; on hardware none comes twice",
    ),
    (
        "run freeobj-corruption --engine weka",
        'argument --engine: unknown engine "weka"; did you mean "weak"?; see `race run --help`',
    ),
    (
        "run freeobj-corruption --model armv9",
        'argument --model: unknown model "armv9"; did you mean "armv8"?; see `race run --help`',
    ),
    (
        "run freeobj-corruption --barriers onn",
        'barrier plan "onn": unknown preset "onn"; did you mean "on"?',
    ),
    (
        "compare freeobj-corruption --barriers off --barriers on,zs_page_migrate.class.unlok=none",
        'barrier plan "on,zs_page_migrate.class.unlok=none": no ordering site or guard matches '
        '"zs_page_migrate.class.unlok"; did you mean "zs_page_migrate.class.unlock"?',
    ),
    (
        "run freeobj-corruption --barriers on,zs_malloc.class.lock=dmb.ish",
        'barrier plan "on,zs_malloc.class.lock=dmb.ish": '
        "zs_malloc.class.lock is on the lock side and cannot be dmb.ish; "
        "a site of that side can be full, acquire, dmb.ishld, none",
    ),
    ("compare freeobj-corruption --barriers on --barriers on", 'barrier plan "on" is given twice'),
    (
        "run freeobj-corruption --executions many",
        'argument --executions: "many" is not a whole number; see `race run --help`',
    ),
    (
        "run freeobj-corruption --executions 0",
        "argument --executions: 0 is out of range: it must be from 1 to 9223372036854775807; see `race run --help`",
    ),
    (
        "run freeobj-corruption --executions 99999999999999999999",
        "argument --executions: 99999999999999999999 is out of range: it must be from 1 to 9223372036854775807; "
        "see `race run --help`",
    ),
    (
        "run freeobj-corruption --page-size 0",
        "argument --page-size: 0 is out of range: it must be from 256 to 65536; see `race run --help`",
    ),
    (
        "run freeobj-corruption --barriers on --barriers off",
        "argument --barriers: it is given twice; `race compare` runs several plans; see `race run --help`",
    ),
    (
        "compare freeobj-corruption --seed 1 --executions 5 --seed=2",
        "argument --seed: it is given twice; give it once; see `race compare --help`",
    ),
    (
        "report out.json --markdown a --markdown b",
        "argument --markdown: it is given twice; give it once; see `race report --help`",
    ),
    (
        "run freeobj-corruption --seconds -1",
        'argument --seconds: "-1" is not a number of seconds above 0; see `race run --help`',
    ),
    (
        "run freeobj-corruption --seconds inf",
        'argument --seconds: "inf" is not a number of seconds above 0; see `race run --help`',
    ),
    (
        "run freeobj-corruption --seed 0x10000000000000000",
        "argument --seed: 0x10000000000000000 is out of range: it must be from 0 to 18446744073709551615; "
        "see `race run --help`",
    ),
    (
        "run freeobj-corruption --jobs 0",
        "argument --jobs: 0 is out of range: it must be from 1 to 1024; see `race run --help`",
    ),
    (
        "run freeobj-corruption --shard 3/2",
        'argument --shard: "3/2" is no shard; write I/N with I from 1 to N, such as 2/4; see `race run --help`',
    ),
    (
        "run freeobj-corruption --execution 5 --executions 9",
        "--execution runs one execution: it does not go with --executions, --seconds or --shard",
    ),
    (
        "run freeobj-corruption --page-size 1000",
        "scenarios/freeobj-corruption.toml: --page-size: page size 1000 is impossible: "
        "it must be a power of two from 256 to 65536",
    ),
    (
        "run sized.toml --page-size 256",
        "sized.toml: $.objects.block.size: an object of 2712 bytes is larger than page size 256 allows; at most 256",
    ),
    (
        "run freeobj-corruption --json missing/result.json",
        "cannot write missing/result.json: there is no folder missing",
    ),
    ("run freeobj-corruption --json .", "cannot write .: it is a folder"),
    ("run freeobj-corruption --json sized.toml/x", "cannot write sized.toml/x: there is no folder sized.toml"),
    ("run freeobj-corruption --json out --junit ./out", "two outputs go to the same file ./out"),
    ("run freeobj-corruption --json - --junit -", "only one output can go to standard output (-)"),
    ("report nothing.json", "nothing.json: cannot read it: No such file or directory"),
    (
        "report other.json",
        'other.json: not a result of race (no "format": "race-result"); give a file that --json wrote',
    ),
    (
        "report old.json",
        "old.json: result version 0, this program reads version 1; "
        "read it with the program that wrote it, or run the campaign again",
    ),
]


@pytest.mark.parametrize(("command", "message"), MISTAKES, ids=[command or "nothing" for command, _ in MISTAKES])
def test_mistake(command: str, message: str, small: Callable[..., str], run_race: RunRace) -> None:
    Path(small(("class = { pages = 2, objects = 3 }", "size = 2712"))).rename("sized.toml")
    Path("other.json").write_text("{}", encoding="utf-8")
    Path("old.json").write_text(json.dumps({"format": "race-result", "version": 0}), encoding="utf-8")
    outcome = run_race(*command.split())
    assert outcome == (2, "", f"race: error: {message}\n")


@pytest.mark.usefixtures("small")
def test_a_file_that_is_no_json_is_refused(run_race: RunRace) -> None:
    Path("broken.json").write_text('{"format": "race-res', encoding="utf-8")
    status, out, err = run_race("report", "broken.json")
    assert (status, out) == (2, "")
    assert err.startswith("race: error: broken.json: damaged, or not JSON: ")
    assert err.count("\n") == 1


def test_nothing_is_run_or_written_for_a_mistake(small: Callable[..., str], run_race: RunRace) -> None:
    scenario = small()
    assert run_race("run", scenario, "--json", "out.json", "--junit", "missing/out.xml").status == 2
    assert sorted(path.name for path in Path().iterdir()) == ["small.toml"]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("inside", ["", '"format": "race-result", "version": 1, '])
def test_a_file_that_is_nested_too_deeply_is_refused(inside: str, run_race: RunRace) -> None:
    Path("deep.json").write_text("{" + inside + '"x": ' + "[" * 100_000, encoding="utf-8")
    assert run_race("report", "deep.json") == (2, "", "race: error: deep.json: damaged: nested too deeply\n")


def test_what_a_message_quotes_is_made_visible(run_race: RunRace) -> None:
    assert (
        run_race("run", "\x1b[31mred.toml").err
        == r"race: error: cannot read scenario \x1b[31mred.toml: No such file or directory" + "\n"
    )


def test_a_name_that_no_file_can_have(run_race: RunRace) -> None:
    long = "a" * 300
    status, _, err = run_race("run", long)
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f'race: error: unknown scenario "{long}"; ')
    assert run_race("run", long + ".toml").err.endswith(": File name too long\n")
    assert run_race("run", "freeobj-corruption", "--json", long).err.endswith(": File name too long\n")


@pytest.mark.usefixtures("small")
def test_an_output_through_links_in_a_circle(run_race: RunRace) -> None:
    Path("loop").symlink_to("loop")
    status, _, err = run_race("run", "freeobj-corruption", "--json", "loop/x")
    assert (status, err) == (2, "race: error: cannot write loop/x: too many levels of symbolic links\n")


def test_an_argument_that_a_result_could_not_hold(run_race: RunRace) -> None:
    outcome = run_race("run", "freeobj-corruption", "--json", "\udcff.json")
    message = r'argument "\udcff.json" is not UTF-8 text, and a result could not hold it'
    assert outcome == (2, "", f"race: error: {message}\n")
