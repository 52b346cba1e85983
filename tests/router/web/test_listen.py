"""The listener itself: what is no HTTP at all."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from router.web.listen import listen
from tests.ports import free_ports

HOST = "127.0.0.1"


@asynccontextmanager
async def listening(application: web.Application) -> AsyncIterator[int]:
    [port] = free_ports(1)
    service = asyncio.create_task(listen("test", application, HOST, port))
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection(HOST, port)
                except OSError:
                    assert not service.done()
                    await asyncio.sleep(0.01)
                else:
                    writer.close()
                    break
        yield port
    finally:
        service.cancel()
        await asyncio.gather(service, return_exceptions=True)


async def answer(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(sent)
        return await asyncio.wait_for(reader.read(), 60)
    finally:
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_and_fills_no_log(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with listening(web.Application()) as port:
        assert re.match(rb"HTTP/1\.[01] 400 ", await answer(port, sent))
    assert [record for record in caplog.records if record.name == "aiohttp.server"] == []


async def test_a_mistake_of_ours_is_still_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_: web.Request) -> web.Response:
        raise ZeroDivisionError

    application = web.Application()
    application.router.add_get("/", broken)
    async with listening(application) as port:
        got = await answer(port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert got.startswith(b"HTTP/1.1 500 ")
    assert [record.levelname for record in caplog.records if record.name == "aiohttp.server"] == ["ERROR"]
