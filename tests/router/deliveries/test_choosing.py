"""Who is told of a call: filters, and what is written down of those who are not."""

import pytest

from pool.instants import HOUR, from_iso
from router.config.model import Config
from router.deliveries.choosing import deliveries_of
from tests.router.deliveries.far_side import answering
from tests.router.deliveries.records import cdr

HOOK = {"name": "crm", "kind": "webhook", "url": "https://crm.example/"}


def tables(**keys):
    return Config.model_validate({"delivery": [HOOK | keys]}).delivery


@pytest.mark.parametrize(
    ("keys", "record", "reason"),
    [
        ({}, {}, None),
        ({"channels": ["Google Ads"]}, {}, None),
        ({"channels": ["Newspaper"]}, {}, "channel Google Ads"),
        ({"channels": ["Newspaper"]}, {"attribution": {"channel": None}}, "channel –"),
        ({"results": ["missed", "busy"]}, {}, "result answered"),
        ({"results": ["answered"]}, {}, None),
        ({"qualified": True}, {"qualified": False}, "not qualified"),
        ({"first_call": True}, {"first_call": False}, "not the caller's first"),
        ({"first_call": True}, {"first_call": None}, "not known whether it is the caller's first"),
        ({"matches": ["static"]}, {}, "match live"),
        ({"least_confidence": 0.98}, {}, "confidence 0.97 is below 0.98"),
        ({"least_confidence": 0.97}, {}, None),
    ],
)
def test_each_filter_says_why(keys, record, reason):
    (found,) = deliveries_of(tables(**keys), cdr(1, **record))
    assert (found.state, found.reason) == (("due", None) if reason is None else ("skipped", reason))


def test_other_sites_calls_are_none_of_its_business():
    site = {"key": "shop", "name": "S", "main_number": "+442079460000", "origins": ["https://a.example"]}
    config = Config.model_validate({"delivery": [HOOK | {"sites": ["shop"]}], "site": [site]})
    assert deliveries_of(config.delivery, cdr(1, site="other")) == []
    assert deliveries_of(config.delivery, cdr(1, site=None)) == []
    assert len(deliveries_of(config.delivery, cdr(1))) == 1


def test_a_record_that_cannot_be_judged_is_not_lost():
    record = cdr(1)
    del record["first_call"]
    (found,) = deliveries_of(tables(), record)
    assert (found.state, found.reason) == ("refused", "the record could not be judged: KeyError")


def test_conversions_are_held_back_from_the_calls_start():
    ads = {"name": "f", "kind": "google_ads_csv", "conversion_name": "Call"}
    (found,) = deliveries_of(Config.model_validate({"delivery": [ads]}).delivery, cdr(1))
    assert found.due_at == from_iso(cdr(1)["started_at"]) + 6 * HOUR
    bare = cdr(1, attribution={"click_ids": {}})
    (found,) = deliveries_of(Config.model_validate({"delivery": [ads]}).delivery, bare)
    assert (found.state, found.due_at) == ("refused", 0)


async def test_a_clock_that_was_set_back_does_not_hold_anything_up(outbox, far):
    outbox.configure(HOOK | {"url": far.url})
    outbox.clock.ahead = 30 * 24 * HOUR
    call_id = await outbox.call()
    outbox.clock.ahead = 0
    async with outbox.telling():
        await outbox.until(call_id, "sent")


async def test_a_clock_that_was_set_ahead_gives_nothing_up_early(outbox, slow_retries, far):
    far.answer = answering(500)
    outbox.configure(HOOK | {"url": far.url})
    async with outbox.telling() as service:
        call_id = await outbox.call(service)
        await outbox.until(call_id, lambda row: row["attempts"] == 1 and row["state"] == "due")
        far.answer = answering(200)
        outbox.clock.ahead = 30 * 24 * HOUR
        assert (await outbox.until(call_id, "sent"))["attempts"] == 2


async def test_what_is_read_twice_is_told_once(outbox, far):
    outbox.configure(HOOK | {"url": far.url})
    at = outbox.clock()
    first = await outbox.call(at=at)
    outbox._numbers -= 1
    assert await outbox.call(at=at) == first
    async with outbox.telling():
        await outbox.until(first, "sent")
    assert len(await outbox.rows()) == 1
    assert len(far.received) == 1
