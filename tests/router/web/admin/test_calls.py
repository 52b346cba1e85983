"""The calls as lists, streams and single records."""

import csv
import io
import json

import pytest
from aiohttp import ClientError

from pool.database import StoreUnavailable
from router.web import admin_calls
from tests.router.cdr.stored import NOW
from tests.router.web.admin.conftest import Admin


async def numbered(admin: Admin, count: int) -> list[str]:
    """The ids of `count` calls, the latest first."""
    return [await admin.call() for _ in range(count)][::-1]


async def test_pages_follow_one_another_without_gap_or_double(admin: Admin) -> None:
    ids = await numbered(admin, 7)
    found, after = [], ""
    for _ in range(10):
        page = await admin.json(f"/api/v1/calls?limit=3{after}")
        found += [call["id"] for call in page["calls"]]
        if page["next"] is None:
            break
        after = f"&cursor={page['next']}"
        await admin.call(started_at=NOW + 60_000)  # newer calls come before the first page
    assert found == ids


async def test_filters_choose(admin: Admin) -> None:
    wanted = await admin.call(caller="+447700900999", result="answered", channel="Newspaper")
    await admin.call()
    for query in ("caller=%2B447700900999", "result=answered", "channel=Newspaper&site=shop"):
        found = await admin.json(f"/api/v1/calls?{query}")
        assert [call["id"] for call in found["calls"]] == [wanted], query
    assert (await admin.json("/api/v1/calls?site=other"))["calls"] == []
    assert len((await admin.json("/api/v1/calls?since=2025-01-01&until=2100-01-01T00:00:00Z"))["calls"]) == 2
    assert (await admin.json("/api/v1/calls?until=2025-01-01"))["calls"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"), ("limit=x", "limit"), ("limit=%C2%B2", "limit"), ("since=yesterday", "since"),
        ("until=2026-13-01", "until"), ("cursor=%25", "cursor"), ("cursor=abc", "cursor"),
        ("cursor=MTphJWI", "cursor"), ("format=xml", "format"), ("calller=1", "calller"),
        ("since=2026-11-22T10:00:00", "since"), ("site=a%00b", "site"),
        ("result=lost", "result"), ("site=", "site"), ("until=", "until"), ("site=a&site=b", "site"),
        ("limit=1_0", "limit"), ("limit=%2B1", "limit"), ("since=1969-12-31", "since"),
        ("cursor=1-a%0A", "cursor"),
    ],
)  # fmt: skip
async def test_a_wrong_parameter_is_named(admin: Admin, query: str, field: str) -> None:
    answer = await admin.get(f"/api/v1/calls?{query}")
    assert answer.status == 400
    assert [error["field"] for error in (await answer.json())["errors"]] == [field]


@pytest.mark.parametrize("how", ["format", "accept"])
async def test_all_calls_stream_as_ndjson(admin: Admin, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(admin_calls, "STREAM_PAGE", 2)
    ids = await numbered(admin, 5)
    query, headers = ("?format=ndjson", {}) if how == "format" else ("", {"Accept": "application/x-ndjson"})
    answer = await admin.get(f"/api/v1/calls{query}", headers=headers)
    assert answer.content_type == "application/x-ndjson"
    assert [json.loads(line)["id"] for line in (await answer.text()).splitlines()] == ids


async def test_all_calls_stream_as_csv_with_one_header_and_no_formulas(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_calls, "STREAM_PAGE", 2)
    ids = await numbered(admin, 5)
    answer = await admin.get("/api/v1/calls?format=csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="calls.csv"'
    rows = list(csv.DictReader(io.StringIO(await answer.text())))
    assert [row["id"] for row in rows] == ids
    assert {row["campaign"] for row in rows} == {"'=spring"}
    few = await (await admin.get("/api/v1/calls?format=csv&limit=3")).text()
    assert len(few.splitlines()) == 4
    none = await (await admin.get("/api/v1/calls?format=csv&site=other")).text()
    assert none.startswith("id,started_at,")
    assert len(none.splitlines()) == 1


async def test_a_stream_whose_store_goes_breaks_off_instead_of_seeming_whole(
    admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin_calls, "STREAM_PAGE", 2)
    await numbered(admin, 5)
    fetch, left = admin.database.fetch, [2]

    async def once(*query: object, **parameters: object) -> object:
        if "before_at" in parameters:
            left[0] -= 1
            if left[0] == 0:
                raise StoreUnavailable("disk I/O error")
        return await fetch(*query, **parameters)

    monkeypatch.setattr(admin.database, "fetch", once)
    answer = await admin.get("/api/v1/calls?format=ndjson")
    with pytest.raises(ClientError):
        await answer.text()


async def test_one_call(admin: Admin) -> None:
    call_id = await admin.call()
    assert (await admin.json(f"/api/v1/calls/{call_id}"))["id"] == call_id
    assert (await admin.get("/api/v1/calls/unknown")).status == 404


async def test_a_record_tells_what_has_become_of_its_recording(admin: Admin) -> None:
    path = "/var/spool/asterisk/monitor/leaseline/1763817000.1.wav"
    call_id, none = await admin.call(path), await admin.call()
    at_first = (await admin.json(f"/api/v1/calls/{call_id}"))["recording"]
    assert (at_first["state"], at_first["path"], at_first["bytes"]) == ("due", path, 48_044)
    await admin.recorded(
        call_id, name="1763817000.1.opus", state="ready", format="opus", bytes=9_000, channels=2
    )
    listed = {call["id"]: call["recording"] for call in (await admin.json("/api/v1/calls"))["calls"]}
    assert listed[none] is None
    assert listed[call_id] == {
        "state": "ready",
        "format": "opus",
        "path": path.replace(".wav", ".opus"),
        "seconds": 3.0,
        "channels": 2,
        "bytes": 9_000,
        "reason": None,
        "url": f"/api/v1/calls/{call_id}/recording",
    }
    await admin.recorded(call_id, state="deleted", reason="older than 30 days")
    gone = (await admin.json(f"/api/v1/calls/{call_id}"))["recording"]
    assert (gone["state"], gone["path"], gone["url"], gone["bytes"]) == ("deleted", None, None, 0)


async def test_the_pools(admin: Admin) -> None:
    found = await admin.json("/api/v1/pools")
    assert (found["numbers"], found["served"], found["coverage"]) == ([], [], None)
