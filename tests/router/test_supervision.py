"""A failing service is started again; cancellation ends it."""

import asyncio

import pytest

from router.supervision import keep_running


async def test_a_failing_service_runs_again() -> None:
    runs = 0
    third = asyncio.Event()

    async def service() -> None:
        nonlocal runs
        runs += 1
        if runs == 3:
            third.set()
            await asyncio.Event().wait()
        if runs == 1:
            raise RuntimeError("first")

    task = asyncio.create_task(keep_running("service", service, first_pause_seconds=0.001))
    await asyncio.wait_for(third.wait(), 5)
    assert runs == 3
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
