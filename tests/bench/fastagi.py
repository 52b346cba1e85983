"""FastAGI: our server against a bare panoramisk one, interleaved in one run.

    python tests/bench/fastagi.py [--rounds 5] [--seconds 2] [--clients 4]

Clients are processes that speak as Asterisk does: a connection per request, the header block line by line,
one reply, the end of the stream. A request's time is from connecting until the server has closed. Figures:
medians of the rounds; CPU is the server process's own, by its /proc stat.
"""

import argparse
import asyncio
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

HEADERS = [
    "agi_network: yes",
    "agi_network_script: route",
    "agi_request: agi://127.0.0.1:4573/route",
    "agi_channel: PJSIP/carrier-0000002a",
    "agi_language: en",
    "agi_type: PJSIP",
    "agi_uniqueid: 1763817000.42",
    "agi_version: 22.10.1",
    "agi_callerid: +447700900123",
    "agi_calleridname: Alice",
    *(f"agi_{name}: 0" for name in ("callingpres", "callingani2", "callington", "callingtns")),
    "agi_dnid: 442079460123",
    "agi_rdnis: unknown",
    "agi_context: leaseline-in",
    "agi_extension: 442079460123",
    "agi_priority: 12",
    "agi_enhanced: 0.0",
    "agi_accountcode: ",
    "agi_threadid: 140245",
    "agi_arg_1: 442079460123",
    "agi_arg_2: 1763817000.42",
    "agi_arg_3: +447700900123",
    "",
]
LINES = [f"{line}\n".encode() for line in HEADERS]
ANSWER = {"LL_NUMBER": "+442079460123", "LL_SITE": "shop", "LL_D1": "PJSIP/agent1", "LL_T1": "20"}
SERVERS = ("leaseline", "leaseline uvloop", "panoramisk", "panoramisk uvloop")


async def serve_ours() -> int:
    from agi.request import AgiRequest
    from agi.server import FastAgiServer

    async def route(request: AgiRequest) -> Mapping[str, str]:
        return ANSWER

    server = FastAgiServer({"/route": route})
    await server.start(port=0)
    return server.port


async def serve_panoramisk() -> int:
    from panoramisk import fast_agi

    pairs = ",".join(f"{name}={value}" for name, value in {**ANSWER, "LL_OK": "1"}.items())

    async def route(request: Any) -> None:
        await request.send_command(f'EXEC MSet "{pairs}"')

    application = fast_agi.Application(loop=asyncio.get_running_loop())
    application.add_route("route", route)
    server = await asyncio.start_server(application.handler, "127.0.0.1", 0, backlog=1024)
    return int(server.sockets[0].getsockname()[1])


async def serve(kind: str) -> None:
    port = await (serve_ours() if kind.startswith("leaseline") else serve_panoramisk())
    print(port, flush=True)
    await asyncio.Event().wait()


def run_server(kind: str) -> None:
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if kind.endswith("uvloop"):
        import uvloop

        uvloop.run(serve(kind))
    else:
        asyncio.run(serve(kind))


def answered(connection: socket.socket, lines: Sequence[bytes]) -> None:
    """Send the header line by line and read the answer. Raises RuntimeError if that is not whole."""
    for line in lines:
        connection.send(line)
    answer = b""
    while not answer.endswith(b"\n") and (data := connection.recv(4096)):
        answer += data
    if not answer.endswith(b'LL_OK=1"\n'):
        raise RuntimeError(f"wrong answer {answer!r}")


def ask(port: int) -> float:
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        answered(connection, LINES)
        connection.send(b"200 result=0\n")
        while connection.recv(4096):
            pass
    return time.perf_counter() - started


def client(port: int, seconds: float, results: Connection) -> None:
    deadline = time.perf_counter() + seconds
    taken: list[float] = []
    while time.perf_counter() < deadline:
        taken.append(ask(port))
    results.send(taken)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(pid: int, port: int, clients: int, seconds: float) -> tuple[float, float, float, float]:
    """Requests/s, p50 ms, p99 ms, server CPU ms per request."""
    before, started = cpu_seconds(pid), time.perf_counter()
    pipes = [multiprocessing.Pipe(duplex=False) for _ in range(clients)]
    workers = [multiprocessing.Process(target=client, args=(port, seconds, send)) for _, send in pipes]
    for worker in workers:
        worker.start()
    taken = sorted(t for receive, _ in pipes for t in receive.recv())
    for worker in workers:
        worker.join()
    elapsed, cpu = time.perf_counter() - started, cpu_seconds(pid) - before
    return (
        len(taken) / elapsed,
        taken[len(taken) // 2] * 1000,
        taken[int(len(taken) * 0.99)] * 1000,
        cpu / len(taken) * 1000,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        run_server(options.serve)
        return
    servers: dict[str, tuple[subprocess.Popen[str], int]] = {}
    for kind in SERVERS:
        process = subprocess.Popen(
            [sys.executable, __file__, "--serve", kind], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        line = process.stdout.readline()
        if line:
            servers[kind] = (process, int(line))
    try:
        figures: dict[str, list[tuple[float, float, float, float]]] = {kind: [] for kind in servers}
        for process, port in servers.values():
            measure(process.pid, port, 1, 0.2)
        for _ in range(options.rounds):
            for kind, (process, port) in servers.items():
                figures[kind].append(measure(process.pid, port, options.clients, options.seconds))
    finally:
        for process, _ in servers.values():
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()
    print(f"{'server':<20}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU ms/request':>16}")
    for kind, rows in figures.items():
        rate, p50, p99, cpu = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{kind:<20}{rate:>12.0f}{p50:>9.2f}{p99:>9.2f}{cpu:>16.3f}")


if __name__ == "__main__":
    main()
