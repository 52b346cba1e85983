"""AstDB through an AMI user who comes only when there is something to do."""

from collections.abc import Sequence

from agi.ami import AmiConnection


class AstDbByVisits:
    """Each method is one visit of the connection, and raises what that does."""

    def __init__(self, connection: AmiConnection) -> None:
        self._connection = connection

    async def db_get(self, family: str, key: str) -> str | None:
        """The value of a key, None where there is none."""
        async with self._connection.visit():
            return await self._connection.db_get(family, key)

    async def db_put(self, family: str, pairs: Sequence[tuple[str, str]]) -> None:
        """Put keys and values."""
        async with self._connection.visit():
            await self._connection.db_put(family, pairs)

    async def db_del(self, family: str, keys: Sequence[str]) -> None:
        """Delete keys."""
        async with self._connection.visit():
            await self._connection.db_del(family, keys)

    async def db_clear(self, family: str) -> None:
        """Delete a whole family."""
        async with self._connection.visit():
            await self._connection.db_clear(family)
