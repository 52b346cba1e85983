"""Google Ads against a far side that gives tokens, takes conversions once, and fails requests as a whole."""

import asyncio
import base64
import csv
import io
import json
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from pool.instants import DAY, HOUR, now
from router.config.delivery import GoogleAdsCsv
from router.deliveries import google_ads, lane
from router.deliveries.sending import Item, NotUsable
from router.deliveries.service import client_of, sender_of
from tests.router.deliveries.far_side import Received
from tests.router.deliveries.records import cdr

SCOPE = "https://www.googleapis.com/auth/datamanager"


class Google:
    """The token endpoint and the Data Manager API. What has a known transaction id counts once."""

    def __init__(self) -> None:
        self.conversions: dict[str, dict[str, str]] = {}
        self.requests: list[int] = []
        self.tokens = 0
        self.statuses = ["SUCCESS"]
        self.broken: list[str] = []
        self.key: rsa.RSAPublicKey | None = None

    async def __call__(self, request: web.Request, got: Received) -> web.StreamResponse:
        if got.path == "/token":
            return self._token({name: values[0] for name, values in parse_qs(got.body.decode()).items()})
        if got.headers.get("authorization") != f"Bearer token-{self.tokens}":
            return web.json_response({"error": {"status": "UNAUTHENTICATED"}}, status=401)
        if got.path == "/v1/requestStatus:retrieve":
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            found = {
                "requestStatus": status,
                "errorInfo": {"errorCounts": [{"recordCount": "1", "reason": "R_OLD"}]},
            }
            return web.json_response({"requestStatusPerDestination": [found]})
        assert got.path == "/v1/events:ingest"
        return self._ingested(json.loads(got.body))

    def _token(self, form: dict[str, str]) -> web.Response:
        if form["grant_type"] == "refresh_token":
            right = (form["client_id"], form["client_secret"], form["refresh_token"]) == ("app", "s1", "r1")
        else:
            head, claims, signature = form["assertion"].split(".")
            assert self.key is not None
            self.key.verify(
                _bytes(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
            )
            found = json.loads(_bytes(claims))
            right = (
                found["scope"] == SCOPE and found["iss"] == "ads@example.test" and found["exp"] > now() / 1000
            )
        if not right:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.tokens += 1
        return web.json_response({"access_token": f"token-{self.tokens}", "expires_in": 3600})

    def _ingested(self, body: dict) -> web.Response:
        (destination,) = body["destinations"]
        assert destination["operatingAccount"] == {"accountType": "GOOGLE_ADS", "accountId": "1234567890"}
        assert destination["productDestinationId"] == "987654321"
        self.requests.append(len(body["events"]))
        assert 1 <= len(body["events"]) <= 2000
        wrong = [
            {"field": f"events.events[{place}].ad_identifiers", "description": "not a click"}
            for place, event in enumerate(body["events"])
            if "unknown" in json.dumps(event["adIdentifiers"])
        ]
        if wrong:
            return web.json_response(
                {"error": {"code": 400, "details": [{"fieldViolations": wrong}]}}, status=400
            )
        for event in body["events"]:
            if len(event["adIdentifiers"]) != 1:
                self.broken.append("one click id is taken")
            self.conversions.setdefault(event["transactionId"], event)
        return web.json_response({"requestId": f"request/{len(self.requests)}"})


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture
def table(far, monkeypatch):
    for name, value in (("ADS_CLIENT", "s1"), ("ADS_REFRESH", "r1")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(lane, "JUDGE_SECONDS", 0.05)
    return {
        "name": "ads", "kind": "google_ads", "customer_id": "1234567890", "conversion_action": "987654321",
        "client_id": "app", "client_secret": {"env": "ADS_CLIENT"}, "refresh_token": {"env": "ADS_REFRESH"},
        "url": far.url, "token_url": f"{far.url}/token", "batch_minutes": 0,
    }  # fmt: skip


async def test_a_call_is_held_back_six_hours_then_counts_once(outbox, far, table):
    google = far.answer = Google()
    outbox.configure(table | {"value": 20.0, "currency": "GBP", "consent": "granted"})
    async with outbox.telling() as service:
        started = now()
        call_id = await outbox.call(service, at=started)
        row = await outbox.until(call_id, "due", "ads")
        assert "held back" in row["reason"]
        assert far.received == []
        assert await outbox.store.next_due("ads", outbox.clock()) == started + 6 * HOUR
        outbox.clock.ahead = 6 * HOUR + 1
        row = await outbox.until(call_id, "sent", "ads")
        assert await outbox.store.retry(call_id, "ads", outbox.clock())
        service.written()
        await outbox.until(call_id, lambda row: row["state"] == "sent" and len(google.requests) == 2, "ads")
    event = google.conversions[call_id]
    assert event["adIdentifiers"] == {"gclid": "Cj0KCQ-test_1"}
    assert (event["conversionValue"], event["currency"]) == (20.0, "GBP")
    assert event["eventTimestamp"].endswith("Z")
    assert len(google.conversions) == 1
    assert google.broken == []


async def test_one_wrong_conversion_fails_alone(outbox, far, table):
    google = far.answer = Google()
    outbox.configure(table)
    calls = [
        await outbox.call(
            at=now() - 7 * HOUR + place,
            attribution={"click_ids": {"gbraid": "unknown-1" if place % 4 == 1 else f"fine-{place}"}},
        )
        for place in range(9)
    ]
    async with outbox.telling():
        for place, call_id in enumerate(calls):
            row = await outbox.until(call_id, "refused" if place % 4 == 1 else "sent", "ads")
            assert place % 4 != 1 or "not a click" in row["reason"] or "fieldViolations" in row["reason"]
    assert google.requests == [9, 7]


async def test_a_refused_token_is_told_and_nothing_is_lost(outbox, slow_retries, far, table, monkeypatch):
    google = far.answer = Google()
    monkeypatch.setenv("ADS_REFRESH", "old")
    outbox.configure(table)
    call_id = await outbox.call(at=now() - 7 * HOUR)
    async with outbox.telling():
        row = await outbox.until(call_id, lambda row: row["attempts"] >= 1 and row["state"] == "due", "ads")
        assert "invalid_grant" in row["reason"]
    monkeypatch.setenv("ADS_REFRESH", "r1")
    async with outbox.telling():
        await outbox.until(call_id, "sent", "ads")
    assert google.tokens == 1


async def test_a_token_that_ended_is_replaced(outbox, far, table):
    google = far.answer = Google()
    outbox.configure(table)
    async with outbox.telling() as service:
        await outbox.until(await outbox.call(service, at=now() - 7 * HOUR), "sent", "ads")
        google.tokens = 50  # ours is not known any more
        await outbox.until(await outbox.call(service, at=now() - 7 * HOUR), "sent", "ads")
    assert len(google.conversions) == 2


async def test_a_service_account_signs_for_itself(outbox, far, table, tmp_path):
    google = far.answer = Google()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    google.key = key.public_key()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path / "ads.json"
    file.write_text(json.dumps({"client_email": "ads@example.test", "private_key": pem.decode()}))
    for name in ("client_id", "client_secret", "refresh_token"):
        del table[name]
    outbox.configure(table | {"service_account": {"file": file}})
    async with outbox.telling() as service:
        await outbox.until(await outbox.call(service, at=now() - 7 * HOUR), "sent", "ads")
    file.write_text("{}")
    with pytest.raises(NotUsable, match="service_account"):
        sender_of(outbox.live.current.delivery[0], client_of(outbox.live.current.delivery[0]), outbox.store)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("FAILED", ("refused", "R_OLD")),
        ("PARTIAL_SUCCESS", ("unclear", "some of")),
        ("PROCESSING", ("accepted", "")),
    ],
)
async def test_what_becomes_of_a_request(outbox, far, table, status, expected):
    google = far.answer = Google()
    google.statuses = [status]
    state, words = expected
    outbox.configure(table)
    async with outbox.telling() as service:
        row = await outbox.until(await outbox.call(service, at=now() - 7 * HOUR), state, "ads")
    assert words in (row["reason"] or "")


