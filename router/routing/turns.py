"""Whose turn it is where agents take turns: a counter for each plan in this process's memory.

Several processes each take their own turns: every agent's share stays even, only the order is not strict.
A start begins anew. Nothing is stored, so nothing can make a call wait.
"""

from collections import Counter


class Turns:
    """Counts up for each key, from 0."""

    def __init__(self) -> None:
        self._next: Counter[tuple[str, str]] = Counter()

    def take(self, site: str, plan: str) -> int:
        """The next turn of a site's plan."""
        turn = self._next[site, plan]
        self._next[site, plan] = turn + 1
        return turn
