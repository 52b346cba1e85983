"""AGI commands as bytes: quoting, and many variables in one ``EXEC MSet``."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

MAX_LINE_BYTES: Final = 1900
"""Asterisk cuts a command at 2047 bytes and executes what is left of it (AGI_BUF_LEN, res_agi.c)."""
MAX_PAIRS: Final = 24
"""MSet's argument array in the older branches; what is beyond goes into the last variable's value."""

UNSAFE_IN_VALUE: Final = '",\\()[]' + "".join(map(chr, [*range(32), 127]))
"""What MSet's argument splitter takes for a separator, quote, escape or nesting, and control characters."""

_NAME: Final = re.compile(r"_{0,2}[A-Za-z][A-Za-z0-9_]*\Z")
_UNSAFE: Final = re.compile(f"[{re.escape(UNSAFE_IN_VALUE)}]")
_OPENING: Final = b'EXEC MSet "'
_CLOSING: Final = b'"\n'


class UnsafeValue(ValueError):
    """a value holds characters that Asterisk would read as something else"""


def quote(argument: str) -> str:
    """``argument`` as one quoted AGI argument. A line break or NUL cannot be quoted: `UnsafeValue`."""
    if any(character in argument for character in "\r\n\0"):
        raise UnsafeValue(f"line break or NUL in AGI argument {argument!r}")
    escaped = argument.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def command(verb: str, *arguments: str) -> bytes:
    """One AGI command line: ``verb`` (trusted, unquoted words) and its ``arguments``, quoted."""
    if any(character in verb for character in '\r\n\0"\\'):
        raise UnsafeValue(f"not an AGI verb: {verb!r}")
    return (" ".join([verb, *map(quote, arguments)]) + "\n").encode()


def set_variables(pairs: Iterable[tuple[str, str]]) -> list[bytes]:
    """As few ``EXEC MSet`` lines as set all ``pairs``, in their order; the last pair is the last thing set.

    Each line is to be written whole and answered before the next. Raises `UnsafeValue` for a name or value
    that would not arrive as it is, or a pair too long for a line.
    """
    lines: list[bytes] = []
    chunk: list[bytes] = []
    room = budget = MAX_LINE_BYTES - len(_OPENING) - len(_CLOSING)
    for name, value in pairs:
        pair = _pair(name, value)
        if len(pair) > budget:
            raise UnsafeValue(f"{name} is {len(pair)} bytes long, a command line holds {budget}")
        if chunk and (len(pair) + 1 > room or len(chunk) == MAX_PAIRS):
            lines.append(_OPENING + b",".join(chunk) + _CLOSING)
            chunk, room = [], budget
        room -= len(pair) + (1 if chunk else 0)
        chunk.append(pair)
    if chunk:
        lines.append(_OPENING + b",".join(chunk) + _CLOSING)
    return lines


@lru_cache(maxsize=4096)
def _pair(name: str, value: str) -> bytes:
    if not _NAME.match(name):
        raise UnsafeValue(f"not a channel variable's name: {name!r}")
    if _UNSAFE.search(value):
        raise UnsafeValue(f"{name} holds a character that MSet would not take as it is: {value!r}")
    return f"{name}={value}".encode()
