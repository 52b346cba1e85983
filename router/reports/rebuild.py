"""Makes the sums of reports anew, and checks them. Both work while calls come in.

First every call gets its credits: those that have none (stored by an older version) from their record and
the visits that are still there; those that have some keep them, on another day where the site's time zone has
changed. Then the days of each switch are summed one by one, each in a transaction that holds the row which
the writers of its calls lock first: they wait for one day, and nothing is counted twice or not at all.
What is stopped half-way leaves whole days, old or new; running it again goes through all of them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from pydantic_core import to_json

from pool.database import Database, Row, Transaction
from pool.instants import now
from router.cdr.record import FOR_REPORTS
from router.config import Config
from router.reports.call_days import CallDays
from router.reports.credits import NO_CALL_BEFORE, SUMS, UTC, Credit, Key, keys_of, sums_of
from router.reports.periods import day_of, local_day_and_hour
from router.reports.tally import QUERIES, Tally

PAGE: Final = 500
Progress = Callable[[str, str, int], None]
"""(stage, switch, how many are done)"""


class Difference(NamedTuple):
    """A day of a switch whose sums are not what its calls add up to; `what` says which."""

    switch: str
    day: str
    what: str


class Rebuild:
    """Every method raises StoreUnavailable when the store is."""

    def __init__(self, database: Database, config: Config, progress: Progress = lambda *_: None) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)
        self._tally = Tally(database)
        self._days = CallDays(database, lambda: config, now=now)
        self._zones = {site.key: ZoneInfo(site.time_zone) for site in config.site}
        self._progress = progress

    async def run(self) -> int:
        """Makes everything anew; gives the number of calls that had no credits."""
        credited = 0
        for switch in await self._switches():
            credited += await self._credit(switch)
            days = await self._database.fetch(self._queries.days_of_switch, switch=switch)
            for done, row in enumerate(days, 1):
                await self._days.sum_day(switch, row["day"])
                self._progress("days summed", switch, done)
        return credited

    async def check(self) -> list[Difference]:
        """The days whose sums are wrong, each compared in one transaction; none is as it should be."""
        found: list[Difference] = []
        for switch in await self._switches():
            missing = await self._database.value(self._queries.calls_without_credit, switch=switch)
            if missing:
                found.append(Difference(switch, "", f"{missing} calls have no credits"))
            for done, row in enumerate(
                await self._database.fetch(self._queries.days_of_switch, switch=switch), 1
            ):
                found += await self._differences(switch, row["day"])
                self._progress("days checked", switch, done)
        return found

    async def _switches(self) -> list[str]:
        return [row["switch"] for row in await self._database.fetch(self._queries.switches)]

    async def _credit(self, switch: str) -> int:
        place, credited, done = (0, ""), 0, 0
        while True:
            rows = await self._database.fetch(
                self._queries.calls_to_credit, switch=switch, written_at=place[0], call_id=place[1], most=PAGE
            )
            if not rows:
                return credited
            calls = [_call(row, self._zones.get(row["site"] or "")) for row in rows]

            async def work(transaction: Transaction, calls: Sequence[Mapping[str, Any]] = calls) -> int:
                return await self._credit_page(transaction, switch, calls)

            credited += await self._database.transact(work)
            done += len(rows)
            place = rows[-1]["written_at"], rows[-1]["call_id"]
            self._progress("calls credited", switch, done)

    async def _credit_page(
        self, transaction: Transaction, switch: str, calls: Sequence[Mapping[str, Any]]
    ) -> int:
        await transaction.fetch(self._queries.lock_switch, switch=switch)
        ids = to_json([call["call_id"] for call in calls]).decode()
        stored: dict[str, list[Row]] = {}
        for row in await transaction.fetch(self._queries.credits_of_calls, call_ids=ids):
            stored.setdefault(row["call_id"], []).append(row)
        moved = [
            change
            for call in calls
            for row in stored.get(call["call_id"], ())
            if (change := _moved(call, row))
        ]
        await transaction.many(self._queries.move_credit, moved)
        new = [call for call in calls if call["call_id"] not in stored]
        if new:
            await self._tally.add(transaction, switch, new)
        return len(new)

    async def _differences(self, switch: str, day: int) -> list[Difference]:
        """Added up here once more, by other means than the SQL of `CallDays`. An open day has no sums."""

        async def work(transaction: Transaction) -> tuple[list[Row], list[Row], list[Row]]:
            await transaction.fetch(self._queries.lock_switch, switch=switch)
            asked = {"switch": switch, "day": day}
            if await transaction.value(self._queries.is_open, **asked):
                return [], [], []
            return (
                await transaction.fetch(self._queries.credit_rows, **asked),
                await transaction.fetch(self._queries.source_sums, **asked),
                await transaction.fetch(self._queries.value_sums, **asked),
            )

        credits, by_source, by_value = await self._database.transact(work)
        wanted: dict[Key, list[int]] = {}
        for row in credits:
            credit = Credit(*row)
            for key in keys_of(credit):
                sums = wanted.setdefault(key, [0] * len(SUMS))
                sums[:] = [a + b for a, b in zip(sums, sums_of(credit), strict=True)]
        kept = {
            Key("", day, row["site"], row["models"], row["known"], tuple(row)[3:7]): list(row)[7:]
            for row in by_source
        } | {
            Key(row["dimension"], day, row["site"], row["models"], row["known"], (row["value"],)): list(row)[
                5:
            ]
            for row in by_value
        }
        wrong = [key for key in wanted.keys() | kept.keys() if wanted.get(key) != kept.get(key)]
        shown = ", ".join(
            f"{key.dimension or 'source'} {' / '.join(key.values)!r}" for key in sorted(wrong)[:3]
        )
        date = day_of(day).isoformat()
        return [Difference(switch, date, f"{len(wrong)} sums differ: {shown}")] if wrong else []


def _call(row: Row, zone: ZoneInfo | None) -> dict[str, Any]:
    """A stored call as `credits_of` takes it."""
    names = (
        "call_id", "site", "number", "caller", "started_at", "result", "match", "confidence", "visit_id",
        "visitor_id", "channel", "source", "medium", "campaign", "ring_seconds", "talk_seconds", "qualified",
        "first_call", "answered_by", "before_at",
    )  # fmt: skip
    attribution = json.loads(row["record"]).get("attribution") or {}
    told = {name: attribution.get(name) for name in FOR_REPORTS}
    return {name: row[name] for name in names} | told | {"zone": zone}


def _moved(call: Mapping[str, Any], stored: Row) -> dict[str, Any] | None:
    """What is to be changed in a credit that is there: its day, if the site's time zone is another now."""
    zone = call["zone"] or UTC
    day, hour = local_day_and_hour(call["started_at"], zone)
    before = stored["before_day"]  # of an erased caller nothing else tells it any more
    if call["caller"] is not None and call["site"]:
        at = call["before_at"]
        before = NO_CALL_BEFORE if at is None else local_day_and_hour(at, zone)[0]
    if (day, hour, before) == (stored["day"], stored["hour"], stored["before_day"]):
        return None
    return {
        "day": stored["day"], "call_id": stored["call_id"], "part": stored["part"],
        "new_day": day, "hour": hour, "before_day": before,
    }  # fmt: skip
