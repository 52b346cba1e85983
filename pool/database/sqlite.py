"""SQLite through aiosqlite: WAL, synchronous=FULL, one writing connection, a few reading ones."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, TypeVar
from urllib.parse import quote

import aiosqlite

from pool.database.direct import DIRECTLY, AnsweringAtOnce, DirectConnection, exclusively, result_of
from pool.database.errors import NotAtOnce, StoreConflict, StoreUnavailable
from pool.database.interface import Database
from pool.database.lookups import Lookup, SharedTrips
from pool.database.queries import Query
from pool.database.sqlite_adapter import Connection, SqliteAdapter, execute, is_lasting, is_unavailable
from pool.database.transaction import Reading, Row, Transaction

CLOSE_SECONDS = 5.0
LOOK_SECONDS = 0.2
"""How long a reader may go on with a file that its path no longer leads to."""
OLDEST_SQLITE = (3, 38, 0)

_Result = TypeVar("_Result")


class SqliteDatabase(Database):
    """A file. Several processes may share it; a writer waits up to `busy_seconds` for another process's."""

    dialect: ClassVar[str] = "sqlite"
    adapter = SqliteAdapter
    one_lane = True

    def __init__(
        self,
        path: Path,
        *,
        busy_seconds: float = 3.0,
        write_seconds: float = 30.0,
        read_seconds: float = 30.0,
        readers: int = 4,
        cache_kilobytes: int = 8_000,
        **limits: int,
    ) -> None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise RuntimeError(f"SQLite {sqlite3.sqlite_version} is too old: 3.38 is the first with ->>")
        super().__init__(**limits)
        self.path = path
        self._busy_seconds = busy_seconds
        self._write_seconds = write_seconds
        self._read_seconds = read_seconds
        self._cache_kilobytes = cache_kilobytes
        self._writer: aiosqlite.Connection | None = None
        self._writing = asyncio.Lock()
        self._idle_readers: list[aiosqlite.Connection] = []
        self._reading = asyncio.Semaphore(readers)
        self._file: tuple[int, int] | None = None
        self._looked_at = 0.0
        self._glancing: sqlite3.Connection | None = None
        self._trips = SharedTrips(self._look_up)
        self._closing: set[asyncio.Future[Any]] = set()
        self._generation = 0
        self._closed = False

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        async with self._writing:
            with self.translating("write"):
                async with self._deadline(self._write_seconds):
                    connection = await self._connected_writer()
                    async with self._exclusively(connection) as transaction:
                        yield transaction

    async def transact(self, work: Callable[[Transaction], Coroutine[Any, Any, _Result]]) -> _Result:
        async with self._writing:
            with self.translating("write"):
                async with self._deadline(self._write_seconds):
                    connection = await self._connected_writer()
                    return await self._directly(connection, work)

    async def _directly(
        self, connection: aiosqlite.Connection, work: Callable[[Transaction], Coroutine[Any, Any, _Result]]
    ) -> _Result:
        def deed(sqlite: sqlite3.Connection) -> _Result:
            transaction = Transaction(AnsweringAtOnce(sqlite), self.translating, execute)
            result: _Result = exclusively(sqlite, partial(work, transaction))
            return result

        try:
            answer: Any = await connection.execute_fetchall(DIRECTLY, deed)
        except asyncio.CancelledError:
            await self._give_up_connections(busy=True)
            raise
        except Exception as error:
            if is_lasting(error) or is_lasting(error.__cause__):
                await self._give_up_connections()
            raise
        result: _Result = answer[0]
        return result

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reading]:
        async with self._reader() as connection:
            yield Reading(connection, self.translating)

    async def lookup(self, query: Query, /, **parameters: Any) -> list[Row]:
        rows: list[Row] = await self._trips.join(Lookup("fetch", query, parameters))
        return rows

    async def lookup_one(self, query: Query, /, **parameters: Any) -> Row | None:
        row: Row | None = await self._trips.join(Lookup("one", query, parameters))
        return row

    async def _look_up(self, lookups: Sequence[Lookup]) -> list[Any]:
        """All of them on one connection, in one trip to its thread."""

        def deed(sqlite: sqlite3.Connection) -> list[Any]:
            reading = Reading(AnsweringAtOnce(sqlite), self.translating)
            return [result_of(lookup.run(reading)) for lookup in lookups]

        async with self._reader() as connection:
            answer: Any = await connection.execute_fetchall(DIRECTLY, deed)
        results: list[Any] = answer[0]
        return results

    def at_once(self, query: Query, /, **parameters: Any) -> Row | None:
        if self._writer is None or self._is_another_file_by_now():
            raise NotAtOnce
        try:
            if self._glancing is None:
                self._glancing = self._connect_to_glance()
            rows: list[Row] = self._glancing.execute(query.sql, parameters).fetchall()
        except sqlite3.Error as error:
            # Locked for a moment, or gone: the reader with all its patience and all its words finds out.
            self._give_up_glancing()
            raise NotAtOnce from error
        return rows[0] if rows else None

    def _connect_to_glance(self) -> sqlite3.Connection:
        """A connection of the event loop's own: a page or two from the system's cache take less time than
        waking a thread.
        """
        connection = sqlite3.connect(self._uri("ro"), uri=True, isolation_level=None, timeout=0)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA cache_size = -1000")
        return connection

    def _give_up_glancing(self) -> None:
        if self._glancing is not None:
            self._glancing.close()
            self._glancing = None

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[aiosqlite.Connection]:
        async with self._reading:
            with self.translating("read"):
                async with self._deadline(self._read_seconds):
                    connection = await self._connected_reader()
                    generation = self._generation
                    try:
                        yield connection
                    except BaseException:
                        # A statement may still be running: a fresh connection is cheaper than finding out.
                        await self._give_up(connection, busy=True)
                        raise
            if generation == self._generation:
                self._idle_readers.append(connection)
            else:
                await self._give_up(connection)

    @asynccontextmanager
    async def _exclusively(self, connection: aiosqlite.Connection) -> AsyncIterator[Transaction]:
        try:
            await connection.execute("BEGIN IMMEDIATE")
            yield Transaction(connection, self.translating, execute)
            await connection.commit()
        except asyncio.CancelledError:
            # Nothing may be awaited from a thread that does not answer; closing rolls back.
            await self._give_up_connections(busy=True)
            raise
        except Exception as error:
            if is_lasting(error) or is_lasting(error.__cause__):
                await self._give_up_connections()
            elif connection.in_transaction:
                await connection.rollback()
            raise

    @asynccontextmanager
    async def _deadline(self, seconds: float) -> AsyncIterator[None]:
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                yield
        except TimeoutError as error:
            if not deadline.expired():
                raise
            raise StoreUnavailable(f"{self.path}: no answer in {seconds} s") from error

    async def _connected_writer(self) -> aiosqlite.Connection:
        """The open writer; call it with `_writing` held."""
        if self._writer is not None and self._is_another_file():
            await self._give_up_connections()
            # SQLite removes its -wal file by name as it closes: not the one of the file that came instead.
            await self._closed_connections()
        if self._writer is None:
            writer = await self._connect()
            try:
                await self._prepare(writer)
            except BaseException:
                await self._give_up(writer)
                raise
            self._file = self._file_now()
            self._writer = writer
        return self._writer

    async def _prepare(self, writer: aiosqlite.Connection) -> None:
        await writer.execute_fetchall("PRAGMA journal_mode = WAL")
        await writer.execute_fetchall("PRAGMA synchronous = FULL")
        await writer.execute_fetchall("PRAGMA journal_size_limit = 67108864")
        for room, folder in self._rooms.items():
            async with self._exclusively(writer) as transaction:
                await self._apply(transaction, room, folder)

    async def _connected_reader(self) -> aiosqlite.Connection:
        if self._writer is None or self._is_another_file_by_now():
            async with self._writing:
                await self._connected_writer()
        if self._idle_readers:
            return self._idle_readers.pop()
        reader = await self._connect()
        await reader.execute_fetchall("PRAGMA query_only = ON")
        return reader

    async def _connect(self) -> aiosqlite.Connection:
        if self._closed:
            raise StoreUnavailable(f"{self.path} was closed")
        # Once it existed it is never made anew: an empty store in place of one that was moved would hide it.
        mode = "rwc" if self._file is None else "rw"
        try:
            self.path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{self.path}: {error}") from error
        connection = await Connection(
            lambda: sqlite3.connect(
                self._uri(mode),
                uri=True,
                isolation_level=None,
                timeout=self._busy_seconds,
                factory=DirectConnection,
            ),
            self._track_end,
        )
        connection.row_factory = sqlite3.Row
        try:
            await connection.execute_fetchall(f"PRAGMA cache_size = -{self._cache_kilobytes}")
            # Reads the header: a file that is no database is noticed here.
            await connection.execute_fetchall("PRAGMA schema_version")
        except BaseException:
            await self._give_up(connection)
            raise
        return connection

    def _uri(self, mode: str) -> str:
        return f"file:{quote(str(self.path))}?mode={mode}"

    def _is_another_file_by_now(self) -> bool:
        """`_is_another_file`, not asked of the file system for each reading."""
        seconds = time.monotonic()
        if seconds - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = seconds
        return self._is_another_file()

    def _is_another_file(self) -> bool:
        """Whether the path no longer leads to the open file: what is written there would be lost."""
        return self._file != self._file_now()

    def _file_now(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    async def _give_up_connections(self, *, busy: bool = False) -> None:
        self._generation += 1
        self._give_up_glancing()
        await self._give_up_readers()
        if self._writer is not None:
            writer, self._writer = self._writer, None
            await self._give_up(writer, busy=busy)

    async def _give_up_readers(self) -> None:
        while self._idle_readers:
            await self._give_up(self._idle_readers.pop())

    async def _give_up(self, connection: aiosqlite.Connection, *, busy: bool = False) -> None:
        """Has the connection closed without waiting for its thread; ends first what a `busy` one is doing.

        Not otherwise: an interrupted connection closes without tidying its -wal file away.
        """
        if busy:
            with suppress(ValueError, sqlite3.Error):  # it was never open, or is closed already
                await connection.interrupt()
        connection.stop()

    def _track_end(self, ending: asyncio.Future[Any]) -> None:
        self._closing.add(ending)
        ending.add_done_callback(self._closing.discard)

    async def _disconnect(self) -> None:
        self._closed = True
        async with self._writing:
            # The last to close tidies the -wal file away, which a reader may not.
            self._give_up_glancing()
            await self._give_up_readers()
            await self._closed_connections()
            await self._give_up_connections()
        await self._closed_connections()

    async def _closed_connections(self) -> None:
        if self._closing:
            await asyncio.wait(self._closing, timeout=CLOSE_SECONDS)

    def _translated(self, error: BaseException) -> StoreUnavailable | StoreConflict | None:
        if is_unavailable(error):
            return StoreUnavailable(f"{self.path}: {error}")
        return None
