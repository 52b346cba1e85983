"""Visitors, visits and page views in the store."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from operator import itemgetter
from pathlib import Path
from typing import Final, NamedTuple

from pydantic_core import to_json

from pool.database import Database, Row, Transaction
from pool.leases import Attachment, Lease
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
        """Stores visitors, visits and first page views; a revived lease goes on with its old visit."""
        fresh = [(lease, arrival) for lease, arrival in arrivals if not lease.revived]
        if fresh:
            await self._write_visits(transaction, fresh)
        if len(fresh) < len(arrivals):
            touched = sorted(
                (
                    {
                        "visit_id": lease.visit_id,
                        "site": arrival.site,
                        "visitor_id": lease.visitor_id,
                        "at": arrival.at,
                    }
                    for lease, arrival in arrivals
                    if lease.revived
                ),
                key=_by_visitor,
            )
            await transaction.many(self._queries.touch_visitor, touched)
            await transaction.many(self._queries.touch_visit, touched)
        await self._write_views(
            transaction,
            (
                PageView(lease.visit_id, arrival.at, arrival.attribution.landing_page, arrival.title)
                for lease, arrival in arrivals
            ),
        )

    async def _write_visits(self, transaction: Transaction, begun: Sequence[tuple[Lease, Arrival]]) -> None:
        """Visits that begin, in the order in which they do, and their visitors' counts."""
        counts: Counter[tuple[str, str]] = Counter()
        first: dict[tuple[str, str], list[str | int]] = {}
        for lease, arrival in begun:
            visitor = arrival.site, lease.visitor_id
            counts[visitor] += 1
            first.setdefault(visitor, _visitor_row(lease, arrival))
        # One order everywhere: two routers' transactions may wait for one another, but never in a ring.
        visitors = [[*first[visitor], counts[visitor]] for visitor in sorted(first)]
        await transaction.run(self._queries.upsert_visitors, rows=_json(visitors))
        visits = []
        for lease, arrival in begun:
            visitor = arrival.site, lease.visitor_id
            counts[visitor] -= 1
            visits.append([*_visit_row(lease, arrival), counts[visitor]])
        await transaction.run(self._queries.add_visits, rows=_json(visits))

    async def add_page_view(self, visit_id: str, at: int, url: str, title: str) -> None:
        """Stores one more page of a visit, durably; texts are cleaned here. Raises StoreUnavailable."""
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


def _visitor_row(lease: Lease, arrival: Arrival) -> list[str | int]:
    found = arrival.attribution
    return [arrival.site, lease.visitor_id, arrival.at, found.source, found.medium, found.campaign]


def _visit_row(lease: Lease, arrival: Arrival) -> list[str | int]:
    found = arrival.attribution
    return [
        lease.visit_id,
        arrival.site,
        lease.visitor_id,
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
