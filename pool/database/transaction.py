"""One transaction, or one reading, as the queries see it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, Protocol

from pool.database.queries import Query


class Row(Protocol):
    """A row: columns by name or by position, iterable in the order of the SELECT."""

    def __getitem__(self, key: Any, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...


class Reading:
    """Runs named queries on one connection. Driver errors come out as StoreUnavailable or StoreConflict."""

    def __init__(self, connection: Any, translating: Callable[[], AbstractContextManager[None]]) -> None:
        self.connection = connection
        self._translating = translating

    async def fetch(self, query: Query, /, **parameters: Any) -> list[Row]:
        """All rows of a select (`-- name: x(…)`)."""
        with self._translating():
            return [row async for row in query(self.connection, **parameters)]

    async def one(self, query: Query, /, **parameters: Any) -> Row | None:
        """The first row or None (`-- name: x(…)^`)."""
        with self._translating():
            row: Row | None = await query(self.connection, **parameters)
            return row

    async def value(self, query: Query, /, **parameters: Any) -> Any:
        """The first column of the first row or None (`-- name: x(…)$`)."""
        with self._translating():
            return await query(self.connection, **parameters)


class Transaction(Reading):
    """A write transaction. It commits when its block ends and rolls back when the block raises."""

    def __init__(
        self,
        connection: Any,
        translating: Callable[[], AbstractContextManager[None]],
        execute: Callable[[Any, str], Any],
    ) -> None:
        super().__init__(connection, translating)
        self._execute = execute

    async def run(self, query: Query, /, **parameters: Any) -> None:
        """A statement without rows (`-- name: x(…)!`)."""
        with self._translating():
            await query(self.connection, **parameters)

    async def many(self, query: Query, rows: Iterable[Mapping[str, Any]], /) -> None:
        """The statement once per row, in one trip (`-- name: x(…)*!`); nothing for no rows."""
        listed = list(rows)
        if listed:
            with self._translating():
                await query(self.connection, listed)

    async def run_rows(self, query: Query, rows: Sequence[Sequence[Any]], /) -> None:
        """A statement that takes its rows as the JSON array `:rows` (`-- name: x(rows)!`); none, nothing."""
        if rows:
            await self.run(query, rows=json.dumps(rows))

    async def statement(self, sql: str) -> None:
        """One statement as text: schema changes."""
        with self._translating():
            await self._execute(self.connection, sql)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part that can fail alone: an exception inside undoes the part and goes on up."""
        await self.statement("SAVEPOINT part")
        try:
            yield
        except BaseException:
            await self.statement("ROLLBACK TO SAVEPOINT part")
            await self.statement("RELEASE SAVEPOINT part")
            raise
        await self.statement("RELEASE SAVEPOINT part")
