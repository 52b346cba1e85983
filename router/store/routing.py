"""What redirect plans may depend on: who holds the number, and who talked to the caller before."""

from pathlib import Path
from typing import NamedTuple

from pool.database import Database

QUERIES = Path(__file__).parent / "sql" / "routing"


class Holder(NamedTuple):
    """The visit that was shown a number last. "" is not known; `anchor_at` its last sign, milliseconds."""

    slot: str
    channel: str
    region: str
    anchor_at: int


class RoutingStore:
    """Every method raises StoreUnavailable when the store is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)

    async def holder(self, number: str, extension: str, at: int) -> Holder | None:
        """Who was shown `number` (with the code `extension`, "" for none) last before `at`."""
        row = await self._database.one(self._queries.last_holder, number=number, extension=extension, at=at)
        return None if row is None else Holder(*row)

    async def agents(self, site: str, caller: str, before: int, most: int = 20) -> list[str | None]:
        """Who answered the caller's latest calls to the site, the latest first; None where nobody did."""
        rows = await self._database.fetch(
            self._queries.latest_agents, site=site, caller=caller, before=before, most=most
        )
        return [row["answered_by"] for row in rows]
