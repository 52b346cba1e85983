"""Logins of the dashboard, and how its users want to see it."""

from typing import NamedTuple

from pool.database import Database, Row
from pool.instants import Instant
from router.store.users import QUERIES, NoSuchUser
from router.users.roles import Role
from router.users.sessions import IDLE, LONGEST, is_over


class Account(NamedTuple):
    """A user as logging in needs it; `password` is the hash."""

    name: str
    role: Role
    password: str


class Session(NamedTuple):
    """Somebody who is logged in. `language` and `time_zone` are '' where the user has not chosen."""

    digest: str
    name: str
    role: Role
    created_at: Instant
    seen_at: Instant
    language: str
    time_zone: str


class SessionStore:
    """Every method raises StoreUnavailable when the store is."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queries = database.queries(QUERIES)

    async def account(self, name: str) -> Account | None:
        """The user of this name."""
        row = await self._database.one(self._queries.account_to_log_in, name=name)
        return None if row is None else Account(row["name"], Role(row["role"]), row["password"])

    async def begin(
        self, account: Account, digest: str, at: Instant, *, address: str = "", browser: str = ""
    ) -> bool:
        """Logs in; False when the password was changed since it was checked. Old sessions are removed."""
        async with self._database.write() as transaction:
            await transaction.run(
                self._queries.end_old_sessions, created_before=at - LONGEST, seen_before=at - IDLE
            )
            begun = await transaction.fetch(
                self._queries.begin_session,
                digest=digest,
                account=account.name,
                password=account.password,
                at=at,
                address=address,
                browser=browser,
            )
        return bool(begun)

    async def session(self, digest: str, at: Instant) -> Session | None:
        """The session with this digest, unless it is over; the role is the user's present one."""
        row = await self._database.one(self._queries.session, digest=digest)
        if row is None or is_over(row["created_at"], row["seen_at"], at):
            return None
        found = Session(*row)
        return found._replace(role=Role(found.role))

    async def seen(self, digest: str, at: Instant) -> None:
        """Remembers that the session was used."""
        async with self._database.write() as transaction:
            await transaction.run(self._queries.session_seen, digest=digest, at=at)

    async def end(self, digest: str) -> str | None:
        """Whose session was ended; None: there was none."""
        async with self._database.write() as transaction:
            ended = await transaction.fetch(self._queries.end_session, digest=digest)
        return str(ended[0]["account"]) if ended else None

    async def end_all_of(self, name: str) -> None:
        """Logs a user out everywhere."""
        async with self._database.write() as transaction:
            await transaction.run(self._queries.end_sessions_of, account=name)

    async def sessions(self, at: Instant) -> list[Row]:
        """digest, account, created_at, seen_at, address, browser of every session that is not over."""
        return await self._database.fetch(
            self._queries.sessions, created_after=at - LONGEST + 1, seen_after=at - IDLE + 1
        )

    async def prefer(self, name: str, language: str, time_zone: str) -> None:
        """Keeps how a user wants to see the dashboard. Raises NoSuchUser."""
        async with self._database.write() as transaction:
            changed = await transaction.fetch(
                self._queries.change_preferences, name=name, language=language, time_zone=time_zone
            )
        if not changed:
            raise NoSuchUser(name)
