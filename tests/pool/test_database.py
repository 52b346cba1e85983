"""The database: transactions, group commit, migrations."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from pool.database import Database, MigrationError, StoreUnavailable, Transaction, open_database
from pool.database.groupcommit import GroupCommit
from pool.database.migrations import migrations_in, statements
from pool.database.queries import for_dialect
from pool.service import MIGRATIONS

NOTES = """
-- name: write_note(text)!
INSERT INTO note (text) VALUES (:text);

-- name: write_notes*!
INSERT INTO note (text) VALUES (:text);

-- name: notes()
SELECT text FROM note ORDER BY text;

-- name: first_note()^
SELECT text FROM note ORDER BY text;

-- name: count_notes()$
SELECT count(*) FROM note;
"""


class Notes:
    """A room of its own: one table with a unique text."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.migrations = folder / "migrations"
        self.migrations.mkdir()
        self.add_migration("0001_note", "CREATE TABLE note (text TEXT PRIMARY KEY);")
        (folder / "note.sql").write_text(NOTES)
        self.queries = database.queries(folder)

    def add_migration(self, name: str, text: str) -> None:
        (self.migrations / f"{name}.sql").write_text(text)

    async def open(self) -> list[str]:
        return await self.database.migrate("notes", self.migrations)

    async def batch(self, transaction: Transaction, texts: Sequence[str]) -> list[str | Exception]:
        await transaction.many(self.queries.write_notes, [{"text": text} for text in texts])
        return [ValueError(text) if text == "returned" else text.upper() for text in texts]

    async def texts(self) -> list[str]:
        return [row["text"] for row in await self.database.fetch(self.queries.notes)]


@pytest.fixture
async def notes(database: Database, tmp_path: Path) -> Notes:
    folder = tmp_path / "sql"
    folder.mkdir()
    notes = Notes(database, folder)
    await notes.open()
    return notes


async def _write_and_fail(notes: Notes, text: str) -> None:
    async with notes.database.write() as transaction:
        await transaction.run(notes.queries.write_note, text=text)
        raise RuntimeError("changed my mind")


async def _part_that_fails(notes: Notes, transaction: Transaction, text: str) -> None:
    async with transaction.savepoint():
        await transaction.run(notes.queries.write_note, text=text)
        raise RuntimeError("not this one")


async def test_a_write_is_one_transaction(notes: Notes) -> None:
    async with notes.database.write() as transaction:
        await transaction.run(notes.queries.write_note, text="b")
        await transaction.run(notes.queries.write_note, text="a")
    with pytest.raises(RuntimeError, match="changed my mind"):
        await _write_and_fail(notes, "c")
    assert await notes.texts() == ["a", "b"]
    row = await notes.database.one(notes.queries.first_note)
    assert row is not None
    assert (row["text"], row[0]) == ("a", "a")
    assert await notes.database.value(notes.queries.count_notes) == 2


async def test_a_part_of_a_transaction_can_fail_alone(notes: Notes) -> None:
    async with notes.database.write() as transaction:
        await transaction.run(notes.queries.write_note, text="a")
        with pytest.raises(RuntimeError, match="not this one"):
            await _part_that_fails(notes, transaction, "b")
    assert await notes.texts() == ["a"]


async def test_group_commit_answers_each_with_its_own_result(notes: Notes) -> None:
    answers = await asyncio.gather(*(notes.database.commit(notes.batch, f"n{n:03}") for n in range(300)))
    assert answers == [f"N{n:03}" for n in range(300)]
    assert len(await notes.texts()) == 300


async def test_what_arrives_together_shares_a_transaction(notes: Notes) -> None:
    batches: list[int] = []

    async def counting(transaction: Transaction, texts: Sequence[str]) -> list[str | Exception]:
        batches.append(len(texts))
        return await notes.batch(transaction, texts)

    await asyncio.gather(*(notes.database.commit(counting, f"n{n}") for n in range(20)))
    assert batches == [20]


async def test_several_handlers_share_a_transaction_and_one_fails_alone(notes: Notes) -> None:
    async def failing(_: Transaction, items: Sequence[str]) -> list[str]:
        raise RuntimeError(f"{items[0]} is not for me")

    answers = await asyncio.gather(
        notes.database.commit(notes.batch, "a"),
        notes.database.commit(failing, "b"),
        notes.database.commit(notes.batch, "c"),
        notes.database.commit(notes.batch, "returned"),
        notes.database.commit(notes.batch, "a"),
        return_exceptions=True,
    )
    assert (answers[0], str(answers[1]), answers[2]) == ("A", "b is not for me", "C")
    assert isinstance(answers[3], ValueError)
    assert "UNIQUE" in str(answers[4]).upper()
    assert await notes.texts() == ["a", "c", "returned"]


async def test_more_than_may_wait_are_refused_at_once(notes: Notes) -> None:
    lane = GroupCommit(notes.database.transact, most_items=2, most_waiting=3)
    answers = await asyncio.gather(
        *(lane.commit(notes.batch, f"n{n}") for n in range(5)), return_exceptions=True
    )
    assert [isinstance(answer, StoreUnavailable) for answer in answers] == [False] * 3 + [True] * 2


