"""The public listener: the widget, leases, the demo page. Nothing here trusts its caller."""

import secrets
from collections.abc import Callable
from typing import Final, Literal

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client.core import CounterMetricFamily, Metric
from typing_extensions import TypedDict

from pool.database import Database, StoreUnavailable
from pool.service import Pool
from router.config.live import LiveConfig
from router.geoip import NOWHERE, Place
from router.web.addresses import RateLimit, TrustedProxies, counted_as
from router.web.demo import page as demo
from router.web.lease_answers import LEASE_ID
from router.web.leases import Leases
from router.web.openapi.document import Listener, Served
from router.web.openapi.operation import JSON, Answer, Parameter, described, page
from router.web.problems import Problem
from router.web.requests import BODY_CAP
from router.web.sites import PublicSites

log = structlog.get_logger(__name__)

REQUESTS_PER_LEASE: Final = 10
"""Heartbeats, page views and a goodbye follow a lease: an address may send this many requests for each."""
_PREFLIGHT_SECONDS: Final = 86_400
_WIDGET_SECONDS: Final = 300
LISTENER: Final = Listener(
    "Leaseline, public listener",
    "What the widget on a site's pages asks. Open to the internet; a page of another origin than the "
    "site's gets no lease.",
    {
        "widget": "The script that shows the numbers.",
        "leases": "Numbers held for visits.",
        "health": "Whether leases can be given.",
        "description": "This document.",
    },
    {429: ["too-many-requests"], 500: ["internal"], 503: ["store-unavailable"]},
)


class PublicHealth(TypedDict):
    """`ok`, or what is wrong."""

    status: Literal["ok", "store unavailable"]


