"""`GET /api/v1/live`: the calls that are going on, as server-sent events."""

import asyncio
import contextlib
import json
from typing import Final

from aiohttp import web
from typing_extensions import TypedDict

from pool.database import StoreUnavailable
from pool.instants import to_iso
from router.live import Change, LiveEntry, LiveView, told
from router.schema import Iso
from router.users.access import Access
from router.web.admin_guard import caller_now
from router.web.openapi.operation import Answer, Events, described
from router.web.problems import Problem

BEAT_SECONDS: Final = 15.0
MOST_WATCHERS: Final = 100


class LiveSnapshot(TypedDict):
    """The data of `snapshot`. `catching_up`: calls may be missing, another snapshot follows."""

    at: Iso
    catching_up: bool
    calls: list[LiveEntry]


class LiveChange(LiveEntry):
    """The data of `call` and `ended`: the whole call, until `at`."""

    at: Iso


_EVENTS: Final = Events(
    "First a `snapshot`, then `call` and `ended` as they come; comments when nothing does.",
    {"snapshot": LiveSnapshot, "call": LiveChange, "ended": LiveChange},
)


class Live:
    """The handler. `view` None: this process has no calls role."""

    def __init__(self, view: LiveView | None, access: Access) -> None:
        self._view = view
        self._access = access
        self._streams: set[asyncio.Task[None]] = set()

    @described(
        "calls",
        answers={200: Answer(content={"text/event-stream": _EVENTS})},
        problems={404: ["live-not-here"], 503: ["too-many-watchers"]},
    )
    async def watch(self, request: web.Request) -> web.StreamResponse:
        """The calls that are going on, as server-sent events."""
        view = self._view
        if view is None:
            detail = "this process has not the calls role: ask the router beside the PBX"
            raise Problem(404, "live-not-here", detail)
        if view.watchers >= MOST_WATCHERS:
            raise Problem(503, "too-many-watchers", f"{MOST_WATCHERS} watch already")
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # nginx would hold events back
            }
        )
        await response.prepare(request)
        stream = asyncio.ensure_future(self._stream(view, response))
        self._streams.add(stream)
        try:
            await asyncio.wait([stream])
        finally:
            self._streams.discard(stream)
            stream.cancel()
        # Cancelled: the listener closes.
        error = None if stream.cancelled() else stream.exception()
        if error is not None and not isinstance(error, ConnectionError):
            raise error
        return response

    async def close(self, _: web.Application) -> None:
        """End every stream: the listener closes."""
        for stream in self._streams:
            stream.cancel()

    async def _stream(self, view: LiveView, response: web.StreamResponse) -> None:
        caller = caller_now()
        async with contextlib.aclosing(told(view, BEAT_SECONDS)) as coming:
            async for changes in coming:
                if changes:
                    await response.write("".join(_event(view, change) for change in changes).encode())
                    continue
                await response.write(b": beat\n\n")
                with contextlib.suppress(StoreUnavailable):  # asked again at the next beat
                    if not await self._access.still(caller):
                        return


def _event(view: LiveView, change: Change) -> str:
    at = view.now()
    entries = [shown.entry(view.switch, at) for shown in change.calls]
    if change.event == "snapshot":
        body = {"at": to_iso(at), "catching_up": view.snapshot.catching_up, "calls": entries}
    else:
        body = {"at": to_iso(at), **entries[0]}
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return f"event: {change.event}\ndata: {data}\n\n"
