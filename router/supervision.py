"""Keeping services running: one that fails is logged and started again, the others go on."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)


async def keep_running(
    name: str,
    service: Callable[[], Awaitable[object]],
    *,
    first_pause_seconds: float = 0.2,
    longest_pause_seconds: float = 10.0,
) -> None:
    """Run `service` for ever: after an exception, or when it returns, again after a growing pause.

    A run that lasted longer than the longest pause starts the pauses anew. Cancellation ends it.
    """
    loop = asyncio.get_running_loop()
    pause = first_pause_seconds
    while True:
        started = loop.time()
        try:
            await service()
            log.warning("service.ended", service=name, again_in_seconds=pause)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("service.failed", service=name, again_in_seconds=pause)
        if loop.time() - started > longest_pause_seconds:
            pause = first_pause_seconds
        await asyncio.sleep(pause)
        pause = min(pause * 2, longest_pause_seconds)
