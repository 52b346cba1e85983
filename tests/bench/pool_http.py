"""Durable leases/s over HTTP against a handler returning constant JSON, interleaved, on one million numbers.

    python tests/bench/pool_http.py [--numbers N] [--connections 64] [--seconds 4] [--rounds 5] [--url URL]

One server process; the load comes from another. Every request is a new visitor who gets a number and whose
lease is on disk before the answer. Prints both rates and their ratio (medians of the rounds), the server's
CPU for each answer, latencies, and its resident memory.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

from _pool_stock import percentile, resident_megabytes, stocked
from aiohttp import web

from pool.ids import new_id
from pool.instants import now
from pool.leases import LeaseWish, SlotWish
from pool.service import Pool
from router.collector import calm_collector

HOST = "127.0.0.1"
PATHS = ("/constant", "/lease")
CONSTANT = {
    "lease_id": "0" * 35,
    "visitor_id": "0" * 35,
    "numbers": [{"slot": "main", "number": "+88800000000000"}],
}
BODY = json.dumps(
    {"site": "shop", "url": "https://shop.example/?utm_source=google", "referrer": "", "title": "Shop"}
)


def application(pool: Pool) -> web.Application:
    async def constant(request: web.Request) -> web.Response:
        await request.json()
        return web.json_response(CONSTANT)

    async def lease(request: web.Request) -> web.Response:
        site = (await request.json())["site"]
        at = now()
        visitor = new_id(at)
        lease = await pool.lease(LeaseWish(site, visitor, new_id(at), [SlotWish("main")], 900), at)
        numbers = [{"slot": shown.slot, "number": shown.number} for shown in lease.slots]
        assert numbers[0]["number"] is not None
        return web.json_response({"lease_id": lease.lease_id, "visitor_id": visitor, "numbers": numbers})

    application = web.Application()
    application.add_routes([web.post("/constant", constant), web.post("/lease", lease)])
    return application


async def serve(url: str, numbers: int, pipe: Connection) -> None:
    database, pool = await stocked(url, numbers, now() - 86_400_000)
    runner = web.AppRunner(application(pool), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    calm_collector()
    pipe.send(runner.addresses[0][1])
    while not await asyncio.to_thread(pipe.poll, 1):
        pass
    pipe.send(resident_megabytes())
    await runner.cleanup()
    await database.close()


class Client(asyncio.Protocol):
    """One connection that asks again as soon as it is answered."""

    def __init__(self, path: str, latencies: list[float], until: float) -> None:
        self._request = (
            f"POST {path} HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(BODY)}\r\n\r\n{BODY}"
        ).encode()
        self._latencies = latencies
        self._until = until
        self._received = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or not body.endswith(b"}"):
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(self._received.decode()))
            return
        self._received = b""
        answered = time.perf_counter()
        self._latencies.append(answered - self._asked)
        if answered < self._until:
            self._ask()
        else:
            self._transport.close()
            self.done.set_result(None)


def cpu_seconds(process: int) -> float:
    """User and system time of a process so far, from /proc: Linux only."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(port: int, path: str, connections: int, seconds: float) -> tuple[float, list[float]]:
    """Answers per second, and each one's latency in seconds."""
    latencies: list[float] = []
    began = time.perf_counter()
    clients = [Client(path, latencies, began + seconds) for _ in range(connections)]
    loop = asyncio.get_running_loop()
    for client in clients:
        await loop.create_connection(partial(_same, client), HOST, port)
    await asyncio.gather(*(client.done for client in clients))
    return len(latencies) / (time.perf_counter() - began), latencies


def _same(client: Client) -> Client:
    return client


def run_server(url: str, numbers: int, pipe: Connection) -> None:
    asyncio.run(serve(url, numbers, pipe))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--numbers", type=int, default=1_000_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--url", help="a store of its own kind; by default a new SQLite file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        near, far = multiprocessing.Pipe()
        url = options.url or f"sqlite:///{folder}/pool.db"
        server = multiprocessing.get_context("spawn").Process(
            target=run_server, args=(url, options.numbers, far)
        )
        server.start()
        port = near.recv()
        rates: dict[str, list[float]] = {path: [] for path in PATHS}
        cpu: dict[str, list[float]] = {path: [] for path in PATHS}
        latencies: dict[str, list[float]] = {path: [] for path in PATHS}
        for _ in range(options.rounds):
            for path in PATHS:
                before = cpu_seconds(server.pid or 0)
                rate, each = asyncio.run(load(port, path, options.connections, options.seconds))
                cpu[path].append((cpu_seconds(server.pid or 0) - before) / len(each) * 1e6)
                rates[path].append(rate)
                latencies[path] += each
        near.send("stop")
        memory = near.recv()
        server.join()
    ratios = [lease / constant for constant, lease in zip(rates["/constant"], rates["/lease"], strict=True)]
    for path in PATHS:
        p50, p99, longest = (percentile(latencies[path], share) * 1_000 for share in (0.5, 0.99, 1))
        rate = statistics.median(rates[path])
        used = statistics.median(cpu[path])
        print(
            f"{path:10} {rate:8.0f}/s   CPU {used:4.0f} us   p50 {p50:6.2f} ms   p99 {p99:6.2f} ms"
            f"   max {longest:6.1f} ms"
        )
    print(f"ratio      {statistics.median(ratios):8.2f}     ({min(ratios):.2f} to {max(ratios):.2f})")
    print(f"leases     {len(latencies['/lease']):8}     numbers {options.numbers}   resident {memory:.0f} MB")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main())
