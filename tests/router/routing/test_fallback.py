"""AstDB's fallback table follows the inventory, the leases and the configuration."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pool.database import Database, open_database
from pool.service import Pool
from router.config import Config
from router.config.live import LiveConfig
from router.routing.fallback import FallbackTable, fallback_target
from router.routing.table import RoutingTable
from router.store.fallback import FallbackStore, MirroredNumber
from router.store.visits import MIGRATIONS

SHOP = {
    "key": "shop",
    "name": "Shop",
    "main_number": "+442079460000",
    "origins": ["https://shop.example"],
    "step": [{"targets": ["PJSIP/agent1", "PJSIP/agent2"]}, {"targets": ["PJSIP/agent3"]}],
}


class AstDbInMemory:
    """Stands for AstDB at its three AMI actions, and counts the puts."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], str] = {}
        self.puts = 0

    async def db_get(self, family: str, key: str) -> str | None:
        return self.rows.get((family, key))

    async def db_put(self, family: str, pairs: Sequence[tuple[str, str]]) -> None:
        self.puts += len(pairs)
        self.rows.update({(family, key): value for key, value in pairs})

    async def db_del(self, family: str, keys: Sequence[str]) -> None:
        for key in keys:
            del self.rows[family, key]

    async def db_clear(self, family: str) -> None:
        self.rows = {place: value for place, value in self.rows.items() if place[0] != family}


async def insert(database: Database, *numbers: str) -> None:
    queries = database.queries(Path(__file__).parent / "sql")
    async with database.write() as transaction:
        await transaction.many(queries.insert_number, [{"number": number} for number in numbers])


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(f"sqlite:///{tmp_path}/store.db")
    await Pool(opened).open()
    await opened.migrate("router", MIGRATIONS)
    yield opened
    await opened.close()


@asynccontextmanager
async def running(table: FallbackTable) -> AsyncIterator[None]:
    task = asyncio.create_task(table.run())
    yield
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def until(astdb: AstDbInMemory, wanted: dict[str, str]) -> None:
    async with asyncio.timeout(60):
        while {key: value for (family, key), value in astdb.rows.items() if family == "leaseline"} != wanted:
            await asyncio.sleep(0.01)


async def test_numbers_are_put_once_and_changed_with_the_configuration(
    tmp_path: Path, database: Database
) -> None:
    await insert(database, "+442079460100", "+442079460101")
    live = LiveConfig(tmp_path / "config.toml", Config.model_validate({"site": [SHOP]}))
    astdb = AstDbInMemory()
    both = "PJSIP/agent1&PJSIP/agent2"
    table = FallbackTable(live, FallbackStore(database, "pbx"), astdb)
    async with running(table):
        await until(astdb, {"442079460100": both, "442079460101": both})
        puts = astdb.puts
        live.current = Config.model_validate({"site": [SHOP | {"step": [{"targets": ["PJSIP/agent3"]}]}]})
        await until(astdb, {"442079460100": "PJSIP/agent3", "442079460101": "PJSIP/agent3"})
        assert astdb.puts == puts + 2
        async with asyncio.timeout(60):
            # What is in AstDB is noted in the store a moment later.
            while table.numbers_put < 4:
                await asyncio.sleep(0.01)

    again = FallbackTable(live, FallbackStore(database, "pbx"), astdb)
    async with running(again):
        async with asyncio.timeout(60):
            while again._passed is None:
                await asyncio.sleep(0.01)
        assert astdb.puts == puts + 2


async def test_a_lost_astdb_is_written_anew(tmp_path: Path, database: Database) -> None:
    await insert(database, "+442079460100")
    live = LiveConfig(tmp_path / "config.toml", Config.model_validate({"site": [SHOP]}))
    stale = AstDbInMemory()
    stale.rows["leaseline", "442079460999"] = "PJSIP/agent9"
    for astdb in (AstDbInMemory(), stale):
        async with running(FallbackTable(live, FallbackStore(database, "pbx"), astdb)):
            await until(astdb, {"442079460100": "PJSIP/agent1&PJSIP/agent2"})


def test_numbers_that_no_site_claims_have_no_target() -> None:
    two = RoutingTable(Config.model_validate({"site": [SHOP, SHOP | {"key": "other"}]}))
    assert fallback_target(two, MirroredNumber("+442079460100", "", "default", "", None)) is None
    assert fallback_target(two, MirroredNumber("+442079460100", "other", "default", "", None)) is not None
