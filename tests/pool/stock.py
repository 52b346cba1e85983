"""Numbers and wishes for tests: only numbers reserved for fiction."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pool.instants import SECOND, Instant
from pool.leases import LeaseWish, SlotWish, WishKind
from pool.service import Pool

START: Instant = 1_790_000_000_000
MINUTE = 60 * SECOND
FREEZE = 900
"""Seconds."""


def london(place: int) -> str:
    return f"+442079460{place:03}"


def leeds(place: int) -> str:
    return f"+441134960{place:03}"


async def add_numbers(
    pool: Pool, *rows: str, at: Instant = START, header: str = "number", **options: Any
) -> None:
    """Imports CSV rows."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "numbers.csv"
        file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
        await pool.import_csv(file, at, default_country="GB", **options)


def wish(visitor: str = "v1", *, site: str = "shop", visit: str | None = None, **options: Any) -> LeaseWish:
    """A wish for one dynamic number in the slot `main`, freeze 15 minutes, heartbeat 30 seconds."""
    slot = SlotWish(
        "main",
        pool=options.pop("pool", "default"),
        channel=options.pop("channel", None),
        kind=WishKind(options.pop("kind", "dynamic")),
    )
    defaults: dict[str, Any] = {"slots": [slot], "freeze_seconds": FREEZE, "beat_seconds": 30}
    return LeaseWish(site, visitor, visit or f"visit-of-{visitor}", **{**defaults, **options})
