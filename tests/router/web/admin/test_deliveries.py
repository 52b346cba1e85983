"""`/api/v1/deliveries`: pages, filters, and who may make one due again."""

import pytest
from aiohttp import encode_basic_auth

from pool.instants import HOUR, now
from router.config.model import Config
from router.store.calls import CallBatch, CallStore, JournalMark, NewDelivery
from router.store.deliveries import DeliveryStore, Finished
from router.users.roles import Role
from tests.router.deliveries.records import cdr, columns


@pytest.fixture
async def told(admin):
    """Three calls for two destinations; the first is sent to crm, the second dead there."""
    table = {"kind": "webhook", "url": "https://crm.example/"}
    admin.live.current = Config.model_validate(
        {"delivery": [{**table, "name": "crm"}, {**table, "name": "erp"}]}
    )
    calls = [await admin.call(told=("crm", "erp")) for _ in range(3)]
    store = DeliveryStore(admin.database)
    await store.claim("crm", "c", now() + 10**9, 2)
    await store.finish("crm", "c", now(), [Finished(calls[0], "sent", 1, sent_at=now(), answer="200")])
    await store.finish("crm", "c", now(), [Finished(calls[1], "dead", 10, reason="given up")])
    return calls


async def test_pages_go_from_the_latest_call_back(admin, told):
    first = await admin.json("/api/v1/deliveries?limit=4")
    rest = await admin.json(f"/api/v1/deliveries?limit=4&cursor={first['next']}")
    assert rest["next"] is None
    seen = [(row["call"], row["destination"]) for row in [*first["deliveries"], *rest["deliveries"]]]
    assert seen == [(call, name) for call in reversed(told) for name in ("erp", "crm")]


async def test_a_row_tells_what_became_of_it(admin, told):
    (dead,) = (await admin.json("/api/v1/deliveries?state=dead"))["deliveries"]
    assert dead | {"changed_at": None, "started_at": None} == {
        "call": told[1], "destination": "crm", "kind": "webhook", "state": "dead", "attempts": 10,
        "due_at": None, "sent_at": None, "answer": None, "reason": "given up", "changed_at": None,
        "site": "shop", "number": "+442079460123", "caller": "+447700900123", "started_at": None,
        "result": "missed", "channel": None,
    }  # fmt: skip
    (sent,) = (await admin.json(f"/api/v1/deliveries?call={told[0]}&destination=crm"))["deliveries"]
    assert (sent["state"], sent["answer"]) == ("sent", "200")
    assert (await admin.json("/api/v1/deliveries?site=other"))["deliveries"] == []


async def test_destinations_are_counted(admin, told):
    crm, erp = (await admin.json("/api/v1/deliveries/destinations"))["destinations"]
    assert (crm["counts"]["sent"], crm["counts"]["dead"], crm["counts"]["due"]) == (1, 1, 1)
    assert (erp["counts"]["due"], erp["kind"], erp["disabled_at"]) == (3, "webhook", None)
    assert erp["oldest_due_at"] is not None
    assert crm["last_sent_at"] is not None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("state=gone", "state"), ("limit=0", "limit"), ("cursor=x", "cursor"), ("since=now", "since"),
        ("colour=red", "colour"), ("site=%00", "site"), ("cursor=WyJhIl0", "cursor"), ("cursor=MQ", "cursor"),
    ],
)  # fmt: skip
async def test_a_wrong_parameter_is_named(admin, told, query, field):
    answer = await admin.get(f"/api/v1/deliveries?{query}")
    assert answer.status == 400
    assert (await answer.json())["errors"][0]["field"] == field


async def test_only_an_admin_makes_it_due_again(admin, told):
    path = f"/api/v1/deliveries/{told[1]}/crm/retry"
    for role in (Role.VIEWER, Role.LISTENER):
        assert (await admin.get(path, role, method="POST")).status == 403
    assert (await admin.get(path, None, method="POST")).status == 401
    answer = await admin.get(path, Role.ADMIN, method="POST")
    assert answer.status == 200
    assert (await answer.json())["state"] == "due"
    for unknown in (f"/api/v1/deliveries/{told[1]}/nobody/retry", "/api/v1/deliveries/ffff/crm/retry"):
        assert (await admin.get(unknown, Role.ADMIN, method="POST")).status == 404


async def test_only_an_admin_enables_a_destination(admin, told):
    path = "/api/v1/deliveries/destinations/crm/enable"
    await DeliveryStore(admin.database).disable("crm", "410 gone", now())
    crm, _ = (await admin.json("/api/v1/deliveries/destinations"))["destinations"]
    assert crm["disabled_reason"] == "410 gone"
    assert (await admin.get(path, Role.VIEWER, method="POST")).status == 403
    assert (await admin.get(path, Role.ADMIN, method="POST")).status == 200
    assert (await admin.get(path, Role.ADMIN, method="POST")).status == 404


def basic(password):
    return {"Authorization": encode_basic_auth("ads", password)}


async def test_the_file_is_fetched_with_a_key_or_with_it_as_password(admin):
    table = {"name": "file", "kind": "google_ads_csv", "conversion_name": "Call"}
    admin.live.current = Config.model_validate({"delivery": [table]})
    at = now() - 7 * HOUR
    record = cdr(1, at=at)
    told = [NewDelivery(record["id"], "file", "due", None, at)]
    mark = JournalMark("f", "p", 1, at)
    await CallStore(admin.database).write(CallBatch("pbx", [columns(record, at)], told, mark, at))
    path = "/api/v1/deliveries/file/google-ads.csv"
    assert (await admin.get(path, None)).status == 401
    assert (await admin.get(path, None, headers=basic("wrong"))).status == 401
    assert (await admin.get(path, method="HEAD")).status == 200
    (row,) = (await admin.json("/api/v1/deliveries"))["deliveries"]
    assert row["state"] == "due"
    answer = await admin.get(path, None, headers=basic(admin.keys[Role.VIEWER].text))
    assert (answer.status, answer.content_type) == (200, "text/csv")
    assert record["id"] in await answer.text()
    (row,) = (await admin.json("/api/v1/deliveries"))["deliveries"]
    assert (row["state"], row["answer"]) == ("sent", "in the file fetched by viewer")
    assert record["id"] in await (await admin.get(path)).text()
    other = await admin.get("/api/v1/calls", None, headers=basic(admin.keys[Role.VIEWER].text))
    assert other.status == 401
    assert (await admin.get("/api/v1/deliveries/nobody/google-ads.csv")).status == 404
