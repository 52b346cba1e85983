"""A call's record with what has become of its recording since."""

import json
from pathlib import PurePosixPath
from typing import Any, Literal

from typing_extensions import TypedDict

from router.cdr.record import CallFields
from router.recordings.encoders import Format
from router.schema import Count, Seconds
from router.store.recordings import Recording


class RecordingNow(TypedDict):
    """A recording as it is now. `url` and `path` are null when there is no file, `reason` then says why."""

    state: Literal["due", "ready", "kept", "missing", "deleted"]
    format: Format
    path: str | None
    seconds: Seconds
    channels: Count
    bytes: Count
    reason: str | None
    url: str | None


class Call(CallFields):
    """The record of a finished call, with its recording as it is now."""

    recording: RecordingNow | None


def with_recording(record: dict[str, Any], found: Recording | None) -> dict[str, Any]:
    """`record` with a `recording` that is true now: its `state`, `format`, `url` and the file as it is.

    The stored record stays as it was written; `found` None: nobody has looked at the recording yet.
    """
    told = record["recording"]
    if found is None and told is None:
        return record
    there = found is None or found.state not in {"missing", "deleted"}
    path = told["path"] if told else None
    if found is None:
        now = {"state": "due", "format": "wav", **told, "reason": None}
    else:
        now = {
            "state": "due" if found.state == "replacing" else found.state,
            "format": found.format,
            "path": _path(path, found.name) if there else None,
            "seconds": found.seconds if there else 0.0,
            "channels": found.channels,
            "bytes": found.bytes if there else 0,
            "reason": found.reason,
        }
    now["url"] = f"/api/v1/calls/{record['id']}/recording" if there else None
    return {**record, "recording": now}


def _path(told: str | None, name: str) -> str:
    """As the PBX names it; of a voicemail's message, the name of our copy."""
    same = told is not None and PurePosixPath(told).stem == PurePosixPath(name).stem
    return str(PurePosixPath(told).with_name(name)) if told and same else name


def line_with_recording(record: str, found: Recording | None) -> str:
    """The same for a record as JSON."""
    changed = with_recording(json.loads(record), found)
    return json.dumps(changed, ensure_ascii=False, separators=(",", ":"))
