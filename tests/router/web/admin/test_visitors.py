"""A visitor's journey as the API tells it."""

import pytest

from pool.instants import DAY, to_iso
from tests.router.store.test_visits import AT, arrival, arrive
from tests.router.web.admin.conftest import Admin

MOBILE = "+447700900123"


async def test_visits_and_calls_come_in_order_with_each_models_credits(admin: Admin) -> None:
    first = await arrive(admin.database, "v1", arrival(AT, "?utm_source=google&utm_medium=cpc&gclid=1"))
    direct = await arrive(admin.database, "v1", arrival(AT + DAY))
    called_at = AT + DAY + 60_000
    call = await admin.call(
        visitor_id="v1",
        visit_id=direct.visit_id,
        match="live",
        confidence=0.9,
        caller=MOBILE,
        started_at=called_at,
    )

    found = await admin.json("/api/v1/visitors/v1?site=shop")

    assert [(event["kind"], event["at"]) for event in found["events"]] == [
        ("visit", to_iso(AT)),
        ("visit", to_iso(AT + DAY)),
        ("call", to_iso(called_at)),
    ]
    told = found["events"][2]
    assert (told["call_id"], told["match"], told["confidence"]) == (call, "live", 0.9)
    assert told["credits"] == {
        "first": [{"visit_id": first.visit_id, "share": 1.0}],
        "last": [{"visit_id": direct.visit_id, "share": 1.0}],
        "last_non_direct": [{"visit_id": first.visit_id, "share": 1.0}],
        "linear": [
            {"visit_id": first.visit_id, "share": 0.5},
            {"visit_id": direct.visit_id, "share": 0.5},
        ],
    }
    visit = found["events"][0]
    assert (visit["source"], visit["click_ids"], visit["campaign"]) == ("google", {"gclid": "1"}, None)
    assert visit["pages"] == [
        {
            "at": to_iso(AT),
            "url": "https://shop.example/?utm_source=google&utm_medium=cpc&gclid=1",
            "title": "Shop",
        }
    ]
    assert found["visitors"][0]["visit_count"] == 2
    assert found["visitors"][0]["first"]["source"] == "google"


async def test_a_callers_several_visitors_are_one_journey_at_one_site(admin: Admin) -> None:
    at_home = await arrive(admin.database, "home", arrival(AT, "?utm_source=bing&utm_medium=cpc"))
    at_work = await arrive(admin.database, "work", arrival(AT + DAY))
    await arrive(admin.database, "stranger", arrival(AT + DAY))
    await arrive(admin.database, "home", arrival(AT + 2 * DAY, site="florist"))
    for lease, at in ((at_home, AT + 5_000), (at_work, AT + DAY + 5_000)):
        await admin.call(
            visitor_id=lease.visitor_id, visit_id=lease.visit_id, caller=MOBILE, started_at=at, match="live"
        )
    # An uncredited call of the same caller is part of it, somebody else's is not.
    await admin.call(caller=MOBILE, started_at=AT + 3 * DAY)
    await admin.call(caller="+447700900999", started_at=AT + 3 * DAY)

    found = await admin.json("/api/v1/visitors/home?site=shop")

    assert found["visitor_ids"] == ["home", "work"]
    assert found["callers"] == [MOBILE]
    assert [event["kind"] for event in found["events"]] == ["visit", "call", "visit", "call", "call"]
    assert {event["visitor_id"] for event in found["events"]} == {"home", "work", None}
    assert found["events"][4]["credits"]["first"] == []


async def test_an_id_is_a_sites_own(admin: Admin) -> None:
    await arrive(admin.database, "v1", arrival(AT))
    lease = await arrive(admin.database, "v1", arrival(AT + DAY, site="florist"))
    await admin.call(visitor_id="v1", visit_id=lease.visit_id, site="florist", started_at=AT + DAY)
    await admin.call(visitor_id="v1", visit_id="x", site="shop", started_at=AT + DAY)
    refused = await admin.get("/api/v1/visitors/v1")
    assert refused.status == 400
    assert "florist, shop" in (await refused.json())["detail"]
    shop = await admin.json("/api/v1/visitors/v1?site=shop")
    assert [event["kind"] for event in shop["events"]] == ["visit", "call"]


async def test_the_only_site_need_not_be_named(admin: Admin) -> None:
    lease = await arrive(admin.database, "v1", arrival(AT, site="florist"))
    await admin.call(visitor_id="v1", visit_id=lease.visit_id, site="florist", started_at=AT)
    assert (await admin.json("/api/v1/visitors/v1"))["site"] == "florist"


@pytest.mark.parametrize("path", ["nobody", "nobody?site=shop", "a%27b", "%00"])
async def test_an_unknown_visitor_is_404(admin: Admin, path: str) -> None:
    answer = await admin.get(f"/api/v1/visitors/{path}")
    assert answer.status == 404


@pytest.mark.parametrize(("query", "field"), [("sight=x", "sight"), ("site=a%00b", "site")])
async def test_a_wrong_parameter_is_named(admin: Admin, query: str, field: str) -> None:
    answer = await admin.get(f"/api/v1/visitors/v1?{query}")
    assert answer.status == 400
    assert [error["field"] for error in (await answer.json())["errors"]] == [field]


async def test_nobody_sees_it_without_a_key(admin: Admin) -> None:
    assert (await admin.get("/api/v1/visitors/v1", None)).status == 401
