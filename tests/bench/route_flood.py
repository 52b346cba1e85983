"""How long a call waits for its route while the widget's side is flooded, against the same server idle.

    python tests/bench/route_flood.py [--rounds 4] [--seconds 5] [--clients 64] [--numbers 50000]

Real `leaseline serve` processes on SQLite. Routes are asked at 30 a second, as Asterisk asks; a route's time
is from connecting until the answer is there. The flood comes from a process of its own, on kept-open
connections with one lease request under way on each, as fast as they are answered. Server, flood and asker
share the cores. Figures: medians of the rounds, idle and flooded in turns.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "asterisk-sandbox"))

from fastagi import answered
from leases_http import ORIGIN, generator
from ports import free_tcp_port

HOST = "127.0.0.1"
RATE = 30.0
CONFIG = """\
[node]
switch = "bench"
[storage]
url = "sqlite:///leaseline.db"
[fastagi]
port = {agi}
[ami]
enabled = false
[http]
public_port = {public}
admin_port = {admin}
{http}
[journal]
path = "journal.csv"
[cdr]
path = "cdr.ndjson"
[recordings]
folder = "recordings"
[asterisk]
country = "GB"
fallback = ["PJSIP/agent1"]
[[site]]
key = "shop"
name = "Shop"
main_number = "+442079460000"
origins = ["{origin}"]
[[site.step]]
targets = ["PJSIP/agent1"]
ring_seconds = 20
"""
VISITORS = 'leases_per_minute = 100000\ntrusted_proxies = ["127.0.0.0/8"]'
ONE_ADDRESS = "leases_per_minute = 60"


class Variant(NamedTuple):
    what: str
    http: str
    roles: tuple[str, ...]


VARIANTS = (
    Variant("one process, many visitors", VISITORS, ("all",)),
    Variant("one process, one address over its limit", ONE_ADDRESS, ("all",)),
    Variant("calls and web apart, many visitors", VISITORS, ("calls", "web")),
)


class Figures(NamedTuple):
    median_ms: float
    p99_ms: float


class Server:
    """The processes of one variant, in a folder of their own."""

    def __init__(self, variant: Variant, folder: Path, numbers: int, resources: contextlib.ExitStack) -> None:
        self.variant = variant
        folder.mkdir()
        (folder / "recordings").mkdir()
        self.agi_port, self.public_port, *admin = (free_tcp_port() for _ in range(2 + len(variant.roles)))
        listed = "".join(f"+4420{70_000_000 + number}\n" for number in range(numbers))
        (folder / "numbers.csv").write_text("number\n" + listed, encoding="ascii")
        (folder / "journal.csv").touch()
        for role, port in zip(variant.roles, admin, strict=True):
            text = CONFIG.format(
                agi=self.agi_port, public=self.public_port, admin=port, http=variant.http, origin=ORIGIN
            )
            (folder / f"{role}.toml").write_text(text, encoding="utf-8")
        program = str(Path(sys.executable).with_name("leaseline"))
        for number, role in enumerate(variant.roles):
            settings = {**os.environ, "LEASELINE_CONFIG": str(folder / f"{role}.toml")}
            if number == 0:
                subprocess.run(
                    [program, "numbers", "import", "numbers.csv"],
                    cwd=folder, env=settings, check=True, stdout=subprocess.DEVNULL,
                )  # fmt: skip
            log = resources.enter_context((folder / f"{role}.log").open("wb"))
            process = subprocess.Popen(
                [program, "serve", "--role", role], cwd=folder, env=settings, stdout=log, stderr=log
            )
            resources.callback(process.wait)
            resources.callback(process.terminate)
            _wait_until_ready(admin[number], folder / f"{role}.log")


def _wait_until_ready(port: int, log: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=2):
                return
        except OSError as error:
            if time.monotonic() > deadline:
                raise OSError(f"not ready ({error}): {log.read_text(errors='replace')[-1000:]}") from error
        time.sleep(0.05)


def ask(port: int, number: int) -> float:
    """One route, header line by line; its time in ms."""
    dialed, caller, linkedid = f"+4420{70_000_000 + number % 1000}", "+12015550100", f"1763817000.{number}"
    script = f"route/{dialed}/{caller}/{linkedid}"
    lines = [
        "agi_network: yes", f"agi_network_script: {script}", f"agi_request: agi://{HOST}:{port}/{script}",
        f"agi_uniqueid: {linkedid}", *(f"agi_other{line}: value" for line in range(18)), "",
    ]  # fmt: skip
    began = time.perf_counter()
    with socket.create_connection((HOST, port), timeout=10) as connection:
        answered(connection, [line.encode() + b"\n" for line in lines])
        took = time.perf_counter() - began
        connection.send(b"200 result=0\nHANGUP\n")
    return took * 1000


def asked(port: int, seconds: float) -> Figures:
    """Routes at RATE, at instants that do not wait for the answers' lateness to pass."""
    took = []
    began = time.perf_counter()
    for number in range(int(seconds * RATE)):
        time.sleep(max(0.0, began + number / RATE - time.perf_counter()))
        took.append(ask(port, number))
    took.sort()
    return Figures(statistics.median(took), took[int(len(took) * 0.99)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--numbers", type=int, default=50_000)
    options = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    pipe, theirs = spawn.Pipe()
    loading = spawn.Process(target=generator, args=(theirs,), daemon=True)
    loading.start()
    idle: dict[str, list[Figures]] = {variant.what: [] for variant in VARIANTS}
    flood: dict[str, list[Figures]] = {variant.what: [] for variant in VARIANTS}
    rates: dict[str, list[float]] = {variant.what: [] for variant in VARIANTS}
    with contextlib.ExitStack() as resources:
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="leaseline-bench-")))
        servers = [
            Server(variant, folder / str(number), options.numbers, resources)
            for number, variant in enumerate(VARIANTS)
        ]
        for _ in range(options.rounds):
            for server in servers:
                what = server.variant.what
                idle[what].append(asked(server.agi_port, options.seconds))
                # The flood begins before the questions, and lasts longer.
                pipe.send((server.public_port, options.clients, options.seconds + 1.5))
                time.sleep(0.75)
                flood[what].append(asked(server.agi_port, options.seconds))
                rates[what].append(pipe.recv().per_second)
        pipe.send(None)
        loading.join(10)
    print("| | idle p50 / p99 ms | flooded p50 / p99 ms | p99 to idle | lease requests answered/s |")
    print("|---|---|---|---|---|")
    for what, seen_idle in idle.items():
        calm, busy = (
            Figures(*(statistics.median(values) for values in zip(*seen, strict=True)))
            for seen in (seen_idle, flood[what])
        )
        print(
            f"| {what} | {calm.median_ms:.2f} / {calm.p99_ms:.2f} | {busy.median_ms:.2f} / {busy.p99_ms:.2f} "
            f"| {busy.p99_ms / calm.p99_ms:.1f} | {statistics.median(rates[what]):.0f} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
