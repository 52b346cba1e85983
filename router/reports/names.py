"""What reports are called: `channels`, `landing_pages`."""

from collections.abc import Mapping
from typing import Final

from router.reports.dimensions import DIMENSIONS

_PLURALS: Final = {"medium": "media", "page_called_from": "pages_called_from"}
NAMES: Final[Mapping[str, str]] = {_PLURALS.get(name, f"{name}s"): name for name in DIMENSIONS}
"""Plural → dimension."""
