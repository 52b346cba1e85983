"""Look-ups that were asked for at one moment, and go to the store together.

A trip to aiosqlite's thread and back costs several times what a look-up in an index does; twenty calls that
ended together ask eighty of them. Those that are asked for while a trip is under way make the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from pool.database.errors import StoreUnavailable
from pool.database.queries import Query
from pool.database.transaction import Reading

MOST_TOGETHER = 100
MOST_AT_ONCE = 4
"""So many who waited go on before whatever else has come meanwhile has its turn: a call may wait for it."""


class Lookup(NamedTuple):
    """One query to be run, and which of Reading's methods runs it."""

    method: Literal["fetch", "one"]
    query: Query
    parameters: Mapping[str, Any]

    def run(self, reading: Reading) -> Coroutine[Any, Any, Any]:
        """The query on a reading connection."""
        ask = reading.fetch if self.method == "fetch" else reading.one
        return ask(self.query, **self.parameters)


_Trip: TypeAlias = Callable[[Sequence[Lookup]], Awaitable[Sequence[Any]]]


class SharedTrips:
    """Takes look-ups along: `join`."""

    def __init__(self, trip: _Trip) -> None:
        """`trip` gives the answers to some look-ups, or raises what then goes to whoever asked."""
        self._trip = trip
        self._waiting: list[tuple[Lookup, asyncio.Future[Any]]] = []
        self._task: asyncio.Task[None] | None = None

    async def join(self, lookup: Lookup) -> Any:
        """The look-up's answer. A failure of another one in the same trip is its own."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((lookup, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
                asked = [(lookup, answer) for lookup, answer in taken if not answer.done()]
                if asked and not await self._answered(asked) and len(asked) > 1:
                    for one in asked:
                        await self._answered([one])
        finally:
            self._task = None
            for _, answer in self._waiting:  # only when the loop was cancelled: nobody may wait for ever
                answer.cancel()
            self._waiting.clear()

    async def _answered(self, asked: Sequence[tuple[Lookup, asyncio.Future[Any]]]) -> bool:
        """False when the trip failed and it is not known whose fault that was."""
        try:
            results = await self._trip([lookup for lookup, _ in asked])
        except asyncio.CancelledError:
            for _, answer in asked:
                answer.cancel()
            raise
        except Exception as error:
            gone = isinstance(error, StoreUnavailable)
            if len(asked) > 1 and not gone:
                return False
            for _, answer in asked:
                if not answer.done():
                    # One object per waiter: a shared one would collect all their tracebacks.
                    answer.set_exception(StoreUnavailable(*error.args) if gone else error)
            return True
        for place, ((_, answer), result) in enumerate(zip(asked, results, strict=True), 1):
            if not answer.done():
                answer.set_result(result)
            if place % MOST_AT_ONCE == 0:
                await asyncio.sleep(0)
        return True
