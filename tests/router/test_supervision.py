"""A failing service is started again; cancellation ends it."""

import asyncio

import pytest

from router.supervision import end, keep_running


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
    await asyncio.wait_for(third.wait(), 30)
    assert runs == 3
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_forgets_a_cancellation_is_ended_all_the_same() -> None:
    forgotten = 0

    async def forgetful() -> None:
        nonlocal forgotten
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            forgotten += 1
        await asyncio.Event().wait()

    async def failing() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("while it ended")

    tasks = [asyncio.create_task(work()) for work in (forgetful, failing)]
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        failures = await end(tasks, again_seconds=0.01)
    assert forgotten == 1
    assert [str(failure) for failure in failures] == ["while it ended"]
    assert all(task.done() for task in tasks)
