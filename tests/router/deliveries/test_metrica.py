"""Yandex.Metrica against a far side that checks the file and judges it later."""

import asyncio
import csv
import io
import json
import re

import pytest
from aiohttp import web

from pool.instants import DAY, now
from router.deliveries import lane, metrica
from router.deliveries.sending import Item
from router.deliveries.service import client_of, sender_of
from tests.router.deliveries.far_side import Received, answering
from tests.router.deliveries.records import cdr

KNOWN = {
    "UserId", "ClientId", "Yclid", "DateTime", "StaticCall", "Price", "Currency", "PhoneNumber",
    "TalkDuration", "HoldDuration", "CallMissed", "Tag", "FirstTimeCaller", "URL", "CallTrackerURL",
}  # fmt: skip


class Metrica:
    """Takes files as the documentation says, and gives each upload the status that is next in `statuses`."""

    def __init__(self) -> None:
        self.files: list[list[dict[str, str]]] = []
        self.statuses = ["UPLOADED"]
        self.broken: list[str] = []

    async def __call__(self, request: web.Request, got: Received) -> web.StreamResponse:
        if got.headers.get("authorization") != "OAuth hush":
            return web.json_response({"errors": [{"error_type": "invalid_token"}]}, status=403)
        place = "/management/v1/counter/12345678/offline_conversions"
        if got.method == "GET" and re.fullmatch(f"{place}/calls_uploading/[0-9]+", got.path):
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            return web.json_response({"uploading": {"id": int(got.path.rsplit("/", 1)[1]), "status": status}})
        assert got.path == f"{place}/upload_calls"
        assert got.headers["content-type"].startswith("multipart/form-data")
        content = re.search(rb'name="file".*?\r\n\r\n(.*?)\r\n--', got.body, re.DOTALL)
        assert content is not None
        rows = list(csv.DictReader(io.StringIO(content[1].decode())))
        for row in rows:
            if not row.keys() <= KNOWN or not (row["ClientId"] or row["Yclid"]):
                self.broken.append(str(row))
            if not 0 <= now() // 1000 - int(row["DateTime"]) <= 21 * 86_400:
                self.broken.append(f"DateTime {row['DateTime']}")
        self.files.append(rows)
        return web.json_response({"uploading": {"id": 70 + len(self.files), "status": "UPLOADED"}})


@pytest.fixture
def table(far, monkeypatch):
    monkeypatch.setenv("METRICA_TOKEN", "hush")
    monkeypatch.setattr(lane, "JUDGE_SECONDS", 0.05)
    return {
        "name": "metrica", "kind": "metrica", "counter": "12345678", "token": {"env": "METRICA_TOKEN"},
        "url": far.url, "batch_minutes": 0,
    }  # fmt: skip


async def test_calls_go_in_one_file_and_are_sent_once_it_is_processed(outbox, far, table):
    side = far.answer = Metrica()
    outbox.configure(table | {"value": 12.5, "currency": "RUB"})
    side.statuses = ["UPLOADED", "EXPORTED", "MATCHED", "PROCESSED"]
    first = await outbox.call(result="missed", talk_seconds=0.0, answered_at=None, first_call=None)
    second = await outbox.call(
        caller={"number": "=cmd|' /C calc'!A0", "name": None, "region": None}, match="static"
    )
    async with outbox.telling():
        row = await outbox.until(first, "sent", "metrica")
        await outbox.until(second, "sent", "metrica")
    assert row["answer"] == "PROCESSED"
    assert side.broken == []
    ((missed, static),) = side.files
    assert (missed["ClientId"], missed["Yclid"]) == ("1700000000123456789", "1234567890123")
    assert (missed["CallMissed"], missed["TalkDuration"], missed["FirstTimeCaller"]) == ("1", "0", "")
    assert (missed["Price"], missed["Currency"], missed["PhoneNumber"]) == ("12.50", "RUB", "+447700900123")
    assert (static["StaticCall"], static["PhoneNumber"], static["CallMissed"]) == ("1", "", "0")
    assert (static["Tag"], static["URL"]) == ("Google Ads", "https://shop.example/prices")


