"""Waiting for something to become true."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Return once ``condition()`` is true. TimeoutError after ``seconds``."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    for _ in range(1_000_000):
        if condition():
            return
        if loop.time() > deadline:
            break
        await asyncio.sleep(0.001)
    raise TimeoutError
