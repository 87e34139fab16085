"""Replay tokens: what goes in comes out, and whatever is wrong with one is said."""

from __future__ import annotations

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from race.errors import InputError
from race.token import KINDS, PREFIX, Deviations, Token, decode, encode, looks_like

TOKEN = Token(
    scenario="freeobj-corruption",
    sha256="c296074c6ef37e80",
    page_size=4096,
    plan="on,zs_malloc.class.lock=none",
    model="armv8",
    seed=0,
    deviations={"preempt": [7, 1], "delay": [500, 1]},
)


@st.composite
def deviations(draw: st.DrawFn) -> Deviations:
    kinds = draw(st.lists(st.sampled_from(KINDS), unique=True))
    numbers = st.integers(0, 2**31)
    found = {}
    for kind in sorted(kinds, key=KINDS.index):
        ordinals = sorted(draw(st.sets(numbers, min_size=1, max_size=20)))
        found[kind] = [n for ordinal in ordinals for n in (ordinal, 1 + draw(st.integers(0, 3)))]
    return found


@given(deviations(), st.text(max_size=30), st.integers(0, 2**64 - 1))
def test_round_trip(given_deviations: Deviations, name: str, seed: int) -> None:
    token = Token(name, "00" * 8, 256, "off", "tso", seed, given_deviations)
    text = encode(token)
    assert decode(text) == token
    assert decode(f" {text}\n") == token  # as copied from a page
    assert text.startswith(PREFIX)
    assert not any(character.isspace() for character in text)


def test_a_token_is_the_same_everywhere() -> None:
    """These very bytes: another architecture, another build of Python, must give them too."""
    text = "race1:EmZyZWVvYmotY29ycnVwdGlvbsKWB0xu836AgCAcb24senNfbWFsbG9jLmNsYXNzLmxvY2s9bm9uZQAAAQEOAAMB6AcAHtXTPw"
    assert encode(TOKEN) == text
    assert len(encode(TOKEN)) < 110


def test_runs_of_equal_numbers_are_short() -> None:
    many = [n for ordinal in range(10_000) for n in (ordinal, 1)]
    assert len(encode(Token("s", "00" * 8, 256, "off", "armv8", 1, {"delay": many}))) < 60


def test_another_version_is_named() -> None:
    with pytest.raises(InputError, match=r"^replay token of version 2, this program reads version 1; "):
        decode("race2:" + encode(TOKEN).removeprefix(PREFIX))
    assert looks_like("race2:whatever")
    assert not looks_like("out.json")


@pytest.mark.parametrize("position", range(len(PREFIX), 100, 7))
def test_a_changed_character_is_seen(position: int) -> None:
    text = encode(TOKEN)
    other = "A" if text[position] != "A" else "B"
    with pytest.raises(InputError, match=r"^the replay token is damaged: "):
        decode(text[:position] + other + text[position + 1 :])


@pytest.mark.parametrize("missing", range(1, 60, 3))
def test_a_missing_end_is_seen(missing: int) -> None:
    with pytest.raises(InputError, match=r"^the replay token is damaged: .*copy it whole, it is one line$"):
        decode(encode(TOKEN)[:-missing])


@pytest.mark.parametrize("text", ["race1:", "race1:AA=A", "race1:AAAA BBBB", "race1:A"])
def test_what_is_no_base64_is_seen(text: str) -> None:
    with pytest.raises(InputError, match=r"^the replay token is damaged: "):
        decode(text)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x01s" + bytes(8) + b"\x01\x03off\x07\x00", "7 is none of armv8"),
        (b"\x01s" + bytes(8) + b"\x01\x03off\x00\x00\x63\x01", "99 is none of schedule"),
        (b"\x01s" + bytes(8) + b"\x01\x03off\x00\x00\x03\x02\x00", "too short"),
        (b"\x01s" + bytes(8) + b"\x01\x03off\x00\x00\x03\x01\x01\x05\x00", "a list is too long"),
        (b"\x01s" + bytes(8) + b"\x01\x03off\x00\x00\x03\xff\xff\xff\xff\x0f", "too many choices"),
        (b"\x01s" + bytes(8) + b"\x01\x03off\x00" + b"\xff" * 10 + b"\x01", "a number is too large"),
        (b"\x01\xff" + bytes(8) + b"\x01\x03off\x00\x00", "not UTF-8"),
        (b"\x01s" + bytes(8) + b"\x81\x00\x03off\x00\x00", "not written as this version writes"),
        (b"", "too short"),
    ],
)
def test_a_right_checksum_over_nonsense_is_no_pass(data: bytes, what: str) -> None:
    whole = data + zlib.crc32(data).to_bytes(4, "big")
    with pytest.raises(InputError, match=what):
        decode(PREFIX + base64.urlsafe_b64encode(whole).decode().rstrip("="))
