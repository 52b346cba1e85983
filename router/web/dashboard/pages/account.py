"""One's own account: password, language, time zone, logins; and logging out."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import available_timezones

from router.store.users import UserStore
from router.users import passwords
from router.users.passwords import WeakPassword
from router.web.dashboard.page import Action, Asked, Done, Form, Page
from router.web.dashboard.wording import LANGUAGES


async def show(asked: Asked) -> Mapping[str, Any]:
    """The user's own."""
    sessions = await asked.access.sessions.sessions(asked.at)
    keys = await UserStore(asked.parts.database).keys()
    return {
        "sessions": [row for row in sessions if row["account"] == asked.user.name],
        "keys": [row for row in keys if row["account"] == asked.user.name],
        "zones": sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC"),
        "least": passwords.LEAST_CHARACTERS,
    }


async def change_password(asked: Asked, form: Form) -> Done:
    """A new password by who knows the old one: every login of the user ends, and they log in anew."""
    old, new = form.get("old", "")[:1_000], form.get("new", "")[:1_000]
    address = asked.access.origins.address(asked.request)
    account = await asked.access.passwords.account(asked.user.name, old, address)
    if account is None:
        return Done("/account", "said.password_wrong", is_error=True)
    if new != form.get("again", ""):
        return Done("/account", "said.password_differs", is_error=True)
    try:
        stored = await asyncio.to_thread(passwords.hashed, new)
    except WeakPassword:
        values = {"n": passwords.LEAST_CHARACTERS}
        return Done("/account", "said.password_weak", values, is_error=True)
    await UserStore(asked.parts.database).change_password(asked.user.name, stored)
    return Done("/login", "said.password_changed", ends_login=True)


async def prefer(asked: Asked, form: Form) -> Done:
    """Language and time zone; '' is the browser's, and the site's."""
    language, zone = form.get("language", ""), form.get("time_zone", "")
    if language not in {"", *LANGUAGES} or (zone and zone not in available_timezones()):
        return Done("/account", "said.not_changed", is_error=True)
    await asked.access.sessions.prefer(asked.user.name, language, zone)
    return Done("/account", "said.saved")


async def end_session(asked: Asked, form: Form) -> Done:
    """Ends one of the user's own logins."""
    sessions = await asked.access.sessions.sessions(asked.at)
    own = {row["digest"] for row in sessions if row["account"] == asked.user.name}
    if form.get("session", "") in own:
        await asked.access.sessions.end(form["session"])
    return Done("/account", "said.session_ended")


async def log_out(asked: Asked, _: Form) -> Done:
    """Ends this login; the cookie is worth nothing from now on."""
    await asked.access.sessions.end(asked.user.digest)
    return Done("/login", "said.logged_out", ends_login=True)


PAGE: Final = Page(
    path="/account",
    template="account.html",
    title="account.title",
    show=show,
    actions={
        "/account/password": Action(change_password),
        "/account/preferences": Action(prefer),
        "/account/session": Action(end_session),
        "/logout": Action(log_out),
    },
)
