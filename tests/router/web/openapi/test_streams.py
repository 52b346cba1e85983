"""What is in the streams is as the description tells, too."""

import asyncio
import json
from typing import Any

import jsonschema_rs
import pytest

from pool.instants import now
from router import live
from router.cdr.flat import COLUMNS
from router.cdr.live import LiveCall
from tests.router.web.openapi.conftest import Admin
from tests.strictly import faults, strict


def validator(document: dict[str, Any], schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    whole = strict({**schema, "components": document["components"]})
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def media(document: dict[str, Any], path: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][path]["get"]["responses"]["200"]["content"][name]
    return found


async def test_each_line_of_a_stream_is_a_call(admin: Admin, admin_document: dict[str, Any]) -> None:
    path = "/var/spool/asterisk/monitor/leaseline/1763817000.1.wav"
    await admin.recorded(await admin.call(path), state="ready", format="opus", name="1763817000.1.opus")
    await admin.call(channel="Newspaper")
    told = media(admin_document, "/api/v1/calls", "application/x-ndjson")
    line = validator(admin_document, told["x-line"])
    lines = (await (await admin.get("/api/v1/calls?format=ndjson")).text()).splitlines()
    assert [faults(line, json.loads(text)) for text in lines] == [[], []]
    table = await (await admin.get("/api/v1/calls?format=csv")).text()
    assert table.splitlines()[0].split(",") == list(COLUMNS)
    assert ", ".join(COLUMNS) in media(admin_document, "/api/v1/calls", "text/csv")["schema"]["description"]


async def test_each_event_is_what_its_name_says(
    admin: Admin, admin_document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LOOK_SECONDS", 0.02)
    told = {
        kind["properties"]["event"]["const"]: kind["properties"]["data"]["contentSchema"]
        for kind in media(admin_document, "/api/v1/live", "text/event-stream")["schema"]["oneOf"]
    }
    assert admin.view is not None
    call = LiveCall(
        "1.1", "shop", "+442079460123", "442079460123", "+447700900123", "ringing", now() - 1_500, None,
        "PJSIP/agent1",
    )  # fmt: skip
    admin.live_calls.append(call)
    service = asyncio.create_task(admin.view.run())
    try:
        async with await admin.get("/api/v1/live") as answer, asyncio.timeout(60):
            for expected in ("snapshot", "call", "ended"):
                block = (await answer.content.readuntil(b"\n\n")).decode()
                lines = dict(line.split(": ", 1) for line in block.strip().splitlines())
                assert lines["event"] == expected
                event = validator(admin_document, told[expected])
                assert faults(event, json.loads(lines["data"])) == []
                admin.live_calls[:] = [call._replace(stage="talking")] if expected == "snapshot" else []
    finally:
        service.cancel()
