"""Stores that were written by earlier versions."""

from pathlib import Path

from pool.database import open_database
from pool.service import Pool
from router.store.visits import MIGRATIONS, VisitStore

AT = 1_790_000_000_000

OLD_VISIT = """
INSERT INTO visit VALUES ('{visit}', '{site}', 'v1', {at}, {at}, 'c', '{source}', 'm', '', '', '', '', '',
                          '{{}}', '', '', '', '', '', '', '', '', '', '', '', '{{}}', 1);
"""
OLD_VISITOR = "INSERT INTO visitor VALUES ('v1', 'shop', {at}, {at}, 3, 'google', 'm', '', {at})"


async def test_visitors_that_mixed_sites_are_told_apart(store_url: str, tmp_path: Path) -> None:
    for file in MIGRATIONS.glob("000[1-5]_*.sql"):
        (tmp_path / file.name).write_text(file.read_text())
    database = await open_database(store_url)
    try:
        await Pool(database).open()
        await database.migrate("router", tmp_path)
        async with database.write() as transaction:
            # One visitor id, seen at two sites: one row, and a count of three.
            await transaction.statement(OLD_VISITOR.format(at=AT))
            for visit, site, at, source in (
                ("a", "shop", AT, "google"),
                ("b", "florist", AT + 5, "bing"),
                ("c", "shop", AT + 9, "yandex"),
            ):
                old = OLD_VISIT.format(visit=visit, site=site, at=at, source=source)
                await transaction.statement(old)

        await database.migrate("router", MIGRATIONS)

        store = VisitStore(database)
        shop, florist = await store.visitor("shop", "v1"), await store.visitor("florist", "v1")
        assert shop is not None
        assert florist is not None
        assert (shop["visit_count"], shop["first_source"], shop["last_seen_at"]) == (2, "google", AT + 9)
        assert (florist["visit_count"], florist["first_source"], florist["first_at"]) == (1, "bing", AT + 5)
    finally:
        await database.close()
