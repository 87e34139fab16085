"""A mistake in a scenario file: one line (the file, the path in it, what is wrong, how to mend it) and status 2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import RunRace


class Mistake(NamedTuple):
    old: str
    new: str
    message: str  # after the file's name


STEP = 'steps = [{ op = "malloc", slot = "own", object = "block" }, { op = "free", slot = "own" }]'
MOVE = '{ op = "migrate", slot = "kept", page = 1 }'
RANDOM = 'op = "random", count = 3, slots = ["own"], objects = ["block"]'

MISTAKES = {
    "unknown field": Mistake("title =", "titel =", '$.titel: unknown field; did you mean "title"?'),
    "unknown field of a table": Mistake(
        "page-size =", "pagesize =", '$.pool.pagesize: unknown field; did you mean "page-size"?'
    ),
    "unknown field of a step": Mistake(
        'slot = "kept", page', 'slto = "kept", page', '$.threads[0].steps[0].slto: unknown field; did you mean "slot"?'
    ),
    "unknown field of a named object": Mistake(
        "class = {", "clas = {", '$.objects.block.clas: unknown field; did you mean "class"?'
    ),
    "field of another operation": Mistake(
        '"free", slot = "own"',
        '"free", slot = "own", page = 1',
        "$.threads[1].steps[1].page: unknown field; known: op, slot",
    ),
    "missing field": Mistake(
        ', slot = "kept", page = 1', ', slot = "kept"', '$.threads[0].steps[0]: field "page" is missing'
    ),
    "no operation": Mistake('op = "migrate", ', "", '$.threads[0].steps[0]: field "op" is missing'),
    "no title": Mistake('title = "A page moves while an object comes and goes"', "", '$: field "title" is missing'),
    "wrong type": Mistake("page = 1", 'page = "1"', "$.threads[0].steps[0].page: expected an integer, got a string"),
    "a table that may be left out": Mistake(
        "[pool]", "oracles = 3\n\n[pool]", "$.oracles: expected a table, got an integer"
    ),
    "date in words": Mistake(
        "[pool]", 'date = "today"\n\n[pool]', "$.date: expected a date such as 2017-01-18, got a string"
    ),
    "date with a time": Mistake(
        "[pool]",
        "date = 2017-01-18T07:00:00Z\n\n[pool]",
        "$.date: expected a date such as 2017-01-18, got a date with a time",
    ),
    "no boolean": Mistake("clean = true", "clean = 1", "$.expect[0].clean: expected a boolean, got an integer"),
    "too few": Mistake("frames = 24", "frames = 0", "$.pool.frames: expected an integer of at least 1"),
    "too many": Mistake("frames = 24", "frames = 4096", "$.pool.frames: expected an integer of at most 4095"),
    "too long": Mistake(
        'name = "user"', f'name = "{"u" * 41}"', "$.threads[1].name: expected a string of at most 40 characters"
    ),
    "empty title": Mistake(
        'title = "A page moves while an object comes and goes"',
        'title = ""',
        "$.title: expected a string that is not empty",
    ),
    "table instead of a list": Mistake(STEP, "steps = {}", "$.threads[1].steps: expected an array, got a table"),
    "not a name": Mistake(
        'name = "user"',
        'name = "a user"',
        "$.threads[1].name: expected a name: a letter, then letters, digits, - and _",
    ),
    "control character in the title": Mistake(
        'title = "A page',
        r'title = "A \u001b[31mpage',
        r"$.title: control character \x1b; it must be plain text on one line",
    ),
    "title of two lines": Mistake(
        'title = "A page',
        r'title = "A\npage',
        r"$.title: control character \n; it must be plain text on one line",
    ),
    "control character in the description": Mistake(
        "[pool]",
        'description = """\nTwo lines,\n\ta tab, \\u009b31m"""\n[pool]',
        r"$.description: control character \x9b; only newlines and tabs are allowed",
    ),
    "text that reads backwards": Mistake(
        "clean = true",
        'clean = true\nnote = "\u202eclean"',
        r"$.expect[0].note: control character \u202e; it must be plain text on one line",
    ),
    "control character in a key": Mistake(
        "[pool]",
        '[sites]\n"zs_malloc\\u0007" = "none"\n[pool]',
        r"$.sites: control character \x07; it must be plain text on one line",
    ),
    "name that ends in a newline": Mistake(
        'name = "user"',
        r'name = "user\n"',
        r"$.threads[1].name: control character \n; it must be plain text on one line",
    ),
    "unknown operation": Mistake(
        'op = "migrate"',
        'op = "migrat"',
        '$.threads[0].steps[0].op: unknown operation "migrat"; did you mean "migrate"?',
    ),
    "unknown model": Mistake(
        "clean = true",
        'clean = true\nmodels = ["armv9"]',
        '$.expect[0].models[0]: unknown model "armv9"; did you mean "armv8"?',
    ),
    "unknown object": Mistake(
        'slot = "own", object = "block"',
        'slot = "own", object = "blok"',
        '$.threads[1].steps[0].object: unknown object "blok"; did you mean "block"?',
    ),
    "page size no power of two": Mistake(
        "page-size = 4096",
        "page-size = 4000",
        "$.pool.page-size: page size 4000 is impossible: it must be a power of two from 256 to 65536",
    ),
    "page size too small": Mistake(
        "page-size = 4096",
        "page-size = 128",
        "$.pool.page-size: page size 128 is impossible: it must be a power of two from 256 to 65536",
    ),
    "object larger than a page": Mistake(
        "class = { pages = 2, objects = 3 }",
        "size = 5000",
        "$.objects.block.size: an object of 5000 bytes is larger than page size 4096 allows; at most 4096",
    ),
    "object of no size": Mistake(
        "class = { pages = 2, objects = 3 }",
        "",
        "$.objects.block: give its size, or its class as { pages = 2, objects = 3 }",
    ),
    "object of two sizes": Mistake(
        "class = {", "size = 40\nclass = {", "$.objects.block: give size or class, not both"
    ),
    "no such class": Mistake(
        "pages = 2, objects = 3",
        "pages = 2, objects = 4",
        "$.objects.block.class: no size class has 2 pages and 4 objects at page size 4096; "
        "the nearest of 2 pages have 3, 5, 7, 9 or 11 objects",
    ),
    "too many pages for a class": Mistake(
        "pages = 2, objects = 3",
        "pages = 5, objects = 3",
        "$.objects.block.class: no size class has 5 pages and 3 objects at page size 4096; "
        "zspages have 1, 2, 3 or 4 pages",
    ),
    "page that the zspage has not": Mistake(
        "page = 1",
        "page = 2",
        '$.threads[0].steps[0].page: there is no page 2: the zspage of slot "kept" has 2 pages, from 0',
    ),
    "too few frames": Mistake(
        "frames = 24",
        "frames = 4",
        "$.pool.frames: 4 frames are too few: 2 for the set-up and 3 for the threads make 5",
    ),
    "slot of two threads": Mistake(
        STEP,
        'steps = [{ op = "free", slot = "kept" }]\n\n'
        '[[threads]]\nname = "other"\nsteps = [{ op = "read", slot = "kept" }]',
        '$.threads[2].steps[0].slot: slot "kept" belongs to thread "user"; a slot may be used by one thread only',
    ),
    "misspelt slot": Mistake(
        MOVE,
        MOVE.replace("kept", "kapt"),
        '$.threads[0].steps[0].slot: slot "kapt" is empty here; did you mean "kept"?',
    ),
    "empty slot": Mistake(
        '"free", slot = "own"',
        '"free", slot = "x"',
        '$.threads[1].steps[1].slot: slot "x" is empty here; a malloc step must fill it first',
    ),
    "slot freed twice": Mistake(
        STEP,
        STEP.removesuffix("]") + ', { op = "free", slot = "own" }]',
        '$.threads[1].steps[2].slot: slot "own" is empty here; a malloc step must fill it first',
    ),
    "full slot": Mistake(
        '"free", slot = "own"',
        '"malloc", slot = "own", object = "block"',
        '$.threads[1].steps[1].slot: slot "own" holds an object already; free it first or use another slot',
    ),
    "thread's name twice": Mistake(
        'name = "user"', 'name = "mover"', '$.threads[1].name: "mover" is the name of threads[0] too'
    ),
    "no step": Mistake(STEP, "steps = []", "$.threads[1].steps: expected an array that is not empty"),
    "random that does nothing": Mistake(
        STEP,
        f"steps = [{{ {RANDOM}, mix = {{}} }}]",
        "$.threads[1].steps[0].mix: every weight is 0; give at least one operation a weight",
    ),
    "misspelt weight": Mistake(
        STEP,
        f"steps = [{{ {RANDOM}, mix = {{ malocs = 1 }} }}]",
        '$.threads[1].steps[0].mix.malocs: unknown field; did you mean "malloc"?',
    ),
    "misspelt object of random": Mistake(
        STEP,
        f"steps = [{{ {RANDOM.replace('block', 'blocks')}, mix = {{ malloc = 1 }} }}]",
        '$.threads[1].steps[0].objects[0]: unknown object "blocks"; did you mean "block"?',
    ),
    "random in the set-up": Mistake(
        'op = "malloc"\nslot = "kept"\nobject = "block"',
        RANDOM.replace(", ", "\n", 2).replace(", objects", "\nobjects") + "\nmix = { malloc = 1 }",
        "$.setup[0].op: the set-up is the same in every execution: random belongs in a thread",
    ),
    "unknown oracle": Mistake(
        "clean = true",
        'find = ["garbage-freeobjs"]',
        '$.expect[0].find[0]: unknown oracle "garbage-freeobjs"; did you mean "garbage-freeobj"?',
    ),
    "unknown oracle enabled": Mistake(
        "[pool]",
        '[oracles]\nenabled = ["free-lists"]\n\n[pool]',
        '$.oracles.enabled[0]: unknown oracle "free-lists"; did you mean "free-list"?',
    ),
    "no oracle enabled": Mistake(
        "[pool]",
        "[oracles]\nenabled = []\n\n[pool]",
        "$.oracles.enabled: a run that looks for nothing finds nothing; name oracles, or leave it out",
    ),
    "unknown preset": Mistake(
        'plan = "on"',
        'plan = "onn"',
        '$.expect[0].plan: barrier plan "onn": unknown preset "onn"; did you mean "on"?',
    ),
    "unknown site": Mistake(
        "[pool]",
        '[sites]\n"zs_malloc.class.lok" = "none"\n\n[pool]',
        '$.sites: no ordering site matches "zs_malloc.class.lok"; did you mean "zs_malloc.class.lock"?',
    ),
    "strength of the other side": Mistake(
        "[pool]",
        '[sites]\n"zs_malloc.class.lock" = "release"\n\n[pool]',
        "$.sites: zs_malloc.class.lock is on the lock side and cannot be release; "
        "a site of that side can be full, acquire, dmb.ishld, none",
    ),
    "strength of the wrong type": Mistake(
        "[pool]",
        '[sites]\n"zs_malloc.class.lock" = 1\n\n[pool]',
        '$.sites."zs_malloc.class.lock": expected a string, got an integer',
    ),
    "expectation of nothing": Mistake(
        "clean = true", "", "$.expect[0]: it expects nothing; give find, find-any, never or clean"
    ),
    "contradiction": Mistake(
        "clean = true", "clean = true\nfind-any = true", "$.expect[0]: find and clean contradict each other"
    ),
    "expectation said twice": Mistake(
        "clean = true",
        'clean = true\n\n[[expect]]\nplan = "on,zs_malloc.class.lock=acquire"\nfind-any = true',
        '$.expect[1]: expect[0] speaks of plan "on,zs_malloc.class.lock=acquire" under model armv8 already',
    ),
    "not TOML": Mistake(
        "[pool]", "[pool", "not TOML: Expected ']' at the end of a table declaration (at line 3, column 6)"
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake(mistake: Mistake, small: Callable[..., str], run_race: RunRace) -> None:
    outcome = run_race("run", small((mistake.old, mistake.new)))
    assert outcome == (2, "", f"race: error: small.toml: {mistake.message}\n")


def test_the_unchanged_scenario_has_no_mistake(small: Callable[..., str], run_race: RunRace) -> None:
    assert run_race("run", small(), "--executions", "1", "--jobs", "1").status == 3  # too few executions to tell


def test_text_in_another_encoding(run_race: RunRace, tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes('title = "Größe"'.encode("latin-1"))
    assert run_race("run", path) == (2, "", f"race: error: {path}: not UTF-8 text (byte 11)\n")


NESTED = "not TOML that can be read: nested too deeply"
DIGITS = "not TOML: Exceeds the limit (4300 digits) for integer string conversion: value has 5000 digits"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("x = " + "[" * 3000, NESTED),
        ("x = " + "{ a = " * 3000, NESTED),
        ("title" + ".a" * 3000 + " = 1", "$.title: expected a string, got a table"),
        ("x = 1" + "0" * 4999, DIGITS),
    ],
    ids=["arrays", "tables", "dotted key", "digits"],
)
def test_text_that_strains_the_parser(line: str, message: str, run_race: RunRace, tmp_path: Path) -> None:
    path = tmp_path / "deep.toml"
    path.write_text(line, encoding="utf-8")
    status, out, err = run_race("run", path)
    assert (status, out) == (2, "")
    assert err == f"race: error: {path}: {message}\n"
