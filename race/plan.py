"""Barrier plans: a preset, followed by overrides of sites by name or glob: `on,zs_page_migrate.*.unlock=none`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from race.errors import InputError
from race.names import advice
from race.native import Side, Site

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

Strengths = dict[str, str]  # of every site, by name


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
            raise InputError(f'barrier plan "{text}": "{part}" is no override; write SITE=STRENGTH')
        overrides.append((pattern, strength))
    return first, overrides


def matching(pattern: str, strength: str, sites: Iterable[Site]) -> list[Site]:
    """The sites that a pattern names, each of which can have that strength."""
    sites = list(sites)
    found = [site for site in sites if fnmatchcase(site.name, pattern)]
    if not found:
        raise InputError(f'no ordering site matches "{pattern}"{_nearest_site(pattern, sites)}')
    if strength not in ALL_STRENGTHS:
        raise InputError(f'unknown strength "{strength}" of {pattern}{advice(strength, ALL_STRENGTHS)}')
    for site in found:
        if strength not in STRENGTHS[site.side]:
            raise InputError(
                f"{site.name} is on the {site.side} side and cannot be {strength}; "
                f"a site of that side can be {', '.join(STRENGTHS[site.side])}"
            )
    return found


def _nearest_site(pattern: str, sites: Sequence[Site]) -> str:
    # A glob is shorter than the names it means, so it gets no credit for length: the best match is taken however poor.
    names = [site.name for site in sites]
    near = difflib.get_close_matches(pattern, names, n=1, cutoff=0.4)
    return f'; did you mean "{near[0]}"?' if near else "; `race sites` lists them"


def resolve(text: str, sites: Sequence[Site], held: Mapping[str, str]) -> Strengths:
    """Every site's strength: the preset, then what the scenario holds, then the user's overrides."""
    preset, overrides = parse(text)
    strengths = {site.name: PRESETS[preset](site) for site in sites}
    strengths.update(held)
    for pattern, strength in overrides:
        try:
            found = matching(pattern, strength, sites)
        except InputError as error:
            raise InputError(f'barrier plan "{text}": {error}') from None
        strengths.update((site.name, strength) for site in found)
    return strengths


def resolve_held(wanted: Mapping[str, str], sites: Sequence[Site]) -> Strengths:
    """The sites that a scenario holds at fixed strengths, from its table of names and globs."""
    held: Strengths = {}
    for pattern, strength in wanted.items():
        held.update((site.name, strength) for site in matching(pattern, strength, sites))
    return held


def is_weakened(strengths: Mapping[str, str], sites: Iterable[Site]) -> bool:
    """Whether some site is weaker than the kernel has it, be it that a scenario holds it so."""
    return any(_rank(site, strengths[site.name]) > _rank(site, site.default) for site in sites)


def _rank(site: Site, strength: str) -> int:
    return STRENGTHS[site.side].index(strength)
