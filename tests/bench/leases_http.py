"""`POST /v1/leases` against an aiohttp handler that returns constant JSON, interleaved in one run.

    python tests/bench/leases_http.py [--numbers 100000] [--rounds 5] [--seconds 2] [--clients 64]

Both servers are one process on uvloop where it is installed. Each request is a new visitor's, so that each
is a durable lease with its visitor, visit and page view. The load comes from another process over loopback,
on connections that are kept open, each with one request under way. Figures: medians of the rounds.
"""

import argparse
import asyncio
import importlib
import json
import multiprocessing
import random
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from aiohttp import web

from pool.database import open_database
from pool.instants import now
from pool.service import Pool
from router.config.live import LiveConfig
from router.config.model import Config
from router.store.visits import MIGRATIONS
from router.web.public import public_app

ORIGIN = "https://shop.example"
REQUESTS = 2_000
AGENTS = [
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{version}.0.0.0 Safari/537.36"
    for version in range(90, 140)
]
PAGES = [
    ("/?utm_source=google&utm_medium=cpc&utm_campaign=spring&utm_term=boiler+repair&gclid=Cj0{n}", ""),
    ("/boilers?n={n}", "https://www.google.com/"),
    ("/?fbclid=IwAR{n}", "https://l.facebook.com/"),
    ("/", ""),
]
CONSTANT = {
    "lease_id": "1a2038a88ae0ec01ee434568e4d640cea8b",
    "visitor_id": "1a2038a88ae45d73347a884c60b585ba538",
    "numbers": [{"slot": "main", "number": "+442079460001", "display": "020 7946 0001"}],
    "seen_every_seconds": 30,
    "frozen_until": "2026-11-22T14:10:40.334Z",
}


class Round(NamedTuple):
    """What one round of load saw."""

    per_second: float
    median_ms: float
    p99_ms: float
    bad: int


def requests() -> list[bytes]:
    """Requests as the widget sends them, from many addresses and browsers."""
    made = []
    dice = random.Random(7)
    for number in range(REQUESTS):
        path, referrer = dice.choice(PAGES)
        body = json.dumps(
            {
                "site": "shop",
                "url": ORIGIN + path.format(n=number),
                "referrer": referrer,
                "title": "Boiler repair in London, seven days a week",
                "screen": "1280x800",
                "language": "en-GB",
                "ga": {"client_id": f"{dice.randrange(10**10)}.1700000000", "session_id": "1700000000"},
            }
        ).encode()
        head = (
            "POST /v1/leases HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"User-Agent: {dice.choice(AGENTS)}\r\nOrigin: {ORIGIN}\r\nReferer: {ORIGIN}/\r\n"
            f"X-Forwarded-For: 10.{dice.randrange(256)}.{dice.randrange(256)}.{dice.randrange(1, 255)}\r\n"
            "Accept: */*\r\nAccept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\n"
            f"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made


class Visitor(asyncio.Protocol):
    """One kept-open connection: sends, waits for the whole answer, sends again until the time is up."""

    def __init__(self, pick: Callable[[], bytes], until: float, took: list[float]) -> None:
        self._pick = pick
        self._until = until
        self._took = took
        self.bad = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._send()

    def _send(self) -> None:
        self._received = b""
        self._sent_at = time.perf_counter()
        self._transport.write(self._pick())

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        now_at = time.perf_counter()
        self._took.append(now_at - self._sent_at)
        if not head.startswith(b"HTTP/1.1 200") or b'"lease_id":null' in body or b'"lease_id": null' in body:
            self.bad += 1
        if now_at < self._until:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def load(port: int, clients: int, seconds: float, made: list[bytes]) -> Round:
    """One round of load on a port."""
    loop = asyncio.get_running_loop()
    dice = random.Random(time.time_ns())
    took: list[float] = []
    begin = time.perf_counter()
    visitors = []
    for _ in range(clients):
        _, visitor = await loop.create_connection(
            lambda: Visitor(lambda: dice.choice(made), begin + seconds, took), "127.0.0.1", port
        )
        visitors.append(visitor)
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(visitor.done for visitor in visitors))
    elapsed = time.perf_counter() - begin
    took.sort()
    bad = sum(visitor.bad for visitor in visitors)
    p99 = took[int(len(took) * 0.99)]
    return Round(len(took) / elapsed, 1000 * statistics.median(took), 1000 * p99, bad)


