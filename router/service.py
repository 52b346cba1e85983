"""Start-up: which services a role runs, in which order, and how they end."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import partial

import structlog
from prometheus_client.core import Metric

from agi import variables
from agi.server import FastAgiServer
from agi.watchdog import LoopWatchdog
from pool.database import Database
from pool.instants import now
from pool.service import Pool
from router.alerts.service import Alerts
from router.alerts.sources import of_call, of_delivery, of_pool
from router.alerts.watch import AlertWatch
from router.calls import CallsRole
from router.cdr.record import Cdr
from router.config.live import LiveConfig
from router.deliveries.service import Deliveries
from router.geoip import GeoIp
from router.metrics import fastagi_figures, gauge
from router.pool_watch import PoolWatch
from router.privacy import Forgetting
from router.reports.call_days import CallDays
from router.reports.visit_days import VisitDays
from router.routing.counts import RouteCounts
from router.routing.extension import ExtensionRoute
from router.routing.route import Route
from router.store.forgetting import ForgettingStore
from router.store.routing import RoutingStore
from router.store.visits import MIGRATIONS
from router.supervision import end, keep_running
from router.web.admin import Figures, admin_app
from router.web.listen import listen
from router.web.parts import Check, Parts, Readiness
from router.web.public import PublicListener

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 3.0
STORE_LOOK_SECONDS = 1.0


class Role(StrEnum):
    """What a process does: the calls of the PBX beside it, the widget's web side, or both."""

    ALL = "all"
    CALLS = "calls"
    WEB = "web"


