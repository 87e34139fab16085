"""What the README shows of real runs is current."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_picture_is_current() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    drawn: str = runpy.run_path(str(ROOT / "tools" / "readme_picture.py"))["drawn"](readme)
    assert readme == drawn, "make reports"
    assert "NOT YET VISIBLE" in drawn