@pytest.mark.parametrize("text", ["", "{}", '{"requestId": 5}', '{"requestId": "a b"}', '{"requestId": ""}'])
async def test_200_without_a_request_id_is_sent_again_as_doubles_are_told(outbox, far, table, text):
    google = Google()
    lied = []

    async def lying(request: web.Request, got: Received) -> web.StreamResponse:
        answer = await google(request, got)
        if got.path == "/v1/events:ingest" and not lied:
            lied.append(1)
            return web.Response(text=text)
        return answer

    far.answer = lying
    outbox.configure(table)
    async with outbox.telling() as service:
        await outbox.until(await outbox.call(service, at=now() - 7 * HOUR), "sent", "ads")
    assert len(google.requests) == 2
    assert len(google.conversions) == 1


async def test_hanging_is_tried_again(outbox, far, table):
    google = Google()
    hung = []

    async def hanging(request: web.Request, got: Received) -> web.StreamResponse:
        if got.path != "/token" and not hung:
            hung.append(1)
            await asyncio.sleep(60)
        return await google(request, got)

    far.answer = hanging
    outbox.configure(table | {"timeout_seconds": 3})
    async with outbox.telling() as service:
        row = await outbox.until(await outbox.call(service, at=now() - 7 * HOUR), "sent", "ads")
    assert row["attempts"] == 2