class Service:
    """One router process."""

    def __init__(self, live: LiveConfig, role: Role, database: Database) -> None:
        config = live.current
        self._live = live
        self._role = role
        self._database = database
        self._pool = Pool(database, rest_seconds=config.pool.rest_seconds, idle_days=config.pool.idle_days)
        self._migrated = False
        self._schema_tried = asyncio.Event()
        self._routed = RouteCounts()
        asked = (lambda: live.current, self._pool.number, RoutingStore(database), self._routed)
        self._fastagi = FastAgiServer(
            {
                variables.PATH_ROUTE: Route(*asked, find_at_once=self._pool.number_at_once),
                variables.PATH_EXTENSION: ExtensionRoute(*asked),
            },
            allow=config.fastagi.allow,
            header_seconds=config.fastagi.header_seconds,
            answer_seconds=config.fastagi.answer_seconds,
        )
        self._geoip = GeoIp(live)
        self._forgetting = Forgetting(live, ForgettingStore(database, self._pool), now=now)
        self._alerts = Alerts(live, database, now=now)
        self._deliveries = Deliveries(
            live,
            database,
            now=now,
            on_given_up=lambda name, text: self._alerts.notify(of_delivery(name, text)),
        )
        self._calls = (
            CallsRole(live, database, self._pool, self._deliveries, on_call=self._heard)
            if role is not Role.WEB
            else None
        )
        self._pool_watch = (
            PoolWatch(live, self._pool, on_alert=lambda alert: self._alerts.notify(of_pool(alert)))
            if role is not Role.CALLS
            else None
        )
        self._watch = AlertWatch(
            live,
            database,
            self._alerts,
            now=now,
            journal=self._calls.journal_problem if self._calls else lambda: None,
            disk_problem=self._calls.disk_problem if self._calls else lambda: None,
        )
        self._public = None
        if role is not Role.CALLS:
            self._public = PublicListener(live, self._pool, database, self._geoip.place_of, self._watch.shown)

    def _heard(self, cdr: Cdr) -> None:
        notice = of_call(cdr, self._live.current.alerts.missed_results, now())
        if notice is not None:
            self._alerts.notify(notice)

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises OSError when a port is taken."""
        config = self._live.current
        ended = self._signals()
        watchdog = LoopWatchdog(config.fastagi.stall_seconds)
        watchdog.start()
        tasks: list[asyncio.Task[None]] = []
        try:
            if self._calls is not None:
                # First of all: while the store is not open yet, a connection is closed unanswered at once,
                # and the dialplan's own table decides without waiting.
                await self._fastagi.start(config.fastagi.host, config.fastagi.port)
            tasks += [
                asyncio.create_task(keep_running(name, service), name=name)
                for name, service in self._services()
            ]
            await ended.wait()
            log.info("service.ending")
            await self._fastagi.drain(DRAIN_SECONDS)
        finally:
            watchdog.stop()
            await end(tasks[::-1])
            await self._database.close()

    def _signals(self) -> asyncio.Event:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        loop.add_signal_handler(signal.SIGHUP, self._live.reload)
        return ended

    def _services(self) -> Iterator[tuple[str, Callable[[], Awaitable[None]]]]:
        http = self._live.current.http
        yield "store", self._keep_schema
        if self._calls is not None:
            for name, service in self._calls.services():
                yield name, partial(self._after_schema, service)
        yield from self._deliveries.services()
        yield from self._alerts.services()
        yield from self._watch.services()
        if self._pool_watch is not None:
            yield from self._pool_watch.services()
            days = VisitDays(self._database, lambda: self._live.current, now=now)
            yield "visit-days", partial(self._after_schema, days.run)
            call_days = CallDays(self._database, lambda: self._live.current, now=now)
            yield "call-days", partial(self._after_schema, call_days.run)
            yield "geoip", self._geoip.run
            yield "privacy", partial(self._after_schema, self._forgetting.run)
        if self._public is not None:
            public = self._public.application()
            yield "public", lambda: listen("public", public, http.public_host, http.public_port)
        view = self._calls.view if self._calls is not None else None
        parts = Parts(self._live, self._database, self._pool, view)
        admin = admin_app(self._checks(), self._figures(), parts)
        yield "admin", lambda: listen("admin", admin, http.admin_host, http.admin_port)

    async def _after_schema(self, service: Callable[[], Awaitable[None]]) -> None:
        """At a first start there are no tables to look at for a moment. A store that is away is not waited
        for: the second witness and the ingest that takes its events need none.
        """
        await self._schema_tried.wait()
        await service()

    async def _keep_schema(self) -> None:
        """Bring the schema up to date, then look after the store: its health is known without a request."""
        try:
            await self._pool.open()
            await self._database.migrate("router", MIGRATIONS)
        finally:
            self._schema_tried.set()
        self._migrated = True
        log.info("store.ready", dialect=self._database.dialect)
        while True:
            await asyncio.sleep(STORE_LOOK_SECONDS)
            await self._pool.number("")

    def _checks(self) -> dict[str, Check]:
        checks: dict[str, Check] = {"store": self._store_ready}
        if self._calls is not None:
            checks["fastagi"] = lambda: Readiness(self._fastagi.port > 0, f"port {self._fastagi.port}")
            checks |= self._calls.checks()
        checks["deliveries"] = lambda: _never_in_the_way(self._deliveries.troubles())
        checks["alerts"] = lambda: _never_in_the_way(self._alerts.troubles())
        return checks

    def _store_ready(self) -> Readiness:
        if not self._migrated or not self._database.healthy:
            return Readiness(False, self._database.last_error or "its schema is not up to date yet")
        return Readiness(True, self._database.dialect)

    def _figures(self) -> Sequence[Figures]:
        figures: list[Figures] = [self._store_figures, self._deliveries.figures, self._alerts.figures]
        if self._calls is not None:
            figures += [
                lambda: fastagi_figures(self._fastagi),
                self._routed.figures,
                self._calls.figures,
            ]
        if self._pool_watch is not None:
            figures += [self._pool_watch.figures, self._geoip.figures, self._forgetting.figures]
        if self._public is not None:
            figures.append(self._public.figures)
        return figures

    def _store_figures(self) -> list[Metric]:
        healthy = float(self._database.healthy)
        return [gauge("store_healthy", "1 while the last use of the store worked", healthy)]


def _never_in_the_way(troubles: Mapping[str, str]) -> Readiness:
    """Always ready, whatever the trouble: calls need none of this."""
    return Readiness(True, "; ".join(f"{name}: {why}" for name, why in troubles.items()) or "no trouble")
