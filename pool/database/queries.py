"""Named queries from .sql files, one text for both databases.

aiosql gives each `-- name: …` its function. Where the dialects differ, the text carries conditional
comments: `/*sqlite … */` is read by SQLite alone and `/*postgresql … */` by PostgreSQL alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

import aiosql


class Query(Protocol):
    """A named query: called with a connection and its parameters by name."""

    sql: str

    def __call__(self, *arguments: Any, **parameters: Any) -> Any: ...


_CONDITIONAL = re.compile(r"/\*(sqlite|postgresql)\s(.*?)\*/", re.DOTALL)


class Queries(Protocol):
    """The queries of a folder by name. An unknown name raises AttributeError."""

    def __getattr__(self, name: str, /) -> Query: ...


def for_dialect(text: str, dialect: str) -> str:
    """`text` with the conditional comments of `dialect` opened and those of the others removed."""
    return _CONDITIONAL.sub(lambda found: found[2] if found[1] == dialect else "", text)


def load_queries(folder: Path, dialect: str, adapter: Callable[..., Any]) -> Queries:
    """All queries of the folder's .sql files; raises FileNotFoundError when there are none."""
    files = sorted(folder.glob("*.sql"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no .sql files")
    text = "\n".join(for_dialect(file.read_text(encoding="utf-8"), dialect) for file in files)
    return cast("Queries", aiosql.from_str(text, adapter))
