"""From stored calls to the recordings that they left in the folder."""

import json
from collections.abc import Sequence
from pathlib import Path

import structlog

from pool.instants import from_iso
from router.recordings import files
from router.recordings.files import BadName
from router.recordings.wav import EMPTY_BYTES
from router.store.calls import Written
from router.store.recordings import Recording

log = structlog.get_logger(__name__)


def looked_up(folder: Path, calls: Sequence[Written], now: int) -> list[Recording]:
    """The recordings that these ended calls have; deletes the bare headers that others left.

    A call whose record knows of no recording may have one all the same: the dialplan's closing event was
    lost, or the folder was not there.
    """
    found = []
    for written in calls:
        recording = _of_call(folder, written, now)
        if recording is not None:
            found.append(recording)
    return found


def _of_call(folder: Path, written: Written, now: int) -> Recording | None:
    record = json.loads(written.record)
    told = record["recording"]
    try:
        name = files.name_of(told["path"] if told else f"{record['linkedid']}.wav")
    except BadName as error:
        if told:
            log.error("recording.bad_name", call_id=written.call_id, reason=str(error))
        return None
    if told is None:
        size = _longest(folder, name)
        if size is None:
            return None
        if size <= EMPTY_BYTES:
            files.delete(list(files.originals(folder, name)))
            log.info("recording.deleted", call_id=written.call_id, name=name, reason="empty")
            return None
        told = {"seconds": 0.0, "channels": 1, "bytes": size}
    return Recording(
        call_id=written.call_id,
        linkedid=record["linkedid"],
        name=name,
        state="due",
        format="wav",
        seconds=told["seconds"],
        channels=told["channels"],
        bytes=told["bytes"],
        ended_at=from_iso(record["ended_at"]),
        changed_at=now,
    )


def _longest(folder: Path, name: str) -> int | None:
    """The size of the largest of the recording's files; None when there is none."""
    sizes = [path.stat().st_size for path in files.originals(folder, name) if path.is_file()]
    return max(sizes, default=None)
