"""A store of each kind, with every room's tables."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pool.database import Database, open_database
from pool.service import Pool
from router.store.visits import MIGRATIONS

from ...pool.postgresql_server import PostgresqlServer, server_or_reason


@pytest.fixture(scope="module")
def postgresql_server() -> Iterator[PostgresqlServer]:
    yield from server_or_reason()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/leaseline.db"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    with server.database() as url:
        yield url


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    database = await open_database(store_url)
    await Pool(database).open()
    await database.migrate("router", MIGRATIONS)
    yield database
    await database.close()
