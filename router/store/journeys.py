"""What visitors did before they called, and all that one visitor did."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pydantic_core import to_json

from pool.database import Database, Row
from pool.instants import DAY
from router.attribution.journey import VisitSource

QUERIES: Final = Path(__file__).parent / "sql" / "journeys"
LOOKBACK_DAYS: Final = 90
"""How long before a call a visit can have had a part in it."""
MOST_TIED: Final = 50
"""Callers of a visitor, and visitors of these callers: more than that is a switchboard, not a person."""
MOST_VISITS: Final = 200
MOST_CALLS: Final = 200
MOST_PAGES: Final = 100


class CallerVisitor(NamedTuple):
    """One call and the visitor it was credited to. `at`: the call's start, milliseconds since the epoch."""

    site: str
    visitor_id: str
    at: int


class Journey(NamedTuple):
    """All that is stored of a site's visitor and of those who are the same by a caller's calls.

    `visitors` are rows of the table `visitor`; `visits` and `calls` the latest MOST_VISITS and MOST_CALLS,
    the earliest first; `pages` the first MOST_PAGES of each visit, in order.
    """

    site: str
    visitor_id: str
    visitor_ids: Sequence[str]
    callers: Sequence[str]
    visitors: Sequence[Row]
    visits: Sequence[Row]
    pages: dict[str, list[Row]]
    calls: Sequence[Row]


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
            calls=_json([[call.site, call.visitor_id, call.at] for call in calls]),
            lookback=lookback_days * DAY,
        )
        for row in rows:
            place, *visit = row
            found[place].append(VisitSource(*visit))
        return [found[place] for place in range(len(calls))]

    async def sites_of(self, visitor_id: str, sites: Sequence[str]) -> list[str]:
        """Where the visitor is known: which of `sites` it was seen at, and any that it called."""
        rows = await self._database.fetch(
            self._queries.sites_of_visitor, visitor_id=visitor_id, sites=_json(sites)
        )
        return [row["site"] for row in rows]

    async def journey(self, site: str, visitor_id: str) -> Journey | None:
        """The visitor's visits and calls, with those of its callers' other visitors; None: nothing is known.

        Only what happened at the same site: an id is a site's own.
        """
        queries = self._queries
        async with self._database.read() as reading:
            callers = [
                row["caller"]
                for row in await reading.fetch(
                    queries.callers_of_visitors, site=site, visitors=_json([visitor_id]), most=MOST_TIED
                )
            ]
            tied = await reading.fetch(
                queries.visitors_of_callers, site=site, callers=_json(callers), most=MOST_TIED
            )
            ids = sorted({visitor_id, *(row["visitor_id"] for row in tied)})
            visits = await reading.fetch(
                queries.journey_visits, site=site, visitors=_json(ids), most=MOST_VISITS
            )
            calls = await reading.fetch(
                queries.journey_calls,
                site=site,
                visitors=_json(ids),
                callers=_json(callers),
                most=MOST_CALLS,
            )
            pages: defaultdict[str, list[Row]] = defaultdict(list)
            shown = _json([visit["visit_id"] for visit in visits])
            for row in await reading.fetch(queries.journey_pages, visits=shown, most=MOST_PAGES):
                pages[row["visit_id"]].append(row)
            visitors = await reading.fetch(queries.visitor_rows, site=site, visitors=_json(ids))
        if not visits and not calls and not visitors:
            return None
        return Journey(site, visitor_id, ids, callers, visitors, visits[::-1], dict(pages), calls[::-1])


def _json(value: object) -> str:
    return to_json(value).decode()
