"""Barrier plans: what a plan's text makes of every site."""

from __future__ import annotations

import pytest

from race.errors import InputError
from race.native import Catalog, Guard, Site
from race.plan import (
    ALL_STRENGTHS,
    STRENGTHS,
    guards_of,
    is_weakened,
    resolve,
    resolve_held,
    resolve_held_guards,
)


def site(name: str, primitive: str, default: str, side: str) -> Site:
    return Site(name, primitive, "lock" if side == "lock" else "unlock", default, "something", "a.hpp", 1)


SITES = (
    site("f.class.lock", "spin_lock", "acquire", "lock"),
    site("f.class.unlock", "spin_unlock", "release", "unlock"),
    site("f.pin.lock", "bit_spin_lock", "full", "lock"),
    site("f.pin.unlock", "bit_spin_unlock", "dmb.ish", "unlock"),
    site("g.class.lock", "spin_lock", "acquire", "lock"),
)


@pytest.mark.parametrize(
    ("plan", "strengths"),
    [
        ("on", ["acquire", "release", "full", "dmb.ish", "acquire"]),
        ("off", ["none", "none", "none", "none", "none"]),
        ("bit-spin-only", ["none", "none", "none", "dmb.ish", "none"]),
        ("on,f.class.unlock=none", ["acquire", "none", "full", "dmb.ish", "acquire"]),
        ("on,f.*=none", ["none", "none", "none", "none", "acquire"]),
        ("off,*.lock=acquire", ["acquire", "none", "acquire", "none", "acquire"]),
        ("on, *.lock = none, g.class.lock = full", ["none", "release", "none", "dmb.ish", "full"]),  # the later wins
    ],
)
def test_presets_and_overrides(plan: str, strengths: list[str]) -> None:
    assert list(resolve(plan, SITES, {}).values()) == strengths


def test_what_the_scenario_holds_yields_to_the_user_only() -> None:
    held = resolve_held({"*.pin.*": "none"}, SITES)
    assert held == {"f.pin.lock": "none", "f.pin.unlock": "none"}
    assert list(resolve("on", SITES, held).values()) == ["acquire", "release", "none", "none", "acquire"]
    assert resolve("on,f.pin.lock=full", SITES, held)["f.pin.lock"] == "full"


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("", 'barrier plan "": it must begin with a preset: on, off, bit-spin-only'),
        ("f.class.lock=none", 'barrier plan "f.class.lock=none": it must begin with a preset: on, off, bit-spin-only'),
        ("of", 'barrier plan "of": unknown preset "of"; did you mean "off"?'),
        ("everything", 'barrier plan "everything": unknown preset "everything"; known: on, off, bit-spin-only'),
        ("on,", 'barrier plan "on,": "" is no override; write SITE=STRENGTH or GUARD=STATE'),
        (
            "on,f.class.lock",
            'barrier plan "on,f.class.lock": "f.class.lock" is no override; write SITE=STRENGTH or GUARD=STATE',
        ),
        ("on,=none", 'barrier plan "on,=none": "=none" is no override; write SITE=STRENGTH or GUARD=STATE'),
        (
            "on,f.clas.lock=none",
            'barrier plan "on,f.clas.lock=none": no ordering site or guard matches "f.clas.lock"; '
            'did you mean "f.class.lock"?',
        ),
        (
            "on,f.pins.*=none",
            'barrier plan "on,f.pins.*=none": no ordering site or guard matches "f.pins.*"; did you mean "f.pin.lock"?',
        ),
        (
            "on,zzz=none",
            'barrier plan "on,zzz=none": no ordering site or guard matches "zzz"; '
            "`race sites` and `race guards` list them",
        ),
        (
            "on,f.*=nonne",
            'barrier plan "on,f.*=nonne": unknown strength "nonne" of f.*; did you mean "none"?',
        ),
        (
            "on,f.class.lock=release",
            'barrier plan "on,f.class.lock=release": f.class.lock is on the lock side and cannot be release; '
            "a site of that side can be full, acquire, dmb.ishld, none",
        ),
        (
            "off,f.*=acquire",
            'barrier plan "off,f.*=acquire": f.class.unlock is on the unlock side and cannot be acquire; '
            "a site of that side can be full, release, dmb.ish, dmb.ishst, none",
        ),
    ],
)
def test_mistakes(plan: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve(plan, SITES, {})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("plan", "held", "weakened"),
    [
        ("on", {}, False),
        ("on,f.class.lock=full,f.class.unlock=full", {}, False),
        ("on,f.class.lock=dmb.ishld", {}, True),
        ("off", {}, True),
        ("on", {"g.class.lock": "none"}, True),
        ("on,g.class.lock=acquire", {"g.class.lock": "none"}, False),
    ],
)
def test_whether_a_plan_is_weaker_than_the_kernel(plan: str, held: dict[str, str], weakened: bool) -> None:
    assert is_weakened(resolve(plan, SITES, held), SITES) == weakened


