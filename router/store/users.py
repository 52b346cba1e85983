"""Users and their API keys."""

from pathlib import Path
from typing import NamedTuple

from pool.database import Database, Row
from router.users.keys import ApiKey
from router.users.roles import Role

QUERIES = Path(__file__).parent / "sql" / "users"


class UserExists(Exception):
    """There is a user of this name already."""


class NoSuchUser(Exception):
    """There is no user of this name."""


class KnownKey(NamedTuple):
    """A stored key: the digest of its secret, whose it is, and what that user may do."""

    digest: str
    account: str
    role: Role
    last_used_at: int | None


class UserStore:
    """Users and keys. Every method raises StoreUnavailable when the store is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)

    async def add(self, name: str, role: Role, password: str, at: int) -> None:
        """A new user; `password` is its hash. Raises UserExists."""
        async with self._database.write() as transaction:
            added = await transaction.fetch(
                self._queries.add_account, name=name, role=role.value, password=password, created_at=at
            )
        if not added:
            raise UserExists(name)

    async def change_password(self, name: str, password: str) -> None:
        """`password` is the new one's hash; the user is logged out everywhere. Raises NoSuchUser."""
        async with self._database.write() as transaction:
            changed = await transaction.fetch(self._queries.change_password, name=name, password=password)
            await transaction.run(self._queries.end_sessions_of, account=name)
        if not changed:
            raise NoSuchUser(name)

    async def change_role(self, name: str, role: Role) -> None:
        """The user may do this from now on, and is logged out everywhere. Raises NoSuchUser."""
        async with self._database.write() as transaction:
            changed = await transaction.fetch(self._queries.change_role, name=name, role=role.value)
            await transaction.run(self._queries.end_sessions_of, account=name)
        if not changed:
            raise NoSuchUser(name)

    async def remove(self, name: str) -> None:
        """The user with all keys and sessions. Raises NoSuchUser."""
        async with self._database.write() as transaction:
            await transaction.run(self._queries.remove_keys_of, account=name)
            await transaction.run(self._queries.end_sessions_of, account=name)
            removed = await transaction.fetch(self._queries.remove_account, name=name)
        if not removed:
            raise NoSuchUser(name)

    async def users(self) -> list[Row]:
        """name, role, created_at of every user."""
        return await self._database.fetch(self._queries.accounts)

    async def add_key(self, name: str, key: ApiKey, label: str, at: int) -> None:
        """A new key of a user. Raises NoSuchUser."""
        async with self._database.write() as transaction:
            if await transaction.one(self._queries.account, name=name) is None:
                raise NoSuchUser(name)
            await transaction.run(
                self._queries.add_key,
                key_id=key.key_id,
                account=name,
                digest=key.digest,
                label=label,
                created_at=at,
            )

    async def remove_key(self, key_id: str) -> bool:
        """Whether there was such a key."""
        async with self._database.write() as transaction:
            return bool(await transaction.fetch(self._queries.remove_key, key_id=key_id))

    async def key(self, key_id: str) -> KnownKey | None:
        """A key by its id."""
        row = await self._database.one(self._queries.key_by_id, key_id=key_id)
        return None if row is None else KnownKey(row[0], row[1], Role(row[2]), row[3])

    async def keys(self) -> list[Row]:
        """account, key_id, label, created_at, last_used_at of every key."""
        return await self._database.fetch(self._queries.keys)

    async def key_used(self, key_id: str, at: int) -> None:
        """Remembers when a key was used."""
        async with self._database.write() as transaction:
            await transaction.run(self._queries.key_used, key_id=key_id, at=at)
