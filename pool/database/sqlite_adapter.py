"""How aiosql and aiosqlite are driven, and what SQLite's errors mean."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from typing import Any

import aiosqlite
from aiosql.adapters.aiosqlite import AioSQLiteAdapter

# Primary result codes that say "not now" rather than "you made a mistake" (sqlite.org/rescode.html).
_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
_PASSING = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_INTERRUPT}
)
"""After these the connection is still good."""


class SqliteAdapter(AioSQLiteAdapter):
    """aiosql's adapter with one trip to aiosqlite's thread per query instead of three."""

    async def select(
        self, conn: Any, _query_name: str, sql: str, parameters: Any, record_class: Any = None
    ) -> AsyncIterator[Any]:
        for row in await conn.execute_fetchall(sql, parameters):
            yield row

    async def select_one(
        self, conn: Any, _query_name: str, sql: str, parameters: Any, record_class: Any = None
    ) -> Any:
        rows = await conn.execute_fetchall(sql, parameters)
        return rows[0] if rows else None

    async def select_value(self, conn: Any, _query_name: str, sql: str, parameters: Any) -> Any:
        rows = await conn.execute_fetchall(sql, parameters)
        return rows[0][0] if rows else None

    async def insert_update_delete(self, conn: Any, _query_name: str, sql: str, parameters: Any) -> None:
        await conn.execute_fetchall(sql, parameters)

    async def insert_update_delete_many(
        self, conn: Any, _query_name: str, sql: str, parameters: Iterable[Mapping[str, Any]]
    ) -> None:
        await conn.executemany(sql, parameters)


class Connection(aiosqlite.Connection):
    """Tells of the end of its thread, also when aiosqlite itself ends one that could not be opened.

    A loop that is closed before leaves the thread with nobody to report to.
    """

    def __init__(
        self, connector: Callable[[], sqlite3.Connection], ending: Callable[[asyncio.Future[Any]], None]
    ) -> None:
        super().__init__(connector, iter_chunk_size=64)
        self._ending = ending

    def stop(self) -> asyncio.Future[Any] | None:
        future = super().stop()
        if future is not None:
            self._ending(future)
        return future


async def execute(connection: Any, sql: str) -> None:
    await connection.execute_fetchall(sql)


def _primary_code(error: sqlite3.Error) -> int:
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF


def is_lasting(error: BaseException | None) -> bool:
    """Whether the connection is of no further use."""
    return isinstance(error, sqlite3.Error) and _primary_code(error) in _UNAVAILABLE - _PASSING


def is_unavailable(error: BaseException) -> bool:
    """Whether the store cannot be used now, rather than wrongly asked."""
    return isinstance(error, sqlite3.Error) and _primary_code(error) in _UNAVAILABLE
