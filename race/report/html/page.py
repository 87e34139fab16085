"""One self-contained page: no script, nothing fetched. What it shows may come from anyone, so all is escaped."""

from __future__ import annotations

from pathlib import Path

import jinja2
from markupsafe import Markup

from race.report import words
from race.report.replay import diff

Pairs = list[tuple[str, str]]
OF_THE_MACHINE = ("engine", "model", "seed", "shard", "run", "sample", "host")
TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **context: object) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["count"] = words.count
    environment.filters["plan"] = _plan
    environment.globals["words"] = words
    environment.globals["diff"] = diff
    return environment.get_template(template).render(context)


def split(asked: Pairs) -> tuple[Pairs, Pairs]:
    """What was asked, and on what machine."""
    machine = [pair for pair in asked if pair[0] in OF_THE_MACHINE]
    return [pair for pair in asked if pair not in machine], machine


def _plan(text: str) -> Markup:
    """A barrier plan, which may break between its overrides, but not in them."""
    *most, last = text.split(",")
    parts = [*(f"{part}," for part in most), last]
    return Markup("<wbr>").join(Markup("<span>{}</span>").format(part) for part in parts)
