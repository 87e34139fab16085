"""The two ways in which the program gives up. Each message is one line: what is wrong, where, and how to mend it."""

from __future__ import annotations


class RaceError(Exception):
    """Shown to the user as `race: error: MESSAGE`; the process ends with `status`."""

    status = 4


class InputError(RaceError):
    """The user's input is wrong."""

    status = 2


class RunError(RaceError):
    """The run could not be completed."""

    status = 4
