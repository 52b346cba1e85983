"""Advertising costs: all or nothing, again and again, with every bad row named."""

from datetime import date
from pathlib import Path

import pytest

from pool.database import Database
from router.reports import Filters, Query, Reports
from router.reports.costs import CostsRefused, import_costs, read_costs
from router.reports.periods import Period
from router.store.calls import CallStore
from tests.router.cdr.stored import batch, row
from tests.router.reports.test_sums import CONFIG

DAY = Period(date(2025, 11, 22), date(2025, 11, 22))
HEADER = "day,site,cost,currency,channel,source,medium,campaign\n"


def file(tmp_path: Path, *lines: str, header: str = HEADER) -> Path:
    path = tmp_path / "costs.csv"
    path.write_text(header + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


async def test_costs_per_call_and_again_the_same(database: Database, tmp_path: Path) -> None:
    told = {"match": "live", "channel": "Ads", "source": "google", "medium": "cpc", "campaign": "spring"}
    await CallStore(database).write(
        batch(*(row(number, **told, result="answered", qualified=number % 2) for number in range(4)))
    )
    path = file(
        tmp_path,
        "2025-11-22,shop,10.50,GBP,Ads,google,cpc,spring",
        "2025-11-22,shop,1.50,GBP,Ads,google,cpc,spring",
        "2025-11-22,shop,8,GBP,Ads,bing,cpc,",
        "2025-11-23,shop,99,GBP,Ads,google,cpc,",
    )
    for _ in range(2):
        assert await import_costs(database, CONFIG, path) == (await import_costs(database, CONFIG, path))
    reports = Reports(database, lambda: CONFIG)
    ads = (await reports.make(Query("channel", DAY))).rows[0].measures
    assert (ads.cost, ads.currency, ads.cost_per_call, ads.cost_per_qualified) == (20.0, "GBP", 5.0, 10.0)
    by_source = {one.key: one.measures for one in (await reports.make(Query("source", DAY))).rows}
    assert by_source["google"].cost == 12.0
    assert (by_source["bing"].cost, by_source["bing"].cost_per_call) == (8.0, None)
    filtered = await reports.make(Query("campaign", DAY, filters=Filters(campaign="spring")))
    assert filtered.total.measures.cost == 12.0
    assert (await reports.make(Query("device", DAY))).rows[0].measures.cost is None

    await import_costs(database, CONFIG, file(tmp_path, "2025-11-22,shop,7,EUR,Ads,,,"))
    assert (await reports.make(Query("channel", DAY))).total.measures.costs == {"EUR": 7.0}
    await import_costs(
        database, CONFIG, file(tmp_path, "2025-11-22,shop,7,EUR,Ads,,,", "2025-11-22,shop,1,USD,Ads,,,")
    )
    several = await reports.make(Query("channel", DAY))
    assert (several.total.measures.cost, several.total.measures.costs) == (None, {"EUR": 7.0, "USD": 1.0})
    assert "costs are in several currencies: no cost per call" in several.notes


async def test_one_bad_row_keeps_all_out(database: Database, tmp_path: Path) -> None:
    path = file(
        tmp_path,
        "2025-11-22,shop,1,GBP,Ads,,,",
        "2025-02-30,shop,1,GBP,Ads,,,",
        "2025-11-22,nowhere,1,GBP,Ads,,,",
        '2025-11-22,shop,"1,5",GBP,Ads,,,',
        "2025-11-22,shop,-1,GBP,Ads,,,",
        "2025-11-22,shop,NaN,GBP,Ads,,,",
        "2025-11-22,shop,1,pounds,Ads,,,",
        "2025-11-22,shop,1,GBP,,,,spring",
        "2025-11-22,shop,1,GBP",
        "2025-11-22,shop,1,GBP,Ads,,,,more",
        "2025-11-22,shop,1,GBP,A\x1bds,,,",
    )
    with pytest.raises(CostsRefused) as refused:
        await import_costs(database, CONFIG, path)
    rows = [error.partition(":")[0] for error in refused.value.errors]
    assert rows == [f"row {number}" for number in range(3, 13)]
    assert (await Reports(database, lambda: CONFIG).make(Query("channel", DAY))).total.measures.costs == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"day,site\n", "row 1: takes each of"),
        (b"day,site,cost,currency,price\n", "row 1: takes each of"),
        (b"", "row 1: takes each of"),
        (HEADER.encode() + b"2025-11-22,shop,1,GBP,\xff,,,\n", "is not UTF-8"),
        (HEADER.encode() + b'2025-11-22,shop,1,GBP,"A,,,\n', "is no CSV"),
    ],
)
def test_a_file_that_is_none_says_so(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "costs.csv"
    path.write_bytes(content)
    with pytest.raises(CostsRefused, match=said):
        read_costs(path, CONFIG)


def test_the_sites_rules_name_the_channel(tmp_path: Path) -> None:
    (cost,) = read_costs(file(tmp_path, "2025-11-22,shop,1,GBP,,google,cpc,"), CONFIG)
    assert cost.channel == "Paid Search"