class PublicListener:
    """The handlers of the public listener and what they share."""

    def __init__(
        self,
        live: LiveConfig,
        pool: Pool,
        database: Database,
        place_of: Callable[[str], Place],
        on_shown: Callable[[str], None] = lambda site: None,
    ) -> None:
        http = live.current.http
        self.sites = PublicSites(live.current)
        live.follow(self.sites.load)
        self.proxies = TrustedProxies(http.trusted_proxies)
        per_minute = http.leases_per_minute * REQUESTS_PER_LEASE
        self.requests = RateLimit(per_minute / 60, per_minute)
        self.leases = Leases(
            live, self.sites, self.proxies, pool, database, place_of=place_of, on_shown=on_shown
        )
        self._database = database
        self._demo = http.demo

    def application(self) -> web.Application:
        """The aiohttp application, with every route."""
        application = web.Application(client_max_size=BODY_CAP, middlewares=[self.guard])
        router = application.router
        router.add_get("/widget/{site}.js", self.widget)
        router.add_post("/v1/leases", self.leases.lease)
        router.add_post("/v1/leases/{id}/seen", self.leases.seen)
        router.add_post("/v1/leases/{id}/left", self.leases.left)
        for path in ("/v1/leases", "/v1/leases/{id}/seen", "/v1/leases/{id}/left"):
            router.add_route("OPTIONS", path, self.preflight)
        router.add_get("/healthz", self.health)
        Served(LISTENER).add_to(application)
        if self._demo:
            router.add_get("/demo", self.demo_page)
            router.add_get("/demo/style.css", self.demo_style)
        return application

    def figures(self) -> list[Metric]:
        """What the limits refused, for `/metrics`."""
        refused = CounterMetricFamily(
            "leaseline_public_refused", "What an address asked for beyond its limit", labels=["limit"]
        )
        refused.add_metric(["requests"], self.requests.refused)
        refused.add_metric(["leases"], self.leases.refused)
        return [refused]

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Limits each address, turns every error into a problem, and answers other origins as CORS asks."""
        try:
            self._limit(request)
            response = await handler(request)
        except Problem as problem:
            response = problem.response()
        except web.HTTPException as error:
            response = _http_problem(error).response()
        except StoreUnavailable as error:
            log.warning("web.store_unavailable", path=request.path, reason=str(error))
            response = Problem(
                503,
                "store-unavailable",
                "the store cannot be written just now; nothing was leased or changed, try again",
                headers={"Retry-After": "5"},
            ).response()
        except Exception:
            instance = secrets.token_hex(8)
            log.exception("web.failed", path=request.path, instance=instance)
            response = Problem(
                500, "internal", "the request failed; the log has the cause", instance=instance
            ).response()
        origin = request.headers.get("Origin")
        if origin:
            self._allow(origin, response)
        return response

    def _limit(self, request: web.Request) -> None:
        address = self.proxies.client(request.remote or "", request.headers.get("X-Forwarded-For"))
        counted = counted_as(address)
        if not self.requests.allows(counted):
            wait = self.requests.wait_seconds(counted)
            raise Problem(
                429,
                "too-many-requests",
                f"too many requests from this address; wait {wait} s",
                headers={"Retry-After": str(wait)},
            )

    def _allow(self, origin: str, response: web.StreamResponse) -> None:
        response.headers["Vary"] = "Origin"
        if origin.lower() in self.sites.origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            # The widget reckons by it how long a number is held, since visitors' clocks are wrong.
            response.headers["Access-Control-Expose-Headers"] = "Date"

    @described(
        "leases",
        path=[LEASE_ID],
        headers=[Parameter("Origin", str, "The page's origin.", "https://plumber.example")],
        answers={204: Answer("The origin is a site's.")},
        problems={403: ["origin-not-allowed"]},
    )
    async def preflight(self, request: web.Request) -> web.Response:
        """What a browser asks before a request that is not a simple one."""
        origin = request.headers.get("Origin", "")
        if origin.lower() not in self.sites.origins:
            raise Problem(403, "origin-not-allowed", "no site is served from this origin")
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": "POST",
                "Access-Control-Allow-Headers": "Content-Type",
                "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
            },
        )

    @described(
        "widget",
        path=[Parameter("site", str, "The site's key.", "plumber")],
        answers={
            200: Answer("The script.", {"text/javascript": None}, ["ETag"]),
            304: Answer("`If-None-Match` names the script as it is.", headers=["ETag"]),
        },
        problems={404: ["unknown-site"]},
    )
    async def widget(self, request: web.Request) -> web.Response:
        """One site's widget."""
        site = self.sites.get(request.match_info["site"])
        if site is None:
            raise Problem(404, "unknown-site", "no site has this key")
        script = site.script
        headers = {
            "Cache-Control": f"public, max-age={_WIDGET_SECONDS}, stale-while-revalidate=86400",
            "ETag": script.etag,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
            # The script is public, and pages that isolate themselves (COEP) may load it.
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        if script.etag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        body = script.plain
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = script.compressed
        return web.Response(body=body, content_type="text/javascript", charset="utf-8", headers=headers)

    @described(
        "health",
        answers={200: JSON(PublicHealth, {"status": "ok"}), 503: JSON(PublicHealth)},
    )
    async def health(self, _: web.Request) -> web.Response:
        """Whether leases can be given."""
        healthy = self._database.healthy
        return web.json_response(
            {"status": "ok" if healthy else "store unavailable"}, status=200 if healthy else 503
        )

    @page
    async def demo_page(self, _: web.Request) -> web.Response:
        """The demo page of the first site."""
        site = self.sites.first()
        if site is None:
            raise Problem(404, "unknown-site", "the configuration has no [[site]]")
        return demo.page(site)

    @page
    async def demo_style(self, _: web.Request) -> web.Response:
        """The demo page's style sheet."""
        return demo.style()


def public_app(
    live: LiveConfig,
    pool: Pool,
    database: Database,
    place_of: Callable[[str], Place] = lambda _: NOWHERE,
    *,
    on_shown: Callable[[str], None] = lambda site: None,
) -> web.Application:
    """The public listener's application. `place_of` tells region and city of an address; `on_shown` is called
    with a site's key when a browser says that it shows a number.

    Follows `live`: sites, rules and widgets change with each reload; limits and proxies at the next start.
    """
    return PublicListener(live, pool, database, place_of, on_shown).application()


def _http_problem(error: web.HTTPException) -> Problem:
    kinds = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large"}
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    detail = "no such address" if error.status == 404 else error.reason
    return Problem(error.status, kinds.get(error.status, "refused"), detail, headers=headers)
