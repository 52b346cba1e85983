"""Adds up the visits of days that are over, so that reports know them when the visits are purged.

It costs the leases nothing: a day is read on a reading connection and its sums are written in one short
transaction. Every process of the web role may do so; whoever is first counts a day, and the others see it.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from pool.database import Database, Reading, Transaction
from pool.instants import HOUR, Instant
from router.config import Config
from router.reports.dimensions import SOURCE_COLUMNS, VISIT_VALUES
from router.reports.periods import bounds, local_day_and_hour
from router.reports.query import MOST_ROWS
from router.reports.tally import QUERIES
from router.reports.visits import FILTERS, counts_of, hours_of, span_of
from router.supervision import repeat

EVERY_SECONDS: Final = 600.0
AFTER: Final = HOUR
"""A day is counted so long after its end: what began in it is stored by then, and shown."""


class VisitDays:
    """Counts days. `now` in milliseconds."""

    def __init__(
        self, database: Database, config: Callable[[], Config], *, now: Callable[[], Instant]
    ) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)
        self._config = config
        self._now = now

    async def run(self) -> None:
        """Counts for ever; a store that is gone is waited for."""
        await repeat(self.close_days, EVERY_SECONDS, "reports.visits_not_counted")

    async def close_days(self) -> int:
        """Counts every day that is over and was not counted; gives how many. Raises StoreUnavailable."""
        counted = 0
        for site in self._config().site:
            zone = ZoneInfo(site.time_zone)
            for day in await self._open_days(site.key, zone):
                counted += await self._count(site.key, day, zone)
        return counted

    async def recount(self, site: str, day: int, zone: ZoneInfo) -> None:
        """Counts a day anew, from the visits that are stored. Raises StoreUnavailable."""
        await self._count(site, day, zone, anew=True)

    async def _open_days(self, site: str, zone: ZoneInfo) -> Sequence[int]:
        last = await self._database.value(self._queries.last_visit_day, site=site)
        if last is None:
            begun = await self._database.value(self._queries.first_visit_at, site=site)
            if begun is None:
                return []
            last = local_day_and_hour(begun, zone)[0] - 1
        return range(last + 1, local_day_and_hour(self._now() - AFTER, zone)[0])

    async def _count(self, site: str, day: int, zone: ZoneInfo, *, anew: bool = False) -> bool:
        """False: another process was first."""
        span = span_of(site, *bounds(day, zone))
        async with self._database.read() as reading:
            by_source = [
                {name: row[name] for name in SOURCE_COLUMNS}
                | counts_of(row)._asdict()
                | {"day": day, "site": site}
                for row in await reading.fetch(self._queries.visits_between_by_source, **span)
            ]
            by_value = [row async for row in self._by_value(reading, span, day, zone)]

        async def write(transaction: Transaction) -> bool:
            if anew:
                for forget in ("reopen_visit_day", "forget_visits_by_source", "forget_visits_by_value"):
                    await transaction.run(getattr(self._queries, forget), site=site, day=day)
            closing = {"since_at": span["since_at"], "until_at": span["until_at"], "at": self._now()}
            if not await transaction.fetch(self._queries.close_visit_day, site=site, day=day, **closing):
                return False
            await transaction.many(self._queries.add_visits_by_source, by_source)
            await transaction.many(self._queries.add_visits_by_value, by_value)
            return True

        return await self._database.transact(write)

    async def _by_value(self, reading: Reading, span: dict[str, Any], day: int, zone: ZoneInfo) -> Any:
        for dimension in VISIT_VALUES:
            by = "quarter" if dimension == "hour" else dimension
            rows = await reading.fetch(
                self._queries.visits_between, by=by, most=MOST_ROWS, **span, **dict.fromkeys(FILTERS)
            )
            found = (
                hours_of(rows, zone) if dimension == "hour" else {row["key"]: counts_of(row) for row in rows}
            )
            for value, counts in found.items():
                key = {"dimension": dimension, "day": day, "site": span["site"], "value": value}
                yield key | counts._asdict()
