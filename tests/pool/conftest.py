"""Stores for the tests of the pool: every test of a `database` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pool.database import Database, open_database
from pool.service import Pool

from .postgresql_server import PostgresqlServer, server_or_reason


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresqlServer]:
    """A private server on a socket of its own, empty, gone with the session."""
    yield from server_or_reason()


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty store."""
    yield from _empty_store(dialect, request, tmp_path / "pool.db")


@pytest.fixture
def second_store_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of another one of the same kind."""
    yield from _empty_store(dialect, request, tmp_path / "second.db")


def _empty_store(dialect: str, request: pytest.FixtureRequest, file: Path) -> Iterator[str]:
    if dialect == "sqlite":
        yield f"sqlite:///{file}"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    with server.database() as url:
        yield url


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[Database]:
    database = await open_database(store_url)
    yield database
    await database.close()


@pytest.fixture
async def pool(database: Database) -> Pool:
    """A pool without numbers: rest 60 s, idle 14 days."""
    pool = Pool(database, sweep_seconds=0)
    await pool.open()
    return pool
