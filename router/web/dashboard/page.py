"""What a page is: an address, who may see it, and the function that gives its template the values."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

from aiohttp import web

from pool.instants import Instant
from router.config import Config
from router.reports import Reports
from router.store.sessions import Session
from router.users.access import Access
from router.users.roles import Role
from router.web.dashboard.wording import Wording
from router.web.parts import Check, Parts

Form = Mapping[str, str]


def back(form: Form, page: str) -> str:
    """Where a form says it was sent from: `page`, with parameters or without; `page` if it says another."""
    to = form.get("back", "")
    return to if to == page or to.startswith(f"{page}?") else page


@dataclass(frozen=True, slots=True)
class Asked:
    """One request for a page, by somebody who is logged in and may see it."""

    request: web.Request
    parts: Parts
    checks: Mapping[str, Check]
    access: Access
    reports: Reports
    user: Session
    words: Wording
    at: Instant

    @property
    def config(self) -> Config:
        """The present configuration."""
        return self.parts.live.current

    def may(self, role: Role) -> bool:
        """Whether the user may do all that this role may."""
        return self.user.role.includes(role)

    @property
    def query(self) -> Mapping[str, str]:
        """The address' parameters, as sent."""
        return self.request.query

    def link(self, **changes: str | int | None) -> str:
        """This page's address with other parameters; None takes one away."""
        kept = {name: value for name, value in self.query.items() if name not in changes and value}
        wanted = kept | {name: value for name, value in changes.items() if value is not None}
        return f"{self.request.path}?{urlencode(wanted)}" if wanted else self.request.path


class Done(NamedTuple):
    """What comes of a form: on to the page `to`, which says `said` (a text's key) with its values.

    `ends_login`: the browser is to forget its session.
    """

    to: str
    said: str = ""
    values: Mapping[str, str | int] = {}
    is_error: bool = False
    ends_login: bool = False


Show = Callable[[Asked], Awaitable[Mapping[str, Any]]]
Act = Callable[[Asked, Form], Awaitable[Done]]


class Action(NamedTuple):
    """What a posted form does, and who may."""

    act: Act
    role: Role = Role.VIEWER


class Place(NamedTuple):
    """Where a page is in the menu: the text of its group, and its icon in parts.html."""

    group: str
    icon: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the dashboard. `path` in aiohttp's form; `title` is a text's key."""

    path: str
    template: str
    title: str
    show: Show
    role: Role = Role.VIEWER
    place: Place | None = None
    # The menu's entry that is marked while this page is shown; by default its own.
    under: str = ""
    actions: Mapping[str, Action] = field(default_factory=dict)
    scripts: Sequence[str] = ()
