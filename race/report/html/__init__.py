"""The report as one HTML file, for a browser, a printer or a mail's attachment."""

from __future__ import annotations

from race.report.html.ablation import render_ablation
from race.report.html.result import render

__all__ = ["render", "render_ablation"]
