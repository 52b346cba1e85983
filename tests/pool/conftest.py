"""Stores for the tests of the pool."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pool.database import Database, open_database
from pool.service import Pool


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(f"sqlite:///{tmp_path}/pool.db")
    yield database
    await database.close()


@pytest.fixture
async def pool(database: Database) -> Pool:
    """A pool without numbers: rest 60 s, idle 14 days."""
    pool = Pool(database, sweep_seconds=0)
    await pool.open()
    return pool
