"""From the bytes of a scenario file to its tables. Errors name the file, the path in it, and the nearest right name."""

from __future__ import annotations

import datetime
import re
import tomllib
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from race.errors import InputError
from race.names import advice
from race.printable import CONTROL, visible
from race.scenario.format import ObjectKind, ScenarioFile, Step

T = TypeVar("T")

TOML_WORDS = {  # for msgspec's names of types
    "object": "a table",
    "dict": "a table",
    "array": "an array",
    "list": "an array",
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "a boolean",
    "date": "a date",
    "time": "a time",
    "datetime": "a date with a time",
}
IN_WORDS = {  # what else of its messages is not for an author
    "expected a date,": "expected a date such as 2017-01-18,",
    " of length >= 1": " that is not empty",
    "a string of length <= (.*)": r"a string of at most \1 characters",
    "an array of length <= (.*)": r"an array of at most \1 entries",
    " >= (.*)": r" of at least \1",
    " <= (.*)": r" of at most \1",
}


@dataclass(frozen=True)
class Decoded:
    tables: ScenarioFile
    objects: dict[str, ObjectKind]
    sites: dict[str, str]
    guards: dict[str, str]


class Problem(Exception):  # noqa: N818 - becomes an InputError once the file's name is known
    """Something wrong at a path of the file."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")


def decode(source: bytes, shown: str) -> Decoded:
    """`shown` is how messages call the file."""
    try:
        document = tomllib.loads(source.decode())
    except UnicodeDecodeError as error:
        raise InputError(f"{shown}: not UTF-8 text (byte {error.start})") from None
    except ValueError as error:  # TOMLDecodeError, and int() of thousands of digits
        raise InputError(f"{shown}: not TOML: {str(error).partition(';')[0]}") from None
    except RecursionError:
        raise InputError(f"{shown}: not TOML that can be read: nested too deeply") from None
    try:
        _check_text(document)
        tables = _convert(document, ScenarioFile, "$")
        return Decoded(
            tables=tables,
            objects=_convert_each(tables.objects, ObjectKind, "$.objects"),
            sites=_convert_each(tables.sites, str, "$.sites"),
            guards=_convert_each(tables.guards, str, "$.guards"),
        )
    except Problem as problem:
        raise InputError(f"{shown}: {problem}") from None


def key(name: str) -> str:
    """A key as TOML writes it."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else f'"{name}"'


def _check_text(document: dict[str, Any]) -> None:
    """Reports show what the author wrote: a control character in it could drive the reader's terminal."""
    waiting: list[tuple[str, Any]] = [("$", document)]
    while waiting:  # no recursion: a dotted key can be nested deeper than Python's stack
        path, value = waiting.pop()
        inner: list[tuple[str, Any]] = []
        if isinstance(value, dict):
            for name, entry in value.items():
                _check_characters(name, path)
                inner.append((f"{path}.{key(name)}", entry))
        elif isinstance(value, list):
            inner = [(f"{path}[{i}]", entry) for i, entry in enumerate(value)]
        elif isinstance(value, str):
            _check_characters(value, path)
        waiting += reversed(inner)


def _check_characters(text: str, path: str) -> None:
    several_lines = path == "$.description" or path.startswith("$.bug.")
    if bad := CONTROL.search(re.sub(r"[\n\t]", "", text) if several_lines else text):
        what = "only newlines and tabs are allowed" if several_lines else "it must be plain text on one line"
        raise Problem(path, f"control character {visible(bad[0])}; {what}")


def _convert_each(table: dict[str, Any], wanted: type[T], root: str) -> dict[str, T]:
    return {name: _convert(value, wanted, f"{root}.{key(name)}") for name, value in table.items()}


def _convert(value: Any, wanted: type[T], root: str) -> T:
    try:
        return msgspec.convert(value, wanted, builtin_types=(datetime.date,))  # as TOML has it, not as text
    except msgspec.ValidationError as error:
        raise _problem(str(error), value, wanted, root) from None


def _problem(message: str, document: Any, wanted: Any, root: str) -> Problem:
    """msgspec's message, with the path in front and the nearest right name behind."""
    place = re.search(r" - at `\$([^`]*)`$", message)
    what, where = (message[: place.start()], place[1]) if place else (message, "")
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", what):
        field = unknown[1]
        fields = _fields(_type_at(document, wanted, where))
        return Problem(f"{root}{where}.{key(field)}", f"unknown field{advice(field, fields)}")
    if missing := re.fullmatch(r"Object missing required field `(.*)`", what):
        return Problem(root + where, f'field "{missing[1]}" is missing')
    if invalid := re.fullmatch(r"Invalid (?:enum )?value '(.*)'", what):
        kind, known = ("operation", _operations()) if where.endswith(".op") else ("model", ["armv8", "tso", "sc"])
        return Problem(root + where, f'unknown {kind} "{invalid[1]}"{advice(invalid[1], known, _all(known))}')
    return Problem(root + where, _plain(what))


def _all(known: list[str]) -> str:
    return "known: " + ", ".join(known)


def _plain(what: str) -> str:
    """msgspec's words for types, in TOML's."""
    what = re.sub(r"^E", "e", what).replace(" | null`", "`")
    if "matching regex" in what:
        return "expected a name: a letter, then letters, digits, - and _"
    what = re.sub(r"`(?:datetime\.)?(\w+)`", lambda found: TOML_WORDS.get(found[1], found[0]), what)
    for theirs, ours in IN_WORDS.items():
        what = re.sub(theirs, ours, what)
    return what


def _operations() -> list[str]:
    return [str(kind.__struct_config__.tag) for kind in Step.__subclasses__()]


def _fields(struct: Any) -> list[str]:
    names = [field.encode_name for field in msgspec.structs.fields(struct)]
    return ["op", *names] if issubclass(struct, Step) else names


def _type_at(document: Any, wanted: Any, where: str) -> Any:
    """The struct type at a path like `.threads[0].steps[1]`, for its field names."""
    here = wanted
    for part in re.findall(r"\.([^.\[]+)|\[(\d+)\]", where):
        name, index = part
        if name:
            fields = {field.encode_name: field.type for field in msgspec.structs.fields(_pick(here, document))}
            here, document = fields[name], document[name]
        else:
            here, document = _element(here), document[int(index)]
    return _pick(here, document)


def _members(kind: Any) -> Iterator[Any]:
    """A type, without Annotated and with unions taken apart."""
    if typing.get_origin(kind) is typing.Annotated:
        yield from _members(typing.get_args(kind)[0])
    elif isinstance(kind, types.UnionType):
        for member in typing.get_args(kind):
            yield from _members(member)
    else:
        yield kind


def _element(kind: Any) -> Any:
    return next(typing.get_args(member)[0] for member in _members(kind) if typing.get_origin(member) is list)


def _pick(kind: Any, document: Any) -> Any:
    """The struct among a type's members; of the operations, the one that the document names."""
    structs = [m for m in _members(kind) if isinstance(m, type) and issubclass(m, msgspec.Struct)]
    operation = document.get("op") if isinstance(document, dict) else None
    return next((s for s in structs if s.__struct_config__.tag == operation), structs[0])
