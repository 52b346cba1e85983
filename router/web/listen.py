"""An aiohttp application on a port, for as long as its task runs."""

import asyncio
import logging

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

log = structlog.get_logger(__name__)

GOODBYE_SECONDS = 3.0


class _Malformed(logging.Filter):
    """Takes requests that are no HTTP out of the errors: whoever sends them is answered 400, and we made no
    mistake. A traceback for each would let anybody fill the log.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        log.debug("http.malformed", told=record.getMessage(), reason=error.message.strip()[:200])
        return False


_server_log = logging.getLogger("aiohttp.server")
_server_log.addFilter(_Malformed())


async def listen(name: str, application: web.Application, host: str, port: int) -> None:
    """Serve until cancelled; requests under way are answered first. Raises OSError when the port is taken."""
    runner = web.AppRunner(application, access_log=None, logger=_server_log, shutdown_timeout=GOODBYE_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
        log.info("http.listening", listener=name, host=host, port=port)
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
