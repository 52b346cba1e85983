"""A private SQLite store for one replay: the same SQL, in memory, without threads and without waiting."""

import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar, TypeVar

from pool.database import Database, Reading, StoreConflict, StoreUnavailable, Transaction
from pool.database.sqlite_adapter import SqliteAdapter

Item = TypeVar("Item")
Result = TypeVar("Result")

CACHE_KILOBYTES = 262_144


class ScratchDatabase(Database):
    """A store that is gone with its object.

    Each `commit` is done before anything else happens: what is asked one after the other is decided one after
    the other, which a group commit does not promise. All of it is one transaction that is never ended:
    nothing here has to survive, and a store in which something failed is to be closed.
    """

    dialect: ClassVar[str] = "sqlite"
    adapter = SqliteAdapter
    one_lane = True

    def __init__(self) -> None:
        super().__init__()
        self._connection = _Connection()
        self._transaction = Transaction(self._connection, self.translating, _execute)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        yield self._transaction

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reading]:
        yield Reading(self._connection, self.translating)

    async def commit(
        self,
        handler: Callable[[Transaction, Sequence[Item]], Awaitable[Sequence[Result | Exception]]],
        item: Item,
    ) -> Result:
        (result,) = await handler(self._transaction, [item])
        if isinstance(result, Exception):
            raise result
        return result

    async def _disconnect(self) -> None:
        self._connection.close()

    def _translated(self, error: BaseException) -> StoreUnavailable | StoreConflict | None:
        if isinstance(error, sqlite3.OperationalError):  # no room left for what does not fit into memory
            return StoreUnavailable(f"the replay's temporary store: {error}")
        return None


class _Connection:
    """What the adapter needs of a connection; every answer is there at once.

    The empty name is SQLite's temporary database: in memory up to the cache's size, then in a file that is
    deleted as it is opened (sqlite.org/inmemorydb.html, "Temporary Databases").
    """

    def __init__(self) -> None:
        self._sqlite = sqlite3.connect("", isolation_level=None)
        self._sqlite.row_factory = sqlite3.Row
        for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE_KILOBYTES}"):
            self._sqlite.execute(f"PRAGMA {pragma}").fetchall()
        self._sqlite.execute("BEGIN")

    async def execute_fetchall(self, sql: str, parameters: Any = ()) -> list[Any]:
        return self._sqlite.execute(sql, parameters).fetchall()

    async def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        return self._sqlite.execute(sql, parameters)

    async def executemany(self, sql: str, parameters: Iterable[Mapping[str, Any]]) -> sqlite3.Cursor:
        return self._sqlite.executemany(sql, parameters)

    def close(self) -> None:
        self._sqlite.close()


async def _execute(connection: _Connection, sql: str) -> None:
    await connection.execute(sql)
