"""GA4 against a far side that answers 2xx whatever it gets, and checks the documented limits for itself."""

import asyncio
import json

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from pool.instants import HOUR, now
from router.config.delivery import Ga4
from router.deliveries import ga4
from router.deliveries.sending import Item
from router.deliveries.service import client_of, sender_of
from tests.router.deliveries.far_side import Received, answering
from tests.router.deliveries.records import cdr

SECOND = 1000
MINUTE = 60_000
TABLE = Ga4.model_validate(
    {"name": "ga", "kind": "ga4", "measurement_id": "G-ABC1234567", "api_secret": {"env": "GA4_SECRET"}}
)
AT = now() // 1000 * 1000


def call(started, session=None, **more):
    ids = {"client_id": "1234567890.1700000000", "session_id": session and str(session // 1000)}
    return cdr(1, at=started, attribution={"ga": ids}, **more)


@pytest.mark.parametrize(
    ("began", "last", "called", "sent", "placed"),
    [
        # in the session, and within the half hour that Google waits for another event
        (0, 10 * MINUTE, 5 * MINUTE, 6 * MINUTE, (5 * MINUTE, True)),
        (0, 10 * MINUTE, 40 * MINUTE, 41 * MINUTE, (40 * MINUTE, True)),
        # after the session's end: at its last moment
        (0, 10 * MINUTE, 41 * MINUTE, 42 * MINUTE, (10 * MINUTE, True)),
        (0, 10 * MINUTE, 5 * HOUR, 6 * HOUR, (10 * MINUTE, True)),
        # the session began too long ago when it is sent: the call's own instant, no session
        (0, 10 * MINUTE, 5 * MINUTE, 24 * HOUR, (5 * MINUTE, False)),
        (0, 10 * MINUTE, 23 * HOUR, 25 * HOUR, (23 * HOUR, False)),
        # the visit is no longer stored: the session's first second is all that is known
        (0, None, 2 * HOUR, 3 * HOUR, (0, True)),
        # a session of the future is none
        (HOUR, 2 * HOUR, MINUTE, 2 * MINUTE, (MINUTE, False)),
        # a clock that was set back: never in the future
        (0, 10 * MINUTE, 5 * MINUTE, 4 * MINUTE, (4 * MINUTE, True)),
    ],
)  # fmt: skip
def test_where_the_event_lies(began, last, called, sent, placed):
    visit = None if last is None else (AT + began, AT + last)
    place = ga4.placed(call(AT + called, AT + began), visit, AT + sent)
    assert (place.at - AT, place.session_id is not None) == placed


@pytest.mark.parametrize("session", [None, "", "abc", "1", "9" * 30, "17e8"])
def test_what_is_no_session_id_joins_none(session):
    record = cdr(1, at=AT, attribution={"ga": {"client_id": "1.2", "session_id": session}})
    assert ga4.placed(record, None, AT + MINUTE) == (AT, None)


@pytest.mark.parametrize("client_id", ["1.2.3", "1", "01.5", "GA1.1.5.6", "1.2\n", "", None, "-1.5", "1,2"])
def test_what_is_no_client_id_is_refused_with_a_reason(client_id):
    assert ga4.lacks(cdr(1, attribution={"ga": {"client_id": client_id, "session_id": None}}))


def test_seventy_two_hours():
    assert ga4.too_late(call(AT), AT + 72 * HOUR - 1) is None
    assert "72 hours" in ga4.too_late(call(AT), AT + 72 * HOUR)


@given(st.text(max_size=300), st.text(max_size=300), st.sampled_from([None, True, False]))
def test_no_record_makes_an_event_that_google_would_drop(channel, site, first):
    record = call(AT, AT - MINUTE, site=site, first_call=first)
    record["attribution"]["channel"] = channel
    table = TABLE.model_copy(update={"value": 5.0, "currency": "GBP"})
    body = ga4.payload(table, record, ga4.placed(record, None, AT))
    assert ga4.problems(body) == []
    assert "+447700900123" not in json.dumps(body)
    assert "Ann" not in json.dumps(body)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda body: body.update(client_id="x"), "client_id"),
        (lambda body: body["events"][0].update(name="a" * 41), "event name"),
        (lambda body: body["events"][0]["params"].update({f"p{n}": 1 for n in range(26)}), "parameters"),
        (lambda body: body["events"][0]["params"].update(long="x" * 101), "value of long"),
        (lambda body: body.update(events=body["events"] * 26), "26 events"),
        (lambda body: body.update(events=[]), "0 events"),
        (lambda body: body.update(junk="x" * 130_000), "130000 bytes"),
    ],
)
def test_each_documented_limit_is_checked(change, word):
    body = ga4.payload(TABLE, call(AT), ga4.Placed(AT, None))
    change(body)
    assert any(word in problem for problem in ga4.problems(body))


