"""What every request to the admin API passes: who sends it, and errors as problems."""

import secrets
from contextvars import ContextVar
from typing import Final

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from pool.database import StoreUnavailable
from router.users.access import Access, Caller
from router.web.problems import Problem

log = structlog.get_logger(__name__)

_PREFIX: Final = "/api/"
_CALLER: Final[ContextVar[Caller]] = ContextVar("caller")
_KINDS: Final = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large", 416: "range"}


class Guard:
    """The middleware of the admin listener. What is not under /api/ is open: health and figures."""

    def __init__(self, access: Access) -> None:
        self._access = access

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Lets nobody in who does not say who they are, and turns every error into a problem."""
        if not request.path.startswith(_PREFIX):
            return await handler(request)
        try:
            _CALLER.set(await self._access.caller(request))
            response = await handler(request)
        except Problem as problem:
            response = problem.response()
        except web.HTTPException as error:
            response = _http_problem(error).response()
        except StoreUnavailable as error:
            if _begun(request):
                raise
            log.warning("admin.store_unavailable", path=request.path, reason=str(error))
            detail = "the store cannot be read just now; try again"
            response = Problem(503, "store-unavailable", detail, headers={"Retry-After": "5"}).response()
        except Exception:
            if _begun(request):
                raise
            instance = secrets.token_hex(8)
            log.exception("admin.failed", path=request.path, instance=instance)
            detail = "the request failed; the log has the cause"
            response = Problem(500, "internal", detail, instance=instance).response()
        if not response.prepared:
            response.headers.setdefault("Cache-Control", "no-store")
            response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response


def _begun(request: web.Request) -> bool:
    """Whether an answer is under way: it cannot become another, its connection breaks instead."""
    return request.writer.output_size > 0


def caller_now() -> Caller:
    """Who sends the request that is being answered: the guard has let it in."""
    return _CALLER.get()


def _http_problem(error: web.HTTPException) -> Problem:
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    detail = "no such address" if error.status == 404 else error.reason
    return Problem(error.status, _KINDS.get(error.status, "refused"), detail, headers=headers)
