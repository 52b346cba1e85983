"""Reports over many calls: how long each takes, and what making the sums anew takes.

    python tests/bench/reports.py [--calls 10000000] [--days 370] [--file /var/tmp/reports.db] [--ask]

Lays down the credits of calls as `router.reports.credits` makes them (every fifth call has a journey of two
visits, so that the models differ) for a tenth of the days, sums them as `leaseline report rebuild` does,
copies both to the other days, and asks each report three times: the first time, and the median of the others.
The store is an SQLite file of about 1 kB a call; without --file it is a temporary one. --ask only asks one
that is there. The calls' own records are not laid down: reports never read them.
"""

import argparse
import asyncio
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pool.database import Database, Transaction, open_database
from pool.instants import now
from pool.service import Pool
from router.attribution.journey import VisitSource
from router.config.model import Config
from router.reports import DIMENSIONS, Filters, Query, Reports
from router.reports.call_days import CallDays
from router.reports.credits import Credit, credits_of
from router.reports.periods import Period, number_of
from router.store.visits import MIGRATIONS

LAST = date(2026, 11, 21)
SITES = [f"site{number}" for number in range(5)]
CHANNELS = ["Google Ads", "Paid Social", "Direct", "Organic Search", "Email", "Referral", "Display", "Flyers"]
TEMPLATES = 4_000
COPIES = 10
COLUMNS = (*Credit._fields[:2], "part", "switch", *Credit._fields[3:])


def config() -> Config:
    sites = [
        {"key": key, "name": key, "main_number": "+442079460000", "origins": [f"https://{key}.example"]}
        for key in SITES
    ]
    return Config.model_validate({"site": sites})


def visit(dice: random.Random) -> VisitSource:
    """Sixty campaigns, three hundred terms and as many landing pages, the first ones the most."""
    place = int(60 * dice.random() ** 2)
    return VisitSource(
        "v", 0, CHANNELS[place % 8], f"source{place % 20}", ["cpc", "organic", "(none)"][place % 3],
        f"campaign {place}", f"term {int(300 * dice.random() ** 2)}", "",
        f"https://shop.example/page{int(300 * dice.random() ** 2)}",
    )  # fmt: skip


def templates(dice: random.Random) -> list[list[Credit]]:
    made = []
    for number in range(TEMPLATES):
        answered = dice.random() < 0.7
        visits = [visit(dice) for _ in range(2 if number % 5 == 0 else 1)]
        unknown = dice.random() < 0.15
        row = {
            "call_id": "", "site": dice.choice(SITES), "number": f"+44207946{dice.randrange(300):04}",
            "caller": "+447700900123", "started_at": 1_790_000_000_000 + dice.randrange(24) * 3_600_000,
            "result": "answered" if answered else "missed", "match": "none" if unknown else "live",
            "confidence": dice.uniform(0.5, 1), "ring_seconds": dice.uniform(1, 40),
            "talk_seconds": dice.uniform(5, 600) if answered else 0.0, "qualified": int(answered),
            "first_call": 1, "answered_by": f"agent{dice.randrange(20)}" if answered else None,
            "page_called_from": f"https://shop.example/page{dice.randrange(100)}",
            "region": f"GB-{dice.randrange(40)}", "device": dice.choice(["mobile", "desktop", "tablet"]),
        }  # fmt: skip
        made.append(credits_of(row, [] if unknown else visits))
    return made


def rows_of_day(
    day: int, first: int, calls: int, made: list[list[Credit]], dice: random.Random
) -> Iterator[tuple[Any, ...]]:
    """A third of the callers have called before, on a day of the year before."""
    for number in range(calls):
        call_id = f"{(day * 86_400_000 + number * 86_400_000 // calls):011x}{secrets.token_hex(12)}"
        before = -1 if dice.random() < 0.66 else max(day - int(365 * dice.random() ** 2), first - 300)
        sampled = int(dice.random() < 1 / 64)
        for credit in made[dice.randrange(TEMPLATES)]:
            moved = credit._replace(day=day, call_id=call_id, before_day=before, sampled=sampled)
            yield (*moved[:3], "pbx", *moved[3:])


