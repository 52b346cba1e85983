"""Who called before, as the store of calls would tell it; kept in memory for one replay."""

import json
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

from pool.database import Row
from router.cdr.record import CandidateEntry
from router.store.calls import VisitsAtCall

MOST_KEPT = 10
"""As many as the router asks for (router.cdr.enrich.History)."""


class CallerHistory:
    """The calls made so far."""

    def __init__(self) -> None:
        self._calls: defaultdict[tuple[str, str], deque[dict[str, Any]]] = defaultdict(
            lambda: deque(maxlen=2 * MOST_KEPT)
        )

    def add(self, row: dict[str, Any], candidates: list[CandidateEntry]) -> None:
        """A finished call's row (router.cdr.record.row_of), and the candidates of its record."""
        if row["site"] is not None and row["caller"] is not None:
            self._calls[row["site"], row["caller"]].appendleft({**row, "candidates": json.dumps(candidates)})

    async def calls_of_caller(self, site: str, caller: str, before: int, most: int = MOST_KEPT) -> list[Row]:
        """The caller's latest calls to the site that started before an instant, the latest first."""
        made = self._calls.get((site, caller), ())
        found: list[Row] = [row for row in made if row["started_at"] < before]
        return found[:most]

    async def visits_at_call(self, chosen: str | None, held: Sequence[str], at: int) -> VisitsAtCall:
        """Nothing: what brought a visit does not matter to who called, and the trace names its visits."""
        return VisitsAtCall(None, {})