async def test_a_file_of_which_nothing_was_tied_is_refused(outbox, far, table):
    side = far.answer = Metrica()
    side.statuses = ["LINKAGE_FAILURE"]
    outbox.configure(table)
    async with outbox.telling() as service:
        row = await outbox.until(await outbox.call(service), "refused", "metrica")
    assert "none of the file's calls was tied" in row["reason"]


async def test_a_file_that_is_never_judged_becomes_unclear(outbox, far, table):
    far.answer = Metrica()
    outbox.configure(table)
    async with outbox.telling() as service:
        call_id = await outbox.call(service)
        await outbox.until(call_id, "accepted", "metrica")
        outbox.clock.ahead = DAY + 1
        row = await outbox.until(call_id, "unclear", "metrica")
    assert "still UPLOADED" in row["reason"]


async def test_over_the_limits_is_tried_again_later(outbox, slow_retries, far, table):
    side = Metrica()
    outbox.configure(table)
    for status in (429, 420):
        far.answer = answering(status, '{"errors": [{"error_type": "quota_requests_by_uid"}]}')
        async with outbox.telling() as service:
            call_id = await outbox.call(service)
            row = await outbox.until(
                call_id, lambda row: row["attempts"] >= 1 and row["state"] == "due", "metrica"
            )
            assert row["reason"].startswith(f"{status} ")
            far.answer = side
            side.statuses = ["PROCESSED"]
            await outbox.until(call_id, "sent", "metrica")


@pytest.mark.parametrize("text", ["", "[]", '{"uploading": 5}', '{"uploading": {"id": "../x"}}', "[" * 9999])
async def test_200_without_an_upload_is_unclear(outbox, far, table, text):
    far.answer = answering(200, text)
    outbox.configure(table)
    async with outbox.telling() as service:
        row = await outbox.until(await outbox.call(service), "unclear", "metrica")
    assert "without an id" in row["reason"]
    assert len(far.received) == 1


async def test_a_restart_goes_on_asking(outbox, far, table):
    side = far.answer = Metrica()
    outbox.configure(table)
    async with outbox.telling() as service:
        call_id = await outbox.call(service)
        await outbox.until(call_id, "accepted", "metrica")
    side.statuses = ["PROCESSED"]
    async with outbox.telling():
        await outbox.until(call_id, "sent", "metrica")
    assert len(side.files) == 1


async def test_no_answer_to_a_file_is_not_repeated(outbox, far, table):
    async def silent(request: web.Request, got: Received) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    far.answer = silent
    outbox.configure(table | {"timeout_seconds": 1})
    async with outbox.telling() as service:
        row = await outbox.until(await outbox.call(service), "unclear", "metrica")
    assert "may have been taken" in row["reason"]
    assert len(far.received) == 1


async def test_who_cannot_be_tied_or_is_too_late_says_so(outbox, far, table):
    outbox.configure(table)
    nobody = await outbox.call(attribution={"metrica_client_id": "x'y", "click_ids": {"yclid": "-1"}})
    assert (await outbox.rows(call=nobody))[0]["reason"] == "no Metrica client id and no yclid"
    old = await outbox.call(at=now() - 21 * DAY)
    async with outbox.telling():
        assert "21 days" in (await outbox.until(old, "refused", "metrica"))["reason"]
    assert far.received == []


async def test_a_dry_run_sends_nothing(outbox, far, table):
    outbox.configure(table)
    configured = outbox.live.current.delivery[0]
    client = client_of(configured)
    record = json.dumps(cdr(1, at=now()))
    found = await sender_of(configured, client, outbox.store).dry_run(Item("x", record), now())
    await client.close()
    assert found["file"].splitlines()[0] == ",".join(metrica.COLUMNS)
    assert far.received == []
