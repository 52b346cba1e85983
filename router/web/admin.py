"""The admin listener: health and figures for anybody who reaches it, API and dashboard for those who may."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from typing_extensions import TypedDict

from router.users.access import FORM_HEADER, Access
from router.web.addresses import TrustedProxies
from router.web.admin_calls import Calls
from router.web.admin_deliveries import DeliveryPages
from router.web.admin_guard import Guard
from router.web.admin_live import Live
from router.web.admin_pools import Pools
from router.web.admin_recording import RecordingFiles
from router.web.admin_reports import ReportPages
from router.web.admin_visitors import Visitors
from router.web.dashboard.serving import Dashboard
from router.web.openapi.document import Listener, Served
from router.web.openapi.operation import JSON, Answer, Text, described
from router.web.parts import Check, Parts, Readiness
from router.web.session_cookie import NAME

__all__ = ["Check", "Figures", "Parts", "Readiness", "admin_app"]


class Alive(TypedDict):
    """The process answers."""

    status: Literal["alive"]


class PartState(TypedDict):
    """One part: `detail` says what is wrong, or what it is doing."""

    ready: bool
    detail: str


class Ready(TypedDict):
    """Whether all parts are ready."""

    ready: bool
    parts: dict[str, PartState]


LISTENER: Final = Listener(
    "Leaseline, admin listener",
    "Calls, recordings, pools and health. Keep it off the internet, or behind a TLS proxy.",
    {
        "calls": "Finished calls, their recordings, and the calls that are going on.",
        "deliveries": "What was told to other systems, and why not.",
        "pools": "How the numbers stand.",
        "reports": "Which advertising makes the phone ring.",
        "visitors": "What visitors did before and after they called.",
        "health": "For those who watch over the process.",
        "description": "This document.",
    },
    {
        401: ["unauthorized"],
        403: ["other-origin"],
        429: ["too-many-requests"],
        500: ["internal"],
        503: ["store-unavailable"],
    },
    {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "ll_…_…",
            "description": "An API key: `leaseline user key NAME` makes one.",
        },
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": NAME,
            "description": "A login of the dashboard, for its own pages: other origins are refused, and what "
            f"changes anything needs the form's token in {FORM_HEADER}. Behind TLS the name begins with "
            "`__Host-`.",
        },
    },
)
_METRICS: Final = Answer(content={"text/plain": Text("Prometheus' text format.")})

Figures = Callable[[], Sequence[Metric]]


class _Collected(Collector):
    def __init__(self, figures: Sequence[Figures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for figures in self._figures:
            yield from figures()


def admin_app(checks: Mapping[str, Check], figures: Sequence[Figures], parts: Parts) -> web.Application:
    """The admin listener's application: docs/http-api.md."""
    access = Access(parts.database, TrustedProxies(parts.live.current.http.trusted_proxies))
    application = web.Application(middlewares=[Guard(access).guard])
    _add_health(application, checks, figures)
    Served(LISTENER).add_to(application)
    calls, live = Calls(parts.database), Live(parts.view, access)
    router = application.router
    router.add_get("/api/v1/calls", calls.list_calls)
    router.add_get("/api/v1/calls/{id}", calls.one_call)
    router.add_get("/api/v1/calls/{id}/recording", RecordingFiles(parts.live, parts.database).serve)
    deliveries = DeliveryPages(parts.live, parts.database)
    router.add_get("/api/v1/deliveries", deliveries.list_deliveries)
    router.add_get("/api/v1/deliveries/destinations", deliveries.list_destinations)
    router.add_post("/api/v1/deliveries/destinations/{destination}/enable", deliveries.enable)
    router.add_get("/api/v1/deliveries/{destination}/google-ads.csv", deliveries.google_ads_csv)
    router.add_post("/api/v1/deliveries/{call}/{destination}/retry", deliveries.retry)
    router.add_get("/api/v1/live", live.watch, allow_head=False)
    router.add_get("/api/v1/pools", Pools(parts.pool).status)
    reports = ReportPages(parts.live, parts.database, parts.pool)
    router.add_get("/api/v1/reports/pool", reports.pool)
    router.add_get("/api/v1/reports/{dimension}", reports.report)
    router.add_get("/api/v1/visitors/{id}", Visitors(parts.live, parts.database).journey)
    application.on_shutdown.append(live.close)
    Dashboard(access, parts, checks).add_to(application)
    return application


def _add_health(
    application: web.Application, checks: Mapping[str, Check], figures: Sequence[Figures]
) -> None:
    """`/healthz` answers as long as the process does; `/readyz` is 503 while any part is not ready and names
    it; `/metrics` is Prometheus' text format.
    """
    registry = CollectorRegistry()
    registry.register(_Collected(figures))

    @described("health", answers={200: JSON(Alive)}, security="open")
    async def healthz(_: web.Request) -> web.Response:
        """Whether the process lives."""
        return web.json_response({"status": "alive"})

    @described("health", answers={200: JSON(Ready), 503: JSON(Ready)}, security="open")
    async def readyz(_: web.Request) -> web.Response:
        """Whether each part is ready; 503 while one is not."""
        states = {name: check() for name, check in checks.items()}
        ready = all(state.ready for state in states.values())
        body = {
            "ready": ready,
            "parts": {name: {"ready": state.ready, "detail": state.detail} for name, state in states.items()},
        }
        return web.json_response(body, status=200 if ready else 503)

    @described("health", answers={200: _METRICS}, security="open")
    async def metrics(_: web.Request) -> web.Response:
        """Figures for Prometheus."""
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/metrics", metrics)
