"""Numbers that run out are seen, and warned of, before visitors are told the main number for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.core import Metric
from structlog.testing import capture_logs

from pool.database import Database, StoreUnavailable, open_database
from pool.instants import HOUR, SECOND
from pool.leases import LeaseWish, SlotWish
from pool.service import Pool
from router import pool_watch
from router.config import load_config
from router.config.live import LiveConfig
from router.pool_watch import PoolWatch

START = 1_790_000_000_000 - 1_790_000_000_000 % HOUR
CONFIG = """\
[[site]]
key = "shop"
name = "Shop"
main_number = "+442079460000"
origins = ["https://shop.example"]
alert_use = 0.5
[[site]]
key = "quiet"
name = "Quiet"
main_number = "+442079460900"
origins = ["https://quiet.example"]
pool = "another"
"""


class Watched:
    """A pool of twenty numbers, a clock, and who watches."""

    def __init__(self, folder: Path, database: Database) -> None:
        path = folder / "config.toml"
        path.write_text(CONFIG, encoding="utf-8")
        self.folder = folder
        self.at = START
        self.pool = Pool(database)
        self.watch = PoolWatch(LiveConfig(path, load_config(path)), self.pool, clock=lambda: self.at)
        self.visits = 0

    async def open(self) -> None:
        await self.pool.open()
        file = self.folder / "numbers.csv"
        file.write_text("number\n" + "".join(f"+442079460{place:03}\n" for place in range(100, 120)))
        await self.pool.import_csv(file, START, default_country="GB")

    async def visit(self, count: int) -> None:
        for _ in range(count):
            self.visits += 1
            wish = LeaseWish("shop", f"v{self.visits}", f"s{self.visits}", [SlotWish("main")], 900)
            await self.pool.lease(wish, self.at)

    async def alerts(self) -> list[tuple[str, str, float]]:
        with capture_logs() as logs:
            await self.watch.look()
        return [(row["site"], row["cause"], row["value"]) for row in logs if row["event"] == "pool.alert"]


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    database = await open_database(f"sqlite:///{tmp_path}/pool.db")
    watched = Watched(tmp_path, database)
    await watched.open()
    yield watched
    await database.close()


def samples(metrics: list[Metric], name: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(sample.labels.values()): sample.value
        for metric in metrics
        for sample in metric.samples
        if sample.name == f"leaseline_{name}"
    }


async def test_use_is_warned_of_once_an_hour(watched: Watched) -> None:
    await watched.visit(10)
    assert await watched.alerts() == []  # half of them, and no more than half
    await watched.visit(1)
    assert await watched.alerts() == [("shop", "use", 0.55)]
    watched.at += HOUR - 1
    await watched.visit(11)  # the others are over
    assert await watched.alerts() == []
    watched.at += 1
    assert await watched.alerts() == [("shop", "use", 0.55)]


async def test_blocking_is_warned_of_when_there_were_visits_enough(watched: Watched) -> None:
    await watched.visit(21)
    assert await watched.alerts() == [("shop", "use", 1.0)]  # 1 of 21 is less than 5 %
    await watched.visit(1)
    assert await watched.alerts() == [("shop", "blocking", 0.0909)]
    watched.at += 3 * HOUR
    await watched.visit(1)
    assert await watched.alerts() == []


async def test_figures_tell_use_falls_and_coverage(watched: Watched) -> None:
    assert samples(list(watched.watch.figures()), "pool_numbers") == {}
    await watched.visit(21)
    await watched.watch.look()
    figures = list(watched.watch.figures())
    assert samples(figures, "pool_numbers") == {("default", "shop", "live"): 20}
    assert samples(figures, "pool_served") == {
        ("shop", "default", "base"): 20,
        ("shop", "default", "main"): 1,
    }
    assert samples(figures, "pool_use") == {("shop",): 1}
    assert samples(figures, "pool_coverage") == {("shop",): pytest.approx(20 / 21)}
    assert samples(figures, "pool_alerts_total") == {(): 1}


async def test_it_goes_on_when_the_store_is_back(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_watch, "EVERY_SECONDS", 0.01)
    looked = asyncio.Event()
    status, failures = watched.pool.status, iter([True, True])

    async def sometimes(*arguments: object, **options: object) -> object:
        if next(failures, False):
            raise StoreUnavailable("gone")
        looked.set()
        return await status(START, served_since_at=START - SECOND)

    monkeypatch.setattr(watched.pool, "status", sometimes)
    ((_, service),) = watched.watch.services()
    with capture_logs() as logs:
        task = asyncio.create_task(service())
        await asyncio.wait_for(looked.wait(), 60)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert [row["event"] for row in logs] == ["pool.not_watched"] * 2