def test_every_site_of_the_engine_has_a_legal_strength_in_every_preset(known: Catalog) -> None:
    for preset in ("on", "off", "bit-spin-only"):
        strengths = resolve(preset, known.sites, {})
        assert list(strengths) == [s.name for s in known.sites]
        assert all(strengths[s.name] in STRENGTHS[s.side] for s in known.sites)


def test_bit_spin_only_orders_something(known: Catalog) -> None:
    assert "dmb.ish" in resolve("bit-spin-only", known.sites, {}).values()


GUARDS = (
    Guard("f.keep-pin", "on", "off", "a pin", "long ago", ("a.hpp:2",)),
    Guard("g.rule", "4.8", "v7", "an offset", "not so long ago", ("a.hpp:3", "a.hpp:4")),
)


@pytest.mark.parametrize(
    ("plan", "changed"),
    [
        ("on", {}),
        ("off", {}),  # a preset is of sites
        ("on,f.keep-pin=off", {"f.keep-pin": "off"}),
        ("on,f.keep-pin=on", {}),
        ("on,g.*=v7", {"g.rule": "v7"}),
        ("on,f.*=none", {}),  # a strength means sites where there are any
        ("on,*=off,g.rule=4.8", None),
    ],
)
def test_guards_in_a_plan(plan: str, changed: dict[str, str] | None) -> None:
    if changed is None:
        with pytest.raises(InputError, match=r"guard g\.rule cannot be \"off\"; it can be 4\.8 or v7"):
            resolve(plan, SITES, {}, GUARDS)
        return
    strengths = resolve(plan, SITES, {}, GUARDS)
    assert guards_of(strengths) == changed
    assert is_weakened(strengths, SITES) == (bool(changed) or plan not in ("on", "on,f.keep-pin=on"))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ("on,f.keep-pn=off", 'no ordering site or guard matches "f.keep-pn"; did you mean "f.keep-pin"?'),
        ("on,f.keep-pin=none", 'guard f.keep-pin cannot be "none"; it can be on or off'),
        ("on,f.class.lock=off", 'unknown strength "off" of f.class.lock'),
    ],
)
def test_mistakes_with_guards(plan: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve(plan, SITES, {}, GUARDS)
    assert message in str(caught.value)


def test_guards_that_the_scenario_holds_yield_to_the_user_only() -> None:
    held = resolve_held_guards({"g.*": "v7"}, GUARDS)
    assert held == {"g.rule": "v7"}
    assert guards_of(resolve("on", SITES, held, GUARDS)) == held
    assert guards_of(resolve("on,g.rule=4.8", SITES, held, GUARDS)) == {}
    with pytest.raises(InputError, match=r'no guard matches "g\.rul"; did you mean "g\.rule"'):
        resolve_held_guards({"g.rul": "v7"}, GUARDS)


def test_every_guard_of_the_engine_stands_in_the_code(known: Catalog) -> None:
    names = [guard.name for guard in known.guards]
    assert len(set(names)) == len(names)
    assert not set(names) & {s.name for s in known.sites}
    for guard in known.guards:
        assert guard.places, f"{guard.name} is asked for nowhere"
        assert guard.normal != guard.other
        assert not {guard.normal, guard.other} & set(ALL_STRENGTHS)
