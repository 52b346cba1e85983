"""The service: notices come in from everywhere, the quiet hours are kept, the receivers are told.

Whoever gives a notice never waits. Quiet is kept in the store, across processes and restarts; what cannot be
asked there (the store itself may be what the notice is about) is kept quiet by this process's own memory.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, NamedTuple, cast

import structlog
from prometheus_client.core import CounterMetricFamily, Metric

from pool.database import Database, StoreUnavailable
from pool.instants import Instant
from router.alerts.notice import Notice, digest, hears, with_quiet
from router.alerts.receivers import Desk
from router.config.alert import Alerts as Settings
from router.config.alert import AnyReceiver, Cause
from router.config.live import LiveConfig
from router.metrics import counter
from router.store.alerts import AlertStore
from router.supervision import end

log = structlog.get_logger(__name__)

MOST_WAITING: Final = 1_000
DIGEST_SECONDS: Final = 60.0
MINUTE_MS: Final = 60_000


class _Running(NamedTuple):
    desk: Desk
    task: asyncio.Task[None]


class Alerts:
    """Takes notices (`notify`) and tells receivers: `run`."""

    def __init__(self, live: LiveConfig, database: Database, *, now: Callable[[], Instant]) -> None:
        self.store = AlertStore(database)
        self.kept_quiet = 0
        self.dropped = 0
        self._live = live
        self._now = now
        self._queue: asyncio.Queue[Notice] = asyncio.Queue(MOST_WAITING)
        self._running: dict[str, _Running] = {}
        self._remembered: dict[tuple[str, str], Instant] = {}

    @property
    def settings(self) -> Settings:
        """`[alerts]` as it is now."""
        return self._live.current.alerts

    def notify(self, notice: Notice) -> None:
        """Takes a notice without waiting. Nothing is done where nobody would hear of it."""
        if not any(hears(table, notice) for table in self._live.current.alert):
            return
        try:
            self._queue.put_nowait(notice)
        except asyncio.QueueFull:
            self.dropped += 1

    def services(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        """What runs for as long as the process does."""
        yield "alerts", self.run

    async def run(self) -> None:
        """Works until cancelled."""
        loop = asyncio.get_running_loop()
        digest_at = loop.time() + DIGEST_SECONDS
        try:
            while True:
                await self._follow(self._live.current.alert)
                notice = None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(max(digest_at, loop.time() + 0.01)):
                        notice = await self._queue.get()
                if notice is not None:
                    await self._follow(self._live.current.alert)
                    await self._decide(notice)
                if loop.time() >= digest_at:
                    digest_at = loop.time() + DIGEST_SECONDS
                    await self._tell_digests()
        finally:
            await self._stop(list(self._running))

    async def _decide(self, notice: Notice) -> None:
        at = self._now()
        suppressed = await self._asked(notice, at)
        if suppressed is None:
            self.kept_quiet += 1
            return
        log.warning("alert.told", cause=notice.cause, subject=notice.subject, suppressed=suppressed)
        self._tell(with_quiet(notice, suppressed if notice.counts else 0))

    async def _asked(self, notice: Notice, at: Instant) -> int | None:
        """How many were kept quiet before this one, which is to be told; None: it is not."""
        key = notice.cause, notice.subject
        quiet_ms = round(self.settings.every_minutes * MINUTE_MS)
        remembered = self._remembered.get(key)
        silent = remembered is not None and remembered <= at < remembered + quiet_ms
        if silent and not notice.counts:
            return None
        try:
            suppressed = await self.store.tell(
                *key, notice.text[:500], at=at, quiet_ms=quiet_ms, counts=notice.counts
            )
        except StoreUnavailable:
            suppressed = None if silent else 0
        if suppressed is not None:
            self._remembered[key] = at
        return suppressed

    async def _tell_digests(self) -> None:
        at = self._now()
        quiet_ms = round(self.settings.every_minutes * MINUTE_MS)
        with contextlib.suppress(StoreUnavailable):
            for found in await self.store.digests(at=at, quiet_ms=quiet_ms):
                # Another process may tell it: who resets the count does.
                suppressed = await self.store.tell(
                    found.cause, found.subject, found.text, at=at, quiet_ms=quiet_ms, counts=False
                )
                if suppressed:
                    cause = cast("Cause", found.cause)
                    self._tell(digest(cause, found.subject, suppressed, found.text))

    def _tell(self, notice: Notice) -> None:
        for running in self._running.values():
            if hears(running.desk.table, notice):
                running.desk.put(notice)

    async def _follow(self, tables: Sequence[AnyReceiver]) -> None:
        wanted = {table.name: table for table in tables}
        gone = [
            name
            for name, running in self._running.items()
            if wanted.get(name) != running.desk.table or running.task.done()
        ]
        await self._stop(gone)
        for name, table in wanted.items():
            if name not in self._running:
                desk = Desk(table, lambda: self.settings, self._now)
                task = asyncio.create_task(desk.run(), name=f"alert-{name}")
                self._running[name] = _Running(desk, task)

    async def _stop(self, names: Sequence[str]) -> None:
        stopped = [self._running.pop(name) for name in names]
        for failure in await end([running.task for running in stopped], again_seconds=0.5):
            log.error("alert.receiver_failed", error=repr(failure))

    def troubles(self) -> dict[str, str]:
        """Which receivers cannot be told, and why."""
        return {name: one.desk.trouble for name, one in self._running.items() if one.desk.trouble}

    def figures(self) -> Sequence[Metric]:
        """Counters of this process."""
        told = CounterMetricFamily("leaseline_alerts_told", "Warnings told", labels=["receiver"])
        failed = CounterMetricFamily("leaseline_alert_failures", "Attempts that failed", labels=["receiver"])
        for name, running in self._running.items():
            told.add_metric([name], running.desk.told)
            failed.add_metric([name], running.desk.failures)
        lost = self.dropped + sum(running.desk.dropped for running in self._running.values())
        return [
            told,
            failed,
            counter("alerts_kept_quiet", "Warnings not told: their cause was just now", self.kept_quiet),
            counter("alerts_dropped", "Warnings that were lost: too many at once", lost),
        ]
