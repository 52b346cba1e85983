"""Logins in the store, on both databases."""

import pytest

from pool.database import Database
from router.store.sessions import Account, SessionStore
from router.store.users import NoSuchUser, UserStore
from router.users.roles import Role
from router.users.sessions import IDLE, LONGEST, digest_of, form_token, is_form_token, new_token

AT = 1_790_000_000_000


async def logged_in(database: Database, at: int = AT) -> str:
    """A session of `ann`; gives its digest."""
    store = SessionStore(database)
    account = await store.account("ann")
    assert account is not None
    digest = digest_of(new_token())
    assert await store.begin(account, digest, at, address="192.0.2.7", browser="Firefox 141")
    return digest


async def test_a_session_lasts_while_it_is_used_but_not_for_ever(database: Database) -> None:
    store = SessionStore(database)
    await UserStore(database).add("ann", Role.LISTENER, "hash", AT)
    digest = await logged_in(database)
    found = await store.session(digest, AT + IDLE - 1)
    assert found is not None
    assert (found.name, found.role, found.language, found.time_zone) == ("ann", Role.LISTENER, "", "")
    assert await store.session(digest, AT + IDLE) is None
    at = AT
    while at + IDLE // 2 < AT + LONGEST:
        at += IDLE // 2
        await store.seen(digest, at)
        assert await store.session(digest, at) is not None
    assert await store.session(digest, AT + LONGEST) is None
    await store.seen(digest, AT)  # a clock that was set back
    assert [row["seen_at"] for row in await store.sessions(at)] == [at]


async def test_what_ends_a_users_sessions(database: Database) -> None:
    store, users = SessionStore(database), UserStore(database)
    await users.add("ann", Role.LISTENER, "hash", AT)
    for end in (
        lambda: users.change_password("ann", "other"),
        lambda: users.change_role("ann", Role.VIEWER),
        lambda: store.end_all_of("ann"),
        lambda: users.remove("ann"),
    ):
        digest = await logged_in(database)
        await end()
        assert await store.session(digest, AT) is None
    with pytest.raises(NoSuchUser):
        await users.change_role("ann", Role.ADMIN)
    with pytest.raises(NoSuchUser):
        await store.prefer("ann", "ru", "")


async def test_a_password_that_was_changed_meanwhile_logs_nobody_in(database: Database) -> None:
    store, users = SessionStore(database), UserStore(database)
    await users.add("ann", Role.LISTENER, "hash", AT)
    await users.change_password("ann", "other")
    assert not await store.begin(Account("ann", Role.LISTENER, "hash"), "digest", AT)
    assert await store.sessions(AT) == []


async def test_old_sessions_are_cleared_by_the_next_login(database: Database) -> None:
    store = SessionStore(database)
    await UserStore(database).add("ann", Role.LISTENER, "hash", AT)
    old = await logged_in(database)
    await logged_in(database, AT + IDLE + 1)
    assert await store.end(old) is None
    await store.prefer("ann", "ru", "Europe/Moscow")
    (row,) = await store.sessions(AT + IDLE + 1)
    found = await store.session(row["digest"], AT + IDLE + 1)
    assert found is not None
    assert (found.language, found.time_zone) == ("ru", "Europe/Moscow")


def test_the_store_has_nothing_that_a_browser_could_send() -> None:
    token = new_token()
    assert len({new_token() for _ in range(100)}) == 100
    assert token not in digest_of(token)
    assert form_token(token) != digest_of(token)
    assert is_form_token(token, form_token(token))
    assert not is_form_token(token, form_token(new_token()))
    assert not is_form_token(token, "é\ud800")
