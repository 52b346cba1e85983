"""The dashboard over HTTP, as a browser without scripts sees it."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar
from yarl import URL

from router.users.roles import Role
from tests.router.web.dashboard.listening import PASSWORD, Listening, listening

_TOKEN = re.compile(r'name="form" value="([0-9a-f]{64})"')


@dataclass
class Visitor:
    """One browser: it keeps cookies, follows no redirects, and says by itself where a request comes from."""

    session: ClientSession
    listening: Listening
    form: str = ""

    @property
    def origin(self) -> str:
        return self.listening.url("").rstrip("/")

    async def get(self, path: str, **headers: str) -> ClientResponse:
        answer = await self.session.get(self.listening.url(path), headers=headers, allow_redirects=False)
        found = _TOKEN.search(await answer.text(errors="replace"))
        self.form = found[1] if found else self.form
        return answer

    def plant(self, name: str, value: str) -> None:
        """Gives the browser a cookie."""
        self.session.cookie_jar.update_cookies({name: value}, URL(self.origin))

    async def text(self, path: str) -> str:
        answer = await self.get(path)
        assert answer.status == 200, (path, answer.status)
        return await answer.text()

    async def post(self, path: str, headers: dict[str, Any] | None = None, **fields: str) -> ClientResponse:
        """Posts a form with the last page's token and our own Origin; a header of None is left out."""
        sent = {"Origin": self.origin} | (headers or {})
        kept = {name: value for name, value in sent.items() if value is not None}
        return await self.session.post(
            self.listening.url(path),
            data={"form": self.form} | fields,
            headers=kept,
            allow_redirects=False,
        )

    async def log_in(
        self, role: Role = Role.ADMIN, password: str = PASSWORD, to: str = "/"
    ) -> ClientResponse:
        await self.get("/login")
        return await self.post("/login", name=role.value, password=PASSWORD, next=to)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Listening]:
    async with listening(tmp_path) as found:
        yield found


@pytest.fixture
async def visitor(house: Listening) -> AsyncIterator[Visitor]:
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        yield Visitor(session, house)


@pytest.fixture
async def stranger(house: Listening) -> AsyncIterator[Visitor]:
    """Somebody else's browser."""
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        yield Visitor(session, house)
