"""Makes reports: asks the smallest table that knows the answer, and puts calls, visits and costs together."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from pool.database import Database
from pool.database import Row as StoredRow
from router.config import Config
from router.reports.credits import MODEL_BITS, SAMPLE_ONE_IN, WHOLE
from router.reports.dimensions import DIMENSIONS, IN_EVERY_TABLE, SOURCE_COLUMNS, Plan, Sums, plan_of
from router.reports.labels import key_of, label_of
from router.reports.measures import Measures, of_calls
from router.reports.periods import Period, number_of
from router.reports.query import MOST_ROWS, Filters, Query, Report, Row
from router.reports.tally import QUERIES
from router.reports.visits import FILTERS as VISIT_FILTERS
from router.reports.visits import LONGEST_UNIQUE, VisitCounts, VisitQuestion, VisitsOf

EXACT_CALLERS: Final = 100_000
"""In a period with more calls, callers are estimated from a sample."""
BREATH: Final = 200
"""So many rows are put together before others have a turn."""

Key = tuple[int, str]
"""(1: known, the value as it is stored)"""


class _Part(NamedTuple):
    """One period's figures."""

    measures: dict[Key, Measures]
    whole: Measures
    notes: tuple[str, ...]


class Reports:
    """Reads. Every method raises StoreUnavailable when the store is."""

    def __init__(self, database: Database, config: Callable[[], Config]) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)
        self._config = config

    def zone_of(self, site: str | None) -> ZoneInfo:
        """The time zone of "today": the site's; for all sites the one that they share, or UTC."""
        zones = {one.time_zone for one in self._config().site if site in (None, one.key)}
        return ZoneInfo(zones.pop() if len(zones) == 1 else "UTC")

    async def make(self, query: Query) -> Report:
        """The report that is asked for."""
        async with self._database.leisurely:
            plan = plan_of(query.dimension, query.filters.given().keys())
            now = await self._part(query, plan, query.period)
            compared = {"previous": query.period.before, "year": query.period.year_before}.get(query.compare)
            before = await self._part(query, plan, compared()) if compared else None
        keys = sorted(
            now.measures.keys() | (before.measures.keys() if before else ()), key=_order(query, now.measures)
        )
        rows: list[Row] = []
        for place, key in enumerate(keys[: query.rows]):
            if place % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            shown = key_of(query.dimension, *key)
            measures = now.measures.get(key, Measures())
            earlier = before.measures.get(key, Measures()) if before else None
            rows.append(Row(shown, label_of(query.dimension, shown), measures, earlier))
        return Report(
            query=query,
            rows=tuple(rows),
            total=Row("", "Total", now.whole, before.whole if before else None),
            made_of=plan.sums,
            compared=compared() if compared else None,
            left_off=max(0, len(keys) - len(rows)),
            notes=tuple(dict.fromkeys((*now.notes, *(before.notes if before else ())))),
        )

    async def _part(self, query: Query, plan: Plan, period: Period) -> _Part:
        calls, whole = await self._calls(query, plan, period)
        notes: list[str] = []
        fields: defaultdict[Key, dict[str, Any]] = defaultdict(dict)
        await _gather(fields, calls)
        estimated = plan.sums is not Sums.CREDITS and int(whole["calls"] or 0) > EXACT_CALLERS * WHOLE
        if plan.sums is Sums.CREDITS:
            callers = {(row["told"], row["key"]): int(row["callers"] or 0) / WHOLE for row in calls}
        else:
            callers = await self._callers(query, period, estimated=estimated)
        all_of: dict[str, Any] = {**of_calls(whole), "callers_estimated": estimated}
        all_of["callers"] = sum(callers.values())
        for key in fields:
            fields[key] |= {"callers": callers.get(key, 0.0), "callers_estimated": estimated}
        if estimated:
            notes.append(f"callers are estimated from those of one in {SAMPLE_ONE_IN}")
        await self._add_visits(query, period, fields, all_of, notes)
        await self._add_costs(query, period, fields, all_of, notes)
        measures: dict[Key, Measures] = {}
        for place, (key, values) in enumerate(fields.items()):
            if place % BREATH == BREATH - 1:
                await asyncio.sleep(0)
            measures[key] = Measures(**values)
        return _Part(measures, Measures(**all_of), tuple(notes))

    async def _calls(self, query: Query, plan: Plan, period: Period) -> tuple[Sequence[StoredRow], StoredRow]:
        """The sums by key, and of all."""
        asked = self._asked(query, period)
        filters = query.filters.given()
        if plan.sums is Sums.BY_VALUE:
            ask = self._queries.calls_by_value
            asked |= {"dimension": plan.dimension, "value": filters.get(plan.dimension)}
        elif plan.sums is Sums.BY_SOURCE:
            ask = self._queries.calls_by_source
            asked |= {name: filters.get(name) for name in SOURCE_COLUMNS}
        else:
            ask = self._queries.calls_by_credit
            asked |= {name: filters.get(name) for name in Filters.__dataclass_fields__}
        async with self._database.read() as reading:
            rows = await reading.fetch(ask, **asked, by=query.dimension, most=MOST_ROWS)
            whole = await reading.fetch(ask, **asked, by="", most=1)
        return rows, whole[0] if whole else _NOTHING

    async def _callers(self, query: Query, period: Period, *, estimated: bool) -> dict[Key, float]:
        ask = self._queries.callers_by_sample if estimated else self._queries.callers_by_credit
        filters = query.filters.given()
        asked = self._asked(query, period) | {
            name: filters.get(name) for name in Filters.__dataclass_fields__
        }
        rows = await self._database.fetch(ask, **asked, by=query.dimension)
        times = SAMPLE_ONE_IN if estimated else 1
        return {(row["told"], row["key"]): times * int(row["callers"]) / WHOLE for row in rows}

    def _asked(self, query: Query, period: Period) -> dict[str, Any]:
        return {
            "model": MODEL_BITS[query.model],
            "first": number_of(period.first),
            "last": number_of(period.last),
            "site": query.site,
        }

    async def _add_visits(
        self,
        query: Query,
        period: Period,
        fields: defaultdict[Key, dict[str, Any]],
        all_of: dict[str, Any],
        notes: list[str],
    ) -> None:
        filters = query.filters.given()
        if not filters.keys() <= set(VISIT_FILTERS):
            names = ", ".join(sorted(filters.keys() - set(VISIT_FILTERS)))
            notes.append(f"visits have no {names}: there are no figures of visits")
            return
        visits = VisitsOf(self._database, {one.key: ZoneInfo(one.time_zone) for one in self._config().site})
        asked = VisitQuestion("", period, query.site, filters, MOST_ROWS)
        whole = (await visits.counts(asked)).get("")
        if whole is None:
            return
        unique = await visits.unique(asked, whole.visits)
        if unique is None:
            many = f"more than {LONGEST_UNIQUE} visits"
            reason = many if whole.visits > LONGEST_UNIQUE else "visits of this period are no longer stored"
            notes.append(f"unique visitors cannot be told: {reason}")
        all_of |= _visit_fields(whole, None if unique is None else unique.get("", 0))
        if not DIMENSIONS[query.dimension].of_visits:
            return
        asked = asked._replace(by=query.dimension)
        by_key = None
        if unique is not None and query.dimension not in {"day", "weekday"}:
            by_key = await visits.unique(asked, whole.visits)
        for value, found in (await visits.counts(asked)).items():
            fields[1, value] |= _visit_fields(found, None if by_key is None else by_key.get(value, 0))

    async def _add_costs(
        self,
        query: Query,
        period: Period,
        fields: defaultdict[Key, dict[str, Any]],
        all_of: dict[str, Any],
        notes: list[str],
    ) -> None:
        filters = query.filters.given()
        if not filters.keys() <= set(SOURCE_COLUMNS):
            return
        asked = {
            "first": number_of(period.first),
            "last": number_of(period.last),
            "site": query.site,
            **{name: filters.get(name) for name in SOURCE_COLUMNS},
        }
        for row in await self._database.fetch(self._queries.costs_by, **asked, by=""):
            all_of.setdefault("costs", {})[row["currency"]] = int(row["amount"]) / WHOLE
        if len(all_of.get("costs", {})) > 1:
            notes.append("costs are in several currencies: no cost per call")
        if query.dimension in {*SOURCE_COLUMNS, *IN_EVERY_TABLE}:
            for row in await self._database.fetch(self._queries.costs_by, **asked, by=query.dimension):
                costs = fields[1, row["key"]].setdefault("costs", {})
                costs[row["currency"]] = int(row["amount"]) / WHOLE


