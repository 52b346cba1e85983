"""The pool as the application uses it."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pool.allocation import SWEEP_SECONDS, Allocation
from pool.database import Database, NotAtOnce, Row, Transaction
from pool.history import MOST_HOLDERS, holdings
from pool.holding import CallSign, Keeping, Sign, view
from pool.ids import new_id
from pool.importer import ImportReport, Progress
from pool.instants import DAY, Instant, checked
from pool.inventory import Inventory, PoolStatus
from pool.leases import Attachment, Holding, Lease, LeaseRow, LeaseView, LeaseWish, check_wish
from pool.lifecycle import Event
from pool.numbers import NumberKind, NumberRecord
from pool.purging import Forgotten, LeaseKey, Purging, VisitsForgotten
from pool.wants import LeaseRequest

ROOM = "pool"
MIGRATIONS = Path(__file__).parent / "sql" / "migrations"
QUERIES = Path(__file__).parent / "sql" / "queries"

CACHED_NUMBERS = 4_096
CACHE_SECONDS = 1.0
SHARDS = 64


class _Asked(NamedTuple):
    request: LeaseRequest
    attach: Sequence[Attachment]


class Pool:
    """Leases numbers of one store. Several of them, in one process or in many, may share the store.

    Every method that changes something returns only once it is durable, and raises StoreUnavailable when it
    is not. Instants are given by the caller; nothing here looks at a clock.
    """

    def __init__(
        self,
        database: Database,
        *,
        rest_seconds: int = 60,
        idle_days: float = 14,
        sweep_seconds: float = SWEEP_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`rest_seconds` lie between two holders of a number; after `idle_days` it goes back to the base."""
        self.database = database
        self._queries = database.queries(QUERIES)
        self._allocation = Allocation(
            self._queries,
            rest_seconds=rest_seconds,
            idle_days=idle_days,
            shard=secrets.randbelow(SHARDS),
            sweep_seconds=sweep_seconds,
        )
        self._keeping = Keeping(self._queries)
        self._purging = Purging(database, self._queries)
        self._inventory = Inventory(database, self._queries, rest_seconds=rest_seconds)
        self._monotonic = monotonic
        self._known: OrderedDict[str, tuple[float, NumberRecord | None]] = OrderedDict()

    async def open(self) -> None:
        """Brings the pool's tables up to date. Raises StoreUnavailable while the store is down; it is then
        done as soon as the store is back.
        """
        await self.database.migrate(ROOM, MIGRATIONS)

    async def lease(self, wish: LeaseWish, at: Instant, *, attach: Sequence[Attachment] = ()) -> Lease:
        """A number for each slot of the wish, by the ladder.

        A visitor whose last lease on the site is live or frozen gets that same lease, live again (`revived`).
        `attach` is written in the same transaction. Raises InvalidWish, StoreUnavailable.
        """
        check_wish(wish)
        request = LeaseRequest(wish, checked(at), new_id(at), wish.visit_id)
        lease: Lease = await self.database.commit(self._lease_batch, _Asked(request, attach))
        return lease

    async def _lease_batch(self, transaction: Transaction, asked: Sequence[_Asked]) -> list[Lease]:
        leases = await self._allocation.lease(transaction, [one.request for one in asked])
        attached: dict[object, tuple[Attachment, list[tuple[Lease, object]]]] = {}
        for one, lease in zip(asked, leases, strict=True):
            for attachment in one.attach:
                _, pairs = attached.setdefault(attachment.handler, (attachment, []))
                pairs.append((lease, attachment.item))
        for attachment, pairs in attached.values():
            await attachment.handler(transaction, pairs)
        return leases

    async def seen(
        self, lease_id: str, at: Instant, *, shown: bool = False, tel_click: bool = False
    ) -> LeaseView | None:
        """A heartbeat. `shown`: the browser displays the number; `tel_click`: a `tel:` link was clicked.

        None for an unknown id. When the view's state is over, nothing was changed: the widget leases anew.
        """
        event = Event.TEL_CLICK if tel_click else Event.SEEN
        return await self.database.commit(self._keeping.signs, Sign(lease_id, checked(at), event, shown))

    async def left(self, lease_id: str, at: Instant) -> LeaseView | None:
        """The page was closed or hidden for good: the freeze begins. None for an unknown id."""
        return await self.database.commit(self._keeping.signs, Sign(lease_id, checked(at), Event.LEFT))

    async def call_active(self, number: str, extension: str | None, started_at: Instant, at: Instant) -> None:
        """A call on the number is going on at `at`: whoever held it at `started_at` holds it at least until
        the call's end plus the freeze. May be told again and again.
        """
        sign = CallSign(number, extension or "", checked(started_at), checked(at))
        await self.database.commit(self._keeping.calls, sign)

    async def call_ended(
        self, number: str, extension: str | None, started_at: Instant, ended_at: Instant, at: Instant
    ) -> None:
        """The call that began at `started_at` ended at `ended_at`. Needs no `call_active` before it."""
        sign = CallSign(number, extension or "", checked(started_at), checked(at), checked(ended_at))
        await self.database.commit(self._keeping.calls, sign)

    async def lease_by_id(self, lease_id: str, at: Instant) -> LeaseView | None:
        """The lease as it stands at `at`, unchanged; None for an unknown id."""
        rows = [
            LeaseRow(*row) for row in await self.database.fetch(self._queries.lease_by_id, lease_id=lease_id)
        ]
        return view(rows, at) if rows else None

    async def holders(
        self,
        number: str,
        extension: str | None,
        at: Instant,
        *,
        lookback_seconds: int,
        present_at: Instant | None = None,
    ) -> list[Holding]:
        """Who held the number (and the keyed code) lately as seen from `at`, newest first.

        Holds that ended more than `lookback_seconds` before `at` are left out, those that began after `at`
        are in with the state `not_yet`. `present_at` (by default `at`) is when this is asked, for holds that
        still grow. At most MOST_HOLDERS.
        """
        rows = await self.database.lookup(
            self._queries.latest_holders, number=number, extension=extension or "", most=MOST_HOLDERS
        )
        return holdings((LeaseRow(*row) for row in rows), at, present_at or at, lookback_seconds)

    async def forget(
        self, before: Instant, *, after: str = "", most: int = 100, visits_forgotten: VisitsForgotten
    ) -> Forgotten:
        """Forgets up to `most` leases that began and were over before an instant, and tells of their visits.

        Of a number's last holder only the hold is kept, without a name, until the number has been given on.
        """
        return await self._purging.forget(
            checked(before), after=after, most=most, visits_forgotten=visits_forgotten
        )

    async def leases_of_visitor(self, site: str, visitor_id: str) -> list[LeaseKey]:
        """Lease and slot of each of a visitor's leases. Slow: it looks at every lease there is."""
        return await self._purging.leases_of_visitor(site, visitor_id)

    async def forget_visitor(
        self, transaction: Transaction, site: str, visitor_id: str, leases: Sequence[LeaseKey], at: Instant
    ) -> None:
        """Takes a visitor's name off these leases of theirs, within a transaction. Each goes on holding its
        number, as somebody's: who calls it is then not credited to the next holder by mistake.
        """
        await self._purging.forget_visitor(transaction, site, visitor_id, leases, checked(at))

    async def number(self, number: str) -> NumberRecord | None:
        """The inventory's record, or None. Up to CACHE_SECONDS old."""
        try:
            return self.number_at_once(number)
        except NotAtOnce:
            asked = self._monotonic()
            row = await self.database.one(self._queries.number_record, number=number)
            return self._kept(number, row, asked)

    def number_at_once(self, number: str) -> NumberRecord | None:
        """As `number`, without awaiting anything. Raises NotAtOnce where that cannot be had."""
        now = self._monotonic()
        known = self._known.get(number)
        if known is not None and now - known[0] < CACHE_SECONDS:
            return known[1]
        return self._kept(number, self.database.at_once(self._queries.number_record, number=number), now)

    def _kept(self, number: str, row: Row | None, asked: float) -> NumberRecord | None:
        """Remembers what was found by a question of the instant `asked`."""
        record = None
        if row is not None:
            record = NumberRecord(*row)
            record = record._replace(kind=NumberKind(record.kind))
        self._known[number] = (asked, record)
        self._known.move_to_end(number)
        if len(self._known) > CACHED_NUMBERS:
            self._known.popitem(last=False)
        return record

    async def numbers(
        self,
        *,
        after: str = "",
        kind: NumberKind | None = None,
        pool: str | None = None,
        site: str | None = None,
        retired: bool | None = None,
        most: int = 1_000,
    ) -> list[NumberRecord]:
        """Up to `most` numbers behind `after`, in the order of the numbers; None for any."""
        return await self._inventory.list_numbers(
            after=after, kind=kind, pool=pool, site=site, retired=retired, most=most
        )

    async def import_csv(
        self,
        path: Path,
        at: Instant,
        *,
        default_country: str | None,
        skip_bad: bool = False,
        extension_digits: int = 4,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Adds the numbers of a CSV file (see importer.read_numbers) while leases go on.

        Bad rows are those of importer.BadRow, numbers twice in the file, and numbers known as another kind.
        They are all found first, and then nothing is imported (ImportRefused with the report); with
        `skip_bad` they are left out. A number known already gets the file's pool, channel and label; a
        retired one is given again. Rows are written in chunks: after a crash in between the same file can
        simply be imported again. Raises also NumbersFileError, OSError, StoreUnavailable.
        """
        return await self._inventory.import_csv(
            path,
            checked(at),
            default_country=default_country,
            skip_bad=skip_bad,
            extension_digits=extension_digits,
            progress=progress,
        )

    async def retire(self, numbers: Sequence[str], at: Instant) -> int:
        """Numbers (E.164) that are not to be given any more. Who holds one keeps it, and calls to it go on
        being routed and attributed. Gives how many were not retired before; raises UnknownNumbers.
        """
        self._known.clear()
        return await self._inventory.retire(numbers, checked(at))

    async def move(
        self, numbers: Sequence[str], at: Instant, *, pool: str | None = None, site: str | None = None
    ) -> int:
        """Numbers to another pool, or to a site (dynamic: its queue, "" for the base; else its owner). They
        join at the queue's tail; who holds one keeps it. Gives how many moved; raises UnknownNumbers.
        """
        self._known.clear()
        return await self._inventory.move(numbers, checked(at), pool=pool, site=site)

    async def status(
        self, at: Instant, *, served_since_at: Instant | None = None, site: str | None = None
    ) -> PoolStatus:
        """Numbers by state and what the rungs served since an instant (by default the last 24 hours)."""
        since_at = max(0, at - DAY) if served_since_at is None else served_since_at
        return await self._inventory.status(checked(at), served_since_at=since_at, site=site)
