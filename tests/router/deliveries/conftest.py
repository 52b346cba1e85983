"""A store of each kind, calls in it, and the service that tells far sides of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from pool.database import Database
from pool.instants import now
from router.config.live import LiveConfig
from router.config.model import Config
from router.deliveries import lane
from router.deliveries.service import Deliveries
from router.store.calls import CallBatch, CallStore, JournalMark
from router.store.deliveries import DeliveryFilter, DeliveryStore
from tests.router.deliveries.far_side import FarSide, serving
from tests.router.deliveries.records import cdr, columns
from tests.router.store.conftest import database, postgresql_server, store_url

__all__ = ["database", "postgresql_server", "store_url"]


@pytest.fixture
async def far() -> AsyncIterator[FarSide]:
    async with serving(FarSide()) as far:
        yield far


class Clock:
    """The system's clock, which may be set."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> int:
        return now() + self.ahead


class Outbox:
    """Calls and what is told of them."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.database = database
        self.calls = CallStore(database)
        self.store = DeliveryStore(database)
        self.live = LiveConfig(folder / "config.toml", Config())
        self.clock = Clock()
        self._numbers = 0

    def configure(self, *tables: dict[str, Any]) -> None:
        """The `[[delivery]]` tables, as a reload would set them."""
        sites = {site for table in tables for site in table.get("sites", ())}
        self.live.current = Config.model_validate(
            {
                "delivery": [dict(table) for table in tables],
                "site": [
                    {
                        "key": key,
                        "name": key,
                        "main_number": "+442079460000",
                        "origins": ["https://a.example"],
                    }
                    for key in sites
                ],
            }
        )

    def service(self) -> Deliveries:
        return Deliveries(self.live, self.database, now=self.clock)

    @asynccontextmanager
    async def telling(self, service: Deliveries | None = None) -> AsyncIterator[Deliveries]:
        """The service runs within this."""
        service = service or self.service()
        running = asyncio.create_task(service.run())
        try:
            yield service
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    async def call(self, service: Deliveries | None = None, **more: Any) -> str:
        """Stores a call with its outbox, as ingest does; gives its id."""
        self._numbers += 1
        at = more.pop("at", self.clock() - 60_000 + self._numbers)
        record = cdr(self._numbers, at=at, **more)
        chosen = (service or self.service()).of(record)
        mark = JournalMark("f", "p", 1, at)
        await self.calls.write(CallBatch("pbx", [columns(record, at)], chosen, mark, self.clock()))
        if service is not None:
            service.written()
        return str(record["id"])

    async def rows(self, **wanted: Any) -> list[dict[str, Any]]:
        """Deliveries, the earliest call first."""
        found, _ = await self.store.page(DeliveryFilter(**wanted), most=1000)
        return found[::-1]

    async def until(
        self, call_id: str, wanted: str | Callable[[dict[str, Any]], bool], destination: str = "crm"
    ) -> dict[str, Any]:
        """A delivery once it is in the state, or as `wanted`."""
        found: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(60):
                while True:
                    found = await self.rows(call=call_id, destination=destination)
                    if found and (wanted(found[0]) if callable(wanted) else found[0]["state"] == wanted):
                        return found[0]
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"not as wanted: {found}") from None


@pytest.fixture
def outbox(tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    monkeypatch.setattr(lane, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(lane, "PAUSE_SECONDS", (0.05, 0.2))
    monkeypatch.setattr("router.deliveries.outcome.PAUSES_MS", (50, 100, 200))
    monkeypatch.setattr(lane, "DRAIN_SECONDS", 0.2)
    return Outbox(tmp_path, database)


@pytest.fixture
def slow_retries(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts that leave time to look, and more attempts than anybody waits for."""
    monkeypatch.setattr("router.deliveries.outcome.PAUSES_MS", (2_000,) * 9)
