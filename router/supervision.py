"""Keeping services running: one that fails is logged and started again, the others go on."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

import structlog

from pool.database import StoreUnavailable

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


async def repeat(work: Callable[[], Awaitable[object]], seconds: float, failed: str) -> None:
    """Does `work` for ever, `seconds` apart; a store that is gone is waited for and logged as `failed`."""
    while True:
        try:
            await work()
        except StoreUnavailable as error:
            log.warning(failed, error=str(error))
        await asyncio.sleep(seconds)


async def end(tasks: Collection[asyncio.Task[Any]], *, again_seconds: float = 15.0) -> list[Exception]:
    """Cancels tasks and waits until all have ended; gives the exceptions that some ended with.

    Once may not be enough: up to Python 3.11 `asyncio.wait_for`, which libraries use, forgets a cancellation
    that comes together with its answer. `again_seconds` is longer than any of them takes to end in order.
    """
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=again_seconds)
    failures = (task.exception() for task in tasks if not task.cancelled())
    return [failure for failure in failures if isinstance(failure, Exception)]
