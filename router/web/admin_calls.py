"""`GET /api/v1/calls`: the calls, filtered, page by page as JSON, or as one stream of CSV or NDJSON."""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal, NamedTuple

import structlog
from aiohttp import web
from pydantic import BeforeValidator, WithJsonSchema
from typing_extensions import TypedDict

from pool.database import Database, StoreUnavailable
from router.attribution.call import Match
from router.cdr.flat import COLUMNS, flat
from router.cdr.outcome import Result
from router.recordings.answer import Call, line_with_recording
from router.schema import Moment, Word, refused, whole
from router.spreadsheet import csv_lines
from router.store.calls import CallFilter, CallStore, Cursor, Written
from router.store.recordings import RecordingStore
from router.web.openapi.operation import JSON, Answer, Parameter, Text, described
from router.web.problems import Problem
from router.web.query import read

log = structlog.get_logger(__name__)

Limit = whole(1, 10**9)
Form = Literal["json", "csv", "ndjson"]
_CURSOR: Final = r"^([0-9]{1,15})-([0-9a-z]{1,64})$"


def _cursor(text: object) -> Cursor:
    found = re.fullmatch(_CURSOR, text) if isinstance(text, str) else None
    if found is None:
        raise refused("takes what `next` of an earlier answer was")
    return Cursor(int(found[1]), found[2])


After = Annotated[Any, BeforeValidator(_cursor), WithJsonSchema({"type": "string", "pattern": _CURSOR})]

PAGE: Final = 100
MOST_IN_PAGE: Final = 1_000
STREAM_PAGE: Final = 500
TYPES: Final[Mapping[str, str]] = {
    "json": "application/json",
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
}
FILTERS: Final = ("site", "number", "caller", "result", "match", "channel", "source", "since", "until")
CALL_ID: Final = Parameter("id", str, "The call's `id`.", "01935400a4d2a1b2c3d4e5f60718293a4b5")
_QUERY: Final = (
    Parameter("site", Word, "The site's key.", "plumber"),
    Parameter("number", Word, "The number that was called, E.164.", "+442079460123"),
    Parameter("caller", Word, "Who called, E.164.", "+447700900123"),
    Parameter("result", Result),
    Parameter("match", Match),
    Parameter("channel", Word, "The channel that caused the call.", "Google Ads"),
    Parameter("source", Word, example="google"),
    Parameter("since", Moment, "Started then or later."),
    Parameter("until", Moment, "Started before."),
    Parameter("limit", Limit, f"JSON: calls in a page, {PAGE} if not given, {MOST_IN_PAGE:,} at most. "
              "Else: so many in all.", 100),
    Parameter("cursor", After, "`next` of the page before."),
    Parameter("format", Form, "Else by `Accept`."),
)  # fmt: skip


class CallPage(TypedDict):
    """Calls, the latest first. `next` is the `cursor` of the next page; null: this is the last."""

    calls: list[Call]
    next: str | None


class Wanted(NamedTuple):
    """What a request asks for. `limit` None: all."""

    chosen: CallFilter
    after: Cursor | None
    limit: int | None
    form: str


