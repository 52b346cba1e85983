"""From stored calls to the recordings that they left in the folder."""

import json
import os
import re
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog

from pool.instants import from_iso
from router.recordings import files
from router.recordings.files import BadName
from router.recordings.wav import EMPTY_BYTES
from router.store.calls import Written
from router.store.recordings import Recording

log = structlog.get_logger(__name__)

MESSAGE: Final = re.compile(r"[\w-]+/[\w-]+/(?:INBOX|Urgent)/msg[0-9]{4}\.wav\Z", re.ASCII)
"""Context, box, folder and message, as app_voicemail lays them out."""
SLACK_SECONDS: Final = 10.0


class Folders(NamedTuple):
    """Where recordings are, and Asterisk's voicemail."""

    recordings: Path
    voicemail: Path


def looked_up(folders: Folders, calls: Sequence[Written], now: int) -> list[Recording]:
    """The recordings that these ended calls have; deletes the bare headers that others left.

    A call whose record knows of no recording may have one all the same: the dialplan's closing event was
    lost, or the folder was not there.
    """
    found = []
    for written in calls:
        recording = _of_call(folders, written, now)
        if recording is not None:
            found.append(recording)
    return found


def _of_call(folders: Folders, written: Written, now: int) -> Recording | None:
    record = json.loads(written.record)
    told = record["recording"]
    folder = folders.recordings
    try:
        if told and record["result"] == "voicemail":
            told = {**told, "path": _message(folders, record)}
        name = files.name_of(told["path"] if told else f"{record['linkedid']}.wav")
    except BadName as error:
        if told:
            log.error("recording.bad_name", call_id=written.call_id, reason=str(error))
        return None
    if told is None:
        size = _longest(folder, name)
        if size is None or _bare_deleted(folder, name, size, written.call_id):
            return None
        told = {"seconds": 0.0, "channels": 1, "bytes": size}
    elif record["result"] == "voicemail" and files.NAME.match(mixed := f"{record['linkedid']}.wav"):
        _bare_deleted(folder, mixed, _longest(folder, mixed), written.call_id)
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


def _bare_deleted(folder: Path, name: str, size: int | None, call_id: str) -> bool:
    """Deletes the headers that MixMonitor left of a call that never was on a bridge, if they are no more."""
    if not size or size > EMPTY_BYTES:
        return False
    files.delete(list(files.originals(folder, name)))
    log.info("recording.deleted", call_id=call_id, name=name, reason="empty")
    return True


def _longest(folder: Path, name: str) -> int | None:
    """The size of the largest of the recording's files; None when there is none."""
    # As text: a Path for each would cost more than the question to the disk, and most calls have none.
    stem = f"{folder}/{name.rpartition('.')[0]}"
    sizes = (_size(f"{stem}{end}.wav") for end in ("", "-rx", "-tx"))
    return max((size for size in sizes if size is not None), default=None)


def _size(path: str) -> int | None:
    """Bytes of an ordinary file; None when it is none."""
    try:
        status = os.stat(path)  # noqa: PTH116 - see above
    except (OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _message(folders: Folders, record: dict[str, Any]) -> str:
    """The name under which a voicemail's message is kept with the recordings: a copy, made now.

    The message itself belongs to its box: it is renumbered when another is deleted, and its name is then
    another caller's. So it counts only while it is as long as the record says, and of that time.
    """
    name = f"{record['linkedid']}-voicemail.wav"
    target = folders.recordings / name
    told = record["recording"]
    path = folders.voicemail / "/".join(told["path"].split("/")[-4:])
    if target.exists() or not files.NAME.match(name) or not MESSAGE.search(told["path"]):
        return name
    part = files.new_part(folders.recordings, name)
    try:
        state = path.stat(follow_symlinks=False)
        begun, ended = (from_iso(record[key]) / 1000 for key in ("started_at", "ended_at"))
        if state.st_size == told["bytes"] and begun <= state.st_mtime <= ended + SLACK_SECONDS:
            shutil.copyfile(path, part)
            files.put_in_place(part, target)
        else:
            log.warning("recording.message_moved", call_id=record["id"], path=str(path))
    except OSError as error:
        log.warning("recording.message_not_there", call_id=record["id"], path=str(path), reason=str(error))
    finally:
        files.delete([part])
    return name
