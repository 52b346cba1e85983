"""Deletes visits when their leases are forgotten: those that led to no call."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pydantic_core import to_json

from pool.database import Database, Transaction
from pool.instants import Instant
from pool.service import Pool

QUERIES: Final = Path(__file__).parent / "sql" / "forgetting"


class Swept(NamedTuple):
    """What one batch deleted. `after`: where the next one begins; None: this was the last."""

    leases: int = 0
    visits: int = 0
    page_views: int = 0
    visitors: int = 0
    after: str | None = None


class ForgettingStore:
    """Every method raises StoreUnavailable when the store is."""

    def __init__(self, database: Database, pool: Pool) -> None:
        self._queries = database.queries(QUERIES)
        self._pool = pool

    async def forget(self, before: Instant, *, after: str, most: int) -> Swept:
        """Forgets up to `most` leases that were over before an instant, with their visits in the same
        transaction. What came before a call of the same visitor is kept: it is that call's journey.
        """
        counted = Swept()

        async def visits_forgotten(transaction: Transaction, visits: Sequence[str]) -> None:
            nonlocal counted
            counted = await self._delete(transaction, visits)

        forgotten = await self._pool.forget(before, after=after, most=most, visits_forgotten=visits_forgotten)
        return counted._replace(leases=forgotten.leases, after=forgotten.after)

    async def _delete(self, transaction: Transaction, firsts: Sequence[str]) -> Swept:
        queries = self._queries
        found = await transaction.fetch(queries.visits_to_forget, visits=_json(firsts))
        await transaction.run(queries.delete_next_visits, visits=_json(firsts))
        if not found:
            return Swept()
        visits = _json([row["visit_id"] for row in found])
        visitors = sorted({(row["site"], row["visitor_id"]) for row in found})
        page_views = int(await transaction.value(queries.count_page_views, visits=visits))
        await transaction.run(queries.delete_page_views, visits=visits)
        await transaction.run(queries.delete_visits, visits=visits)
        # A visitor who comes back just now keeps their row: a statement after the lock sees their new visit.
        locked = [
            tuple(row) for row in await transaction.fetch(queries.lock_visitors, visitors=_json(visitors))
        ]
        gone = await transaction.fetch(
            queries.delete_visitors_without_visits, visitors=_json([tuple(row) for row in locked])
        )
        return Swept(0, len(found), page_views, len(gone))


def _json(value: object) -> str:
    return to_json(value).decode()
