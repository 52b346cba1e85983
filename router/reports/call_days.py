"""Adds up the calls of days that are over, so that reports need not read each of them.

A call that is stored costs one row for each origin (`router.reports.tally`); to add it to ten sums at once
would cost several times that. Until its day is added up, reports count the day from the credits. A call that
comes later opens its day again.
"""

from collections.abc import Callable
from typing import Final
from zoneinfo import ZoneInfo

from pool.database import Database, Transaction
from pool.instants import HOUR, Instant
from router.config import Config
from router.reports.credits import UTC
from router.reports.periods import local_day_and_hour
from router.reports.tally import QUERIES
from router.supervision import repeat

EVERY_SECONDS: Final = 600.0
AFTER: Final = HOUR
"""A day is added up so long after its end, when its calls have ended: few open it again."""
STEPS: Final = (
    "forget_sources", "forget_values", "sum_sources", "sum_credited_values", "sum_call_values",
    "close_call_day",
)  # fmt: skip


class CallDays:
    """Every method raises StoreUnavailable when the store is. `now` in milliseconds."""

    def __init__(
        self, database: Database, config: Callable[[], Config], *, now: Callable[[], Instant]
    ) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)
        self._config = config
        self._now = now

    async def run(self) -> None:
        """Adds up for ever; a store that is gone is waited for."""
        await repeat(self.close_days, EVERY_SECONDS, "reports.calls_not_added_up")

    async def close_days(self) -> int:
        """Adds up every open day that is over at all sites, and in UTC; gives how many."""
        zones = {UTC, *(ZoneInfo(site.time_zone) for site in self._config().site)}
        today = min(local_day_and_hour(self._now() - AFTER, zone)[0] for zone in zones)
        closed = 0
        for row in await self._database.fetch(self._queries.open_call_days):
            if row["day"] < today:
                await self.sum_day(row["switch"], row["day"])
                closed += 1
        return closed

    async def sum_day(self, switch: str, day: int) -> None:
        """Makes the sums of one day anew, from its credits. Writers of the switch's calls wait meanwhile."""

        async def work(transaction: Transaction) -> None:
            await transaction.fetch(self._queries.lock_switch, switch=switch)
            for name in STEPS:
                await transaction.run(getattr(self._queries, name), switch=switch, day=day)

        await self._database.transact(work)
