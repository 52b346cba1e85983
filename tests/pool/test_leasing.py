"""The ladder, the queue's order, return and revival, by the service."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from pool.database import Transaction
from pool.ids import ID_LENGTH
from pool.instants import DAY, SECOND
from pool.leases import Attachment, InvalidWish, Lease, Rung, SlotWish, WishKind
from pool.lifecycle import State
from pool.service import Pool
from tests.pool.stock import FREEZE, MINUTE, START, add_numbers, leeds, london, wish

HOLD = FREEZE * SECOND
REST = MINUTE


def only(lease: Lease) -> tuple[Rung, str | None]:
    (shown,) = lease.slots
    return shown.rung, shown.number


async def test_a_first_visit_gets_a_number_of_the_base(pool: Pool) -> None:
    await add_numbers(pool, london(1))
    lease = await pool.lease(wish("v1"), START)
    assert only(lease) == (Rung.BASE, london(1))
    assert (len(lease.lease_id), lease.revived, lease.visit_id) == (ID_LENGTH, False, "visit-of-v1")
    assert lease.frozen_until_at == START + HOLD


async def test_the_same_visitor_gets_the_same_lease_while_it_is_held(pool: Pool) -> None:
    await add_numbers(pool, london(1), london(2))
    first = await pool.lease(wish("v1", visit="a"), START)
    await pool.left(first.lease_id, START + 1_000)
    again = await pool.lease(wish("v1", visit="b"), START + 1_000 + HOLD - 1)
    assert (again.lease_id, again.slots, again.visit_id) == (first.lease_id, first.slots, "a")
    assert again.revived
    view = await pool.lease_by_id(first.lease_id, START + 1_000 + HOLD)
    assert view is not None
    assert (view.state, view.left_at) == (State.LIVE, None)


async def test_no_number_is_given_again_within_freeze_or_rest(pool: Pool) -> None:
    await add_numbers(pool, london(1))
    await pool.lease(wish("v1"), START)
    for at in (START + 1, START + HOLD - 1, START + HOLD, START + HOLD + REST - 1):
        assert only(await pool.lease(wish(f"other-{at}"), at)) == (Rung.MAIN, None)
    taken = await pool.lease(wish("v2"), START + HOLD + REST)
    assert only(taken) == (Rung.SITE, london(1))


async def test_a_heartbeat_keeps_the_number_though_the_queue_was_not_told(pool: Pool) -> None:
    await add_numbers(pool, london(1), london(2))
    kept = await pool.lease(wish("v1"), START)
    await pool.lease(wish("v2"), START + 10)
    await pool.seen(kept.lease_id, START + 10 * MINUTE)
    at = START + HOLD + REST + 10
    assert only(await pool.lease(wish("v3"), at)) == (Rung.SITE, london(2))
    assert only(await pool.lease(wish("v4"), at)) == (Rung.MAIN, None)
    assert only(await pool.lease(wish("v5"), START + 10 * MINUTE + HOLD + REST)) == (Rung.SITE, london(1))


async def test_the_longest_free_number_comes_first(pool: Pool) -> None:
    await add_numbers(pool, london(1), london(2), london(3))
    leases = [await pool.lease(wish(f"v{place}"), START + place) for place in range(3)]
    for minutes, place in ((3, 0), (1, 1), (2, 2)):
        await pool.seen(leases[place].lease_id, START + minutes * MINUTE)
    at = START + 60 * MINUTE
    order = [only(await pool.lease(wish(f"w{place}"), at + place))[1] for place in range(3)]
    assert order == [london(2), london(3), london(1)]


async def test_a_returning_visitor_gets_their_own_last_number(pool: Pool) -> None:
    await add_numbers(pool, london(1), london(2))
    await pool.lease(wish("v1"), START)
    await pool.lease(wish("v2"), START)
    at = START + DAY
    assert only(await pool.lease(wish("v2"), at)) == (Rung.OWN, london(2))
    assert only(await pool.lease(wish("v3"), at)) == (Rung.SITE, london(1))
    assert only(await pool.lease(wish("v1"), at)) == (Rung.MAIN, None)


async def test_a_site_does_not_take_what_another_site_shows(pool: Pool) -> None:
    await add_numbers(pool, london(1))
    await pool.lease(wish("v1", site="shop"), START)
    assert only(await pool.lease(wish("v9", site="bakery"), START + DAY)) == (Rung.MAIN, None)
    assert only(await pool.lease(wish("v2", site="shop"), START + DAY)) == (Rung.SITE, london(1))


async def test_what_was_not_shown_for_idle_days_goes_to_the_tail_of_the_base(pool: Pool) -> None:
    await add_numbers(pool, *map(london, range(4)))
    for place in range(3):
        await pool.lease(wish(f"v{place}", site=f"site-{2 - place}"), START + place * MINUTE)
    free_at = START + HOLD + REST
    returned_at = free_at + 2 * MINUTE + 14 * DAY
    assert only(await pool.lease(wish("w0", site="new"), returned_at)) == (Rung.BASE, london(3))
    order = [only(await pool.lease(wish(f"w{n}", site="new"), returned_at))[1] for n in (1, 2, 3)]
    assert order == [london(0), london(1), london(2)]


async def test_a_number_that_is_not_idle_yet_stays_with_its_site(pool: Pool) -> None:
    await add_numbers(pool, london(0))
    await pool.lease(wish("v0", site="old"), START)
    idle_at = START + HOLD + REST + 14 * DAY
    assert only(await pool.lease(wish("w1", site="new"), idle_at - 1)) == (Rung.MAIN, None)
    assert only(await pool.lease(wish("w2", site="new"), idle_at)) == (Rung.BASE, london(0))


async def test_the_ladder_goes_on_to_extension_reserve_and_main(pool: Pool) -> None:
    header = "number,kind,site,channel"
    await add_numbers(
        pool, f"{leeds(1)},extension,shop,", f"{leeds(2)},reserve,bakery,Google Ads", header=header
    )
    lease = await pool.lease(wish("v1"), START)
    (shown,) = lease.slots
    assert (shown.rung, shown.number) == (Rung.EXTENSION, leeds(1))
    assert shown.extension is not None
    assert len(shown.extension) == 4
    reserve = await pool.lease(wish("v1", site="bakery", channel="Google Ads"), START)
    assert only(reserve) == (Rung.RESERVE, leeds(2))
    assert only(await pool.lease(wish("v2", site="bakery", channel="Print"), START)) == (Rung.MAIN, None)


async def test_static_and_main_slots_beside_a_dynamic_one(pool: Pool) -> None:
    await add_numbers(
        pool, f"{london(1)},dynamic,,", f"{london(2)},static,shop,Press", header="number,kind,site,channel"
    )
    slots = [
        SlotWish("london"),
        SlotWish("press", channel="Press", kind=WishKind.STATIC),
        SlotWish("footer", kind=WishKind.MAIN),
        SlotWish("radio", channel="Radio", kind=WishKind.STATIC),
    ]
    lease = await pool.lease(wish("v1", slots=slots), START)
    assert [(shown.rung, shown.number) for shown in lease.slots] == [
        (Rung.BASE, london(1)),
        (Rung.STATIC, london(2)),
        (Rung.MAIN, None),
        (Rung.MAIN, None),
    ]


async def test_several_slots_show_different_numbers_and_a_new_slot_is_added_to_the_lease(pool: Pool) -> None:
    await add_numbers(pool, f"{london(1)},a", f"{london(2)},a", f"{leeds(1)},b", header="number,pool")
    two = [SlotWish("one", pool="a"), SlotWish("two", pool="a")]
    lease = await pool.lease(wish("v1", slots=two), START)
    assert [shown.number for shown in lease.slots] == [london(1), london(2)]
    more = await pool.lease(wish("v1", slots=[*two, SlotWish("leeds", pool="b")]), START + 1)
    assert more.revived
    assert [shown.number for shown in more.slots] == [london(1), london(2), leeds(1)]


async def test_a_slot_that_fell_to_the_main_number_is_tried_again_on_return(pool: Pool) -> None:
    fallen = await pool.lease(wish("v1"), START)
    assert only(fallen) == (Rung.MAIN, None)
    await add_numbers(pool, london(1), at=START + 1)
    again = await pool.lease(wish("v1"), START + 2)
    assert (again.lease_id, only(again)) == (fallen.lease_id, (Rung.BASE, london(1)))


async def test_requests_that_arrive_together_get_different_numbers_in_queue_order(pool: Pool) -> None:
    await add_numbers(pool, *map(london, range(30)))
    leases = await asyncio.gather(*(pool.lease(wish(f"v{n:02}"), START + n) for n in range(40)))
    numbers = [shown.number for lease in leases for shown in lease.slots]
    assert numbers == [*map(london, range(30)), *[None] * 10]


async def test_the_same_visitor_twice_at_once_has_one_lease(pool: Pool) -> None:
    await add_numbers(pool, *map(london, range(5)))
    leases = await asyncio.gather(*(pool.lease(wish("v1"), START) for _ in range(4)))
    assert len({lease.lease_id for lease in leases}) == 1
    assert [lease.revived for lease in leases] == [False, True, True, True]


async def test_a_sign_of_an_over_lease_changes_nothing_and_says_so(pool: Pool) -> None:
    await add_numbers(pool, london(1))
    lease = await pool.lease(wish("v1"), START)
    at = START + HOLD
    view = await pool.seen(lease.lease_id, at)
    assert view is not None
    assert (view.state, view.frozen_until_at) == (State.OVER, START + HOLD)
    assert await pool.seen("0" * 35, at) is None


async def test_what_is_attached_is_in_the_transaction_of_the_lease(pool: Pool) -> None:
    told: list[tuple[str, Any]] = []

    async def note(_: Transaction, pairs: Sequence[tuple[Lease, Any]]) -> None:
        told.extend((lease.lease_id, item) for lease, item in pairs)

    async def refuse(_: Transaction, pairs: Sequence[tuple[Lease, Any]]) -> None:
        raise RuntimeError(f"no room for {pairs[0][1]}")

    await add_numbers(pool, london(1))
    with pytest.raises(RuntimeError, match="no room for x"):
        await pool.lease(wish("v1"), START, attach=[Attachment(refuse, "x")])
    lease = await pool.lease(wish("v2"), START, attach=[Attachment(note, 7)])
    assert only(lease) == (Rung.BASE, london(1))
    assert told == [(lease.lease_id, 7)]


async def test_one_bad_attachment_spoils_nobody_elses_lease(pool: Pool) -> None:
    async def maybe(_: Transaction, pairs: Sequence[tuple[Lease, Any]]) -> None:
        if any(item == "bad" for _, item in pairs):
            raise RuntimeError("bad")

    await add_numbers(pool, *map(london, range(5)))
    leases = await asyncio.gather(
        *(
            pool.lease(wish(f"v{n}"), START, attach=[Attachment(maybe, "bad" if n == 1 else "good")])
            for n in range(4)
        ),
        return_exceptions=True,
    )
    assert isinstance(leases[1], RuntimeError)
    good = [only(lease)[1] for lease in leases if isinstance(lease, Lease)]
    assert good == [london(0), london(1), london(2)]


@pytest.mark.parametrize(
    "options",
    [{"freeze_seconds": 0}, {"freeze_seconds": -5}, {"beat_seconds": 10**9}, {"slots": []}, {"visitor": ""}],
)
async def test_absurd_wishes_are_refused(pool: Pool, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidWish):
        await pool.lease(wish(**options), START)


@pytest.mark.parametrize("at", [-1, 10**15])
async def test_absurd_instants_are_refused(pool: Pool, at: int) -> None:
    with pytest.raises(ValueError, match="not within 1970 to 9999"):
        await pool.lease(wish("v1"), at)
