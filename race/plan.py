"""Barrier plans: a preset, followed by overrides by name or glob, of sites and of guards.

`on,zs_page_migrate.*.unlock=none`, `on,migrate_zspage.keep-pin=off`. What stands behind the `=` tells which are meant:
a strength is a site's, anything else a guard's.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from race.errors import InputError
from race.names import advice
from race.native import Guard, Side, Site

# What a site of that side can guarantee, strongest first.
STRENGTHS: dict[Side, tuple[str, ...]] = {
    "lock": ("full", "acquire", "dmb.ishld", "none"),
    "unlock": ("full", "release", "dmb.ish", "dmb.ishst", "none"),
}
# By what they order, weakest first. A fence orders more than the one access of an acquire or a release.
ASCENDING: dict[Side, tuple[str, ...]] = {
    "lock": ("none", "acquire", "dmb.ishld", "full"),
    "unlock": ("none", "dmb.ishst", "release", "dmb.ish", "full"),
}
ALL_STRENGTHS = tuple(dict.fromkeys(STRENGTHS["lock"] + STRENGTHS["unlock"]))

PRESETS: dict[str, Callable[[Site], str]] = {
    "on": lambda site: site.default,
    "off": lambda _: "none",
    "bit-spin-only": lambda site: "dmb.ish" if site.primitive == "bit_spin_unlock" else "none",
}
PRESET_MEANINGS = {
    "on": "every site as arm64 has it in Linux 4.8",
    "off": "no site orders anything",
    "bit-spin-only": "only bit_spin_unlock orders anything, by a full barrier (dmb ish)",
}

# Of every site, by name; and the states of those guards that are not as Linux 4.8 has them.
Strengths = dict[str, str]


def parse(text: str) -> tuple[str, list[tuple[str, str]]]:
    """The preset and the overrides of a plan as the user wrote it."""
    first, *rest = (part.strip() for part in text.split(","))
    if "=" in first or not first:
        raise InputError(f'barrier plan "{text}": it must begin with a preset: {", ".join(PRESETS)}')
    if first not in PRESETS:
        raise InputError(f'barrier plan "{text}": unknown preset "{first}"{advice(first, PRESETS)}')
    overrides = []
    for part in rest:
        pattern, equals, strength = (piece.strip() for piece in part.partition("="))
        if not (pattern and equals and strength):
            raise InputError(f'barrier plan "{text}": "{part}" is no override; write SITE=STRENGTH or GUARD=STATE')
        overrides.append((pattern, strength))
    return first, overrides


def matching(pattern: str, strength: str, sites: Iterable[Site]) -> list[Site]:
    """The sites that a pattern names, each of which can have that strength."""
    sites = list(sites)
    found = [site for site in sites if fnmatchcase(site.name, pattern)]
    if not found:
        mend = _nearest(pattern, [site.name for site in sites]) or "; `race sites` lists them"
        raise InputError(f'no ordering site matches "{pattern}"{mend}')
    if strength not in ALL_STRENGTHS:
        raise InputError(f'unknown strength "{strength}" of {pattern}{advice(strength, ALL_STRENGTHS)}')
    for site in found:
        if strength not in STRENGTHS[site.side]:
            raise InputError(
                f"{site.name} is on the {site.side} side and cannot be {strength}; "
                f"a site of that side can be {', '.join(STRENGTHS[site.side])}"
            )
    return found


def _nearest(pattern: str, names: Sequence[str]) -> str:
    # A glob is shorter than the names it means, so it gets no credit for length: the best match is taken however poor.
    near = difflib.get_close_matches(pattern, names, n=1, cutoff=0.4)
    return f'; did you mean "{near[0]}"?' if near else ""


def matching_guards(pattern: str, state: str, guards: Iterable[Guard]) -> list[Guard]:
    """The guards that a pattern names, each of which can be in that state."""
    guards = list(guards)
    found = [guard for guard in guards if fnmatchcase(guard.name, pattern)]
    if not found:
        mend = _nearest(pattern, [guard.name for guard in guards]) or "; `race guards` lists them"
        raise InputError(f'no guard matches "{pattern}"{mend}')
    for guard in found:
        if state not in (guard.normal, guard.other):
            raise InputError(f'guard {guard.name} cannot be "{state}"; it can be {guard.normal} or {guard.other}')
    return found


def _is_of_guards(pattern: str, value: str, sites: Sequence[Site], guards: Sequence[Guard]) -> bool:
    names_site = any(fnmatchcase(site.name, pattern) for site in sites)
    names_guard = any(fnmatchcase(guard.name, pattern) for guard in guards)
    if not names_site and not names_guard:
        near = _nearest(pattern, [*(site.name for site in sites), *(guard.name for guard in guards)])
        mend = near or "; `race sites` and `race guards` list them"
        raise InputError(f'no ordering site or guard matches "{pattern}"{mend}')
    return names_guard and (value not in ALL_STRENGTHS or not names_site)


def _change(strengths: Strengths, found: Iterable[Guard], state: str) -> None:
    for guard in found:
        strengths.pop(guard.name, None)
        if state != guard.normal:
            strengths[guard.name] = state


def guards_of(strengths: Mapping[str, str]) -> Strengths:
    """The part that is guards': no state of one is called as a strength is."""
    return {name: value for name, value in strengths.items() if value not in ALL_STRENGTHS}


def resolve(text: str, sites: Sequence[Site], held: Mapping[str, str], guards: Sequence[Guard] = ()) -> Strengths:
    """Every site's strength, and the changed guards: the preset, what the scenario holds, the user's overrides."""
    preset, overrides = parse(text)
    strengths = {site.name: PRESETS[preset](site) for site in sites}
    strengths.update(held)
    for pattern, strength in overrides:
        try:
            if _is_of_guards(pattern, strength, sites, guards):
                _change(strengths, matching_guards(pattern, strength, guards), strength)
            else:
                strengths.update((site.name, strength) for site in matching(pattern, strength, sites))
        except InputError as error:
            raise InputError(f'barrier plan "{text}": {error}') from None
    return strengths


def resolve_held(wanted: Mapping[str, str], sites: Sequence[Site]) -> Strengths:
    """The sites that a scenario holds at fixed strengths, from its table of names and globs."""
    held: Strengths = {}
    for pattern, strength in wanted.items():
        held.update((site.name, strength) for site in matching(pattern, strength, sites))
    return held


def resolve_held_guards(wanted: Mapping[str, str], guards: Sequence[Guard]) -> Strengths:
    """The same of its table of guards."""
    held: Strengths = {}
    for pattern, state in wanted.items():
        _change(held, matching_guards(pattern, state, guards), state)
    return held


def is_weakened(strengths: Mapping[str, str], sites: Iterable[Site]) -> bool:
    """Whether some site is weaker than Linux 4.8 has it, or some guard otherwise, be it that a scenario holds it so."""
    return bool(guards_of(strengths)) or any(
        _rank(site, strengths[site.name]) > _rank(site, site.default) for site in sites
    )


def _rank(site: Site, strength: str) -> int:
    return STRENGTHS[site.side].index(strength)
