"""Who held a number lately: what calls are attributed by."""

from __future__ import annotations

from collections.abc import Iterable

from pool import lifecycle
from pool.instants import SECOND, Instant
from pool.leases import Holding, LeaseRow, Rung

NOT_YET = "not_yet"
MOST_HOLDERS = 100


def holdings(
    rows: Iterable[LeaseRow], at: Instant, present_at: Instant, lookback_seconds: int
) -> list[Holding]:
    """The rows as intervals seen from `at`, newest first, without those that ended before the lookback."""
    earliest_at = at - lookback_seconds * SECOND
    found = [_holding(row, at, max(at, present_at)) for row in rows]
    found.sort(key=lambda holding: (holding.from_at, holding.lease_id), reverse=True)
    return [holding for holding in found if holding.until_at >= earliest_at]


def _holding(row: LeaseRow, at: Instant, present_at: Instant) -> Holding:
    hold = row.hold
    return Holding(
        lease_id=row.lease_id,
        visit_id=row.visit_id,
        visitor_id=row.visitor_id,
        site=row.site,
        number=row.number or "",
        extension=row.extension or None,
        rung=Rung(row.rung),
        channel=row.channel or None,
        from_at=row.from_at,
        until_at=lifecycle.hold_until_at(hold, present_at),
        last_seen_at=row.last_seen_at,
        left_at=row.left_at,
        shown_at=row.shown_at,
        tel_click_at=row.tel_click_at,
        state=NOT_YET if at < row.from_at else lifecycle.state_at(hold, at).value,
        country=row.country,
    )
