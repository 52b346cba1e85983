"""Webhooks against a far side that checks signatures, refuses, floods, hangs and lies."""

import asyncio
import base64
import json

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from router.deliveries.client import ANSWER_CAP
from tests.router.deliveries.far_side import FarSide, Received, answering, serving

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


@pytest.fixture
def table(far, monkeypatch):
    monkeypatch.setenv("CRM_SECRET", SECRET)
    return {"name": "crm", "kind": "webhook", "url": f"{far.url}/calls", "secret": {"env": "CRM_SECRET"}}


async def test_the_record_arrives_signed_once_and_the_ledger_says_so(outbox, far, table):
    outbox.configure(table)
    async with outbox.telling() as service:
        call_id = await outbox.call(
            service, caller={"number": "+447700900123", "name": 'A "é"\r\n<b>', "region": None}
        )
        row = await outbox.until(call_id, "sent")
    (got,) = far.received
    assert got.method == "POST"
    assert got.path == "/calls"
    assert got.headers["webhook-id"] == call_id
    sent = Webhook(SECRET).verify(got.body, got.headers)
    assert sent == json.loads((await outbox.calls.call(call_id)).record)
    assert (row["attempts"], row["answer"], row["reason"], row["due_at"]) == (1, "200", None, None)
    assert row["sent_at"] is not None
    assert (row["site"], row["result"], row["channel"]) == ("shop", "answered", "Google Ads")


async def test_failures_are_tried_again_then_it_is_dead_then_by_hand(outbox, far, table):
    outbox.configure(table)
    far.answer = answering(500, "no\x1b[31m such table")
    async with outbox.telling() as service:
        call_id = await outbox.call(service)
        row = await outbox.until(call_id, "dead")
        assert row["attempts"] == len(far.received) == 4
        assert row["reason"] == "given up after 4 attempts: 500 no [31m such table"
        ids = {got.headers["webhook-id"] for got in far.received}
        assert ids == {call_id}
        far.answer = answering(204)
        assert await outbox.store.retry(call_id, "crm", outbox.clock())
        service.written()
        row = await outbox.until(call_id, "sent")
    assert row["attempts"] == 1
    assert len(far.received) == 5


async def test_410_disables_until_enabled(outbox, far, table):
    outbox.configure(table)
    far.answer = answering(410, "gone")
    async with outbox.telling() as service:
        first = await outbox.call(service)
        await outbox.until(first, lambda row: row["reason"] == "410 gone")
        second = await outbox.call(service)
        standing = (await outbox.store.standings())["crm"]
        assert standing.disabled_reason == "410 gone"
        async with asyncio.timeout(60):
            while "disabled" not in service.troubles().get("crm", ""):
                await asyncio.sleep(0.02)
        assert len(far.received) == 1
        assert (await outbox.until(second, "due"))["attempts"] == 0
    far.answer = answering(200)
    assert await outbox.store.enable("crm")
    assert not await outbox.store.enable("crm")
    async with outbox.telling():
        await outbox.until(first, "sent")
        await outbox.until(second, "sent")


async def test_redirects_are_not_followed(outbox, far, table):
    outbox.configure(table)
    far.answer = answering(307, Location="/elsewhere")
    async with outbox.telling() as service:
        call_id = await outbox.call(service)
        row = await outbox.until(call_id, "dead")
    assert "redirects are not followed" in row["reason"]
    assert {got.path for got in far.received} == {"/calls"}


async def test_a_flood_of_an_answer_is_not_read(outbox, far, table):
    outbox.configure(table)
    written = []

    async def flood(request: web.Request, got: Received) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while len(written) < 10_000:
                await response.write(b"x" * 65_536)
                written.append(1)
        except (ConnectionError, asyncio.CancelledError):
            pass
        return response

    far.answer = flood
    async with outbox.telling() as service:
        row = await outbox.until(await outbox.call(service), "sent")
    assert len(row["answer"]) < 300
    assert len(written) * 65_536 < ANSWER_CAP * 200


async def test_one_that_hangs_does_not_delay_the_others(outbox, slow_retries, far, table):
    async with serving(FarSide()) as hanging:

        async def hang(request: web.Request, got: Received) -> web.StreamResponse:
            await asyncio.sleep(60)
            return web.Response()

        hanging.answer = hang
        slow = {"name": "slow", "kind": "webhook", "url": hanging.url, "timeout_seconds": 1}
        outbox.configure(slow, table)
        async with outbox.telling() as service:
            calls = [await outbox.call(service) for _ in range(5)]
            for call_id in calls:
                await outbox.until(call_id, "sent")
            # Meanwhile the other has got nowhere, with any of them.
            assert {row["state"] for row in await outbox.rows(destination="slow")} <= {"due", "sending"}
            row = await outbox.until(
                calls[0], lambda row: "no answer in 1 s" in (row["reason"] or ""), "slow"
            )
            assert row["state"] == "due"
        assert hanging.most_open == 1


async def test_retry_after_is_kept_to(outbox, far, table):
    outbox.configure(table)
    far.answer = answering(429, Retry_After="3600")
    async with outbox.telling() as service:
        call_id = await outbox.call(service)
        row = await outbox.until(call_id, lambda row: row["reason"] == "429")
        other = await outbox.call(service)
        await outbox.until(other, "due")
    assert len(far.received) == 1
    at = (await outbox.store.next_due("crm", outbox.clock())) or 0
    assert at <= outbox.clock()  # the other one waits for the destination, not for an hour of its own
    assert row["due_at"] is not None


async def test_a_cut_answer_is_sent_again_under_the_same_id(outbox, far, table):
    outbox.configure(table)
    cut = []

    async def cutting(request: web.Request, got: Received) -> web.StreamResponse:
        if not cut:
            cut.append(1)
            assert request.transport is not None
            request.transport.abort()
        return web.Response()

    far.answer = cutting
    async with outbox.telling() as service:
        row = await outbox.until(await outbox.call(service), "sent")
    assert row["attempts"] == 2
    assert len({got.headers["webhook-id"] for got in far.received}) == 1


async def test_a_bad_secret_is_told_and_nothing_is_sent(outbox, far, table, monkeypatch):
    monkeypatch.setenv("CRM_SECRET", "hunter2")
    outbox.configure(table)
    async with outbox.telling() as service:
        call_id = await outbox.call(service)
        async with asyncio.timeout(60):
            while "whsec_" not in service.troubles().get("crm", ""):
                await asyncio.sleep(0.02)
    assert (await outbox.rows(call=call_id))[0]["state"] == "due"
    assert far.received == []


async def test_calls_arrive_in_their_order(outbox, far, table):
    outbox.configure(table | {"per_minute": 60_000})
    calls = [await outbox.call() for _ in range(20)]
    async with outbox.telling():
        await far.until(20)
        await outbox.until(calls[-1], "sent")
    assert [got.headers["webhook-id"] for got in far.received] == calls
    assert far.most_open == 1
