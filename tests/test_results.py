"""Saving and loading result documents, and their schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from race import results, schema
from race.errors import InputError, RunError
from tests.documents import compared


def test_a_saved_document_is_loaded_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    results.save(compared(), path)
    assert results.load(path) == compared()
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


def test_a_saved_document_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    results.save(compared(), path)
    raw = json.loads(path.read_text())
    assert (raw["format"], raw["version"], raw["seed"]) == ("race-result", 1, 2**64 - 1)


def test_saving_replaces_what_a_link_names(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_text("old")
    link.symlink_to(real)
    results.save(compared(), link)
    assert link.is_symlink()
    assert results.load(real) == compared()


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "result.json"
    path.write_text("old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(RunError, match=r"cannot write .*result\.json: No space left on device"):
        results.save(compared(), path)
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.json"]


def test_saving_into_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="No such file or directory"):
        results.save(compared(), tmp_path / "missing" / "result.json")


def changed(**fields: object) -> str:
    raw = json.loads(results.encode(compared()))
    raw.update(fields)
    return json.dumps(raw)


def without(field: str) -> str:
    raw = json.loads(results.encode(compared()))
    del raw[field]
    return json.dumps(raw)


DAMAGED = [
    ("", "damaged, or not JSON: Input data was truncated"),
    (results.encode(compared()).decode()[:-100], "damaged, or not JSON: Input data was truncated"),
    ("PK\x03\x04", "damaged, or not JSON"),
    ("[]", 'not a result of race (no "format": "race-result"); give a file that --json wrote'),
    ("{}", 'not a result of race (no "format": "race-result")'),
    (changed(format="sarif"), "not a result of race"),
    (changed(format=1), "not a result of race"),
    (changed(version=2), "result version 2, this program reads version 1; read it with the program that wrote it"),
    (without("version"), "result version None"),
    (without("seed"), "damaged: Object missing required field `seed`"),
    (changed(seed="12"), "damaged: Expected `int`, got `str` - at `$.seed`"),
    (changed(seed=-1), "damaged: Expected `int` >= 0 - at `$.seed`"),
    (changed(verdict={"status": "good", "exit_status": 0, "reasons": []}), "at `$.verdict.status`"),
]


@pytest.mark.parametrize(("text", "message"), DAMAGED)
def test_what_is_no_result_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        results.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(b'{"format": "\xff\xfe"}')
    with pytest.raises(InputError, match="damaged, or not JSON"):
        results.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing\.json: cannot read it: No such file or directory"):
        results.load(tmp_path / "missing.json")


def test_the_published_schema_is_current() -> None:
    published = Path(__file__).parent.parent / schema.PUBLISHED
    assert published.read_text() == schema.text(), "regenerate it: make schema"


def test_the_schema_is_written_where_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "folder" / "schema.json"
    assert schema.main([str(path)]) == 0
    assert path.read_text() == schema.text()
    assert capsys.readouterr().out == f"{path}\n"


def test_the_schema_describes_what_is_written() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    described = json.loads(schema.text())
    validator = jsonschema.Draft202012Validator(described)
    document = json.loads(results.encode(compared()))
    assert list(validator.iter_errors(document)) == []
    damages: list[dict[str, object]] = [{"version": 2}, {"seed": "12"}, {"arms": [{}]}]
    for damage in damages:
        assert list(validator.iter_errors(document | damage)), damage
