"""Visitors, visits and page views in the store."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

from pydantic_core import to_json

from pool.database import Database, Row, Transaction
from pool.ids import new_id
from pool.leases import Attachment, Lease
from router.attribution.stay import Brought, begins_visit, brought
from router.attribution.visit import TEXT_CAP, URL_CAP, Attribution, cleaned

QUERIES: Final = Path(__file__).parent / "sql" / "visits"
MIGRATIONS: Final = Path(__file__).parent / "sql" / "migrations"

_NO_OBJECT: Final = "{}"


class Arrival(NamedTuple):
    """One page that a visitor opened, with all that is known of the visit it belongs to; '' is unknown.

    `at` in milliseconds since the epoch. Texts are already cleaned (router.attribution.visit.cleaned).
    """

    site: str
    at: int
    attribution: Attribution
    channel: str
    title: str
    ga_client_id: str = ""
    ga_session_id: str = ""
    metrica_client_id: str = ""
    ip: str = ""
    region: str = ""
    city: str = ""
    browser: str = ""
    os: str = ""
    device: str = ""
    language: str = ""
    screen: str = ""
    params: Mapping[str, object] | None = None


class PageView(NamedTuple):
    """One more page of a visit. `at` in milliseconds since the epoch."""

    visit_id: str
    at: int
    url: str
    title: str


class Begun(NamedTuple):
    """A visit that begins with an arrival."""

    visit_id: str
    visitor_id: str
    arrival: Arrival

    @property
    def visitor(self) -> tuple[str, str]:
        """Whose visit it is: a visitor id is a site's own."""
        return self.arrival.site, self.visitor_id