class Google:
    """Counts the events that Google would keep; the answer is 204 in any case."""

    def __init__(self) -> None:
        self.kept = []

    async def __call__(self, request: web.Request, got: Received) -> web.StreamResponse:
        body = json.loads(got.body)
        wellformed = (
            got.path == "/mp/collect"
            and got.query == {"measurement_id": "G-ABC1234567", "api_secret": "hush"}
            and len(got.body) < 130_000
            and body["client_id"].replace(".", "").isdigit()
            and all(len(event["params"]) <= 25 for event in body["events"])
            and 0 <= now() * 1000 - body["timestamp_micros"] <= 72 * HOUR * 1000
        )
        if wellformed:
            self.kept.append(body)
        return web.Response(status=204)


@pytest.fixture
def table(far, monkeypatch):
    monkeypatch.setenv("GA4_SECRET", "hush")
    return {
        "name": "ga", "kind": "ga4", "measurement_id": "G-ABC1234567", "api_secret": {"env": "GA4_SECRET"},
        "url": far.url,
    }  # fmt: skip


async def test_a_call_becomes_an_event_of_its_session(outbox, far, table):
    google = far.answer = Google()
    outbox.configure(table)
    started = now() - 10 * MINUTE
    ids = {"client_id": "1234567890.1700000000", "session_id": str(started // 1000 - 60)}
    async with outbox.telling() as service:
        call_id = await outbox.call(service, at=started, attribution={"ga": ids})
        row = await outbox.until(call_id, "sent", "ga")
    (body,) = google.kept
    assert body["timestamp_micros"] == started * 1000
    (event,) = body["events"]
    assert event["name"] == "phone_call"
    assert event["params"]["session_id"] == ids["session_id"]
    assert event["params"]["engagement_time_msec"] == 1
    assert event["params"]["call_id"] == call_id
    assert row["answer"] == "204"


async def test_an_old_call_joins_no_session_and_a_very_old_one_is_refused(outbox, far, table):
    google = far.answer = Google()
    outbox.configure(table)
    old, very_old = now() - 30 * HOUR, now() - 73 * HOUR
    ids = {"client_id": "1234567890.1700000000", "session_id": str(old // 1000 - 60)}
    async with outbox.telling() as service:
        first = await outbox.call(service, at=old, attribution={"ga": ids})
        second = await outbox.call(service, at=very_old)
        assert (await outbox.until(first, "sent", "ga"))["answer"] == "204; joins no session"
        assert "72 hours" in (await outbox.until(second, "refused", "ga"))["reason"]
    (body,) = google.kept
    assert "session_id" not in body["events"][0]["params"]


async def test_no_answer_is_unclear_and_never_sent_again_by_itself(outbox, far, table):
    async def silent(request: web.Request, got: Received) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    far.answer = silent
    outbox.configure(table | {"timeout_seconds": 3})
    async with outbox.telling() as service:
        call_id = await outbox.call(service)
        row = await outbox.until(call_id, "unclear", "ga")
        assert "may have been counted" in row["reason"]
        far.answer = answering(204)
        await outbox.until(await outbox.call(service), "sent", "ga")
    assert len(far.received) == 2


async def test_what_surely_did_not_arrive_is_sent_again(outbox, slow_retries, far, table):
    table["url"], right = "http://127.0.0.1:9", table["url"]
    outbox.configure(table)
    async with outbox.telling() as service:
        call_id = await outbox.call(service)
        await outbox.until(call_id, lambda row: row["attempts"] >= 1 and row["state"] == "due", "ga")
        outbox.configure(table | {"url": right})
        service._changed.set()
        await outbox.until(call_id, "sent", "ga")
    assert len(far.received) == 1


async def test_calls_without_a_client_id_say_so_at_once(outbox, far, table):
    outbox.configure(table)
    call_id = await outbox.call(attribution={"ga": {"client_id": None, "session_id": None}})
    (row,) = await outbox.rows(call=call_id)
    assert (row["state"], row["attempts"]) == ("refused", 0)
    assert "no GA client id" in row["reason"]


async def test_a_dry_run_asks_googles_validation(outbox, far, table, monkeypatch):
    far.answer = answering(200, '{"validationMessages": []}')
    outbox.configure(table)
    configured = outbox.live.current.delivery[0]
    client = client_of(configured)
    record = await outbox.calls.call(await outbox.call())
    sender = sender_of(configured, client, outbox.store)
    found = await sender.dry_run(Item(record.call_id, record.record), now())
    await client.close()
    assert found["validation"] == '200 {"validationMessages": []}'
    assert far.received[0].path == "/debug/mp/collect"
    assert "hush" not in json.dumps(found)
