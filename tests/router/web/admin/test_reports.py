"""Reports over HTTP."""

import csv
import io
import json
from datetime import date, timedelta

from pydantic import TypeAdapter

from pool.instants import HOUR, now
from router.reports.answer import ReportAnswer
from router.reports.pool import PoolAnswer
from tests.router.web.admin.conftest import Admin


async def test_channels_of_today(admin: Admin) -> None:
    for _ in range(3):
        await admin.call(
            started_at=now(),
            match="live",
            channel="=Ads",
            result="answered",
            confidence=0.9,
            talk_seconds=40.0,
        )
    await admin.call(started_at=now(), match="none", confidence=0.7)
    found = await admin.json("/api/v1/reports/channels?period=today&compare=previous")
    assert [(one["key"], one["label"], one["calls"]) for one in found["rows"]] == [
        ("=Ads", "=Ads", 3.0),
        (None, "(unknown)", 1.0),
    ]
    ads = found["rows"][0]
    assert (ads["expected"], ads["answered"], ads["mean_talk_seconds"]) == (2.7, 3.0, 40.0)
    assert 0 < ads["expected_low_95"] < ads["expected_low_80"] < 2.7 < ads["expected_high_80"] <= 3
    assert ads["before"]["calls"] == 0.0
    assert found["total"]["calls"] == 4.0
    assert found["period"]["first"] == found["period"]["last"] > found["compared"]["last"]
    TypeAdapter(ReportAnswer).validate_python(found, strict=True)
    filtered = await admin.json("/api/v1/reports/channel?period=today&match=none")
    assert [(one["key"], one["calls"]) for one in filtered["rows"]] == [(None, 1.0)]
    answer = await admin.get("/api/v1/reports/channels?period=today&format=csv")
    rows = list(csv.DictReader(io.StringIO(await answer.text())))
    assert [(one["channel"], one["label"], one["calls"]) for one in rows] == [
        ("'=Ads", "'=Ads", "3.0"),
        ("", "(unknown)", "1.0"),
    ]
    assert "attachment" in answer.headers["Content-Disposition"]


async def test_many_rows_are_one_json_document(admin: Admin) -> None:
    for number in range(450):
        await admin.call(started_at=now(), match="live", campaign=f"c{number}")
    answer = await admin.get("/api/v1/reports/campaigns?period=today&rows=400")
    found = json.loads(await answer.text())
    assert (len(found["rows"]), found["left_off"], found["total"]["calls"]) == (400, 50, 450.0)


async def test_what_is_asked_wrongly_is_named(admin: Admin) -> None:
    for asked, field in (
        ("period=never", "period"),
        ("period=2026-02-30", "period"),
        ("period=2026-03-01..2026-02-01", "period"),
        ("period=1900-01-01", "period"),
        ("model=best", "model"),
        ("site=nowhere", "site"),
        ("rows=0", "rows"),
        ("rows=1000000", "rows"),
        ("order=name", "order"),
        ("compare=x", "compare"),
        ("format=xlsx", "format"),
        ("chanel=Ads", "chanel"),
        ("channel=%00", "channel"),
    ):
        answer = await admin.get(f"/api/v1/reports/channels?{asked}")
        assert answer.status == 400, asked
        assert (await answer.json())["errors"][0]["field"] == field
    assert (await admin.get("/api/v1/reports/lunch")).status == 404
    assert (await admin.get("/api/v1/reports/channels", role=None)).status == 401


async def test_the_pool_by_the_hour(admin: Admin) -> None:
    at = now() - now() % HOUR
    async with admin.database.write() as transaction:
        for hour, rung, slots in ((0, "base", 6), (0, "main", 2), (0, "static", 9), (1, "site", 3)):
            await transaction.statement(
                "INSERT INTO served (hour_at, site, pool, rung, shard, slots)"  # noqa: S608
                f" VALUES ({at - hour * HOUR}, 'shop', 'default', '{rung}', 0, {slots})"
            )
    today = date.today()  # noqa: DTZ011
    found = await admin.json(f"/api/v1/reports/pool?period={today - timedelta(days=1)}..{today}")
    TypeAdapter(PoolAnswer).validate_python(found)
    assert [(one["wanted"], one["fallen"], one["blocking"]) for one in found["hours"]] == [
        (3, 0, 0.0),
        (8, 2, 0.25),
    ]
    assert (found["total"]["wanted"], found["busiest"]["base"]) == (11, 6)
    (default,) = found["occupancy"]["pools"]
    assert (found["occupancy"]["step_seconds"], default["numbers"], default["peak"]) == (300, 0, 0)
    assert len(default["held"]) == 2 * 24 * 12
    assert default["held"][-1] in (0, None)
    other = await admin.json("/api/v1/reports/pool?period=today&pool=none")
    assert (other["total"]["blocking"], other["busiest"], other["hours"]) == (None, None, [])
