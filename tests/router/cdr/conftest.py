"""A store on disk, and the pool and ingest around it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pool.database import Database, open_database
from pool.service import Pool
from router.store.calls import CallStore
from router.store.visits import MIGRATIONS


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(f"sqlite:///{tmp_path}/leaseline.db")
    await database.migrate("router", MIGRATIONS)
    await Pool(database).open()
    yield database
    await database.close()


@pytest.fixture
def store(database: Database) -> CallStore:
    return CallStore(database)
