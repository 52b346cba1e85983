"""PostgreSQL through asyncpg, for several routers that share one pool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar

import asyncpg
from aiosql.adapters.asyncpg import AsyncPGAdapter

from pool.database.errors import StoreConflict, StoreUnavailable
from pool.database.interface import Database
from pool.database.transaction import Reading, Transaction

# SQLSTATE classes and codes (postgresql.org/docs/current/errcodes-appendix.html).
_CONFLICTS = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, deadlock, lock not available."""
_UNAVAILABLE_CLASSES = frozenset({"08", "28", "3D", "53", "57", "58"})
"""Connection, authorization, no such database, resources, operator, system."""
_UNAVAILABLE = frozenset({"25006", "25P03"})
"""Read-only (a standby), idle in transaction for too long."""


MIGRATE_SECONDS = 600.0
"""A new index on a million rows takes its time."""


class PostgresqlAdapter(AsyncPGAdapter):
    """aiosql's adapter for a connection that was acquired already."""

    def _ordered(self, query_name: str, parameters: Mapping[str, Any]) -> list[Any]:
        return [parameters[name] for name in self.var_sorted[query_name]]

    async def select(
        self, conn: Any, query_name: str, sql: str, parameters: Any, record_class: Any = None
    ) -> AsyncIterator[Any]:
        for row in await conn.fetch(sql, *self._ordered(query_name, parameters)):
            yield row

    async def select_one(
        self, conn: Any, query_name: str, sql: str, parameters: Any, record_class: Any = None
    ) -> Any:
        return await conn.fetchrow(sql, *self._ordered(query_name, parameters))

    async def select_value(self, conn: Any, query_name: str, sql: str, parameters: Any) -> Any:
        return await conn.fetchval(sql, *self._ordered(query_name, parameters))

    async def insert_update_delete(self, conn: Any, query_name: str, sql: str, parameters: Any) -> Any:
        return await conn.execute(sql, *self._ordered(query_name, parameters))

    async def insert_update_delete_many(
        self, conn: Any, query_name: str, sql: str, parameters: Iterable[Mapping[str, Any]]
    ) -> None:
        await conn.executemany(sql, [self._ordered(query_name, row) for row in parameters])


class PostgresqlDatabase(Database):
    """A server. READ COMMITTED with row locks: the queries say what they lock."""

    dialect: ClassVar[str] = "postgresql"
    adapter = PostgresqlAdapter
    # Each handler locks its rows in one order; two handlers in one transaction might not.
    one_lane = False

    def __init__(
        self,
        url: str,
        *,
        connect_seconds: float = 3.0,
        write_seconds: float = 30.0,
        read_seconds: float = 30.0,
        connections: int = 10,
        **limits: int,
    ) -> None:
        super().__init__(**limits)
        self._url = url
        self._connect_seconds = connect_seconds
        self._write_seconds = write_seconds
        self._read_seconds = read_seconds
        self._connections = connections
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._migrated: set[str] = set()
        self._migrating = asyncio.Lock()
        self._closed = False

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        with self.translating("write"):
            async with self._acquired(self._write_seconds) as connection, connection.transaction():
                yield Transaction(connection, self.translating, _execute)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reading]:
        with self.translating("read"):
            async with self._acquired(self._read_seconds) as connection:
                yield Reading(connection, self.translating)

    async def migrate(self, room: str, folder: Any) -> list[str]:
        self._rooms[room] = folder
        with self.translating("write"):
            return await self._migrate(room)

    async def _migrate(self, room: str) -> list[str]:
        async with self._migrating:
            async with self._connection(MIGRATE_SECONDS) as connection, connection.transaction():
                transaction = Transaction(connection, self.translating, _execute)
                await transaction.statement("SET LOCAL statement_timeout = 0")
                applied = await self._apply(transaction, room, self._rooms[room])
            self._migrated.add(room)
            return applied

    @asynccontextmanager
    async def _acquired(self, seconds: float) -> AsyncIterator[Any]:
        """A connection to a store whose schema is up to date."""
        for room in self._rooms.keys() - self._migrated:
            await self._migrate(room)
        async with self._connection(seconds) as connection:
            yield connection

    @asynccontextmanager
    async def _connection(self, seconds: float) -> AsyncIterator[Any]:
        pool = await self._connected()
        try:
            connection = await pool.acquire(timeout=self._connect_seconds)
        except (OSError, TimeoutError) as error:
            raise StoreUnavailable(f"{self._place}: cannot connect: {str(error) or 'no answer'}") from error
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                yield connection
        except TimeoutError as error:
            if not deadline.expired():
                raise
            connection.terminate()  # it may be the network: nobody waits for a farewell
            raise StoreUnavailable(f"{self._place}: no answer in {seconds} s") from error
        except asyncio.CancelledError:
            connection.terminate()
            raise
        finally:
            # What was committed is committed: a connection lost afterwards is no longer the caller's concern.
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await pool.release(connection, timeout=self._connect_seconds)

    async def _connected(self) -> asyncpg.Pool[asyncpg.Record]:
        if self._closed:
            raise StoreUnavailable(f"{self._place} was closed")
        if self._pool is None:
            # min_size=0 connects to nothing yet, so this works while the server is down.
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=0,
                max_size=self._connections,
                timeout=self._connect_seconds,
                server_settings=self._server_settings(),
            )
        return self._pool

    def _server_settings(self) -> dict[str, str]:
        """The server, too, gives up: what a router that was stopped or cut off had locked becomes free."""
        longest = max(self._write_seconds, self._read_seconds)
        return {
            "application_name": "leaseline",
            "statement_timeout": f"{round(longest * 1000)}",
            "idle_in_transaction_session_timeout": f"{round(self._write_seconds * 1000)}",
            "tcp_keepalives_idle": "5",
            "tcp_keepalives_interval": "2",
            "tcp_keepalives_count": "3",
        }

    async def _disconnect(self) -> None:
        self._closed = True
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                async with asyncio.timeout(self._connect_seconds):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    @property
    def _place(self) -> str:
        """The server without the password."""
        scheme, _, rest = self._url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    def _translated(self, error: BaseException) -> StoreUnavailable | StoreConflict | None:
        if isinstance(error, asyncpg.PostgresError):
            code = error.sqlstate or ""
            if code in _CONFLICTS:
                return StoreConflict(f"{self._place}: {error}")
            if code[:2] in _UNAVAILABLE_CLASSES or code in _UNAVAILABLE:
                return StoreUnavailable(f"{self._place}: {error}")
        elif isinstance(error, ConnectionError) or (
            isinstance(error, asyncpg.InterfaceError) and "clos" in str(error)
        ):
            return StoreUnavailable(f"{self._place}: {error}")
        return None


async def _execute(connection: Any, sql: str) -> None:
    await connection.execute(sql)
