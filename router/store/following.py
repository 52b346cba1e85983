"""Following the calls as they are stored, by every router that shares the store."""

from pathlib import Path
from typing import Final

from pool.database import Database
from router.store.calls import CallStore, FilePlace, Written

QUERIES = Path(__file__).parent / "sql" / "following"
PAGE: Final = 500


class Following:
    """A place in each switch's order of writing. Every method raises StoreUnavailable when the store is."""

    def __init__(self, database: Database, switch: str | None = None) -> None:
        """Of one switch, or (None) of all."""
        self._database = database
        self._queries = database.queries(QUERIES)
        self._calls = CallStore(database)
        self._switch = switch
        self._places: dict[str, FilePlace] = {}

    async def begin(self) -> None:
        """From now on: what is stored already is not told."""
        for switch in await self._switches():
            row = await self._database.one(self._queries.latest_place, switch=switch)
            self._places[switch] = FilePlace(0, "") if row is None else FilePlace(*row)

    async def newer(self) -> list[Written]:
        """What was stored since the last time, at most a page of each switch; in the order of writing."""
        found: list[Written] = []
        for switch in await self._switches():
            # All calls of a switch that was not there at the beginning are new.
            place = self._places.get(switch, FilePlace(0, ""))
            page = await self._calls.written_after(switch, place, PAGE)
            if page:
                self._places[switch] = FilePlace(page[-1].written_at, page[-1].call_id)
            found += page
        return sorted(found, key=lambda written: (written.written_at, written.call_id))

    async def _switches(self) -> list[str]:
        if self._switch is not None:
            return [self._switch]
        rows = await self._database.fetch(self._queries.known_switches)
        return [row["switch"] for row in rows]
