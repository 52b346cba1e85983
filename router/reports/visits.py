"""Visits of a period: days that are over from their sums, the others from the visits themselves."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from pool.database import Database, Reading
from pool.database import Row as StoredRow
from pool.instants import now
from router.reports.dimensions import IN_EVERY_TABLE, SOURCE_COLUMNS, VISIT_VALUES
from router.reports.periods import Period, bounds, local_day_and_hour, number_of
from router.reports.tally import QUERIES

FILTERS: Final = (*SOURCE_COLUMNS, "term", "landing_page", "region", "device")
QUARTER: Final = 900_000
LONGEST_UNIQUE: Final = 300_000
"""Unique visitors of a period with more visits are not counted: it would take seconds."""


class VisitCounts(NamedTuple):
    """Of one key. `numbered`: with a number of their own; `shown`: whose browser confirmed it."""

    visits: int = 0
    visitors: int = 0
    new_visitors: int = 0
    numbered: int = 0
    shown: int = 0

    def plus(self, other: "VisitCounts") -> "VisitCounts":
        return VisitCounts(*(a + b for a, b in zip(self, other, strict=True)))


class VisitQuestion(NamedTuple):
    """What is asked of visits. `by`: a dimension, "" for one row of all; `site` None: all sites."""

    by: str
    period: Period
    site: str | None
    filters: Mapping[str, str]
    most: int

    @property
    def first(self) -> int:
        return number_of(self.period.first)

    @property
    def last(self) -> int:
        return number_of(self.period.last)


class VisitsOf:
    """Reads visits. `zones`: the sites of the configuration and their time zones."""

    def __init__(self, database: Database, zones: Mapping[str, ZoneInfo]) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)
        self._zones = zones

    async def counts(self, asked: VisitQuestion) -> dict[str, VisitCounts]:
        """By the stored value of `by`. A person who comes on two days counts as a visitor on both."""
        found: defaultdict[str, VisitCounts] = defaultdict(VisitCounts)
        async with self._database.read() as reading:
            stored = await self._stored(reading, asked)
            closed: set[tuple[str, int]] = set()
            if stored is not None:
                rows = await reading.fetch(
                    self._queries.closed_days, site=asked.site, first=asked.first, last=asked.last
                )
                closed = {(row["site"], row["day"]) for row in rows}
                for row in stored:
                    found[row["key"]] = counts_of(row)
            for name, zone in self._zones.items():
                if asked.site in (None, name):
                    await self._add_open_days(reading, found, asked, (name, zone), closed)
        return dict(found)

    async def unique(self, asked: VisitQuestion, visits: int) -> dict[str, int] | None:
        """Visitors by the value that their first visit of the period has; None when it cannot be told: too
        many `visits` (those of the period, as counted), or some of them are no longer stored.
        """
        if visits > LONGEST_UNIQUE:
            return None
        found: defaultdict[str, int] = defaultdict(int)
        kept = 0
        async with self._database.read() as reading:
            for name, zone in self._zones.items():
                if asked.site not in (None, name):
                    continue
                span = (name, bounds(asked.first, zone)[0], bounds(asked.last, zone)[1])
                for row in await self._between(reading, asked, span):
                    kept += int(row["visits"])
                    found[_placed(asked.by, row["key"], name, asked.first, zone)] += int(row["visitors"])
        return dict(found) if kept == visits else None

    async def _stored(self, reading: Reading, asked: VisitQuestion) -> Sequence[StoredRow] | None:
        """From the sums of closed days; None when no table has all that is asked for."""
        parameters = {
            "by": asked.by,
            "first": asked.first,
            "last": asked.last,
            "site": asked.site,
            "most": asked.most,
        }
        wanted = ({asked.by} | asked.filters.keys()) - IN_EVERY_TABLE - {""}
        if wanted <= set(SOURCE_COLUMNS):
            columns = {name: asked.filters.get(name) for name in SOURCE_COLUMNS}
            return await reading.fetch(self._queries.visits_by_source, **parameters, **columns)
        value = next(iter(wanted)) if len(wanted) == 1 else ""
        if value in VISIT_VALUES:
            return await reading.fetch(
                self._queries.visits_by_value, **parameters, dimension=value, value=asked.filters.get(value)
            )
        return None

    async def _add_open_days(
        self,
        reading: Reading,
        found: defaultdict[str, VisitCounts],
        asked: VisitQuestion,
        site: tuple[str, ZoneInfo],
        closed: set[tuple[str, int]],
    ) -> None:
        """Adds a site's days that are not closed, day by day: a visitor counts once a day."""
        name, zone = site
        begun = await reading.value(self._queries.first_visit_at, site=name)
        if begun is None:
            return
        first = max(asked.first, local_day_and_hour(begun, zone)[0])
        for day in range(first, min(asked.last, local_day_and_hour(now(), zone)[0]) + 1):
            if (name, day) not in closed:
                for row in await self._between(reading, asked, (name, *bounds(day, zone))):
                    key = _placed(asked.by, row["key"], name, day, zone)
                    found[key] = found[key].plus(counts_of(row))

    async def _between(
        self, reading: Reading, asked: VisitQuestion, span: tuple[str, int, int]
    ) -> Sequence[StoredRow]:
        by = "quarter" if asked.by == "hour" else "" if asked.by in IN_EVERY_TABLE else asked.by
        filters = {name: asked.filters.get(name) for name in FILTERS}
        return await reading.fetch(
            self._queries.visits_between, by=by, most=asked.most, **span_of(*span), **filters
        )


def span_of(site: str, since_at: int, until_at: int) -> dict[str, Any]:
    """The parameters of a period of a site's visits and of their leases."""
    return {
        "site": site,
        "since_at": since_at,
        "until_at": until_at,
        "since_id": f"{since_at:011x}",
        "until_id": f"{until_at:011x}",
    }


def hours_of(rows: Iterable[StoredRow], zone: ZoneInfo) -> dict[str, VisitCounts]:
    """Rows by the quarter of an hour as rows by the local hour (0 to 23)."""
    found: defaultdict[str, VisitCounts] = defaultdict(VisitCounts)
    for row in rows:
        hour = local_hour(row["key"], zone)
        found[hour] = found[hour].plus(counts_of(row))
    return dict(found)


def local_hour(quarter: str, zone: ZoneInfo) -> str:
    """0 to 23, of a count of quarters of hours since the epoch. No zone is off by less than a quarter."""
    return str(datetime.fromtimestamp(int(quarter) * QUARTER / 1000, zone).hour)


def _placed(by: str, key: str, site: str, day: int, zone: ZoneInfo) -> str:
    if by == "hour":
        return local_hour(key, zone)
    if by == "site":
        return site
    if by == "day":
        return str(day)
    return str((day + 3) % 7) if by == "weekday" else key


def counts_of(row: StoredRow) -> VisitCounts:
    """The columns of a row."""
    return VisitCounts(*(int(row[name] or 0) for name in VisitCounts._fields))
