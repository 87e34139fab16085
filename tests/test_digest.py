"""The digest of what the weak machine does: another seed, or one other choice, is another number."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest

from tests import digest

NATIVE = [str(Path(__file__).parents[1] / "build" / "native" / "native" / "race-native")]
PLAN = digest.request("freeobj-corruption", "armv8", 256)


def of(plan: bytes, seeds: int = 2) -> dict[str, str]:
    return {arm.plan: arm.digest for arm in digest.digest(NATIVE, plan, seeds)}


def changed(**changes: object) -> bytes:
    plan = msgspec.json.decode(PLAN)
    for arm in plan["arms"]:
        arm["native"].update(changes)
    return msgspec.json.encode(plan)


def test_it_comes_again() -> None:
    assert of(PLAN) == of(PLAN)
    assert len(set(of(PLAN).values())) == len(of(PLAN))


def test_another_choice_is_another_digest() -> None:
    whole = of(PLAN)
    for other in (of(PLAN, seeds=3), of(changed(model="tso")), of(changed(frames=25))):
        assert not set(other.values()) & set(whole.values())


def test_what_differs_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest, "shipped", lambda: ["freeobj-corruption", "b1-class-index-aliases"])
    before, after = tmp_path / "before.txt", tmp_path / "after.txt"
    assert digest.main(["--seeds", "1", "--output", str(before), *NATIVE]) == 0
    assert digest.main(["--seeds", "1", "--output", str(after), "--same-as", str(before), *NATIVE]) == 0
    text = before.read_text(encoding="utf-8")
    first, second, *rest = text.splitlines()
    before.write_text("\n".join(["0" + first[1:] if first[0] != "0" else "1" + first[1:], *rest]), encoding="utf-8")
    capsys.readouterr()
    assert digest.main(["--seeds", "1", "--output", str(after), "--same-as", str(before), *NATIVE]) == 1
    err = capsys.readouterr().err
    assert first.split(" ", 1)[1] in err
    assert f"{second.split(' ', 1)[1]}: {second.split(' ', 1)[0]}, not None" in err
    assert f"FAILED: 2 of {len(text.splitlines())} differ" in err


@pytest.mark.parametrize(
    ("seeds", "change", "message"),
    [
        ("0", {}, '"0" is no number of seeds'),
        ("1", {"engine": "hardware"}, "a digest is of the weak engine"),
        ("1", {"executions": None, "seconds": 1}, "a digest is of so many executions"),
    ],
)
def test_mistakes(seeds: str, change: dict[str, object], message: str) -> None:
    plan = msgspec.json.encode(msgspec.json.decode(PLAN) | change)
    done = subprocess.run([*NATIVE, "--digest", seeds], input=plan, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert message in done.stderr.decode()
