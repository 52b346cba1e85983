"""Forgetting who held a number: leases that were over long ago, and those of one visitor."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeAlias

from pool import lifecycle
from pool.database import Database, Queries, Transaction
from pool.ids import new_id
from pool.instants import Instant
from pool.leases import LeaseRow

NOBODY = ""
"""Visitor and visit of a lease that is kept for its number's sake alone."""

VisitsForgotten: TypeAlias = Callable[[Transaction, Sequence[str]], Awaitable[None]]
"""Is told, in the transaction, of the visits whose leases are forgotten."""


LeaseKey: TypeAlias = tuple[str, str]
"""Lease and slot."""


class Forgotten(NamedTuple):
    """One batch. `after`: where the next one begins; None: this was the last."""

    leases: int
    after: str | None


class Purging:
    """Deletes leases, or what they tell of a person."""

    def __init__(self, database: Database, queries: Queries) -> None:
        self._database = database
        self._queries = queries

    async def forget(
        self, before: Instant, *, after: str, most: int, visits_forgotten: VisitsForgotten
    ) -> Forgotten:
        """Up to `most` leases that began, and were over, before an instant; see Pool.forget."""
        found = await self._database.fetch(
            self._queries.old_leases, after=after, until=f"{before:011x}", most=most
        )
        ids = [row["lease_id"] for row in found]
        if not ids:
            return Forgotten(0, None)

        async def work(transaction: Transaction) -> int:
            return await self._forget(transaction, ids, before, visits_forgotten)

        leases = await self._database.transact(work)
        return Forgotten(leases, ids[-1] if len(ids) == most else None)

    async def _forget(
        self, transaction: Transaction, ids: list[str], before: Instant, visits_forgotten: VisitsForgotten
    ) -> int:
        queries = self._queries
        listed = json.dumps(ids)
        rows = [LeaseRow(*row) for row in await transaction.fetch(queries.past_lease_rows, ids=listed)]
        held = {row.lease_id for row in rows if lifecycle.hold_until_at(row.hold, before) >= before}
        rows = [row for row in rows if row.lease_id not in held]
        if not rows:
            return 0
        over = sorted({row.lease_id for row in rows})
        await transaction.run(queries.forget_last_leases, ids=json.dumps(over))
        named = {
            (row["lease_id"], row["slot"])
            for row in await transaction.fetch(queries.lease_rows_named, ids=json.dumps(over))
        }
        # A number's queue asks its last holder's lease when it is really free: that one goes with the next.
        blanked = [row for row in rows if (row.lease_id, row.slot) in named and row.visit_id != NOBODY]
        gone = [row for row in rows if (row.lease_id, row.slot) not in named]
        await transaction.run_rows(
            queries.blank_leases, [(row.lease_id, row.slot, NOBODY, NOBODY) for row in blanked]
        )
        await transaction.run_rows(queries.delete_leases, [(row.lease_id, row.slot) for row in gone])
        visits = sorted({row.visit_id for row in rows if row.visit_id != NOBODY})
        if visits:
            await visits_forgotten(transaction, visits)
        return len({row.lease_id for row in rows if row.visit_id != NOBODY})

    async def leases_of_visitor(self, site: str, visitor_id: str) -> list[LeaseKey]:
        """Lease and slot of each of the visitor's leases; see Pool.leases_of_visitor."""
        rows = await self._database.fetch(self._queries.leases_of_visitor, site=site, visitor_id=visitor_id)
        return [(row["lease_id"], row["slot"]) for row in rows]

    async def forget_visitor(
        self, transaction: Transaction, site: str, visitor_id: str, leases: Sequence[LeaseKey], at: Instant
    ) -> None:
        """Takes the visitor's name off these leases; see Pool.forget_visitor."""
        somebody = {lease_id: (new_id(at), new_id(at)) for lease_id, _ in leases}
        await transaction.run(self._queries.forget_visitor, site=site, visitor_id=visitor_id)
        blanked = [(lease_id, slot, *somebody[lease_id]) for lease_id, slot in sorted(leases)]
        await transaction.run_rows(self._queries.blank_leases, blanked)
