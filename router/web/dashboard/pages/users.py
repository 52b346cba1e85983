"""Users, what each may do, their API keys and logins: for admins."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final

from router.store.users import NoSuchUser, UserExists, UserStore
from router.users import passwords
from router.users.keys import new_key
from router.users.passwords import WeakPassword
from router.users.roles import Role
from router.web.dashboard.page import Action, Asked, Done, Form, Page, Place

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}\Z")


async def show(asked: Asked) -> Mapping[str, Any]:
    """Everybody, with their keys and logins."""
    store = UserStore(asked.parts.database)
    keys, sessions = await store.keys(), await asked.access.sessions.sessions(asked.at)
    return {
        "users": [
            {
                **dict(zip(("name", "role", "created_at"), row, strict=True)),
                "keys": [key for key in keys if key["account"] == row["name"]],
                "sessions": [one for one in sessions if one["account"] == row["name"]],
            }
            for row in await store.users()
        ],
        "roles": tuple(Role),
        "least": passwords.LEAST_CHARACTERS,
    }


async def add(asked: Asked, form: Form) -> Done:
    """A new user."""
    name = form.get("name", "").strip()
    if not NAME.match(name):
        return Done("/users", "said.name_bad", is_error=True)
    role = _role(form)
    try:
        stored = await asyncio.to_thread(passwords.hashed, form.get("password", "")[:1_000])
        await UserStore(asked.parts.database).add(name, role, stored, asked.at)
    except WeakPassword:
        return Done("/users", "said.password_weak", {"n": passwords.LEAST_CHARACTERS}, is_error=True)
    except UserExists:
        return Done("/users", "said.name_taken", {"name": name}, is_error=True)
    return Done("/users", "said.user_added", {"name": name})


async def change_role(asked: Asked, form: Form) -> Done:
    """Another role; not one's own, or nobody might be left who can give it back."""
    name = form.get("name", "")
    if name == asked.user.name:
        return Done("/users", "said.not_oneself", is_error=True)
    try:
        await UserStore(asked.parts.database).change_role(name, _role(form))
    except NoSuchUser:
        return Done("/users", "said.no_such_user", is_error=True)
    return Done("/users", "said.role_changed", {"name": name})


async def remove(asked: Asked, form: Form) -> Done:
    """The user, all keys and all logins."""
    name = form.get("name", "")
    if name == asked.user.name:
        return Done("/users", "said.not_oneself", is_error=True)
    try:
        await UserStore(asked.parts.database).remove(name)
    except NoSuchUser:
        return Done("/users", "said.no_such_user", is_error=True)
    return Done("/users", "said.user_removed", {"name": name})


async def make_key(asked: Asked, form: Form) -> Done:
    """An API key, shown this once."""
    key = new_key()
    try:
        label = form.get("label", "")[:100]
        await UserStore(asked.parts.database).add_key(form.get("name", ""), key, label, asked.at)
    except NoSuchUser:
        return Done("/users", "said.no_such_user", is_error=True)
    return Done("/users", "said.key_made", {"key": key.text})


async def remove_key(asked: Asked, form: Form) -> Done:
    """Takes a key back."""
    await UserStore(asked.parts.database).remove_key(form.get("key", ""))
    return Done("/users", "said.key_removed")


async def log_out(asked: Asked, form: Form) -> Done:
    """Ends every login of a user."""
    await asked.access.sessions.end_all_of(form.get("name", ""))
    return Done("/users", "said.user_logged_out", {"name": form.get("name", "")[:64]})


def _role(form: Form) -> Role:
    sent = form.get("role", "")
    return Role(sent) if sent in set(Role) else Role.VIEWER


PAGE: Final = Page(
    path="/users",
    template="users.html",
    title="users.title",
    show=show,
    role=Role.ADMIN,
    place=Place("system", "users"),
    actions={
        "/users/add": Action(add, Role.ADMIN),
        "/users/role": Action(change_role, Role.ADMIN),
        "/users/remove": Action(remove, Role.ADMIN),
        "/users/key": Action(make_key, Role.ADMIN),
        "/users/key/remove": Action(remove_key, Role.ADMIN),
        "/users/logout": Action(log_out, Role.ADMIN),
    },
)
