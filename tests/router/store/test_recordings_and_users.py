"""Recordings, users and the following of calls, on both databases."""

import pytest

from pool.database import Database
from router.store.calls import CallBatch, CallStore, FilePlace, JournalMark
from router.store.following import Following
from router.store.recordings import Recording, RecordingStore
from router.store.users import NoSuchUser, UserExists, UserStore
from router.users.keys import new_key
from router.users.roles import Role
from tests.router.cdr.stored import NOW, row

AT = 1_790_000_000_000


def recording(number: int, **more: object) -> Recording:
    found = Recording(
        f"call{number}", f"1.{number}", f"1.{number}.wav", "due", "wav", 3.0, 1, 48_044, AT + number
    )
    return found._replace(**more)  # type: ignore[arg-type]


async def test_a_recording_goes_its_way(database: Database) -> None:
    store = RecordingStore(database)
    assert await store.place("pbx") == FilePlace(0, "")
    both = [recording(1), recording(2)]
    for _ in range(2):  # told twice, laid down once
        await store.add("pbx", both, FilePlace(AT, "call2"), due_at=AT)
    await store.add("branch", [recording(3)], FilePlace(AT, "call3"), due_at=AT)
    assert await store.place("pbx") == FilePlace(AT, "call2")
    assert await store.waiting("pbx") == 2
    assert await store.due("pbx", AT - 1, 9) == []
    assert await store.due("pbx", AT, 9) == both
    assert await store.due("pbx", AT, 1) == both[:1]
    # What was begun is ended before anything new is begun.
    begun = both[1]._replace(state="replacing", name="1.2.opus", format="opus", channels=2, changed_at=AT)
    await store.change(begun)
    assert (await store.due("pbx", AT, 9))[0] == begun
    await store.change(begun._replace(state="ready"))
    await store.change(both[0]._replace(state="kept", reason="no encoder", attempts=4))
    assert await store.waiting("pbx") == 0
    found = await store.of(["call1", "call2", "nothing"])
    assert {call_id: one.state for call_id, one in found.items()} == {"call1": "kept", "call2": "ready"}
    assert [one.call_id for one in await store.ended_before("pbx", AT + 2)] == ["call1"]
    await store.try_again("pbx", "kept", AT)
    again = (await store.due("pbx", AT, 1))[0]
    assert again is not None
    assert (again.call_id, again.attempts) == ("call1", 4)


async def test_calls_are_followed_across_switches_in_the_order_of_writing(database: Database) -> None:
    calls, mark = CallStore(database), JournalMark("f", "p", 1, NOW)

    async def ends(number: int, switch: str, now: int) -> str:
        stored = row(number) | {"linkedid": f"{switch}.{number}"}
        await calls.write(CallBatch(switch, [stored], [], mark, now))
        return str(stored["call_id"])

    await ends(1, "pbx", NOW)
    all_calls, one_switch = Following(database), Following(database, "pbx")
    await all_calls.begin()
    await one_switch.begin()
    assert await all_calls.newer() == []
    wanted = [
        await ends(2, "pbx", NOW - 60_000),  # the clock was set back
        await ends(3, "branch", NOW + 1_000),
        await ends(4, "pbx", NOW + 2_000),
    ]
    assert [written.call_id for written in await all_calls.newer()] == wanted
    assert [written.call_id for written in await one_switch.newer()] == [wanted[0], wanted[2]]
    assert await all_calls.newer() == await one_switch.newer() == []
    known = await RecordingStore(database).calls_known("pbx", ["pbx.1", "branch.3", "pbx.9"])
    assert known == {"pbx.1"}


async def test_users_and_keys(database: Database) -> None:
    users, key = UserStore(database), new_key()
    await users.add("ann", Role.LISTENER, "hash", AT)
    with pytest.raises(UserExists):
        await users.add("ann", Role.ADMIN, "hash", AT)
    with pytest.raises(NoSuchUser):
        await users.add_key("bob", key, "", AT)
    with pytest.raises(NoSuchUser):
        await users.change_password("bob", "hash")
    await users.change_password("ann", "other")
    await users.add_key("ann", key, "reports", AT)
    await users.key_used(key.key_id, AT + 1)
    known = await users.key(key.key_id)
    assert known is not None
    assert (known.account, known.role, known.last_used_at) == ("ann", Role.LISTENER, AT + 1)
    assert [entry["label"] for entry in await users.keys()] == ["reports"]
    await users.remove("ann")
    assert await users.key(key.key_id) is None
    assert await users.keys() == []
    assert await users.users() == []
    assert not await users.remove_key(key.key_id)
    with pytest.raises(NoSuchUser):
        await users.remove("ann")
