"""Replaying a day of invented traffic: events per second, and memory.

    python tests/bench/replay.py [--hours 1] [--visits-per-hour 10000] [--numbers 1500] [--keep TRACE.ndjson]

Visits arrive at random, three of ten by somebody who came before; they last minutes (log-normal) with a
heartbeat every 30 s; two of a hundred call while they look or soon after, some call hours later, some calls
are nobody's. `--hours 24` is a whole day: about two million events.
"""

import argparse
import asyncio
import heapq
import json
import math
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from router.config import load_config
from router.replay.run import Scenario, replay
from router.replay.trace import measured

MOST_HOURS = 24.0
MOST_VISITS_PER_HOUR = 20_000
CONFIG = """\
[[site]]
key = "shop"
name = "Example Shop"
main_number = "+442079460000"
origins = ["https://shop.example"]
[[site.channel]]
name = "Google Ads"
source = ["google"]
medium = ["cpc"]
"""
URLS = (
    "https://shop.example/?utm_source=google&utm_medium=cpc&utm_campaign=spring",
    "https://shop.example/boilers",
    "https://shop.example/?yclid=17",
)


def trace(
    seed: int, hours: float, visits_per_hour: float, *, beat_seconds: float = 30
) -> Iterator[dict[str, Any]]:
    """The events of invented traffic, sorted; the same for the same arguments."""
    chance = random.Random(seed)
    waiting: list[tuple[float, int, dict[str, Any]]] = []
    places = iter(range(1 << 62))
    known: list[str] = []
    calls = iter(range(1 << 62))

    def later(at: float, event: dict[str, Any]) -> None:
        heapq.heappush(waiting, (at, next(places), {"at": round(at, 3), **event}))

    at, visits = 0.0, 0
    while (at := at + chance.expovariate(visits_per_hour / 3600)) < hours * 3600:
        while waiting and waiting[0][0] <= at:
            yield heapq.heappop(waiting)[2]
        visits += 1
        visit = f"s{visits}"
        if known and chance.random() < 0.3:
            visitor = chance.choice(known[-2000:])
        else:
            visitor = f"v{visits}"
            known.append(visitor)
        later(
            at,
            {
                "event": "visit", "site": "shop", "visitor": visitor, "visit": visit,
                "url": chance.choice(URLS), "referrer": "", "region": "GB-LND",
            },
        )  # fmt: skip
        left_at = at + min(3600.0, chance.lognormvariate(math.log(100), 1.0))
        for beat in range(1, int((left_at - at) / beat_seconds) + 1):
            later(at + beat * beat_seconds, {"event": "seen", "visit": visit})
        later(left_at, {"event": "left", "visit": visit})
        if chance.random() < 0.02:
            delay = chance.lognormvariate(math.log(90 if chance.random() < 0.85 else 15_000), 1.2)
            caller = f"+44770090{visits % 1000:04}"
            later(
                at + delay, {"event": "call", "call": f"c{next(calls)}", "caller": caller, "number_of": visit}
            )
        if chance.random() < 0.001:
            stray = {
                "call": f"c{next(calls)}",
                "caller": "",
                "dialed": f"+442079460{chance.randrange(1, 400):03}",
            }
            later(at, {"event": "call", **stray})
    while waiting:
        event = heapq.heappop(waiting)[2]
        if event["at"] <= hours * 3600:
            yield event


def write_trace(path: Path, events: Iterator[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for event in events:
            file.write(json.dumps(event, separators=(",", ":")) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--visits-per-hour", type=float, default=10_000)
    parser.add_argument("--numbers", type=int, default=1_500)
    parser.add_argument("--keep", type=Path, help="also write the trace here")
    asked = parser.parse_args()
    hours, rate = min(asked.hours, MOST_HOURS), min(asked.visits_per_hour, MOST_VISITS_PER_HOUR)
    with tempfile.TemporaryDirectory() as name:
        path = asked.keep or Path(name) / "trace.ndjson"
        write_trace(path, trace(1, hours, rate))
        config_path = Path(name) / "config.toml"
        config_path.write_text(CONFIG, encoding="utf-8")
        config = load_config(config_path)
        started = time.perf_counter()
        size = measured(path, {"shop"})
        checked = time.perf_counter()
        out: list[int] = []
        scenario = Scenario(path, config, asked.numbers)
        summary = asyncio.run(replay(scenario, size, lambda line: out.append(1), lambda _: None))
        ended = time.perf_counter()
    print(json.dumps(summary))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{size.events} events, {len(out)} lines of output, {hours:g} virtual hours")
    print(f"checked {size.events / (checked - started):,.0f} events/s")
    print(f"replayed {size.events / (ended - checked):,.0f} events/s in {ended - checked:.1f} s")
    print(f"resident memory at the most {peak:.0f} MB")


if __name__ == "__main__":
    main()
