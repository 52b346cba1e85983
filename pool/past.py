"""How a site's numbers were held in the past: what its calls are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pool.database import Database
from pool.instants import Instant
from pool.lifecycle import GRACE_BEATS

QUERIES = Path(__file__).parent / "sql" / "queries"
MOST_SAMPLED = 4_000


class PastHold(NamedTuple):
    """A number held by a visitor. `shown`: the browser displayed it; else `shown_at` is when the hold began.
    `gone_at` None: the visitor is there still. `country` as in `LeaseWish`.
    """

    shown_at: Instant
    gone_at: Instant | None
    shown: bool
    clicked: bool
    country: str


class PastHolds(NamedTuple):
    """A sample of holds, `each` of which stands for so many; and how many numbers were held for the first
    time in the period in which hour (its first millisecond).
    """

    holds: list[PastHold]
    each: float
    first_held: dict[Instant, int]


async def past_holds(
    database: Database, site: str, since_at: Instant, at: Instant, *, most: int = MOST_SAMPLED
) -> PastHolds:
    """The holds of a site's dynamic numbers that began between two instants; at the most about `most`.

    Reads all leases of the period: for work in the background. Raises StoreUnavailable.
    """
    queries = database.queries(QUERIES)
    period = {"site": site, "since_id": f"{max(0, since_at):011x}"}
    async with database.read() as reading:
        count = int(await reading.value(queries.count_holds, **period) or 0)
        parts = -(-count // most) or 1
        rows = await reading.fetch(
            queries.sampled_holds, **period, at=at, parts=parts, grace_beats=GRACE_BEATS
        )
        firsts = await reading.fetch(queries.numbers_by_first_hold, **period)
    holds = [
        PastHold(row["shown_at"], row["gone_at"], bool(row["shown"]), bool(row["clicked"]), row["country"])
        for row in rows
    ]
    each = count / len(holds) if holds else 1.0
    return PastHolds(holds, each, {row["hour_at"]: int(row["numbers"]) for row in firsts})
