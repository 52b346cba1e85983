"""Erases one person: visits, visitor, ties and the personal part of stored calls; counts stay as they are.

What reports count by (call_credit) and what a site's model learns from (call_seen) names nobody: both stay.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pydantic_core import to_json

from pool.database import Database, Row, Transaction
from pool.instants import Instant
from pool.service import Pool
from router.cdr.blanking import without_person, without_visitors
from router.store.deliveries import ERASED, MAY_HAVE_ARRIVED

QUERIES: Final = Path(__file__).parent / "sql" / "forgetting"
CHUNK: Final = 50
"""Calls blanked in one transaction: leases and calls go on in between."""


class Person(NamedTuple):
    """Who is to be erased: visitors as (site, visitor id), and the calls that are theirs."""

    visitors: Sequence[tuple[str, str]]
    calls: Sequence[str]


class Erased(NamedTuple):
    """What was erased. `mentions`: calls of others that listed the person as a candidate."""

    visitors: int
    visits: int
    page_views: int
    leases: int
    calls: int
    mentions: int


class ErasedCall(NamedTuple):
    """A call whose files are still to be blanked. `recording`: it is to be deleted too."""

    call_id: str
    record: str
    recording: bool


class ErasingStore:
    """Every method raises StoreUnavailable when the store is."""

    def __init__(self, database: Database, pool: Pool | None = None) -> None:
        """`pool` is needed for `erase` alone."""
        self._database = database
        self._queries = database.queries(QUERIES)
        self._pool = pool

    async def of_visitor(self, visitor_id: str, sites: Iterable[str]) -> Person:
        """The visitor at these sites and the calls credited to them."""
        visitors = [(site, visitor_id) for site in sites]
        return Person(visitors, await self._calls_of(visitors))

    async def of_caller(self, caller: str, site: str | None) -> Person:
        """A caller's calls, the visitors that they were taken for, and those visitors' other calls. At one
        site, or (None) at all.
        """
        rows = await self._database.fetch(self._queries.calls_by_caller, caller=caller, site=site)
        visitors = sorted(
            {(row["site"], row["visitor_id"]) for row in rows if row["site"] and row["visitor_id"]}
        )
        calls = {row["call_id"] for row in rows} | set(await self._calls_of(visitors))
        return Person(visitors, sorted(calls))

    async def erase(self, person: Person, at: Instant, *, recordings: bool) -> Erased:
        """Erases the person, durably, CHUNK calls a transaction; `recordings` asks for those to be deleted.

        A call that ends while this runs is not found: ask again later. Raises ValueError without a pool.
        """
        ids = {visitor_id for _, visitor_id in person.visitors}
        mentions = await self._mentions(person)
        for start in range(0, len(person.calls), CHUNK):
            some = person.calls[start : start + CHUNK]
            await self._blank(some, ids, at, whole=True, recordings=recordings)
        for start in range(0, len(mentions), CHUNK):
            await self._blank(mentions[start : start + CHUNK], ids, at, whole=False, recordings=False)
        counts = [await self._erase_visitor(site, visitor_id, at) for site, visitor_id in person.visitors]
        visits, page_views, leases = (
            (sum(counted) for counted in zip(*counts, strict=True)) if counts else (0, 0, 0)
        )
        return Erased(len(person.visitors), visits, page_views, leases, len(person.calls), len(mentions))

    async def due(self, switch: str, before: Instant) -> list[ErasedCall]:
        """A switch's calls that were erased before an instant and whose files are not blanked yet."""
        rows = await self._database.fetch(self._queries.erased_calls_due, switch=switch, before=before)
        return [ErasedCall(row["call_id"], row["record"], bool(row["recording"])) for row in rows]

    async def done(self, calls: Iterable[str], at: Instant) -> None:
        """Their files are blanked."""
        listed = _json(sorted(calls))

        async def work(transaction: Transaction) -> None:
            await transaction.run(self._queries.finish_erased_calls, calls=listed, at=at)

        await self._database.transact(work)

    async def _calls_of(self, visitors: Iterable[tuple[str, str]]) -> list[str]:
        found: set[str] = set()
        for site, visitor_id in visitors:
            rows = await self._database.fetch(
                self._queries.calls_of_visitor, site=site, visitor_id=visitor_id
            )
            found |= {row["call_id"] for row in rows}
        return sorted(found)

    async def _mentions(self, person: Person) -> list[str]:
        found: set[str] = set()
        for _, visitor_id in person.visitors:
            rows = await self._database.fetch(self._queries.calls_that_name, visitor_id=visitor_id)
            found |= {row["call_id"] for row in rows}
        return sorted(found - set(person.calls))

    async def _blank(
        self, calls: Sequence[str], visitors: Collection[str], at: Instant, *, whole: bool, recordings: bool
    ) -> None:
        async def work(transaction: Transaction) -> None:
            queries = self._queries
            rows = await transaction.fetch(queries.records_to_blank, call_ids=_json(calls))
            await transaction.many(queries.blank_call, [_blanked(row, visitors, whole=whole) for row in rows])
            if whole:
                await transaction.run(
                    queries.settle_deliveries,
                    call_ids=_json(calls),
                    at=at,
                    erased=ERASED,
                    may_have_arrived=MAY_HAVE_ARRIVED,
                )
            await transaction.many(
                queries.add_erased_call,
                [
                    {
                        "call_id": row["call_id"],
                        "switch": row["switch"],
                        "at": at,
                        "recording": int(recordings),
                    }
                    for row in rows
                ],
            )

        await self._database.transact(work)

    async def _erase_visitor(self, site: str, visitor_id: str, at: Instant) -> tuple[int, int, int]:
        pool = self._pool
        if pool is None:
            raise ValueError("erasing needs the pool")
        leases = await pool.leases_of_visitor(site, visitor_id)

        async def work(transaction: Transaction) -> tuple[int, int, int]:
            queries = self._queries
            # The visitor's row first, as whoever adds a visit does.
            await transaction.run(queries.delete_visitor, site=site, visitor_id=visitor_id)
            found = await transaction.fetch(queries.visits_of_visitor, site=site, visitor_id=visitor_id)
            visits = _json([row["visit_id"] for row in found])
            page_views = int(await transaction.value(queries.count_page_views, visits=visits))
            await transaction.run(queries.delete_page_views, visits=visits)
            await transaction.run(queries.delete_next_visits, visits=visits)
            await transaction.run(queries.delete_visits, visits=visits)
            await pool.forget_visitor(transaction, site, visitor_id, leases, at)
            return len(found), page_views, len({lease_id for lease_id, _ in leases})

        return await self._database.transact(work)


def _blanked(row: Row, visitors: Collection[str], *, whole: bool) -> dict[str, object]:
    record = json.loads(row["record"])
    told = without_person(record, visitors) if whole else without_visitors(record, visitors)
    return {
        "call_id": row["call_id"],
        "caller": None if whole else row["caller"],
        "visit_id": None if whole else row["visit_id"],
        "visitor_id": None if whole else row["visitor_id"],
        "record": _json(told),
    }


def _json(value: object) -> str:
    return to_json(value).decode()
