"""Text from elsewhere, made safe to show: a control character in it could drive the reader's terminal."""

from __future__ import annotations

import re

# C0, DEL and C1; line and paragraph separators; marks that reverse how the text around them is read; lone surrogates.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """Control characters as escapes: \\x1b, \\n, \\u202e."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