async def test_a_dry_run_only_validates(outbox, far, table):
    google = far.answer = Google()
    outbox.configure(table | {"login_customer_id": "5555550100"})
    configured = outbox.live.current.delivery[0]
    client = client_of(configured)
    item = Item("x", json.dumps(cdr(1, at=now() - 7 * HOUR)))
    found = await sender_of(configured, client, outbox.store).dry_run(item, now())
    await client.close()
    assert found["body"]["validateOnly"] is True
    assert found["body"]["destinations"][0]["loginAccount"]["accountId"] == "5555550100"
    assert "token-1" not in json.dumps(found)
    assert google.requests == [1]


@pytest.mark.parametrize(
    "ids",
    [
        {},
        {"gclid": "=1+1"},
        {"gclid": "-x"},
        {"gclid": "a b"},
        {"gclid": ""},
        {"yclid": "1"},
        {"wbraid": "x" * 600},
    ],
)
def test_what_is_no_click_id_is_refused_with_a_reason(ids):
    assert google_ads.lacks(cdr(1, attribution={"click_ids": ids}))


def test_ninety_days():
    record = cdr(1, at=10**12)
    assert google_ads.too_late(record, 10**12 + 90 * DAY - 1) is None
    assert "90 days" in google_ads.too_late(record, 10**12 + 90 * DAY)


def test_the_file_is_what_google_ads_takes():
    table = GoogleAdsCsv.model_validate(
        {
            "name": "f",
            "kind": "google_ads_csv",
            "conversion_name": "=Phone, call",
            "value": 3.0,
            "currency": "GBP",
        }
    )
    record = cdr(1, at=1_795_353_000_000, attribution={"click_ids": {"wbraid": "w-1"}})
    (row,) = csv.DictReader(io.StringIO(google_ads.csv_of(table, [record])))
    assert row == {
        "Google Click ID": "", "GBRAID": "", "WBRAID": "w-1", "Conversion Name": "'=Phone, call",
        "Conversion Time": "2026-11-22 13:10:00+00:00", "Conversion Value": "3.00",
        "Conversion Currency": "GBP", "Order ID": record["id"],
    }  # fmt: skip
