"""What a redirect plan costs: `/route` answered for sites whose plans depend on more and more, in one run.

    python tests/bench/routing.py [--rounds 5] [--seconds 2] [--clients 1]

Each server is the real FastAGI server and route over a real SQLite store, in a process of its own; `constant`
answers without looking at anything. Clients and figures are those of fastagi.py.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastagi import ANSWER, measure

NUMBER, CALLER = "+442079460123", "+447700900123"
OFFICE = {"name": "office", "hours": ["Mon-Sun"], "holidays": ["12-25 10:00-24:00"]}
AGENTS = ["PJSIP/agent1", "PJSIP/agent2", "PJSIP/agent3"]
STEPS = [{"targets": AGENTS, "strategy": "sequential"}]
WEIGHTED = [{"targets": AGENTS, "strategy": "weighted", "weights": [3, 2, 1], "during": "office"}]
STICKY = [{"targets": AGENTS, "strategy": "sticky"}]
SITES: dict[str, dict[str, Any]] = {
    "constant": {},
    "steps only": {"step": STEPS},
    "schedule, callers, weights": {
        "schedule": [OFFICE],
        "step": WEIGHTED,
        "plan": [
            {"name": f"vip{place}", "caller": [f"+44770090{place:02}*"], "step": STEPS} for place in (1, 2)
        ],
    },
    "holder's channel": {"step": STEPS, "plan": [{"name": "ads", "channel": ["Bing*"], "step": STEPS}]},
    "holder and last agent": {
        "step": STICKY,
        "plan": [{"name": "ads", "channel": ["Bing*"], "step": STEPS}],
    },
}


async def serve(kind: str, folder: Path) -> None:
    from agi.server import FastAgiServer

    server = FastAgiServer({"/route": constant if kind == "constant" else await route_of(kind, folder)})
    await server.start(port=0)
    print(server.port, flush=True)
    await asyncio.Event().wait()


async def constant(request: object) -> Mapping[str, str]:
    return ANSWER


async def route_of(kind: str, folder: Path) -> Any:
    """A route over a store with a thousand numbers, of which the one that is dialed is held."""
    from pool.database import open_database
    from pool.leases import LeaseWish, SlotWish
    from pool.service import Pool
    from router.config import Config
    from router.routing.counts import RouteCounts
    from router.routing.route import Route
    from router.store.routing import RoutingStore
    from router.store.visits import MIGRATIONS

    site = {
        "key": "shop",
        "name": "Shop",
        "main_number": "+442079460000",
        "origins": ["https://shop.example"],
    }
    config = Config.model_validate({"site": [site | SITES[kind]]})
    database = await open_database(f"sqlite:///{folder}/leaseline.db")
    pool = Pool(database)
    await pool.open()
    await database.migrate("router", MIGRATIONS)
    at = time.time_ns() // 1_000_000
    numbers = folder / "numbers.csv"
    rows = "".join(f"+442079460{place:03},dynamic,,\n" for place in range(1000) if place != 123)
    numbers.write_text(f"number,kind,site,channel\n{NUMBER},dynamic,,\n{rows}", encoding="utf-8")
    await pool.import_csv(numbers, at, default_country="GB")
    for visitor in range(1000):
        wish = LeaseWish(
            "shop", f"v{visitor}", f"visit{visitor}", [SlotWish("main", channel="Google Ads")], 900
        )
        await pool.lease(wish, at)
    return Route(
        lambda: config, pool.number, RoutingStore(database), RouteCounts(), find_at_once=pool.number_at_once
    )


def run_server(kind: str, folder: Path) -> None:
    import logging

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(serve(kind, folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--serve", choices=SITES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        run_server(options.serve, options.folder)
        return
    with tempfile.TemporaryDirectory() as scratch:
        compare(options, Path(scratch))


def compare(options: argparse.Namespace, scratch: Path) -> None:
    servers: dict[str, tuple[subprocess.Popen[str], int]] = {}
    try:
        for place, kind in enumerate(SITES):
            folder = scratch / str(place)
            folder.mkdir()
            arguments = [sys.executable, __file__, "--serve", kind, "--folder", str(folder)]
            process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
            assert process.stdout is not None
            servers[kind] = (process, int(process.stdout.readline()))
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
    print(f"{'plans depend on':<28}{'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU ms/request':>16}")
    for kind, rows in figures.items():
        rate, p50, p99, cpu = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{kind:<28}{rate:>12.0f}{p50:>9.2f}{p99:>9.2f}{cpu:>16.3f}")


if __name__ == "__main__":
    main()