def generator(commands: Connection) -> None:
    """The load's process: takes (port, clients, seconds), gives a Round; None ends it."""
    made = requests()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        while (command := commands.recv()) is not None:
            commands.send(runner.run(load(*command, made)))


def loop_factory() -> Any:
    try:
        return importlib.import_module("uvloop").new_event_loop
    except ImportError:
        return None


@asynccontextmanager
async def constant_app() -> AsyncIterator[web.Application]:
    body = json.dumps(CONSTANT).encode()

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(body=body, content_type="application/json")

    application = web.Application()
    application.router.add_post("/v1/leases", handle)
    yield application


@asynccontextmanager
async def leases_app(folder: Path, numbers: int) -> AsyncIterator[web.Application]:
    config = Config.model_validate(
        {
            "http": {"leases_per_minute": 100_000, "trusted_proxies": ["127.0.0.0/8"]},
            "site": [{"key": "shop", "name": "Shop", "main_number": "+442079460000", "origins": [ORIGIN]}],
        }
    )
    database = await open_database(f"sqlite:///{folder / 'leaseline.db'}")
    pool = Pool(database)
    await pool.open()
    await database.migrate("router", MIGRATIONS)
    file = folder / "numbers.csv"
    with file.open("w", encoding="utf-8") as out:
        out.write("number\n")
        out.writelines(f"+4420{70_000_000 + number}\n" for number in range(numbers))
    await pool.import_csv(file, now(), default_country=None)
    try:
        yield public_app(LiveConfig(folder / "config.toml", config), pool, database)
    finally:
        await database.close()


def server(kind: str, folder: str, numbers: int, ready: Connection) -> None:
    """A server's process: tells its port, serves until it is told to stop."""

    async def serve() -> None:
        making = constant_app() if kind == "constant" else leases_app(Path(folder), numbers)
        async with making as application:
            runner = web.AppRunner(application, access_log=None)
            await runner.setup()
            sock = socket.create_server(("127.0.0.1", 0), backlog=1024)
            await web.SockSite(runner, sock).start()
            ready.send(sock.getsockname()[1])
            await asyncio.to_thread(ready.recv)
            await runner.cleanup()

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--numbers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--clients", type=int, default=64)
    asked = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        processes, pipes = [], {}
        for kind in ("constant", "leases"):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=server, args=(kind, folder, asked.numbers, theirs))
            process.start()
            processes.append(process)
            pipes[kind] = ours
        ports = {kind: pipe.recv() for kind, pipe in pipes.items()}
        load_pipe, theirs = spawn.Pipe()
        loading = spawn.Process(target=generator, args=(theirs,))
        loading.start()
        rounds: dict[str, list[Round]] = {"constant": [], "leases": []}
        for number in range(asked.rounds + 1):
            for kind, seen in rounds.items():
                load_pipe.send((ports[kind], asked.clients, asked.seconds if number else 0.5))
                measured = load_pipe.recv()
                if number:  # the first round warms caches
                    seen.append(measured)
        load_pipe.send(None)
        for pipe in pipes.values():
            pipe.send(None)
        for process in (*processes, loading):
            process.join(10)
    return report(rounds, asked.numbers)


def report(rounds: dict[str, list[Round]], numbers: int) -> int:
    print(f"{'':10}{'requests/s':>12}{'median ms':>12}{'p99 ms':>10}{'bad':>6}")
    figures = {}
    for kind, seen in rounds.items():
        per_second, median, p99 = (
            statistics.median(values) for values in zip(*(one[:3] for one in seen), strict=True)
        )
        bad = sum(one.bad for one in seen)
        figures[kind] = per_second
        print(f"{kind:10}{per_second:12.0f}{median:12.2f}{p99:10.2f}{bad if kind == 'leases' else '':>6}")
    ratio = figures["leases"] / figures["constant"]
    print(f"durable leases over HTTP on {numbers} numbers: {ratio:.2f} of the constant handler's requests/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
