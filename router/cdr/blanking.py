"""A call's record without the person who made it: what counts and reports need is kept."""

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic_core import from_json, to_json

ERASED: Final = "the visitor was erased"
_KEPT: Final = frozenset(
    {"channel", "source", "medium", "campaign", "term", "content", "region", "device", "visit_count", "first"}
)
"""Of the attribution: what advertising it was, and how many there were."""
_LINE_CAP: Final = 1 << 20


def without_person(record: Mapping[str, Any], visitors: Collection[str]) -> dict[str, Any]:
    """The record of a call that an erased person made, or was taken for: no number, name, address, ids or
    query strings. `visitors` are the erased ids; other candidates stay.
    """
    return {
        **without_visitors(record, visitors),
        "caller": {"number": None, "name": None, "region": None},
        "attribution": _attribution(record["attribution"]),
    }


def without_visitors(record: Mapping[str, Any], visitors: Collection[str]) -> dict[str, Any]:
    """Somebody else's record without the erased visitors among its candidates: their shares stay."""
    return {
        **record,
        "candidates": [
            {**one, "visit_id": None, "visitor_id": None} if one["visitor_id"] in visitors else one
            for one in record.get("candidates", ())
        ],
    }


def _attribution(found: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: value if name in _KEPT else _nothing(value) for name, value in found.items()}
    page = found.get("landing_page")
    return {**told, "landing_page": _page_alone(page) if page else None, "unknown": ERASED}


def _nothing(value: Any) -> Any:
    """`value` of the same shape, empty: the ids of analytics are still two, the click ids none."""
    if isinstance(value, dict):
        return dict.fromkeys(value) if set(value) == {"client_id", "session_id"} else {}
    return None


def _page_alone(url: str) -> str | None:
    """A page's host and path: a query may hold names and addresses."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname}{parts.path}" if parts.hostname else None
    except ValueError:
        return None


def blank_lines(path: Path, records: Mapping[str, str]) -> int:
    """Overwrites the lines of these calls (id → record as JSON) in a `cdr.ndjson` and in those that were
    renamed from it; gives how many. Raises OSError.

    In place, each with a line of the same length (JSON may end in blanks), so that whoever writes or follows
    the file at that moment is not disturbed.
    """
    changed = 0
    rotated = path.parent.glob(f"{path.stem}-[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*{path.suffix}")
    for file in sorted([path, *rotated]):
        try:
            handle = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            for start, line in list(_lines_of(file, records)):
                os.pwrite(handle, line, start)
                changed += 1
            os.fsync(handle)
        finally:
            os.close(handle)
    return changed


def _lines_of(file: Path, records: Mapping[str, str]) -> Iterator[tuple[int, bytes]]:
    """Where each line to be overwritten begins, and what it is to be, as long as it was."""
    start = 0
    with file.open("rb") as lines:
        while line := lines.readline(_LINE_CAP):
            content = line.rstrip(b"\n")
            record = records.get(_id_in(content)) if line.endswith(b"\n") else None
            if record is not None and content.rstrip() != record.encode():
                yield start, _as_long(record, len(content))
            start += len(line)


def _as_long(record: str, length: int) -> bytes:
    """The record padded to `length`; one that is longer (it was nearly empty) loses its candidates."""
    line = record.encode()
    if len(line) > length:
        line = to_json({**from_json(record), "candidates": []})
    if len(line) > length:
        line = to_json({"id": from_json(record)["id"]})
    return line.ljust(length)


def _id_in(line: bytes) -> str:
    """The id of a record's line; "" of what is none."""
    try:
        record = from_json(line)
    except ValueError:
        return ""
    call_id = record.get("id") if isinstance(record, dict) else None
    return call_id if isinstance(call_id, str) else ""
