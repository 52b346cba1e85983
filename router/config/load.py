"""Reading a configuration file: a bad one is refused whole, with every error's file, table and key."""

import difflib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from router.config.alert import AnyReceiver
from router.config.delivery import AnyDestination, Webhook
from router.config.model import Config
from router.config.site import Site
from router.config.wording import wording


class ConfigError(Exception):
    """The configuration was refused; the message lists each error with its file, table and key."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{path}: {problem}" for problem in problems))


def load_config(path: Path) -> Config:
    """The configuration in `path`. Relative paths in it count from the file's own folder.

    Raises ConfigError when the file cannot be read, is not TOML, or any key is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a byte order mark
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"not UTF-8 text ({error})"
        raise ConfigError(path, [f"cannot be read: {reason}"]) from error
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(path, [f"is not TOML: {_where(error, text)}"]) from error
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        errors = [dict(item) for item in error.errors()]
        told = [_problem(item, data) for item in errors if not _follows(item, errors)]
        raise ConfigError(path, told) from error
    return _anchored(config, path.resolve().parent)


def _anchored(config: Config, folder: Path) -> Config:
    """The same configuration with its relative file paths made absolute."""
    url = config.storage.url
    if url.startswith("sqlite:///") and not url.startswith("sqlite:////"):
        url = f"sqlite:///{folder / url.removeprefix('sqlite:///')}"
    return config.model_copy(
        update={
            "storage": config.storage.model_copy(update={"url": url}),
            "journal": config.journal.model_copy(update={"path": folder / config.journal.path}),
            "geoip": config.geoip.model_copy(
                update={"database": folder / config.geoip.database if config.geoip.database else None}
            ),
            "cdr": config.cdr.model_copy(update={"path": folder / config.cdr.path}),
            "delivery": tuple(
                destination.model_copy(update={"template": str(folder / destination.template)})
                if isinstance(destination, Webhook) and destination.template.endswith(".json")
                else destination
                for destination in config.delivery
            ),
            "recordings": config.recordings.model_copy(
                update={
                    "folder": folder / config.recordings.folder,
                    "voicemail": folder / config.recordings.voicemail,
                }
            ),
        }
    )


def _where(error: tomllib.TOMLDecodeError, text: str) -> str:
    """The error, with the line of a key that is set twice: tomllib tells the end of the file."""
    told = str(error)
    if not told.startswith("Cannot overwrite"):
        return told
    lines = text.splitlines()
    for count in range(1, len(lines) + 1):
        try:
            tomllib.loads("\n".join(lines[:count]))
        except tomllib.TOMLDecodeError as earlier:
            if str(earlier).startswith("Cannot overwrite"):
                return f"line {count} sets a key again: {lines[count - 1].strip()}"
    return told


def _follows(item: dict[str, Any], errors: Sequence[dict[str, Any]]) -> bool:
    """Whether a list counts as too short only because an entry of it is wrong."""
    loc = item["loc"]
    return item["type"] == "too_short" and any(
        len(other["loc"]) > len(loc) and other["loc"][: len(loc)] == loc for other in errors
    )


def _problem(item: dict[str, Any], data: dict[str, Any]) -> str:
    place = _place(item["loc"], data)
    unknown = item["type"] == "extra_forbidden"
    message = f"unknown key{_suggestion(item['loc'])}" if unknown else wording(item)
    return f"{place}: {message}" if place else message


def _place(loc: tuple[int | str, ...], data: Any) -> str:
    """`[[site]] "shop" [[step]] 2 key ring_seconds` from pydantic's path through the file's data."""
    words: list[str] = []
    for part in loc:
        if isinstance(data, dict) and part == data.get("kind") and part not in data:
            continue  # which of several tables it is: not a key of the file
        data = _inside(data, part)
        if isinstance(part, int):
            name = (data.get("key") or data.get("name")) if isinstance(data, dict) else None
            words.append(f'"{name}"' if name else str(part + 1))
        elif isinstance(data, dict):
            words.append(f"[{part}]")
        elif isinstance(data, list) and any(isinstance(row, dict) for row in data):
            words.append(f"[[{part}]]")
        else:
            words.append(f"key {part}")
    return " ".join(words)


def _inside(data: Any, part: int | str) -> Any:
    try:
        return data[part]
    except (KeyError, IndexError, TypeError):
        return None


def _suggestion(loc: tuple[int | str, ...]) -> str:
    model: type[BaseModel] | None = Config
    if len(loc) > 3 and loc[0] in _KINDS:  # name of the table, place, kind
        model, loc = _KINDS[str(loc[0])].get(str(loc[2])), loc[3:]
    for part in loc[:-1]:
        if isinstance(part, int) or model is None:
            continue
        model = _model_of(model, str(part))
    known = sorted(model.model_fields) if model else []
    asked = str(loc[-1])
    if len(loc) == 1 and asked in Site.model_fields:
        return f"; it belongs to a site: write [[site.{asked}]] below its [[site]]"
    # "freeze_seconds" means freeze_minutes, not beat_seconds.
    close = [name for name in known if name.split("_")[0] == asked.split("_", maxsplit=1)[0]]
    close = close or difflib.get_close_matches(asked, known, n=1)
    if close:
        return f"; did you mean {' or '.join(map(repr, close))}?"
    return f"; known are {', '.join(known)}" if known else ""


def _model_of(model: type[BaseModel], key: str) -> type[BaseModel] | None:
    field = model.model_fields.get(key)
    for candidate in (field.annotation, *get_args(field.annotation)) if field else ():
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _by_kind(tables: Any) -> dict[str, type[BaseModel]]:
    return {get_args(table.model_fields["kind"].annotation)[0]: table for table in get_args(tables)}


_KINDS = {"delivery": _by_kind(AnyDestination), "alert": _by_kind(AnyReceiver)}