class Calls:
    """The handlers."""

    def __init__(self, database: Database) -> None:
        self._leisurely = database.leisurely
        self._calls = CallStore(database)
        self._recordings = RecordingStore(database)

    @described(
        "calls",
        query=_QUERY,
        answers={
            200: Answer(
                "A page of calls; or all of them as one stream, which breaks if it cannot be finished.",
                {
                    TYPES["json"]: CallPage,
                    TYPES["csv"]: Text(f"With a header: {', '.join(COLUMNS)}"),
                    TYPES["ndjson"]: Text("One call a line.", {"x-line": Call}),
                },
            )
        },
        problems={400: ["invalid-request"]},
    )
    async def list_calls(self, request: web.Request) -> web.StreamResponse:
        """The calls, the latest first."""
        wanted = wanted_by(request)
        if wanted.form != "json":
            return await self._stream(request, wanted)
        most = min(wanted.limit or PAGE, MOST_IN_PAGE)
        records, cursor = await self._page(wanted.chosen, wanted.after, most)
        after = json.dumps(None if cursor is None else text_of(cursor))
        body = f'{{"calls":[{",".join(records)}],"next":{after}}}'
        return web.Response(text=body, content_type=TYPES["json"])

    @described("calls", path=[CALL_ID], answers={200: JSON(Call)}, problems={404: ["unknown-call"]})
    async def one_call(self, request: web.Request) -> web.Response:
        """One call."""
        written = await self.written(request)
        found = await self._recordings.of([written.call_id])
        body = line_with_recording(written.record, found.get(written.call_id))
        return web.Response(text=body, content_type=TYPES["json"])

    async def written(self, request: web.Request) -> Written:
        """The stored call that the request's path names. Raises Problem 404."""
        call_id = request.match_info["id"]
        written = await self._calls.call(call_id) if call_id.isalnum() else None
        if written is None:
            raise Problem(404, "unknown-call", "no call has this id")
        return written

    async def _page(
        self, chosen: CallFilter, after: Cursor | None, most: int
    ) -> tuple[list[str], Cursor | None]:
        # Let go before anything is sent: who asks for all calls and reads none of them is in nobody's way.
        async with self._leisurely:
            records, cursor = await self._calls.page(chosen, after=after, most=most)
            ids = [json.loads(record)["id"] for record in records]
            found = await self._recordings.of(ids) if ids else {}
        return [
            line_with_recording(record, found.get(call_id))
            for call_id, record in zip(ids, records, strict=True)
        ], cursor

    async def _stream(self, request: web.Request, wanted: Wanted) -> web.StreamResponse:
        pages = self._pages(wanted)
        first: list[str] = await anext(pages, [])
        response = web.StreamResponse(headers={"Cache-Control": "no-store"})
        response.content_type = TYPES[wanted.form]
        response.charset = "utf-8"
        response.headers["Content-Disposition"] = f'attachment; filename="calls.{wanted.form}"'
        await response.prepare(request)
        try:
            await response.write(_lines(first, wanted.form, header=True))
            async for records in pages:
                await response.write(_lines(records, wanted.form, header=False))
        except StoreUnavailable as error:
            # The status is sent: only a connection that breaks tells that this is not all.
            log.warning("admin.stream_broken", path=request.path, reason=str(error))
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _pages(self, wanted: Wanted) -> AsyncIterator[list[str]]:
        after, left = wanted.after, wanted.limit
        while left is None or left > 0:
            most = STREAM_PAGE if left is None else min(STREAM_PAGE, left)
            records, after = await self._page(wanted.chosen, after, most)
            yield records
            if after is None:
                return
            left = None if left is None else left - len(records)


def _lines(records: Sequence[str], form: str, *, header: bool) -> bytes:
    if form == "ndjson":
        return "".join(f"{record}\n" for record in records).encode()
    rows = (flat(json.loads(record)) for record in records)
    return "".join(csv_lines(rows, COLUMNS, header=header)).encode()


def wanted_by(request: web.Request) -> Wanted:
    """What the request's parameters ask for. Raises Problem 400 that names the parameter at fault."""
    asked = read(request.query, _QUERY)
    chosen = replace(CallFilter(), **{name: asked[name] for name in FILTERS if name in asked})
    return Wanted(chosen, asked.get("cursor"), asked.get("limit"), asked.get("format") or _accepted(request))


def _accepted(request: web.Request) -> str:
    accepted = request.headers.get("Accept", "")
    return next((form for form, name in TYPES.items() if name in accepted), "json")


def text_of(cursor: Cursor) -> str:
    """A cursor as it is sent."""
    return f"{cursor.started_at}-{cursor.call_id}"
