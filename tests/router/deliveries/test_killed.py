"""SIGKILL in mid-send: the far side counts, and the ledger says what is known."""

import asyncio
import json
import random
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from tests.router.deliveries.far_side import Received

REPOSITORY = Path(__file__).parents[3]


@contextmanager
def telling(store_url, table):
    command = [sys.executable, "-m", "tests.router.deliveries.telling_process", store_url, json.dumps(table)]
    process = subprocess.Popen(command, cwd=REPOSITORY)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def holding(far, counted):
    """A far side that keeps what it is sent, and answers only when it is told to."""
    answering = asyncio.Event()

    async def answer(request: web.Request, got: Received) -> web.StreamResponse:
        counted[got.headers["webhook-id"]] += 1
        await answering.wait()
        return web.Response()

    far.answer = answer
    return answering


async def test_what_may_have_arrived_is_sent_again_under_its_id(outbox, far, store_url):
    """The default of webhooks: the id tells the far side that it has it already."""
    counted: Counter[str] = Counter()
    answering = holding(far, counted)
    table = {"name": "crm", "kind": "webhook", "url": far.url}
    outbox.configure(table)
    call_id = await outbox.call()
    with telling(store_url, table):
        await far.until(1)
    assert (await outbox.rows(call=call_id))[0]["state"] == "sending"
    answering.set()
    with telling(store_url, table):
        row = await outbox.until(call_id, "sent")
    assert counted == {call_id: 2}
    assert row["attempts"] == 2


async def test_where_doubles_cannot_be_told_it_is_shown_and_not_sent(outbox, far, store_url):
    counted: Counter[str] = Counter()
    answering = holding(far, counted)
    table = {"name": "crm", "kind": "webhook", "url": far.url, "template": "pipedrive"}
    outbox.configure(table)
    call_id = await outbox.call()
    with telling(store_url, table):
        await far.until(1)
    answering.set()
    other = await outbox.call()
    with telling(store_url, table):
        row = await outbox.until(call_id, "unclear")
        await outbox.until(other, "sent")
    assert counted == {call_id: 1, other: 1}
    assert "may have arrived" in row["reason"]
    assert await outbox.store.retry(call_id, "crm", outbox.clock())
    with telling(store_url, table):
        await outbox.until(call_id, "sent")


async def test_two_processes_and_random_kills_never_send_one_twice(outbox, far, store_url):
    """Nothing that the far side cannot tell apart is sent twice, and all of it ends in a known state."""
    rng = random.Random(6)
    counted: Counter[str] = Counter()

    async def answer(request: web.Request, got: Received) -> web.StreamResponse:
        counted[got.headers["webhook-id"]] += 1
        await asyncio.sleep(0.02)
        return web.Response()

    far.answer = answer
    table = {
        "name": "crm", "kind": "webhook", "url": far.url, "unclear": "leave", "concurrency": 4,
        "per_minute": 60_000,
    }  # fmt: skip
    outbox.configure(table)
    calls = [await outbox.call() for _ in range(60)]
    for seen in (10, 25, 40):
        with telling(store_url, table), telling(store_url, table) as second:
            await far.until(min(seen, len(counted) + 10))
            await asyncio.sleep(rng.random() * 0.05)
            second.kill()
    with telling(store_url, table), telling(store_url, table):
        for call_id in calls:
            await outbox.until(call_id, lambda row: row["state"] in {"sent", "unclear"})
    states = Counter(row["state"] for row in await outbox.rows())
    assert max(counted.values()) == 1
    assert states["sent"] + states["unclear"] == 60
    assert states["unclear"] <= 3 * 2 * 4
    for row in await outbox.rows(state="sent"):
        assert counted[row["call"]] == 1
