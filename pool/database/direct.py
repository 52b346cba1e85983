"""A whole transaction in SQLite's own thread, by handlers that are written for any database.

A trip from the event loop to aiosqlite's thread and back costs more than most statements, and under load each
trip waits for the loop's turn. A group commit's handler awaits nothing but its transaction. So it can be run
where the statements are: on a connection that answers at once its coroutine never waits, and a batch is one
trip.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeAlias

DIRECTLY = "-- what to do is given in place of the parameters"
"""As the SQL of `execute_fetchall`: calls the parameters with the connection and gives [the result]."""

Deed: TypeAlias = Callable[[sqlite3.Connection], Any]


class DirectConnection(sqlite3.Connection):
    """A connection (sqlite3.connect's `factory`) through which aiosqlite carries a deed to its thread."""

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        if sql is DIRECTLY:
            return _Answer(parameters(self))
        return super().execute(sql, parameters)


class AnsweringAtOnce:
    """What aiosql's adapter needs of a connection, inside the thread: its coroutines never wait."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def execute_fetchall(self, sql: str, parameters: Any = ()) -> list[Any]:
        return self._connection.execute(sql, parameters).fetchall()

    async def executemany(self, sql: str, rows: Iterable[Any]) -> None:
        self._connection.executemany(sql, rows)


def exclusively(connection: sqlite3.Connection, deed: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """The deed's result, in a transaction that is committed, or rolled back when the deed raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = result_of(deed())
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


class _Answer:
    def __init__(self, result: Any) -> None:
        self._result = result

    def fetchall(self) -> list[Any]:
        return [self._result]


def result_of(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine gives that waits for nothing but an `AnsweringAtOnce`."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise RuntimeError("a group commit's handler may wait for its transaction and for nothing else")
