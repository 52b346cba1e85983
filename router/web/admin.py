"""The admin listener: is the process alive, is each part ready, and its figures for Prometheus."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector


class Readiness(NamedTuple):
    """One part's state: `detail` says what is wrong, or what the part is doing."""

    ready: bool
    detail: str


Check = Callable[[], Readiness]
Figures = Callable[[], Sequence[Metric]]


class _Collected(Collector):
    def __init__(self, figures: Sequence[Figures]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for figures in self._figures:
            yield from figures()


def admin_app(checks: Mapping[str, Check], figures: Sequence[Figures]) -> web.Application:
    """The admin listener's application.

    `/healthz` answers as long as the process does; `/readyz` is 503 while any part is not ready and names it;
    `/metrics` is Prometheus' text format.
    """
    registry = CollectorRegistry()
    registry.register(_Collected(figures))

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        states = {name: check() for name, check in checks.items()}
        ready = all(state.ready for state in states.values())
        body = {
            "ready": ready,
            "parts": {name: {"ready": state.ready, "detail": state.detail} for name, state in states.items()},
        }
        return web.json_response(body, status=200 if ready else 503)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application()
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    application.router.add_get("/metrics", metrics)
    return application
