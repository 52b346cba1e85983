"""Group commit: requests that arrive while a transaction is being written share the next one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, NamedTuple, TypeAlias

from pool.database.errors import StoreConflict, StoreUnavailable
from pool.database.transaction import Transaction

Handler: TypeAlias = Callable[[Transaction, Sequence[Any]], Awaitable[Sequence[Any]]]
Transact: TypeAlias = Callable[
    [Callable[[Transaction], Coroutine[Any, Any, list[Any]]]], Awaitable[list[Any]]
]

CONFLICT_TRIES = 6

GATHERING_TURNS = 2
"""Turns of the event loop before a batch is closed: what is ready to be read joins it. Under load the batches
grow by that, and an idle loop turns at once."""


class _Waiting(NamedTuple):
    handler: Handler
    item: Any
    answer: asyncio.Future[Any]


class GroupCommit:
    """One lane of transactions, each written for all who wait.

    A handler takes (transaction, items) and gives one result per item, in order; a result that is an
    exception fails that item alone. A handler that raises makes the batch run again, each item in its own
    savepoint, so that only the guilty fail. A handler therefore changes nothing outside the transaction, and
    it awaits nothing else: the database may run it in a thread of its own.
    """

    def __init__(self, transact: Transact, *, most_items: int, most_waiting: int) -> None:
        self._transact = transact
        self._most_items = most_items
        self._most_waiting = most_waiting
        self._waiting: deque[_Waiting] = deque()
        self._task: asyncio.Task[None] | None = None

    async def commit(self, handler: Handler, item: Any) -> Any:
        """The handler's result for `item`, once it is durable. Raises StoreUnavailable when it is not."""
        if len(self._waiting) >= self._most_waiting:
            raise StoreUnavailable(f"{self._most_waiting} writes are waiting already")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(handler, item, answer))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return await answer

    async def close(self) -> None:
        """Writes what waits, then stops."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        try:
            while self._waiting:
                for _ in range(GATHERING_TURNS):
                    await asyncio.sleep(0)
                taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._most_items))]
                batch = [waiting for waiting in taken if not waiting.answer.done()]
                if batch:
                    await self._commit(batch)
        finally:
            self._task = None
            for waiting in self._waiting:  # only when the loop was cancelled: nobody may wait for ever
                waiting.answer.cancel()
            self._waiting.clear()

    async def _commit(self, batch: list[_Waiting]) -> None:
        try:
            results = await self._written(batch)
        except asyncio.CancelledError:
            for waiting in batch:
                waiting.answer.cancel()
            raise
        except Exception as error:
            for waiting in batch:
                _resolve(waiting, _copy(error))
        else:
            for waiting, result in zip(batch, results, strict=True):
                _resolve(waiting, result)

    async def _written(self, batch: list[_Waiting]) -> list[Any]:
        for attempt in range(1, CONFLICT_TRIES + 1):
            try:
                try:
                    return await self._together(batch)
                except (StoreUnavailable, StoreConflict):
                    raise
                except Exception:  # told to whoever it concerns by the second run
                    return await self._singly(batch)
            except StoreConflict as error:
                if attempt == CONFLICT_TRIES:
                    raise StoreUnavailable(
                        f"gave way to other transactions {attempt} times: {error}"
                    ) from error
                await asyncio.sleep(0.005 * 2**attempt)
        raise AssertionError("the last attempt returns or raises")

    async def _together(self, batch: list[_Waiting]) -> list[Any]:
        groups: dict[Handler, list[int]] = {}
        for place, waiting in enumerate(batch):
            groups.setdefault(waiting.handler, []).append(place)

        async def work(transaction: Transaction) -> list[Any]:
            results: list[Any] = [None] * len(batch)
            for handler, places in groups.items():
                answers = await handler(transaction, [batch[place].item for place in places])
                for place, answer in zip(places, answers, strict=True):
                    results[place] = answer
            return results

        return await self._transact(work)

    async def _singly(self, batch: list[_Waiting]) -> list[Any]:
        async def work(transaction: Transaction) -> list[Any]:
            results: list[Any] = []
            for waiting in batch:
                try:
                    async with transaction.savepoint():
                        (result,) = await waiting.handler(transaction, [waiting.item])
                except (StoreUnavailable, StoreConflict):
                    raise
                except Exception as error:
                    result = error
                results.append(result)
            return results

        return await self._transact(work)


def _resolve(waiting: _Waiting, result: Any) -> None:
    if waiting.answer.done():
        return
    if isinstance(result, Exception):
        waiting.answer.set_exception(result)
    else:
        waiting.answer.set_result(result)


def _copy(error: Exception) -> Exception:
    """One exception object per waiter: a shared one would collect all their tracebacks."""
    if isinstance(error, StoreUnavailable):
        copy = StoreUnavailable(*error.args)
        copy.__cause__ = error.__cause__
        return copy
    return error
