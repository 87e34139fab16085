"""Inline SVG, built as a tree: what goes into it is escaped, and what comes out is well-formed.

Colours, fonts and dashes are classes of templates/style.css, so that a picture follows the page: light, dark, printed.
"""

from __future__ import annotations

import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Iterable

from markupsafe import Markup

CHARACTER = 7.4  # px that a character of the fixed-width font takes, at 12 px; no usual font is wider
SMALL = 6.8  # the same at 11 px
LINE = 16  # px from one line of text to the next


class Drawing:
    def __init__(self, name: str, title: str, description: str) -> None:
        """`name` is unique in the page. Title and description are what a screen reader says."""
        self._root = ET.Element("svg", {"role": "img", "aria-labelledby": f"{name}-title {name}-desc"})
        ET.SubElement(self._root, "title", id=f"{name}-title").text = title
        ET.SubElement(self._root, "desc", id=f"{name}-desc").text = description

    def text(self, x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> None:
        """`y` is that of the base line."""
        self._add("text", kind, x=x, y=y, anchor=anchor).text = text

    def lines(self, x: float, y: float, lines: Iterable[str], kind: str = "", step: float = LINE) -> None:
        for i, line in enumerate(lines):
            self.text(x, y + i * step, line, kind)

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
        self._add("line", kind, x1=x1, y1=y1, x2=x2, y2=y2)

    def path(self, points: Iterable[tuple[float, float]], kind: str) -> None:
        self._add("polyline", kind).set("points", " ".join(f"{_number(x)},{_number(y)}" for x, y in points))

    def polygon(self, points: Iterable[tuple[float, float]], kind: str) -> None:
        self._add("polygon", kind).set("points", " ".join(f"{_number(x)},{_number(y)}" for x, y in points))

    def rect(self, x: float, y: float, width: float, height: float, kind: str, tip: str = "") -> None:
        box = self._add("rect", kind, x=x, y=y, width=width, height=height)
        if tip:
            ET.SubElement(box, "title").text = tip

    def circle(self, x: float, y: float, r: float, kind: str) -> None:
        self._add("circle", kind, cx=x, cy=y, r=r)

    def arrow_head(self, x: float, y: float, direction: int, kind: str) -> None:
        """With its tip at x, y; it points right (1) or left (-1)."""
        self.polygon([(x, y), (x - 8 * direction, y - 4), (x - 8 * direction, y + 4)], kind)

    def markup(self, width: float, height: float) -> Markup:
        self._root.set("viewBox", f"0 0 {_number(width)} {_number(height)}")
        self._root.set("width", _number(width))
        self._root.set("height", _number(height))
        # Escaped by ElementTree.
        return Markup(ET.tostring(self._root, encoding="unicode"))

    def _add(self, tag: str, kind: str, anchor: str = "start", **numbers: float) -> ET.Element:
        attributes = {name: _number(value) for name, value in numbers.items()}
        if kind:
            attributes["class"] = kind
        if anchor != "start":
            attributes["text-anchor"] = anchor
        return ET.SubElement(self._root, tag, attributes)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def wrapped(text: str, width: float, character: float = CHARACTER, indent: str = "") -> list[str]:
    """Lines that fit into so many px."""
    columns = max(8, int(width / character))
    return textwrap.wrap(text, columns, subsequent_indent=indent, break_on_hyphens=False) or [""]
