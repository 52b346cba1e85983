"""An aiohttp application on a port, for as long as its task runs."""

import asyncio

import structlog
from aiohttp import web

log = structlog.get_logger(__name__)

GOODBYE_SECONDS = 3.0


async def listen(name: str, application: web.Application, host: str, port: int) -> None:
    """Serve until cancelled; requests under way are answered first. Raises OSError when the port is taken."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=GOODBYE_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
        log.info("http.listening", listener=name, host=host, port=port)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
