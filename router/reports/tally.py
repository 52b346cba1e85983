"""Adds calls to the sums of reports, in the transaction that stores them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic_core import to_json

from pool.database import Database, Transaction
from pool.instants import DAY
from router.attribution.journey import VisitSource
from router.reports.credits import SUMS, Credit, Key, credits_of, keys_of, sums_of
from router.store.journeys import LOOKBACK_DAYS
from router.store.journeys import QUERIES as JOURNEYS

QUERIES: Final = Path(__file__).parent / "sql"


class Tally:
    """What `router.store.calls` calls for calls that are new. Awaits its transaction and nothing else."""

    def __init__(self, database: Database) -> None:
        self._queries = database.queries(QUERIES)
        self._journeys = database.queries(JOURNEYS)

    async def add(self, transaction: Transaction, switch: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Credits these calls of a switch and adds them up. Each call comes here once in its life.

        `rows` as of `router.cdr.record.row_of`. The switch's row of journal_position is locked.
        """
        await self._add_up(transaction, switch, await self.credit(transaction, switch, rows))

    async def credit(
        self, transaction: Transaction, switch: str, rows: Sequence[Mapping[str, Any]]
    ) -> list[Credit]:
        """Credits these calls to visits, and adds them up nowhere."""
        journeys = await self._visits_before(transaction, rows)
        found = [
            credit for row, visits in zip(rows, journeys, strict=True) for credit in credits_of(row, visits)
        ]
        await transaction.many(self._queries.add_credit, [{"switch": switch, **c._asdict()} for c in found])
        return found

    async def _visits_before(
        self, transaction: Transaction, rows: Sequence[Mapping[str, Any]]
    ) -> list[list[VisitSource]]:
        found: list[list[VisitSource]] = [[] for _ in rows]
        asked = [
            [row["site"], row["visitor_id"], row["started_at"]]
            if row["visit_id"] is not None and row["match"] != "none"
            else [None, None, 0]
            for row in rows
        ]
        if all(one[1] is None for one in asked):
            return found
        visits = await transaction.fetch(
            self._journeys.visits_before, calls=to_json(asked).decode(), lookback=LOOKBACK_DAYS * DAY
        )
        for place, *visit in visits:
            found[place].append(VisitSource(*visit))
        return found

    async def _add_up(self, transaction: Transaction, switch: str, found: Sequence[Credit]) -> None:
        sums: dict[Key, list[int]] = {}
        for credit in found:
            added = sums_of(credit)
            for key in keys_of(credit):
                known = sums.get(key)
                sums[key] = (
                    list(added) if known is None else [a + b for a, b in zip(known, added, strict=True)]
                )
        by_source: list[dict[str, Any]] = []
        by_value: list[dict[str, Any]] = []
        # One order everywhere: two transactions may wait for one another, but never in a ring.
        for key in sorted(sums):
            row: dict[str, Any] = dict(zip(SUMS, sums[key], strict=True))
            row |= {
                "day": key.day,
                "site": key.site,
                "switch": switch,
                "models": key.models,
                "known": key.known,
            }
            if key.dimension:
                by_value.append({**row, "dimension": key.dimension, "value": key.values[0]})
            else:
                channel, source, medium, campaign = key.values
                by_source.append(
                    {**row, "channel": channel, "source": source, "medium": medium, "campaign": campaign}
                )
        await transaction.many(self._queries.add_to_source, by_source)
        await transaction.many(self._queries.add_to_value, by_value)
