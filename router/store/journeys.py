"""What visitors did before they called."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pydantic_core import to_json

from pool.database import Database
from pool.instants import DAY
from router.attribution.journey import VisitSource

QUERIES: Final = Path(__file__).parent / "sql" / "journeys"
LOOKBACK_DAYS: Final = 90
"""How long before a call a visit can have had a part in it."""


class CallerVisitor(NamedTuple):
    """One call and the visitor it was credited to. `at`: the call's start, milliseconds since the epoch."""

    site: str
    visitor_id: str
    at: int


class JourneyStore:
    """Every method raises StoreUnavailable when the store is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)

    async def visits_before(
        self, calls: Sequence[CallerVisitor], *, lookback_days: int = LOOKBACK_DAYS
    ) -> list[list[VisitSource]]:
        """For each call, in order, the visits of its visitor to its site that began at or before it, the
        earliest first: what `router.attribution.journey.credits` takes. One trip for all.

        Visits that began more than `lookback_days` before the call are left out. An empty list: the visitor
        is not known, or was erased.
        """
        found: defaultdict[int, list[VisitSource]] = defaultdict(list)
        rows = await self._database.fetch(
            self._queries.visits_before,
            calls=to_json([[call.site, call.visitor_id, call.at] for call in calls]).decode(),
            lookback=lookback_days * DAY,
        )
        for row in rows:
            place, *visit = row
            found[place].append(VisitSource(*visit))
        return [found[place] for place in range(len(calls))]
