"""`GET /api/v1/calls/{id}/recording`: a recording to those who may hear it, with ranges."""

import asyncio
import json
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from pool.database import Database
from router.config.live import LiveConfig
from router.recordings import files
from router.recordings.encoders import MEDIA_TYPES
from router.recordings.files import BadName
from router.store.calls import CallStore
from router.store.recordings import RecordingStore
from router.web.admin_calls import CALL_ID
from router.web.admin_guard import caller_now
from router.web.openapi.operation import Answer, Parameter, described
from router.web.problems import Problem

_SOUNDS: Final = dict.fromkeys(MEDIA_TYPES.values())

log = structlog.get_logger(__name__)


class RecordingFiles:
    """The handler."""

    def __init__(self, live: LiveConfig, database: Database) -> None:
        self._live = live
        self._calls = CallStore(database)
        self._recordings = RecordingStore(database)

    @described(
        "calls",
        path=[CALL_ID],
        headers=[
            Parameter("Range", str, "A part of the file.", "bytes=0-65535"),
            Parameter("If-Range", str, "The `ETag` of the file that the part is wanted of."),
            Parameter("If-None-Match", str, "The `ETag` of the file that is there already."),
        ],
        answers={
            200: Answer("The sound.", _SOUNDS, ["ETag", "Content-Disposition"]),
            206: Answer("A part of it.", _SOUNDS, ["ETag", "Content-Range", "Content-Disposition"]),
            304: Answer("It is the file that is there already.", headers=["ETag"]),
            416: Answer("The range is not in the file.", headers=["Content-Range"]),
        },
        problems={
            403: ["not-allowed"],
            404: ["unknown-call", "no-recording", "recording-not-here"],
            410: ["recording-deleted"],
        },
    )
    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The recording of a call, for the roles listener and admin."""
        # aiohttp answers Range, If-Range, If-None-Match and HEAD.
        caller = caller_now()
        if not caller.role.hears:
            raise Problem(403, "not-allowed", f"a {caller.role} may not hear recordings")
        call_id = request.match_info["id"]
        path = await self._path(call_id)
        form = path.suffix.removeprefix(".")
        if request.method == "GET":
            part = request.headers.get("Range")
            log.info("recording.served", call_id=call_id, user=caller.name, range=part)
        other = await asyncio.to_thread(_is_of_another_file, request, path)
        return (_WholeFile if other else web.FileResponse)(
            path,
            headers={
                "Content-Type": MEDIA_TYPES[form],
                "Content-Disposition": f'inline; filename="{call_id}.{form}"',
                # Kept by the listener's own browser alone, and asked for again: it may have been deleted.
                "Cache-Control": "private, no-cache",
                "X-Content-Type-Options": "nosniff",
            },
        )

    async def _path(self, call_id: str) -> Path:
        """Where the recording is. Raises Problem 404 or 410."""
        folder = self._live.current.recordings.folder
        # A second look: between row and folder, the file may just have been replaced by the converted one.
        for _ in range(2):
            try:
                name = await self._name(call_id)
                path = await asyncio.to_thread(files.inside, folder, name)
            except BadName as error:
                raise Problem(404, "no-recording", str(error)) from None
            if path is not None:
                return path
        raise Problem(404, "recording-not-here", f"{name} is not in [recordings] folder of this machine")

    async def _name(self, call_id: str) -> str:
        if not call_id.isalnum():
            raise Problem(404, "unknown-call", "no call has this id")
        found = (await self._recordings.of([call_id])).get(call_id)
        if found is not None:
            if found.state == "deleted":
                raise Problem(410, "recording-deleted", f"the recording was deleted: {found.reason}")
            return found.name
        written = await self._calls.call(call_id)
        if written is None:
            raise Problem(404, "unknown-call", "no call has this id")
        told = json.loads(written.record)["recording"]
        if told is None:
            raise Problem(404, "no-recording", "the call was not recorded")
        return files.name_of(told["path"])


class _WholeFile(web.FileResponse):
    """The file, whatever part of it was asked for."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        headers = request.headers.copy()
        headers.popall("Range")
        return await super().prepare(request.clone(headers=headers))


def _is_of_another_file(request: web.Request, path: Path) -> bool:
    """Whether a part is asked for on condition (RFC 9110, 13.1.5) that the file is one that it is no more.

    aiohttp knows If-Range with a date only, and would mix a WAV with the Opus that has replaced it.
    """
    condition = request.headers.get("If-Range", "")
    if "Range" not in request.headers or not condition.startswith(('"', "W/")):
        return False
    try:
        state = path.stat()
    except OSError:
        return False
    # As aiohttp writes it.
    return condition != f'"{state.st_mtime_ns:x}-{state.st_size:x}"'
