"""The database as the rooms see it; SQLite and PostgreSQL stand behind it."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

from pool.database.errors import NotAtOnce, StoreConflict, StoreUnavailable
from pool.database.groupcommit import GroupCommit
from pool.database.migrations import apply_migrations
from pool.database.queries import Queries, Query, load_queries
from pool.database.transaction import Reading, Row, Transaction

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


AT_LEISURE: Final = 2
"""So many readings that may take seconds at a time: of the reading connections some are left to calls."""


class Database(ABC):
    """One store.

    It connects at first use and again after a failure, so it can be made while the store is down: each use
    then raises StoreUnavailable, quickly, until the store is back. Migrations asked for are applied at each
    new connection before anything else.
    """

    dialect: ClassVar[str]
    adapter: ClassVar[Callable[..., Any]]
    one_lane: ClassVar[bool]
    """Whether all handlers share one transaction at a time, or each handler has its own."""

    def __init__(self, *, most_items: int = 128, most_waiting: int = 10_000) -> None:
        """`most_items`: the most that share one transaction; `most_waiting`: more are refused at once."""
        self._most_items = most_items
        self._most_waiting = most_waiting
        self._lanes: dict[object, GroupCommit] = {}
        self._rooms: dict[str, Path] = {}
        self._migration_queries = self.queries(Path(__file__).parent / "sql")
        self._errors: dict[str, str] = {}
        self.leisurely = asyncio.Semaphore(AT_LEISURE)
        """Held while one reads for people: exports, reports. Calls and leases read without."""

    @property
    def last_error(self) -> str | None:
        """Why the last write or reading failed; None when both worked."""
        return self._errors.get("write") or self._errors.get("read")

    @property
    def healthy(self) -> bool:
        """Whether the last use of the store worked."""
        return not self._errors

    def queries(self, folder: Path) -> Queries:
        """The named queries of a folder of .sql files, for this database's dialect."""
        return load_queries(folder, self.dialect, self.adapter)

    async def migrate(self, room: str, folder: Path) -> list[str]:
        """Brings a room's schema up to date and keeps it so over reconnections; gives what was applied.

        Raises StoreUnavailable when the store is down (it is then applied when the store is back) and
        MigrationError when the store was written by a newer version.
        """
        try:
            async with self.write() as transaction:
                return await self._apply(transaction, room, folder)
        finally:
            self._rooms[room] = folder

    async def _apply(self, transaction: Transaction, room: str, folder: Path) -> list[str]:
        return await apply_migrations(transaction, self._migration_queries, self.dialect, room, folder)

    async def fetch(self, query: Query, /, **parameters: Any) -> list[Row]:
        """All rows of a select, on a reading connection: never waits for a writer."""
        async with self.read() as reading:
            return await reading.fetch(query, **parameters)

    async def one(self, query: Query, /, **parameters: Any) -> Row | None:
        """The first row of a select (`-- name: x(…)^`) or None."""
        async with self.read() as reading:
            return await reading.one(query, **parameters)

    async def value(self, query: Query, /, **parameters: Any) -> Any:
        """The first column of the first row (`-- name: x(…)$`) or None."""
        async with self.read() as reading:
            return await reading.value(query, **parameters)

    async def lookup(self, query: Query, /, **parameters: Any) -> list[Row]:
        """As `fetch`, for a look-up in an index: those asked for at one moment may share a trip."""
        return await self.fetch(query, **parameters)

    async def lookup_one(self, query: Query, /, **parameters: Any) -> Row | None:
        """As `one`, in the manner of `lookup`."""
        return await self.one(query, **parameters)

    def at_once(self, query: Query, /, **parameters: Any) -> Row | None:
        """As `one`, for a single look-up in an index that a call waits for, without awaiting anything.

        Raises NotAtOnce where the store is no file or cannot be read this instant: `one` is then to be asked.
        """
        raise NotAtOnce

    async def commit(
        self,
        handler: Callable[[Transaction, Sequence[_Item]], Awaitable[Sequence[_Result | Exception]]],
        item: _Item,
    ) -> _Result:
        """Group commit: gives `item` to `handler` with others that arrived meanwhile, in one transaction.

        Returns only once the transaction is durable. The handler changes nothing outside the transaction and
        awaits nothing else: it may run in another thread, and again after a failure. See GroupCommit.
        """
        key = None if self.one_lane else handler
        lane = self._lanes.get(key)
        if lane is None:
            lane = GroupCommit(self.transact, most_items=self._most_items, most_waiting=self._most_waiting)
            self._lanes[key] = lane
        result: _Result = await lane.commit(handler, item)
        return result

    async def transact(self, work: Callable[[Transaction], Coroutine[Any, Any, _Result]]) -> _Result:
        """`work` in one write transaction of its own, durable when it returns.

        `work` awaits its transaction and nothing else: a database may run it in a thread of its own.
        """
        async with self.write() as transaction:
            return await work(transaction)

    async def close(self) -> None:
        """Writes what waits, then closes every connection."""
        await asyncio.gather(*(lane.close() for lane in self._lanes.values()), return_exceptions=True)
        await self._disconnect()

    @abstractmethod
    def read(self) -> AbstractAsyncContextManager[Reading]:
        """Several selects on one reading connection."""

    @abstractmethod
    def write(self) -> AbstractAsyncContextManager[Transaction]:
        """One write transaction of its own: commits at the end of the block, rolls back when it raises."""

    @abstractmethod
    async def _disconnect(self) -> None: ...

    @abstractmethod
    def _translated(self, error: BaseException) -> StoreUnavailable | StoreConflict | None:
        """What a driver's error means to callers; None when it is a mistake of ours and goes up as it is."""

    @contextmanager
    def translating(self, use: str | None = None) -> Iterator[None]:
        """Turns driver errors into StoreUnavailable and StoreConflict.

        With `use` ("read" or "write") it also keeps the store's health by how the block ends.
        """
        try:
            yield
        except Exception as error:
            known = isinstance(error, StoreUnavailable | StoreConflict)
            translated = error if known else self._translated(error)
            if use is not None and isinstance(translated, StoreUnavailable):
                self._errors[use] = str(translated)
            if known or translated is None:
                raise
            raise translated from error
        if use is not None:
            self._errors.pop(use, None)
