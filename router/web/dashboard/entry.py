"""The login page, and preferences that need no page of their own."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from pool.instants import now
from router.store.sessions import Session
from router.store.users import UserStore
from router.users.access import Access
from router.users.login import Wait, log_in
from router.users.sessions import digest_of, form_token, is_form_token
from router.web.browsers import browser_of
from router.web.dashboard import look
from router.web.dashboard.page import Done
from router.web.dashboard.safe import own_address
from router.web.dashboard.wording import LANGUAGES, Wording
from router.web.parts import Parts
from router.web.problems import Problem
from router.web.session_cookie import LOGIN_NAME, NAME, forget_token, login_token, set_token, token_of

Words = Callable[[web.Request, Session | None], Wording]

_BROWSER_CHARACTERS: Final = 60


class Entry:
    """Handlers that work before anybody is logged in."""

    def __init__(self, access: Access, parts: Parts, words: Words) -> None:
        self._access = access
        self._origins = access.origins
        self._users = UserStore(parts.database)
        self._words = words

    async def form(self, request: web.Request) -> web.StreamResponse:
        """The login form; who is logged in already goes on."""
        to = own_address(request.query.get("next", "/"))
        if await self._access.session(request) is not None:
            return look.going_on(Done(to))
        return await self._form(request, to)

    async def _form(
        self,
        request: web.Request,
        to: str,
        *,
        name: str = "",
        error: str = "",
        wait: int = 0,
        status: int = 200,
    ) -> web.Response:
        secure = self._origins.is_secure(request)
        token = login_token(request, secure=secure)
        values: Mapping[str, Any] = {
            "user": None,
            "title": "login.title",
            "scripts": (),
            "form_token": form_token(token),
            "next": to,
            "name": name,
            "error": error,
            "wait": wait,
            "nobody": not await self._users.users(),
            "is_plain": not secure and not _is_local(request),
        }
        response = look.rendered(request, "login.html", self._words(request, None), values, status=status)
        set_token(response, token, secure=secure, name=LOGIN_NAME)
        if wait:
            response.headers["Retry-After"] = str(wait)
        return response

    async def log_in(self, request: web.Request) -> web.StreamResponse:
        """Takes the form. A session begins with a new token: what the browser had before is no session."""
        form = await request.post()
        secure = self._origins.is_secure(request)
        token = token_of(request, secure=secure, name=LOGIN_NAME) or ""
        to = own_address(_text(form.get("next"), 2_048) or "/")
        name = _text(form.get("name"), 64)
        if not (self._origins.is_ours(request) and is_form_token(token, _text(form.get("form"), 100))):
            return await self._form(request, to, name=name, error="login.stale", status=403)
        address = self._origins.address(request)
        try:
            account = await self._access.passwords.account(name, _text(form.get("password"), 1_000), address)
        except Wait as error:
            return await self._form(
                request, to, name=name, error="login.wait", wait=error.seconds, status=429
            )
        found = browser_of(request.headers.get("User-Agent", ""))
        browser = ", ".join(part for part in (found.browser, found.os) if part)[:_BROWSER_CHARACTERS]
        begun = account and await log_in(
            self._access.sessions, account, now(), address=address, browser=browser
        )
        if not begun:
            return await self._form(request, to, name=name, error="login.wrong", status=401)
        before = token_of(request, secure=secure)
        if before is not None:
            await self._access.sessions.end(digest_of(before))
        response = look.going_on(Done(to))
        set_token(response, begun, secure=secure)
        forget_token(response, secure=secure, name=LOGIN_NAME)
        return response

    async def prefer(self, request: web.Request) -> web.StreamResponse:
        """Language and theme of this browser; who is logged in keeps the language everywhere."""
        form = await request.post()
        secure, sent = self._origins.is_secure(request), _text(form.get("form"), 100)
        tokens = (token_of(request, secure=secure, name=name) for name in (NAME, LOGIN_NAME))
        if not self._origins.is_ours(request) or not any(is_form_token(one, sent) for one in tokens if one):
            raise Problem(403, "forged-form", "")
        response = look.going_on(Done(own_address(_text(form.get("next"), 2_048) or "/")))
        theme, language = _text(form.get("theme"), 8), _text(form.get("language"), 8)
        if theme in look.THEMES:
            look.keep(response, look.THEME, theme)
        if language in LANGUAGES:
            look.keep(response, look.LANGUAGE, language)
            user = await self._access.session(request)
            if user is not None and user.language:
                await self._access.sessions.prefer(user.name, language, user.time_zone)
        return response


def _text(value: Any, most: int) -> str:
    return value[:most] if isinstance(value, str) else ""


def _is_local(request: web.Request) -> bool:
    """Whether browser and listener are on one machine: no TLS is needed there."""
    return request.remote in {"127.0.0.1", "::1"} and "X-Forwarded-For" not in request.headers
