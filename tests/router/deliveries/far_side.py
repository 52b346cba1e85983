"""A far side on a real socket: keeps what it was sent and answers, or misbehaves, as it is told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiohttp import web


class Received(NamedTuple):
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class FarSide:
    """`answer` may be replaced; `received` are the requests in their order."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[web.Request, Received], Awaitable[web.StreamResponse]] = answering(200)
        self.open = 0
        self.most_open = 0
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            body = await request.read()
            headers = {name.lower(): value for name, value in request.headers.items()}
            got = Received(request.method, request.path, dict(request.query), headers, body)
            self.received.append(got)
            return await self.answer(request, got)
        finally:
            self.open -= 1

    async def until(self, count: int) -> list[Received]:
        """What was received, once it is so many."""
        async with asyncio.timeout(60):
            while len(self.received) < count:
                await asyncio.sleep(0.01)
        return self.received


def answering(
    status: int, text: str = "", **headers: str
) -> Callable[[web.Request, Received], Awaitable[web.StreamResponse]]:
    """Always the same answer; `Retry_After="5"` becomes the header Retry-After."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(_request: web.Request, _got: Received) -> web.StreamResponse:
        return web.Response(status=status, text=text, headers=named)

    return answer


@asynccontextmanager
async def serving(far: FarSide) -> AsyncIterator[FarSide]:
    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", far.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    far.url = f"http://127.0.0.1:{port}"
    try:
        yield far
    finally:
        await runner.cleanup()