async def lay_down(database: Database, calls: int, days: int) -> None:
    """The first tenth of the days, summed, then copies of it."""
    dice = random.Random(5)
    made = templates(dice)
    block = days // COPIES
    first = number_of(LAST) - block * COPIES + 1
    names = ", ".join(COLUMNS)
    sql = f"INSERT INTO call_credit ({names}) VALUES ({', '.join('?' for _ in COLUMNS)})"  # noqa: S608
    call_days = CallDays(database, config, now=now)
    for day in range(first, first + block):
        rows = rows_of_day(day, first, calls // (block * COPIES), made, dice)
        async with database.write() as transaction:
            await transaction.connection.executemany(sql, rows)
    begin = time.process_time()
    for day in range(first, first + block):
        await call_days.sum_day("pbx", day)
    seconds = time.process_time() - begin
    print(f"summing {calls // COPIES:,} calls anew took {seconds:.1f} s of CPU", flush=True)
    for copy in range(1, COPIES):
        for table in ("call_credit", "call_by_source", "call_by_value"):
            for day in range(first, first + block):
                async with database.write() as transaction:
                    await transaction.statement(await copied(transaction, table, copy, day, block))
        print(f"copy {copy} of {COPIES - 1}", file=sys.stderr, flush=True)


async def copied(transaction: Transaction, table: str, copy: int, day: int, block: int) -> str:
    rows = await transaction.connection.execute_fetchall(f"PRAGMA table_info({table})")
    names = [row[1] for row in rows]
    changed = {"day": f"day + {copy * block}", "call_id": f"'{copy}' || call_id"}
    values = ", ".join(changed.get(name, name) for name in names)
    return f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM {table} WHERE day = {day}"  # noqa: S608


def questions(days: int) -> Iterator[tuple[str, Query]]:
    whole = Period(LAST - timedelta(days=days - 1), LAST)
    month = Period(LAST - timedelta(days=27), LAST)
    yield "channels", Query("channel", whole)
    for model in ("first", "last_non_direct", "linear"):
        yield f"channels, {model}", Query("channel", whole, model=model)
    yield "channels, one site", Query("channel", whole, "site1")
    half = Period(LAST - timedelta(days=days // 2 - 1), LAST)
    yield "channels against the half year before", Query("channel", half, compare="previous")
    for name in DIMENSIONS:
        if name != "channel":
            yield f"by {name}", Query(name, whole)
    yield "campaigns of a channel", Query("campaign", whole, filters=Filters(channel="Google Ads"))
    mobile = Filters(device="mobile")
    yield "channels, 28 days", Query("channel", month)
    yield (
        "channels of mobiles, 28 days (call by call)",
        Query("channel", month, filters=mobile),
    )
    yield "channels of mobiles (call by call)", Query("channel", whole, filters=mobile)


async def measure(url: str, calls: int, days: int, *, ask: bool) -> None:
    database = await open_database(url)
    await Pool(database).open()
    await database.migrate("router", MIGRATIONS)
    if not ask:
        begin = time.monotonic()
        await lay_down(database, calls, days)
        print(f"{calls:,} calls laid down in {time.monotonic() - begin:.0f} s", flush=True)
    reports = Reports(database, config)
    print(f"\n{'report':48}{'first ms':>10}{'then ms':>10}{'rows':>8}  made of")
    for name, query in questions(days):
        took = []
        try:
            for _ in range(3):
                begin = time.perf_counter()
                report = await reports.make(query)
                took.append(1000 * (time.perf_counter() - begin))
        except Exception as error:
            print(f"{name:48} {type(error).__name__}: {error}", flush=True)
            continue
        rows = len(report.rows) + report.left_off
        print(
            f"{name:48}{took[0]:10.0f}{statistics.median(took[1:]):10.0f}{rows:8}  {report.made_of}",
            flush=True,
        )
    await database.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=370)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--ask", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        file = asked.file or Path(folder) / "reports.db"
        asyncio.run(measure(f"sqlite:///{file}", asked.calls, asked.days, ask=asked.ask))
        print(f"the store takes {file.stat().st_size / 1e9:.2f} GB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
