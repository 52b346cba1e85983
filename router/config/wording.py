"""What is wrong with a value, in the words of a configuration file instead of pydantic's."""

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

_LIST: Final = 'takes a list: ["…"]'
_TABLE: Final = "takes a table of keys"
_NUMBER: Final = "takes a number"
_WHOLE: Final = "takes a whole number"
_TEXT: Final = 'takes text in quotes: "…"'
_ONES: Final = "takes true or false, without quotes"

_WORDS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "missing": lambda _: "is missing",
    "string_type": lambda _: _TEXT,
    "path_type": lambda _: _TEXT,
    "int_type": lambda _: _WHOLE,
    "int_parsing": lambda _: _WHOLE,
    "int_from_float": lambda _: _WHOLE,
    "float_type": lambda _: _NUMBER,
    "float_parsing": lambda _: _NUMBER,
    "finite_number": lambda _: _NUMBER,
    "bool_type": lambda _: _ONES,
    "bool_parsing": lambda _: _ONES,
    "greater_than": lambda told: f"takes more than {_plain(told['gt'])}",
    "greater_than_equal": lambda told: f"takes {_plain(told['ge'])} or more",
    "less_than": lambda told: f"takes less than {_plain(told['lt'])}",
    "less_than_equal": lambda told: f"takes {_plain(told['le'])} or less",
    "literal_error": lambda told: f"takes {told['expected']}",
    "enum": lambda told: f"takes {told['expected']}",
    "too_short": lambda told: f"takes at least {_entries(told['min_length'])}",
    "too_long": lambda told: f"takes at most {_entries(told['max_length'])}",
    "string_too_short": lambda told: f"takes at least {_characters(told['min_length'])}",
    "string_too_long": lambda told: f"takes at most {_characters(told['max_length'])}",
    "string_pattern_mismatch": lambda told: f"has not the form {told['pattern']}",
    "union_tag_not_found": lambda told: f"key {_tag(told)} is missing",
    "union_tag_invalid": lambda told: f"key {_tag(told)} takes {told['expected_tags']}",
}


def wording(error: Mapping[str, Any]) -> str:
    """The message of one of pydantic's errors, without its place, with the value where that helps."""
    kind, value, told = error["type"], error.get("input"), error.get("ctx") or {}
    if kind in {"tuple_type", "list_type"}:
        if isinstance(value, dict):
            return "there may be several: write it in double brackets, [[…]]"
        message = _LIST
    elif kind in {"model_type", "model_attributes_type", "dict_type"}:
        if isinstance(value, list):
            return "there is only one: write it in single brackets, […]"
        secret = told.get("class_name") == "Secret"
        message = 'takes { env = "NAME" } or { file = "/path" }' if secret else _TABLE
        if secret:
            return message  # what was given may be the secret itself
    elif kind in _WORDS:
        message = _WORDS[kind](told)
    else:
        message = str(error["msg"]).removeprefix("Value error, ")
    if isinstance(value, float) and not math.isfinite(value):
        message = _NUMBER
    if isinstance(value, str | int | float | bool):
        shown = str(value).lower() if isinstance(value, bool) else repr(value)
        message = f"{message} (found {shown})"
    return message


def _plain(limit: object) -> str:
    return f"{limit:g}" if isinstance(limit, float) else str(limit)


def _characters(count: int) -> str:
    return "one character" if count == 1 else f"{count} characters"


def _entries(count: int) -> str:
    return "one entry" if count == 1 else f"{count} entries"


def _tag(told: Mapping[str, Any]) -> str:
    return str(told["discriminator"]).strip("'")
