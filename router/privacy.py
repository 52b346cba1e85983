"""Forgets visitors in time: leases, and visits that led to no call, `[privacy] keep_visits_days` after."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from prometheus_client.core import Metric

from pool.instants import DAY, Instant
from router.config.live import LiveConfig
from router.metrics import counter
from router.store.forgetting import ForgettingStore, Swept

log = structlog.get_logger(__name__)

FIRST_SECONDS: Final = 60.0
EVERY_SECONDS: Final = 3600.0
BATCH: Final = 100
PAUSE_SECONDS: Final = 0.1
"""Leases are given between two batches."""


class Forgetting:
    """The sweep, and how much it has deleted since the process began."""

    def __init__(self, live: LiveConfig, store: ForgettingStore, *, now: Callable[[], Instant]) -> None:
        self._live = live
        self._store = store
        self._now = now
        self._after = ""
        self.total = Swept()

    async def run(self) -> None:
        """Sweeps each hour until cancelled."""
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            await self.sweep()
            await asyncio.sleep(EVERY_SECONDS)

    async def sweep(self) -> Swept:
        """Forgets everything that is due, in small batches; gives what was deleted."""
        before = max(0, self._now() - self._live.current.privacy.keep_visits_days * DAY)
        # What was looked at is not looked at again, but for the last day: somebody may have held it then.
        after = min(self._after, f"{max(0, before - DAY):011x}")
        swept = Swept()
        while True:
            batch = await self._store.forget(before, after=after, most=BATCH)
            swept = _sum(swept, batch)
            self.total = _sum(self.total, batch)
            if batch.after is None:
                break
            after = self._after = batch.after
            await asyncio.sleep(PAUSE_SECONDS)
        if swept.leases:
            log.info(
                "privacy.forgotten",
                leases=swept.leases,
                visits=swept.visits,
                page_views=swept.page_views,
                visitors=swept.visitors,
            )
        return swept

    def figures(self) -> Sequence[Metric]:
        """What was deleted."""
        return [
            counter("forgotten_leases", "Leases deleted, or rid of their visitor", self.total.leases),
            counter("forgotten_visits", "Visits deleted that led to no call", self.total.visits),
            counter("forgotten_page_views", "Page views deleted with their visits", self.total.page_views),
            counter("forgotten_visitors", "Visitors deleted with their last visit", self.total.visitors),
        ]


def _sum(one: Swept, other: Swept) -> Swept:
    return Swept(
        one.leases + other.leases,
        one.visits + other.visits,
        one.page_views + other.page_views,
        one.visitors + other.visitors,
    )
