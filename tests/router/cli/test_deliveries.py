"""`leaseline deliveries`."""

import asyncio
import csv
import io
import json

import pytest
from click.testing import CliRunner

from pool.database import open_database
from pool.instants import HOUR, now
from router.cli import main
from router.store.calls import CallBatch, CallStore, JournalMark, NewDelivery
from router.store.deliveries import DeliveryStore, Finished
from router.store.visits import MIGRATIONS
from tests.router.deliveries.records import cdr, columns

CONFIG = """
[storage]
url = "sqlite:///leaseline.db"
[[delivery]]
name = "crm"
kind = "webhook"
url = "http://127.0.0.1:9/"
[[delivery]]
name = "file"
kind = "google_ads_csv"
conversion_name = "Call"
"""


@pytest.fixture
def told(tmp_path):
    """Two calls for both destinations; one is dead at crm. Gives a runner of commands and the calls' ids."""
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    at = now() - 7 * HOUR
    records = [cdr(number, at=at + number) for number in (1, 2)]

    async def lay_down() -> None:
        database = await open_database(f"sqlite:///{tmp_path}/leaseline.db")
        await database.migrate("router", MIGRATIONS)
        told = [NewDelivery(record["id"], name) for record in records for name in ("crm", "file")]
        rows = [columns(record, at) for record in records]
        await CallStore(database).write(CallBatch("pbx", rows, told, JournalMark("f", "p", 1, at), at))
        store = DeliveryStore(database)
        dead = Finished(records[0]["id"], "dead", 10, reason="500 \x1b[2Jno")
        await store.claim("crm", "c", now(), 1)
        await store.finish("crm", "c", now(), [dead])
        await store.disable("crm", "410 gone", now())
        await database.close()

    asyncio.run(lay_down())

    def run(*arguments):
        return CliRunner().invoke(main, ["--config", str(tmp_path / "config.toml"), "deliveries", *arguments])

    return run, [record["id"] for record in records]


def test_lists_and_shows(told):
    run, (dead, due) = told
    rows = json.loads(run("list", "--format", "json", "--destination", "crm").output)
    assert [(row["call"], row["state"]) for row in rows] == [(due, "due"), (dead, "dead")]
    assert json.loads(run("list", "--format", "json", "--state", "sent").output) == []
    table = run("list").output
    assert "\x1b" not in table
    assert "500 \N{REPLACEMENT CHARACTER}[2Jno" in table
    shown = json.loads(run("show", dead, "crm").output)
    assert (shown["attempts"], shown["record"]["id"]) == (10, dead)
    (crm, file) = json.loads(run("destinations", "--format", "json").output)
    assert (crm["dead"], crm["disabled"], file["due"]) == (1, "410 gone", 2)


def test_retry_and_enable(told):
    run, (dead, _) = told
    assert run("retry", "crm", dead).output == "1 due again\n"
    assert run("retry", "crm", "--all", "dead").exit_code == 1
    assert "there is no such delivery" in run("retry", "crm", "ffff").output
    assert "no [[delivery]] is named 'x': crm, file" in run("retry", "x", dead).output
    assert run("retry", "crm").exit_code == 2
    assert run("enable", "crm").exit_code == 0
    assert "is not disabled" in run("enable", "crm").output


def test_a_dry_run_sends_nothing_and_a_real_one_says_how_it_ended(told):
    run, (_, due) = told
    found = json.loads(run("test", "crm").output)
    assert json.loads(found["body"])["id"] == due
    assert found["headers"]["webhook-id"] == due
    ended = json.loads(run("test", "crm", "--send").output)
    assert ended["ended"] == "again"
    assert "there is no" not in ended["answer"]
    assert "nothing is sent" in run("test", "file").output


def test_the_file(told):
    run, calls = told
    rows = list(csv.DictReader(io.StringIO(run("feed", "file").output)))
    assert [row["Order ID"] for row in rows] == calls
    assert json.loads(run("list", "--format", "json", "--state", "sent").output) == []
    assert run("feed", "file", "--mark").exit_code == 0
    assert len(json.loads(run("list", "--format", "json", "--state", "sent").output)) == 2
    assert len(list(csv.DictReader(io.StringIO(run("feed", "file").output)))) == 2
    assert "it has no file" in run("feed", "crm").output
