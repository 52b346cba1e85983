"""Calls on a lease, who held a number, and how the inventory stands."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from pool import lifecycle
from pool.codes import code_at
from pool.database import open_database
from pool.instants import DAY, SECOND
from pool.leases import Rung
from pool.lifecycle import State
from pool.numbers import NumberKind
from pool.service import MIGRATIONS, Pool

from .stock import FREEZE, MINUTE, START, add_numbers, leeds, london, wish

HOLD = FREEZE * SECOND
OLD_LEASE = """
INSERT INTO lease VALUES ('l', 'main', 'visit', 'visitor', 'shop', 'default', '', 'base', '{number}', '',
                          NULL, 900, 30, {at}, {at}, NULL, NULL, NULL, {at}, NULL)
"""
REST = MINUTE


async def rung_for(pool: Pool, visitor: str, at: int) -> Rung:
    return (await pool.lease(wish(visitor), at)).slots[0].rung


async def test_a_call_keeps_the_number_until_its_end_and_the_freeze(pool: Pool) -> None:
    await add_numbers(pool, london(1))
    await pool.lease(wish("v1"), START)
    call_at, end_at = START + 5 * MINUTE, START + 50 * MINUTE
    await pool.call_active(london(1), None, call_at, call_at)
    assert await rung_for(pool, "v2", START + 45 * MINUTE) is Rung.MAIN
    await pool.call_ended(london(1), None, call_at, end_at, end_at)
    assert await rung_for(pool, "v3", end_at + HOLD + REST - 1) is Rung.MAIN
    assert await rung_for(pool, "v4", end_at + HOLD + REST) is Rung.SITE


async def test_two_calls_at_once_hold_until_the_last_has_ended(pool: Pool) -> None:
    await add_numbers(pool, london(1))
    lease = await pool.lease(wish("v1"), START)
    first, second = START + MINUTE, START + 2 * MINUTE
    await pool.call_active(london(1), None, first, first)
    await pool.call_active(london(1), None, second, second)
    await pool.call_active(london(1), None, second, second)
    await pool.call_ended(london(1), None, first, START + 3 * MINUTE, START + 3 * MINUTE)
    view = await pool.lease_by_id(lease.lease_id, START + 60 * MINUTE)
    assert view is not None
    assert view.state is State.FROZEN
    await pool.call_ended(london(1), None, second, START + 4 * MINUTE, START + 4 * MINUTE)
    view = await pool.lease_by_id(lease.lease_id, START + 60 * MINUTE)
    assert view is not None
    assert (view.state, view.frozen_until_at) == (State.OVER, START + 4 * MINUTE + HOLD)


async def test_a_call_that_is_told_late_still_counts_from_its_end(pool: Pool) -> None:
    await add_numbers(pool, london(1))
    await pool.lease(wish("v1"), START)
    call_at, end_at = START + 10 * MINUTE, START + 40 * MINUTE
    await pool.call_ended(london(1), None, call_at, end_at, START + 54 * MINUTE)
    assert await rung_for(pool, "v2", end_at + HOLD + REST - 1) is Rung.MAIN
    assert await rung_for(pool, "v3", end_at + HOLD + REST) is Rung.SITE


async def test_a_call_on_a_number_nobody_holds_changes_nothing(pool: Pool) -> None:
    await add_numbers(pool, london(1))
    await pool.call_active(london(1), None, START, START)
    await pool.call_ended(leeds(1), "1234", START, START, START)
    assert await rung_for(pool, "v1", START) is Rung.BASE


async def test_a_late_callers_call_does_not_touch_the_next_holder(pool: Pool) -> None:
    await add_numbers(pool, london(1))
    await pool.lease(wish("v1"), START)
    call_at = START + HOLD - 1
    next_at = START + HOLD + REST
    await pool.lease(wish("v2"), next_at)
    await pool.call_ended(london(1), None, call_at, next_at + MINUTE, next_at + MINUTE)
    newest, oldest = await pool.holders(london(1), None, next_at, lookback_seconds=3_600)
    assert (newest.visitor_id, newest.until_at) == ("v2", next_at + HOLD)
    assert (oldest.visitor_id, oldest.until_at) == ("v1", START + HOLD)


async def test_holders_are_intervals_newest_first(pool: Pool) -> None:
    await add_numbers(pool, london(1))
    first = await pool.lease(wish("v1", channel="Google Ads"), START)
    await pool.seen(first.lease_id, START + 10 * SECOND, shown=True, tel_click=True)
    await pool.left(first.lease_id, START + 20 * SECOND)
    second_at = START + 20 * SECOND + HOLD + REST
    second = await pool.lease(wish("v2"), second_at)

    async def seen_from(at: int, lookback_seconds: int = 3_600) -> list[tuple[str, str]]:
        found = await pool.holders(london(1), None, at, lookback_seconds=lookback_seconds)
        return [(holding.visitor_id, holding.state) for holding in found]

    assert await seen_from(START) == [("v2", "not_yet"), ("v1", "live")]
    assert await seen_from(START + 20 * SECOND) == [("v2", "not_yet"), ("v1", "frozen")]
    assert await seen_from(second_at - 1) == [("v2", "not_yet"), ("v1", "over")]
    assert await seen_from(second_at) == [("v2", "live"), ("v1", "over")]
    assert await seen_from(second_at, lookback_seconds=30) == [("v2", "live")]
    old = (await pool.holders(london(1), None, second_at, lookback_seconds=3_600))[1]
    assert (old.lease_id, old.visit_id, old.site) == (first.lease_id, "visit-of-v1", "shop")
    assert (old.from_at, old.until_at) == (START, START + 20 * SECOND + HOLD)
    assert (old.shown_at, old.tel_click_at, old.left_at) == (
        START + 10 * SECOND,
        START + 10 * SECOND,
        START + 20 * SECOND,
    )
    assert (old.rung, old.channel, old.extension) == (Rung.BASE, "Google Ads", None)
    assert second.lease_id > first.lease_id


async def test_a_hold_tells_the_country_of_its_visitor_through_all_signs(pool: Pool) -> None:
    await add_numbers(pool, london(1))
    lease = await pool.lease(wish("v1", country="FR"), START)
    await pool.seen(lease.lease_id, START + SECOND, shown=True, tel_click=True)
    await pool.call_active(london(1), None, START + MINUTE, START + MINUTE)
    await pool.call_ended(london(1), None, START + MINUTE, START + 2 * MINUTE, START + 2 * MINUTE)
    await pool.left(lease.lease_id, START + 3 * MINUTE)
    # Back from elsewhere: the lease stays what it was.
    assert (await pool.lease(wish("v1", country="GB"), START + 4 * MINUTE)).revived
    (holding,) = await pool.holders(london(1), None, START + 5 * MINUTE, lookback_seconds=60)
    assert holding.country == "FR"
    later = await pool.lease(wish("v2"), START + DAY)
    (new, _) = await pool.holders(london(1), None, START + DAY, lookback_seconds=2 * 86_400)
    assert (new.lease_id, new.country) == (later.lease_id, "")


async def test_leases_of_earlier_versions_have_no_country(store_url: str, tmp_path: Path) -> None:
    (tmp_path / "0001_numbers_and_leases.sql").write_text(
        (MIGRATIONS / "0001_numbers_and_leases.sql").read_text()
    )
    database = await open_database(store_url)
    try:
        await database.migrate("pool", tmp_path)
        async with database.write() as transaction:
            await transaction.statement(OLD_LEASE.format(number=london(1), at=START))
        pool = Pool(database)
        await pool.open()
        (holding,) = await pool.holders(london(1), None, START, lookback_seconds=60)
        assert (holding.visit_id, holding.state, holding.country) == ("visit", "live", "")
    finally:
        await database.close()


async def test_a_code_has_its_own_holders_and_its_own_freeze(pool: Pool) -> None:
    await add_numbers(pool, f"{leeds(1)},extension,shop", header="number,kind,site", extension_digits=3)
    lease = await pool.lease(wish("v1", extension_freeze_seconds=7_200), START)
    code = lease.slots[0].extension
    (holding,) = await pool.holders(leeds(1), code, START, lookback_seconds=60)
    assert (holding.visitor_id, holding.extension) == ("v1", code)
    assert holding.until_at == START + 7_200 * SECOND
    assert await pool.holders(leeds(1), None, START, lookback_seconds=60) == []


async def test_codes_are_used_up_before_the_longest_free_comes_again(pool: Pool) -> None:
    await add_numbers(pool, f"{leeds(1)},extension,shop", header="number,kind,site", extension_digits=3)
    async with pool.database.write() as transaction:
        await transaction.statement("UPDATE extension_host SET next_code = 996")
    given = [(await pool.lease(wish(f"v{n}"), START + n)).slots[0] for n in range(5)]
    assert [shown.rung for shown in given] == [Rung.EXTENSION] * 4 + [Rung.MAIN]
    kept = await pool.lease(wish("v1"), START + 10 * MINUTE)
    assert kept.revived
    at = START + HOLD + REST + 4
    again = [(await pool.lease(wish(f"w{n}"), at)).slots[0] for n in range(4)]
    assert [shown.extension for shown in again] == [
        given[0].extension,
        given[2].extension,
        given[3].extension,
        None,
    ]


@pytest.mark.parametrize("digits", [3, 4, 5])
def test_every_code_comes_once_in_a_secret_order(digits: int) -> None:
    limit = 10**digits
    codes = [code_at(place, digits, "00ff" * 8) for place in range(limit)]
    assert sorted(codes) == [f"{n:0{digits}}" for n in range(limit)]
    follow = sum(int(after) - int(before) == 1 for before, after in itertools.pairwise(codes))
    assert follow < limit / 50
    assert codes[:10] != [code_at(place, digits, "00fe" * 8) for place in range(10)]


def test_codes_beyond_the_digits_do_not_exist() -> None:
    assert len(code_at(999_999, 6, "ab" * 16)) == 6
    for place, digits in ((1_000, 3), (-1, 3), (0, 2), (0, 7)):
        with pytest.raises(ValueError, match="digits"):
            code_at(place, digits, "ab" * 16)


async def test_status_counts_states_falls_and_coverage(pool: Pool) -> None:
    await add_numbers(pool, *map(london, range(5)))
    await add_numbers(pool, f"{leeds(1)},static,shop,Press", header="number,kind,site,channel")
    await pool.retire([london(4)], START)
    await pool.lease(wish("resting"), START)
    frozen = await pool.lease(wish("frozen"), START + MINUTE)
    await pool.left(frozen.lease_id, START + 2 * MINUTE)
    live = await pool.lease(wish("live"), START + 3 * MINUTE)
    at = START + HOLD + 30 * SECOND
    await pool.seen(live.lease_id, at)
    status = await pool.status(at)
    assert status.states == {
        ("default", ""): {"free": 1},
        ("default", "shop"): {"resting": 1, "frozen": 1, "live": 1},
    }
    assert (status.total("free"), status.retired) == (1, 1)
    assert status.special == {(NumberKind.STATIC, "shop"): 1}
    await pool.lease(wish("last"), at)
    assert status.coverage == 1.0
    for n in range(4):
        await pool.lease(wish(f"none-{n}"), at)
    status = await pool.status(at)
    assert status.served == {("shop", "default"): {Rung.BASE: 4, Rung.MAIN: 4}}
    assert status.coverage == 0.5
    assert (await pool.status(at, site="other")).served == {}
    assert (await pool.status(at + 2 * DAY)).coverage is None


async def test_status_derives_states_as_the_rules_do(pool: Pool) -> None:
    """The one place where SQL says the rules again."""
    await add_numbers(pool, *map(london, range(40)))
    leases = []
    for n in range(40):
        freeze = (10, 60, 300)[n % 3]
        lease = await pool.lease(wish(f"v{n}", freeze_seconds=freeze), START + n * SECOND)
        leases.append(lease)
        if n % 4 == 1:
            await pool.left(lease.lease_id, START + (n + 7) * SECOND)
        if n % 5 == 2:
            await pool.call_active(lease.slots[0].number or "", None, START + n * SECOND, START + n * SECOND)
        if n % 10 == 7:
            ended_at = START + (n + 90) * SECOND
            await pool.call_ended(lease.slots[0].number or "", None, START + n * SECOND, ended_at, ended_at)
    for seconds in (50, 60, 75, 110, 150, 330, 420, 5 * 3_600):
        at = START + seconds * SECOND
        expected: dict[str, int] = {}
        for lease in leases:
            (holding,) = await pool.holders(lease.slots[0].number or "", None, at, lookback_seconds=DAY)
            state = str(holding.state)
            if state == State.OVER:
                state = "resting" if holding.until_at + REST > at else "free"
            expected[state] = expected.get(state, 0) + 1
        assert (await pool.status(at)).states["default", "shop"] == expected, seconds
    assert lifecycle.LONGEST_CALL_SECONDS < 5 * 3_600
