"""What every page goes through: who asks, whether they may, forms that are really ours, headers, errors."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from pool.database import StoreUnavailable
from pool.instants import now
from router.reports import Reports
from router.store.sessions import Session
from router.users.access import Access
from router.users.sessions import form_token, is_form_token
from router.web.dashboard import assets, look
from router.web.dashboard.entry import Entry
from router.web.dashboard.page import Action, Asked, Page
from router.web.dashboard.pages import PAGES
from router.web.dashboard.safe import HEADERS
from router.web.dashboard.wording import LANGUAGES, Wording, language_of
from router.web.openapi.operation import page as page_for_people
from router.web.parts import Check, Parts
from router.web.problems import Problem
from router.web.session_cookie import forget_token, token_of

log = structlog.get_logger(__name__)

FORM_FIELD: Final = "form"


class Dashboard:
    """The pages of `pages.PAGES`, the login, and the files that they need."""

    def __init__(self, access: Access, parts: Parts, checks: Mapping[str, Check]) -> None:
        self._access = access
        self._parts = parts
        self._checks = checks
        self._reports = Reports(parts.database, lambda: parts.live.current)

    def add_to(self, application: web.Application) -> None:
        """Adds every route. Last of all: what no other route knows is a page that is not there."""
        look.set_up(application)
        router = application.router
        router.add_get("/static/{version:[0-9a-f]{12}}/{name:[a-zA-Z0-9.-]+}", page_for_people(assets.serve))
        entry = Entry(self._access, self._parts, self.words)
        router.add_get("/login", self._guarded(entry.form))
        router.add_post("/login", self._guarded(entry.log_in))
        router.add_post("/preferences", self._guarded(entry.prefer))
        for page in PAGES:
            router.add_get(page.path, self._guarded(self._shower(page)))
            for path, action in page.actions.items():
                router.add_post(path, self._guarded(self._actor(action)))
        router.add_get(r"/{path:(?!api/).*}", self._guarded(self._nothing_here))

    def words(self, request: web.Request, user: Session | None) -> Wording:
        """In which language and time zone to answer."""
        kept = request.cookies.get(look.LANGUAGE, "")
        asked = request.headers.get("Accept-Language", "")
        chosen = (user.language if user else "") or (kept if kept in LANGUAGES else language_of(asked))
        sites = self._parts.live.current.site
        zone = (user.time_zone if user else "") or (sites[0].time_zone if sites else "UTC")
        try:
            return Wording(chosen, ZoneInfo(zone))
        except (ZoneInfoNotFoundError, ValueError):
            return Wording(chosen, ZoneInfo("UTC"))

    def _shower(self, page: Page) -> Handler:
        async def show(request: web.Request) -> web.StreamResponse:
            user = await self._user(request)
            if user is None:
                return _to_login(request)
            if not user.role.includes(page.role):
                raise Problem(403, "not-allowed", user.role)
            asked = self._asked(request, user)
            values = {**self._frame(asked, page), **await page.show(asked)}
            # A long page takes tens of milliseconds, and calls are answered on this loop.
            return await asyncio.to_thread(look.rendered, request, page.template, asked.words, values)

        return show

    def _actor(self, action: Action) -> Handler:
        async def act(request: web.Request) -> web.StreamResponse:
            user = await self._user(request)
            if user is None:
                return _to_login(request)
            form = await request.post()
            texts = {name: value for name, value in form.items() if isinstance(value, str)}
            self._check_form(request, texts)
            if not user.role.includes(action.role):
                raise Problem(403, "not-allowed", user.role)
            done = await action.act(self._asked(request, user), texts)
            response = look.going_on(done)
            if done.ends_login:
                forget_token(response, secure=self._access.origins.is_secure(request))
            return response

        return act

    def _check_form(self, request: web.Request, texts: Mapping[str, str]) -> None:
        token = token_of(request, secure=self._access.origins.is_secure(request)) or ""
        if not self._access.origins.is_ours(request) or not is_form_token(token, texts.get(FORM_FIELD, "")):
            raise Problem(403, "forged-form", "")

    async def _user(self, request: web.Request) -> Session | None:
        return await self._access.session(request)

    def _asked(self, request: web.Request, user: Session) -> Asked:
        words = self.words(request, user)
        return Asked(request, self._parts, self._checks, self._access, self._reports, user, words, now())

    def _frame(self, asked: Asked, page: Page | None) -> dict[str, Any]:
        """What frame.html needs of a user's page."""
        token = token_of(asked.request, secure=self._access.origins.is_secure(asked.request)) or ""
        menu = [one for one in PAGES if one.place is not None and asked.may(one.role)]
        return {
            "asked": asked,
            "user": asked.user,
            "menu": menu,
            "page": page,
            "here": (page.under or page.path) if page else "",
            "title": page.title if page else "error.title",
            "scripts": page.scripts if page else (),
            "form_token": form_token(token),
        }

    async def _nothing_here(self, request: web.Request) -> web.StreamResponse:
        raise Problem(404, "not-found", "")

    def _guarded(self, handler: Handler) -> Handler:
        """Turns every error into a page."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except Problem as problem:
                return await self._error(request, problem.status, problem.kind, headers=problem.headers)
            except StoreUnavailable as error:
                log.warning("dashboard.store_unavailable", path=request.path, reason=str(error))
                return await self._error(request, 503, "store-unavailable", headers={"Retry-After": "5"})
            except web.HTTPException as error:
                if error.status < 400:
                    raise
                return await self._error(request, error.status, "refused")
            except Exception:
                instance = secrets.token_hex(8)
                log.exception("dashboard.failed", path=request.path, instance=instance)
                return await self._error(request, 500, "internal", instance)

        return page_for_people(guarded)

    async def _error(
        self,
        request: web.Request,
        status: int,
        kind: str,
        instance: str = "",
        *,
        headers: Mapping[str, str] | None = None,
    ) -> web.Response:
        try:
            user = await self._user(request)
        except StoreUnavailable:
            user = None
        told = {
            "error_status": status,
            "kind": kind,
            "instance": instance,
        }
        frame: dict[str, Any] = {"user": None, "title": "error.title", "scripts": ()}
        if user is not None:
            frame = self._frame(self._asked(request, user), None)
        words = self.words(request, user)
        response = look.rendered(request, "error.html", words, frame | told, status=status)
        response.headers.update(headers or {})
        return response


def _to_login(request: web.Request) -> web.Response:
    wanted = request.path_qs if request.method in {"GET", "HEAD"} else "/"
    to = "/login" if wanted == "/" else f"/login?next={quote(wanted, safe='/')}"
    return web.Response(status=303, headers={**HEADERS, "Location": to})
