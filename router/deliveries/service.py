"""The service: a lane for each `[[delivery]]`, kept in step with the configuration."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from pool.database import Database, StoreUnavailable
from pool.instants import Instant
from router.cdr.record import Cdr
from router.config.delivery import AnyDestination, Ga4, GoogleAds, GoogleAdsCsv, Metrica, Webhook
from router.config.live import LiveConfig
from router.deliveries.choosing import deliveries_of
from router.deliveries.client import Client
from router.deliveries.ga4_sender import Ga4Sender
from router.deliveries.google_ads_sender import GoogleAdsSender
from router.deliveries.lane import Lane
from router.deliveries.metrica_sender import MetricaSender
from router.deliveries.sending import NotUsable, Sender
from router.deliveries.webhook import WebhookSender
from router.store.calls import NewDelivery
from router.store.deliveries import DeliveryStore
from router.supervision import end

log = structlog.get_logger(__name__)

COUNT_SECONDS: Final = 15.0


class _Running(NamedTuple):
    lane: Lane
    client: Client
    task: asyncio.Task[None]


class Deliveries:
    """Part of every process that shares the store: one at a time works for a destination."""

    def __init__(
        self,
        live: LiveConfig,
        database: Database,
        *,
        now: Callable[[], Instant],
        on_given_up: Callable[[str, str], None] = lambda destination, text: None,
    ) -> None:
        """`on_given_up` is told of dead letters and of destinations that are gone."""
        self._on_given_up = on_given_up
        self._live = live
        self._store = DeliveryStore(database)
        self._now = now
        self._running: dict[str, _Running] = {}
        self.unusable: dict[str, str] = {}
        self._waiting: list[Any] = []
        self._changed = asyncio.Event()
        live.follow(lambda config: self._changed.set())

    def of(self, cdr: Cdr) -> list[NewDelivery]:
        """Who is to be told of a call: the outbox's rows, for the record's own transaction."""
        return deliveries_of(self._live.current.delivery, cdr)

    def written(self) -> None:
        """A call was stored: there may be something to send."""
        for running in self._running.values():
            running.lane.wake()

    def services(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        """What runs for as long as the process does."""
        yield "deliveries", self.run

    async def run(self) -> None:
        """Works until cancelled."""
        try:
            while True:
                self._changed.clear()
                await self._follow(self._live.current.delivery)
                with contextlib.suppress(StoreUnavailable):
                    self._waiting = list(await self._store.waiting()) if self._running else []
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(COUNT_SECONDS):
                        await self._changed.wait()
        finally:
            await self._stop(list(self._running))

    async def _follow(self, tables: Sequence[AnyDestination]) -> None:
        wanted = {table.name: table for table in tables if not isinstance(table, GoogleAdsCsv)}
        await self._stop(
            [
                name
                for name, running in self._running.items()
                if wanted.get(name) != running.lane.table or running.task.done()
            ]
        )
        self.unusable = {name: why for name, why in self.unusable.items() if name in wanted}
        for name, table in wanted.items():
            if name not in self._running:
                self._start(table)

    def _start(self, table: AnyDestination) -> None:
        client = client_of(table)
        try:
            sender = sender_of(table, client, self._store)
        except NotUsable as error:
            # Tried again at each look: a secret may come later than the process.
            if self.unusable.get(table.name) != str(error):
                log.error("delivery.destination_unusable", destination=table.name, reason=str(error))
            self.unusable[table.name] = str(error)
            return
        self.unusable.pop(table.name, None)
        lane = Lane(
            table,
            sender,
            self._store,
            concurrency=getattr(table, "concurrency", 1),
            every_seconds=seconds_between(table),
            now=self._now,
            on_given_up=partial(self._on_given_up, table.name),
        )
        task = asyncio.create_task(lane.run(), name=f"lane-{table.name}")
        self._running[table.name] = _Running(lane, client, task)

    async def _stop(self, names: Sequence[str]) -> None:
        stopped = [self._running.pop(name) for name in names]
        for failure in await end([running.task for running in stopped]):
            log.error("delivery.lane_failed", error=repr(failure))
        for running in stopped:
            await running.client.close()

    def troubles(self) -> dict[str, str]:
        """What keeps destinations from being told, by name."""
        lanes = {name: running.lane.trouble for name, running in self._running.items()}
        return {**self.unusable, **{name: trouble for name, trouble in lanes.items() if trouble}}

    def figures(self) -> Sequence[Metric]:
        """Counters of this process, and gauges of the store's last look."""
        sent = CounterMetricFamily("leaseline_deliveries_sent", "Calls told", labels=["destination"])
        failed = CounterMetricFamily(
            "leaseline_delivery_failures", "Attempts that failed", labels=["destination"]
        )
        for name, running in self._running.items():
            sent.add_metric([name], running.lane.sent)
            failed.add_metric([name], running.lane.failures)
        waiting = GaugeMetricFamily(
            "leaseline_deliveries", "Deliveries not at rest, or failed", labels=["destination", "state"]
        )
        oldest = GaugeMetricFamily(
            "leaseline_delivery_oldest_seconds", "Age of the oldest that is due", labels=["destination"]
        )
        for row in self._waiting:
            waiting.add_metric([row["destination"], row["state"]], row["deliveries"])
            if row["state"] == "due":
                oldest.add_metric([row["destination"]], max(0, self._now() - row["oldest_at"]) / 1000)
        return [sent, failed, waiting, oldest]


def client_of(table: AnyDestination) -> Client:
    """A destination's own connections."""
    return Client(
        timeout_seconds=table.timeout_seconds,
        connections=getattr(table, "concurrency", 1),
        keeps=table.resends_unclear,
    )


def seconds_between(table: AnyDestination) -> float:
    """The shortest time between two requests to a destination."""
    if isinstance(table, Webhook | Ga4):
        return 60 / table.per_minute
    if isinstance(table, Metrica | GoogleAds):
        return table.batch_minutes * 60
    return 0.0


def sender_of(table: AnyDestination, client: Client, store: DeliveryStore) -> Sender:
    """The sender of a destination. Raises NotUsable."""
    if isinstance(table, Webhook):
        return WebhookSender(table, client)
    if isinstance(table, Ga4):
        return Ga4Sender(table, client, store)
    if isinstance(table, Metrica):
        return MetricaSender(table, client)
    if isinstance(table, GoogleAds):
        return GoogleAdsSender(table, client)
    raise NotUsable("its calls are fetched as a file, nothing is sent")
