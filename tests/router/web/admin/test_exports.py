"""Exports and reports stand in no call's way: those that nobody reads, and many at once."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pool.instants import now
from router.reports import Reports
from router.store.calls import CallStore
from router.store.routing import RoutingStore
from router.users.roles import Role
from router.web import admin_calls
from tests.router.web.admin.conftest import Admin

BOUND_SECONDS = 60
ROWS, PAGE = 6_000, 100
WIDE = "x" * 4_000
"""Each row is so long that no socket's buffers hold the export."""
READERS = 4
COPIED = (
    "site", "number", "extension", "caller", "answered_at", "ended_at", "written_at", "result", "match",
    "confidence", "visit_id", "visitor_id", "channel", "source", "medium", "campaign", "ring_seconds",
    "talk_seconds", "qualified", "first_call", "answered_by",
)  # fmt: skip


async def many_calls(admin: Admin) -> None:
    """ROWS calls like one that the store wrote itself."""
    one = await admin.call()
    columns = ", ".join(COPIED)
    async with admin.database.write() as transaction:
        await transaction.statement(
            f"UPDATE call SET record = replace(record, '=spring', '{WIDE}')"  # noqa: S608
        )
        await transaction.statement(
            f"""
            WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {ROWS - 1})
            INSERT INTO call (call_id, linkedid, switch, started_at, record, {columns})
            SELECT call_id || n, linkedid || n, switch, started_at - n,
                   replace(record, call_id, call_id || n), {columns}
            FROM call, counted WHERE call_id = '{one}'
            """  # noqa: S608
        )


@contextlib.asynccontextmanager
async def unread(admin: Admin, path: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client that asked for `path`, saw the answer's head, and reads no further."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", admin.client.server.port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=16_384)
    key = admin.keys[Role.VIEWER].text
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n".encode()
    )
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        yield reader, writer
    finally:
        writer.transport.abort()


async def look_ups(admin: Admin) -> None:
    """What a route asks the store for, and a call that ends."""
    routing = RoutingStore(admin.database)
    assert await routing.holder("+442079460123", "", now()) is None
    await routing.agents("shop", "+447700900123", now())


async def test_exports_that_nobody_reads_hold_nothing_and_go_on_later(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_calls, "STREAM_PAGE", PAGE)
    await many_calls(admin)
    pages = [0]
    page = CallStore.page

    async def counted(*asked: Any, **more: Any) -> Any:
        pages[0] += 1
        return await page(*asked, **more)

    monkeypatch.setattr(CallStore, "page", counted)
    forms = ("csv", "ndjson") * READERS
    async with asyncio.timeout(BOUND_SECONDS), contextlib.AsyncExitStack() as clients:
        streams = [
            await clients.enter_async_context(unread(admin, f"/api/v1/calls?format={form}")) for form in forms
        ]
        seen = -1
        while seen < pages[0]:  # until all are stuck
            seen = pages[0]
            for _ in range(20):
                await look_ups(admin)
        await admin.call(started_at=now())
        # Every reader is free, and what was read and not sent is a small part of the whole.
        async with contextlib.AsyncExitStack() as readers:
            for _ in range(READERS):
                await readers.enter_async_context(admin.database.read())
        assert pages[0] == seen
        assert len(forms) <= seen < len(forms) * ROWS / PAGE / 2
        rest = await streams[0][0].read()
    assert rest.count(WIDE.encode()) == ROWS
    assert rest.endswith(b"0\r\n\r\n")


async def test_many_exports_and_reports_at_once_leave_readers_to_calls(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    await admin.call()
    gate, inside, most, held = asyncio.Event(), [0], [0], asyncio.Event()
    fetch, part = admin.database.fetch, Reports._part

    @contextlib.asynccontextmanager
    async def slowly() -> AsyncIterator[None]:
        """A reading that takes its time, on a real connection."""
        async with admin.database.read():
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            held.set()
            await gate.wait()
            inside[0] -= 1
        yield

    async def slow_fetch(*query: Any, **parameters: Any) -> Any:
        if "before_at" in parameters or "until_at" in parameters:
            async with slowly():
                pass
        return await fetch(*query, **parameters)

    async def slow_part(*asked: Any) -> Any:
        async with slowly():
            return await part(*asked)

    monkeypatch.setattr(admin.database, "fetch", slow_fetch)
    monkeypatch.setattr(Reports, "_part", slow_part)
    paths = (
        "/api/v1/calls?format=csv",
        "/api/v1/calls?format=ndjson",
        "/api/v1/calls",
        "/api/v1/reports/channels?format=csv",
        "/api/v1/reports/pool",
    ) * 2
    async with asyncio.timeout(BOUND_SECONDS):
        asked = [asyncio.create_task(admin.get(path)) for path in paths]
        await held.wait()
        for _ in range(100):  # all the while that others ask, too
            await look_ups(admin)
        assert 0 < inside[0] < READERS
        gate.set()
        answers = [await task for task in asked]
        for answer in answers:
            assert answer.status == 200
            await answer.read()
    assert most[0] < READERS
