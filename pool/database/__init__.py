"""The store: one interface, SQLite and PostgreSQL behind it.

Layers: errors, queries, transaction → group commit, migrations → interface → sqlite, postgresql.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pool.database.errors import MigrationError, NotAtOnce, StoreConflict, StoreUnavailable
from pool.database.interface import Database
from pool.database.queries import Queries, Query
from pool.database.transaction import Reading, Row, Transaction

__all__ = [
    "Database",
    "MigrationError",
    "NotAtOnce",
    "Queries",
    "Query",
    "Reading",
    "Row",
    "StoreConflict",
    "StoreUnavailable",
    "Transaction",
    "open_database",
]


async def open_database(url: str, **options: float) -> Database:
    """The database of a URL: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`.

    Succeeds while the store itself is down (see Database). `options` are the dialect's limits in seconds and
    counts, as its class names them. Raises ValueError for another kind of URL.
    """
    parts = urlsplit(url)
    # Each dialect's driver is loaded only when it is used: memory.
    if parts.scheme == "sqlite" and not parts.netloc and len(parts.path) > 1:
        module = importlib.import_module("pool.database.sqlite")
        database: Database = module.SqliteDatabase(Path(unquote(parts.path[1:])), **options)
    elif parts.scheme in {"postgresql", "postgres"}:
        module = importlib.import_module("pool.database.postgresql")
        database = module.PostgresqlDatabase(url, **options)
    else:
        raise ValueError(
            f"storage url {url!r}: sqlite:///FILE or postgresql://USER@HOST/DATABASE is expected"
        )
    return database
