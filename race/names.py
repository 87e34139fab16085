"""The nearest right name for a misspelt one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LIST_AT_MOST = 8  # names; a longer list is no help in one line


def nearest(name: str, known: Iterable[str]) -> str | None:
    by_folded = {k.lower(): k for k in known}
    found = difflib.get_close_matches(name.lower(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def advice(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """How to mend a wrong name, to append to a message: the nearest one, or all if they are few, or `otherwise`."""
    names = list(known)
    near = nearest(name, names)
    if near is not None:
        return f'; did you mean "{near}"?'
    if names and len(names) <= LIST_AT_MOST:
        return "; known: " + ", ".join(names)
    return f"; {otherwise}" if otherwise else ""