_NOTHING: Final[Any] = defaultdict(int)


async def _gather(fields: defaultdict[Key, dict[str, Any]], calls: Sequence[StoredRow]) -> None:
    for place, row in enumerate(calls):
        if place % BREATH == BREATH - 1:
            await asyncio.sleep(0)
        fields[row["told"], row["key"]] |= of_calls(row)


def _visit_fields(found: VisitCounts, unique: int | None) -> dict[str, Any]:
    return {
        "visits": found.visits,
        "visitors": found.visitors,
        "unique_visitors": unique,
        "new_visitors": found.new_visitors,
        "visits_with_number": found.numbered,
        "visits_shown": found.shown,
    }


def _order(query: Query, measures: Mapping[Key, Measures]) -> Callable[[Key], Any]:
    """How rows are sorted: times and days by themselves, all else the largest first."""
    if query.order == "key" or query.dimension in {"day", "weekday", "hour"}:
        numeric = query.dimension in {"day", "weekday", "hour"}
        return lambda key: (-key[0], int(key[1]) if numeric else 0, key[1])
    nothing = Measures()

    def placed(key: Key) -> tuple[float, float, int, str]:
        found = measures.get(key, nothing)
        return -(getattr(found, query.order) or 0), -(found.visits or 0), -key[0], key[1]

    return placed
