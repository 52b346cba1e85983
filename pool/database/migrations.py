"""Numbered migrations, per room: `NNNN_name.sql` in a folder, applied in order, each exactly once."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pool.database.errors import MigrationError
from pool.database.queries import Queries, for_dialect
from pool.database.transaction import Transaction
from pool.instants import now

_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


class Migration(NamedTuple):
    number: int
    name: str
    text: str


def migrations_in(folder: Path) -> list[Migration]:
    """The folder's migrations in order; raises MigrationError for a gap, a double or a strange file name."""
    found = []
    for file in sorted(folder.glob("*.sql")):
        matched = _FILE_NAME.fullmatch(file.name)
        if matched is None:
            raise MigrationError(f"{file}: a migration is called NNNN_name.sql")
        found.append(Migration(int(matched[1]), matched[2], file.read_text(encoding="utf-8")))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)) or not found:
        raise MigrationError(f"{folder}: migrations are numbered from 0001 without gaps")
    return found


def statements(text: str) -> Iterator[str]:
    """The statements of a script, one at a time."""
    pending = ""
    for line in text.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending.strip()
            pending = ""
    if pending.strip() and not all(line.startswith("--") for line in pending.strip().splitlines()):
        raise MigrationError(f"a statement does not end with a semicolon: {pending.strip()[:80]!r}")


async def apply_migrations(
    transaction: Transaction, queries: Queries, dialect: str, room: str, folder: Path
) -> list[str]:
    """Brings the room's schema up to date inside `transaction`; gives the names of what was applied.

    Two processes may do so at once: the row in `migration` is written first, and the second one waits for it.
    """
    wanted = migrations_in(folder)
    await transaction.run(queries.create_migration_table)
    recorded = {
        row["number"]: row["name"] for row in await transaction.fetch(queries.applied_migrations, room=room)
    }
    known = {migration.number: migration.name for migration in wanted}
    for number, name in recorded.items():
        if known.get(number) != name:
            raise MigrationError(
                f"the store's schema has {room} migration {number:04} {name!r}, which this version does "
                "not know: it was written by a newer version"
            )
    applied = []
    for migration in wanted:
        if migration.number in recorded:
            continue
        claimed = await transaction.fetch(
            queries.record_migration,
            room=room,
            number=migration.number,
            name=migration.name,
            applied_at=now(),
        )
        if claimed:
            for statement in statements(for_dialect(migration.text, dialect)):
                await transaction.statement(statement)
            applied.append(f"{room} {migration.number:04} {migration.name}")
    return applied
