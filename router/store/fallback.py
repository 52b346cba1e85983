"""What each switch's AstDB is known to hold, in the store."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pool.database import Database

QUERIES = Path(__file__).parent / "sql" / "fallback"


class MirroredNumber(NamedTuple):
    """A number of the inventory; `target` is the dial string that AstDB holds for it, None for none."""

    number: str
    site: str
    pool: str
    channel: str
    target: str | None


class FallbackStore:
    """The mirror of one switch's AstDB. Every method raises StoreUnavailable when the store is."""

    def __init__(self, database: Database, switch: str) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)
        self._switch = switch

    async def numbers(self, after: str, most: int) -> list[MirroredNumber]:
        """The next `most` numbers behind `after`, in order."""
        rows = await self._database.fetch(
            self._queries.numbers_with_targets, switch=self._switch, after=after, most=most
        )
        return [MirroredNumber(*row) for row in rows]

    async def leased_since(self, after: str, most: int) -> tuple[list[MirroredNumber], str]:
        """Numbers newly leased from the base behind the lease id `after`, and the last lease id seen."""
        rows = await self._database.fetch(
            self._queries.numbers_leased_since, switch=self._switch, after=after, most=most
        )
        return [MirroredNumber(*tuple(row)[1:]) for row in rows], (rows[-1]["lease_id"] if rows else after)

    async def gone(self) -> list[str]:
        """Numbers that AstDB holds and the inventory does not."""
        rows = await self._database.fetch(self._queries.mirrored_without_number, switch=self._switch)
        return [row["number"] for row in rows]

    async def put(self, targets: Sequence[tuple[str, str]]) -> None:
        """Remember that AstDB holds these (number, dial string)."""
        async with self._database.write() as transaction:
            rows = [
                {"switch": self._switch, "number": number, "target": target} for number, target in targets
            ]
            await transaction.many(self._queries.save_mirror, rows)

    async def removed(self, numbers: Sequence[str]) -> None:
        """Remember that AstDB does not hold these any more."""
        async with self._database.write() as transaction:
            rows = [{"switch": self._switch, "number": number} for number in numbers]
            await transaction.many(self._queries.forget_mirror, rows)

    async def generation(self) -> str:
        """The token that AstDB held when it was last written; "" when it never was."""
        return await self._database.value(self._queries.astdb_generation, switch=self._switch) or ""

    async def begin(self, token: str) -> None:
        """Forget everything: AstDB is written anew, under `token`."""
        async with self._database.write() as transaction:
            await transaction.run(self._queries.empty_mirror, switch=self._switch)
            await transaction.run(self._queries.save_astdb_generation, switch=self._switch, token=token)
