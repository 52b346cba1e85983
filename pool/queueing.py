"""Longest free first, from a queue whose keys are only lower bounds. Pure.

Heartbeats move the instant at which a number becomes free, and would churn the queue of a million numbers. So
the queue keeps the instant as it was known when last looked at: never later than the truth. Whoever draws
looks at the truth of the first entries, moves those that turn out later, and takes those that are exact. An
exact entry at the head is the longest free of all, because every other's truth lies at or behind its key.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any, NamedTuple

from pool.instants import Instant


class Entry(NamedTuple):
    """A place in the queue: its key, its name, the true instant (not before the key), what it stands for."""

    key_at: Instant
    name: str
    free_at: Instant
    what: Any


class Drawn(NamedTuple):
    given: list[Entry]
    moved: list[Entry]
    """Those not given whose key must become their `free_at`."""


def draw(
    entries: Iterable[Entry], wanted: int, at: Instant, horizon: tuple[Instant, str] | None = None
) -> Drawn:
    """The first `wanted` entries that are free at `at`, in the order of their true instants.

    `horizon` is the place in the queue up to which `entries` is complete, None for all of it: nothing behind
    it is given, since an entry not looked at might come first.
    """
    heap = [(entry.key_at, entry.name, entry) for entry in entries]
    heapq.heapify(heap)
    given: list[Entry] = []
    moved = {name: entry for _, name, entry in heap if entry.free_at > entry.key_at}
    while heap and len(given) < wanted:
        key_at, name, entry = heap[0]
        if key_at > at or (horizon is not None and (key_at, name) > horizon):
            break
        if entry.free_at > key_at:
            heapq.heapreplace(heap, (entry.free_at, name, entry))
            continue
        heapq.heappop(heap)
        given.append(entry)
        moved.pop(name, None)
    return Drawn(given, list(moved.values()))