class VisitStore:
    """Writes visits in the transactions of others, and reads them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)

    def attachment(self, arrival: Arrival) -> Attachment:
        """What the pool has to write with the lease of `arrival`."""
        return Attachment(self._write_arrivals, arrival)

    async def _write_arrivals(
        self, transaction: Transaction, arrivals: Sequence[tuple[Lease, Arrival]]
    ) -> None:
        """Stores visitors, visits and page views. A revived lease goes on with its visit, unless another
        advertisement brought the visitor back (`router.attribution.stay`).
        """
        fresh = [
            Begun(lease.visit_id, lease.visitor_id, arrival)
            for lease, arrival in arrivals
            if not lease.revived
        ]
        if fresh:
            await self._write_visits(transaction, fresh)
        revived = [pair for pair in arrivals if pair[0].revived]
        if revived:
            await self._write_returns(transaction, revived)
        await self._write_views(
            transaction,
            (
                PageView(lease.visit_id, arrival.at, arrival.attribution.landing_page, arrival.title)
                for lease, arrival in arrivals
            ),
        )

    async def _write_returns(
        self, transaction: Transaction, arrivals: Sequence[tuple[Lease, Arrival]]
    ) -> None:
        # Most returns are the site's next page, which no look-up is needed for.
        tagged = [pair for pair in arrivals if pair[1].attribution.tagged]
        if tagged:
            await self._write_next_visits(transaction, tagged)
        touched = sorted(
            (
                {
                    "visit_id": lease.visit_id,
                    "site": arrival.site,
                    "visitor_id": lease.visitor_id,
                    "at": arrival.at,
                }
                for lease, arrival in arrivals
            ),
            key=_by_visitor,
        )
        await transaction.many(self._queries.touch_visitor, touched)
        await transaction.many(self._queries.touch_visit, touched)

    async def _write_next_visits(
        self, transaction: Transaction, tagged: Sequence[tuple[Lease, Arrival]]
    ) -> None:
        known: defaultdict[str, list[Brought]] = defaultdict(list)
        firsts = _json([lease.visit_id for lease, _ in tagged])
        for row in await transaction.fetch(self._queries.visits_of_leases, visits=firsts):
            first, source, medium, campaign, term, content, clicks = row
            known[first].append(Brought(source, medium, campaign, term, content, json.loads(clicks)))
        begun: list[Begun] = []
        changes: list[list[str | int]] = []
        for lease, arrival in tagged:
            visits = known[lease.visit_id]
            if begins_visit(arrival.attribution, visits):
                visit_id = new_id(arrival.at)
                visits.append(brought(arrival.attribution))
                begun.append(Begun(visit_id, lease.visitor_id, arrival))
                changes.append([lease.visit_id, arrival.at, visit_id])
        if begun:
            await self._write_visits(transaction, begun)
            await transaction.run(self._queries.add_next_visits, rows=_json(changes))

    async def _write_visits(self, transaction: Transaction, begun: Sequence[Begun]) -> None:
        """Visits that begin, in the order in which they do, and their visitors' counts."""
        counts: Counter[tuple[str, str]] = Counter()
        first: dict[tuple[str, str], Begun] = {}
        for visit in begun:
            counts[visit.visitor] += 1
            first.setdefault(visit.visitor, visit)
        # One order everywhere: two routers' transactions may wait for one another, but never in a ring.
        visitors = [[*_visitor_row(first[visitor]), counts[visitor]] for visitor in sorted(first)]
        await transaction.run(self._queries.upsert_visitors, rows=_json(visitors))
        visits = []
        for visit in begun:
            counts[visit.visitor] -= 1
            visits.append([*_visit_row(visit), counts[visit.visitor]])
        await transaction.run(self._queries.add_visits, rows=_json(visits))

    async def add_page_view(self, visit_id: str, at: int, url: str, title: str) -> None:
        """Stores one more page of the visit that a lease's first visit has become, durably; texts are cleaned
        here. Raises StoreUnavailable.
        """
        view = PageView(visit_id, at, cleaned(url, URL_CAP), cleaned(title, TEXT_CAP))
        await self._database.commit(self._write_page_views, view)

    async def set_analytics_ids(
        self, visit_id: str, ga_client_id: str, ga_session_id: str, metrica_client_id: str
    ) -> None:
        """What became known of a visit later (cleaned); "" leaves what is there. Raises StoreUnavailable."""
        ids = {
            "visit_id": visit_id,
            "ga_client_id": ga_client_id,
            "ga_session_id": ga_session_id,
            "metrica_client_id": metrica_client_id,
        }
        await self._database.commit(self._write_analytics_ids, ids)

    async def _write_analytics_ids(
        self, transaction: Transaction, ids: Sequence[Mapping[str, str]]
    ) -> list[None]:
        await transaction.many(self._queries.set_analytics_ids, sorted(ids, key=itemgetter("visit_id")))
        return [None] * len(ids)

    async def visit(self, visit_id: str) -> Row | None:
        """The visit's row (columns as in 0001_visits.sql), or None."""
        return await self._database.one(self._queries.visit_by_id, visit_id=visit_id)

    async def visitor(self, site: str, visitor_id: str) -> Row | None:
        """The row of a site's visitor, or None."""
        return await self._database.one(self._queries.visitor_by_id, site=site, visitor_id=visitor_id)

    async def page_views(self, visit_id: str) -> list[Row]:
        """The visit's pages (at, url, title), first seen first."""
        return await self._database.fetch(self._queries.page_views, visit_id=visit_id)

    async def _write_page_views(self, transaction: Transaction, views: Sequence[PageView]) -> list[None]:
        await transaction.many(
            self._queries.touch_visit, [{"visit_id": view.visit_id, "at": view.at} for view in views]
        )
        await self._write_views(transaction, views)
        return [None] * len(views)

    async def _write_views(self, transaction: Transaction, views: Iterable[PageView]) -> None:
        rows = [[view.visit_id, view.at, _hash(view.url), view.url, view.title] for view in views]
        await transaction.run(self._queries.add_page_views, rows=_json(rows))


def _by_visitor(row: Mapping[str, object]) -> tuple[str, str]:
    return str(row["site"]), str(row["visitor_id"])


def _visitor_row(visit: Begun) -> list[str | int]:
    found = visit.arrival.attribution
    return [*visit.visitor, visit.arrival.at, found.source, found.medium, found.campaign]


def _visit_row(visit: Begun) -> list[str | int]:
    arrival = visit.arrival
    found = arrival.attribution
    return [
        visit.visit_id,
        arrival.site,
        visit.visitor_id,
        arrival.at,
        arrival.channel,
        found.source,
        found.medium,
        found.campaign,
        found.term,
        found.content,
        found.referrer,
        found.landing_page,
        _json(found.click_ids) if found.click_ids else _NO_OBJECT,
        arrival.ga_client_id,
        arrival.ga_session_id,
        arrival.metrica_client_id,
        arrival.ip,
        arrival.region,
        arrival.city,
        arrival.browser,
        arrival.os,
        arrival.device,
        arrival.language,
        arrival.screen,
        _json(arrival.params) if arrival.params else _NO_OBJECT,
    ]


def _json(value: object) -> str:
    return to_json(value).decode()


def _hash(url: str) -> str:
    return blake2b(url.encode(), digest_size=8).hexdigest()
