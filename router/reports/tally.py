"""Credits calls to visits, in the transaction that stores them: all that reports are made of."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic_core import to_json

from pool.database import Database, Transaction
from pool.instants import DAY
from router.attribution.journey import VisitSource
from router.reports.credits import credits_of
from router.store.journeys import LOOKBACK_DAYS
from router.store.journeys import QUERIES as JOURNEYS

QUERIES: Final = Path(__file__).parent / "sql"


class Tally:
    """What `router.store.calls` calls for calls that are new. Awaits its transaction and nothing else."""

    def __init__(self, database: Database) -> None:
        self._queries = database.queries(QUERIES)
        self._journeys = database.queries(JOURNEYS)

    async def add(self, transaction: Transaction, switch: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Credits these calls of a switch to visits. Each call comes here once in its life.

        `rows` as of `router.cdr.record.row_of`. The switch's row of journal_position is locked. The calls'
        days are open from now on: reports count them from the credits until `CallDays` has added them up.
        """
        journeys = await self._visits_before(transaction, rows)
        found = [
            credit for row, visits in zip(rows, journeys, strict=True) for credit in credits_of(row, visits)
        ]
        await transaction.many(self._queries.add_credit, [{"switch": switch, **c._asdict()} for c in found])
        days = sorted({credit.day for credit in found})
        await transaction.many(self._queries.open_call_day, [{"switch": switch, "day": day} for day in days])

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
