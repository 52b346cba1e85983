"""A webhook's body made from a call by a template: a JSON document whose texts may name fields. Pure.

`"Call from {caller.number}"` puts a field into a text; a text that is one field alone, `"{talk_seconds}"`,
becomes the field's own JSON value; `{attribution.channel|unknown}` gives a text for a field that is null.
`{"$of": "result", "answered": "connected", "*": "no_answer"}` chooses by a field's value. Fields are put into
the parsed document and written as JSON or as a form afterwards, so that no field can break out of its text.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlencode

from pool.instants import from_iso
from router.config.delivery import PRESETS

FILE_CAP: Final = 64 * 1024
DEPTH_CAP: Final = 20
_FIELD: Final = re.compile(r"\{([a-z_][a-z0-9_.]*)(?:\|([^{}]*))?\}")
_SAMPLE: Final[dict[str, Any]] = {
    "id": "", "switch": "", "linkedid": "", "site": "", "number": "", "extension": "",
    "caller": {"number": "", "name": "", "region": ""},
    "started_at": "1970-01-01T00:00:00.000Z", "answered_at": "", "ended_at": "1970-01-01T00:00:00.000Z",
    "ring_seconds": 0.0, "talk_seconds": 0.0, "result": "", "answered_by": "", "hung_up_by": "",
    "legs": [], "transfers": [], "recording": {"path": "", "seconds": 0, "channels": 0, "bytes": 0},
    "qualified": False, "first_call": None, "match": "", "confidence": 0.0, "candidates": [],
    "attribution": {
        "visit_id": "", "visitor_id": "", "channel": "", "source": "", "medium": "", "campaign": "",
        "term": "", "content": "", "referrer": "", "landing_page": "", "page_called_from": "",
        "click_ids": {}, "ga": {"client_id": "", "session_id": ""}, "metrica_client_id": "", "region": "",
        "city": "", "ip": "", "browser": "", "os": "", "device": "", "visit_count": 0,
        "first": {"source": "", "medium": "", "campaign": "", "at": ""}, "unknown": "",
    },
    "route": {"decided_in_ms": 0.0, "by": "", "late": False}, "repaired": "",
}  # fmt: skip
"""The shape of a record: what a template may name."""


class BadTemplate(ValueError):
    """The template cannot be used; the message names the place."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was read and checked."""

    body: Any
    encoding: Literal["json", "form"] = "json"

    @property
    def content_type(self) -> str:
        """Of the bodies it makes."""
        return "application/json" if self.encoding == "json" else "application/x-www-form-urlencoded"

    def filled(self, cdr: Mapping[str, Any]) -> str:
        """The body for a call."""
        made = _filled(self.body, fields_of(cdr))
        if self.encoding == "form":
            told = {name: _text(value) for name, value in made.items() if value is not None}
            return urlencode(told, errors="replace")
        return json.dumps(made, ensure_ascii=False).encode("utf-8", "replace").decode()


def fields_of(cdr: Mapping[str, Any]) -> dict[str, Any]:
    """The record's own fields, and instants and durations in the forms that other systems take."""
    started = from_iso(cdr["started_at"])
    ended = from_iso(cdr["ended_at"])
    return {
        **cdr,
        "started_unix": started // 1000,
        "started_ms": started,
        "ended_unix": ended // 1000,
        "started_utc": _utc(started),
        "ended_utc": _utc(ended),
        "talk_whole_seconds": round(cdr["talk_seconds"]),
        "talk_ms": round(cdr["talk_seconds"] * 1000),
    }


def read_template(name: str) -> Template:
    """A preset by its name, or a file's template. Raises BadTemplate."""
    path = Path(__file__).parent / "presets" / f"{name}.json" if name in PRESETS else Path(name)
    try:
        with path.open("rb") as file:
            content = file.read(FILE_CAP + 1)
        if len(content) > FILE_CAP:
            raise BadTemplate(f"{path}: is larger than {FILE_CAP} bytes")
        document = json.loads(content)
    except OSError as error:
        raise BadTemplate(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadTemplate(f"{path}: is not JSON: {error}") from error
    return parsed_template(document, str(path))


def parsed_template(document: Any, place: str) -> Template:
    """A template from `{"body": …, "encoding": "json"}` (or "form"). Raises BadTemplate with `place`."""
    if (
        not isinstance(document, dict)
        or "body" not in document
        or not document.keys() <= {"body", "encoding"}
    ):
        raise BadTemplate(f'{place}: takes {{"body": …, "encoding": "json" or "form"}}')
    encoding = document.get("encoding", "json")
    if encoding not in {"json", "form"}:
        raise BadTemplate(f"{place}: encoding takes json or form (found {encoding!r})")
    body = document["body"]
    flat = isinstance(body, dict) and "$of" not in body
    if encoding == "form" and not (flat and all(_is_field(value) for value in body.values())):
        raise BadTemplate(f"{place}: a form's body is one level of names and texts")
    _check(body, f"{place}: body")
    return Template(body, encoding)


def _is_field(value: Any) -> bool:
    return not isinstance(value, list | dict) or (isinstance(value, dict) and "$of" in value)


def _check(part: Any, place: str, depth: int = 0) -> None:
    if depth > DEPTH_CAP:
        raise BadTemplate(f"{place}: is nested too deeply")
    if isinstance(part, str):
        for name, _ in _FIELD.findall(part):
            _check_field(name, place)
    elif isinstance(part, list):
        for number, item in enumerate(part):
            _check(item, f"{place}[{number}]", depth + 1)
    elif isinstance(part, dict):
        if "$of" in part:
            _check_field(str(part["$of"]), f"{place}.$of")
        for key, value in part.items():
            if key != "$of":
                _check(value, f"{place}.{key}", depth + 1)


def _check_field(name: str, place: str) -> None:
    found: Any = fields_of(_SAMPLE)
    for step in name.split("."):
        if name.startswith("attribution.click_ids."):
            return
        if not isinstance(found, dict) or step not in found:
            raise BadTemplate(f"{place}: a call has no field {name!r} (docs/cdr.md lists them)")
        found = found[step]


def _filled(part: Any, fields: Mapping[str, Any]) -> Any:
    if isinstance(part, str):
        return _filled_text(part, fields)
    if isinstance(part, list):
        return [_filled(item, fields) for item in part]
    if isinstance(part, dict):
        if "$of" in part:
            chosen = part.get(_text(_value(part["$of"], fields)), part.get("*"))
            return _filled(chosen, fields)
        return {key: _filled(value, fields) for key, value in part.items()}
    return part


def _filled_text(text: str, fields: Mapping[str, Any]) -> Any:
    alone = _FIELD.fullmatch(text)
    if alone:
        value = _value(alone[1], fields)
        return alone[2] if value is None and alone[2] is not None else value

    def put(found: re.Match[str]) -> str:
        value = _value(found[1], fields)
        return _text(found[2] if value is None and found[2] is not None else value)

    return _FIELD.sub(put, text)


def _value(name: str, fields: Mapping[str, Any]) -> Any:
    found: Any = fields
    for step in name.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _utc(at: int) -> str:
    """`2026-11-22 13:10:00`, as some systems take it."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