async def test_who_gives_up_waiting_does_not_disturb_the_others(notes: Notes) -> None:
    first = asyncio.create_task(notes.database.commit(notes.batch, "a"))
    second = asyncio.create_task(notes.database.commit(notes.batch, "b"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "B"
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await notes.database.commit(notes.batch, "c") == "C"


async def test_a_handler_that_waits_for_something_else_is_told_so_or_waited_for(notes: Notes) -> None:
    async def dawdling(transaction: Transaction, texts: Sequence[str]) -> list[str | Exception]:
        await asyncio.sleep(0.01)
        return await notes.batch(transaction, texts)

    answer, other = await asyncio.gather(
        notes.database.commit(dawdling, "a"), notes.database.commit(notes.batch, "b"), return_exceptions=True
    )
    assert other == "B"
    if notes.database.dialect == "sqlite":  # the handler runs in SQLite's thread
        assert isinstance(answer, RuntimeError)
    else:
        assert answer == "A"


async def test_a_cancelled_write_leaves_nothing_and_the_next_works(notes: Notes) -> None:
    async def stuck() -> None:
        async with notes.database.write() as transaction:
            await transaction.run(notes.queries.write_note, text="half")
            await asyncio.sleep(60)

    task = asyncio.create_task(stuck())
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with notes.database.write() as transaction:
        await transaction.run(notes.queries.write_note, text="whole")
    assert await notes.texts() == ["whole"]


async def test_migrations_are_applied_once_and_in_order(notes: Notes) -> None:
    assert await notes.open() == []
    notes.add_migration("0002_author", "ALTER TABLE note ADD COLUMN author TEXT;")
    assert await notes.open() == ["notes 0002 author"]


async def test_two_that_migrate_at_once_do_it_once(notes: Notes) -> None:
    notes.add_migration("0002_author", "ALTER TABLE note ADD COLUMN author TEXT;")
    applied = await asyncio.gather(*(notes.open() for _ in range(3)))
    assert sorted(map(len, applied)) == [0, 0, 1]


async def test_a_store_of_a_newer_version_is_refused(notes: Notes) -> None:
    notes.add_migration("0002_author", "ALTER TABLE note ADD COLUMN author TEXT;")
    await notes.open()
    (notes.migrations / "0002_author.sql").unlink()
    with pytest.raises(MigrationError, match=r"0002 'author'.*newer version"):
        await notes.open()


async def schema(database: Database) -> list[tuple[object, ...]]:
    async with database.read() as reading:
        if database.dialect == "sqlite":
            found = await reading.connection.execute_fetchall(
                "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
            )
        else:
            found = await reading.connection.fetch(
                "SELECT table_name, column_name, data_type, is_nullable, column_default"
                " FROM information_schema.columns WHERE table_schema = 'public'"
                " UNION ALL SELECT tablename, indexname, indexdef, '', '' FROM pg_indexes"
                " WHERE schemaname = 'public' ORDER BY 1, 2"
            )
    return [tuple(row) for row in found]


async def test_a_store_migrated_step_by_step_equals_a_fresh_one(
    database: Database, tmp_path: Path, second_store_url: str
) -> None:
    fresh = await open_database(second_store_url)
    steps = tmp_path / "steps"
    steps.mkdir()
    try:
        await fresh.migrate("pool", MIGRATIONS)
        for file in sorted(MIGRATIONS.glob("*.sql")):
            (steps / file.name).write_text(file.read_text())
            assert len(await database.migrate("pool", steps)) == 1
        assert await schema(database) == await schema(fresh)
        assert len(await schema(fresh)) > 10
    finally:
        await fresh.close()


async def test_a_failing_migration_leaves_nothing(notes: Notes) -> None:
    notes.add_migration("0002_two", "CREATE TABLE one (a TEXT);\nCREATE TABLE one (a TEXT);")
    with pytest.raises(Exception, match="already exists"):
        await notes.open()
    notes.add_migration("0002_two", "CREATE TABLE one (a TEXT);\nCREATE TABLE two (a TEXT);")
    assert await notes.open() == ["notes 0002 two"]


@pytest.mark.parametrize("names", [["0002_a"], ["0001_a", "0003_b"], ["one"], []])
def test_migrations_are_numbered_without_gaps(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / f"{name}.sql").write_text("SELECT 1;")
    with pytest.raises(MigrationError):
        migrations_in(tmp_path)


def test_statements_end_with_a_semicolon() -> None:
    assert list(statements("-- first\nSELECT ';';\nSELECT\n 2;\n-- end\n")) == [
        "-- first\nSELECT ';';",
        "SELECT\n 2;",
    ]
    with pytest.raises(MigrationError, match="semicolon"):
        list(statements("SELECT 1"))


def test_conditional_comments_are_read_by_their_dialect_alone() -> None:
    text = "a /*sqlite b */ /*postgresql c */ /* kept */"
    assert for_dialect(text, "sqlite") == "a b   /* kept */"
    assert for_dialect(text, "postgresql") == "a  c  /* kept */"


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite://host/file", "leaseline.db", ""])
async def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="storage url"):
        await open_database(url)
