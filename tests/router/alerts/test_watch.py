"""What the watch looks at by itself."""

import os
from types import SimpleNamespace

import pytest

from pool.instants import HOUR
from router.alerts.silence import WEEK
from router.alerts.watch import STORE_LOOKS, AlertWatch
from router.store.alerts import AlertStore


class Heard:
    """Alerts that only listen."""

    def __init__(self, database):
        self.store = AlertStore(database)
        self.notices = []

    def notify(self, notice):
        self.notices.append(notice)


@pytest.fixture
def heard(database):
    return Heard(database)


def watch(bell, heard, **more):
    return AlertWatch(bell.live, bell.database, heard, now=bell.clock, **more)


async def test_a_site_whose_numbers_are_not_shown_any_more(bell, heard):
    bell.configure()
    watching = watch(bell, heard)
    at = bell.clock()
    hours = [(at - week * WEEK - 3 * HOUR + step * HOUR) for week in (1, 2, 3, 4) for step in range(6)]
    for hour in hours:
        await heard.store.add_shown({"shop": (60, hour), "gone-from-config": (60, hour)})
    for _ in range(5):
        watching.shown("shop")
    await watching.look_at_shown()
    assert heard.notices == []
    bell.clock.ahead = HOUR // 2
    await watching.look_at_shown()
    (notice,) = heard.notices
    assert (notice.cause, notice.site) == ("not_shown", "shop")
    assert "widget's script" in notice.text
    watching.shown("shop")
    await watching.look_at_shown()
    assert len(heard.notices) == 1


async def test_counts_of_several_processes_add_up(bell, heard):
    bell.configure()
    at = bell.clock()
    for watching in (watch(bell, heard), watch(bell, heard)):
        for _ in range(3):
            watching.shown("shop")
        await watching.look_at_shown()
    rows = await heard.store.shown(at - 2 * HOUR)
    assert sum(row.times for row in rows) == 6
    await heard.store.forget_shown(at + 2 * HOUR)
    assert await heard.store.shown(0) == []


async def test_disks_and_journal(bell, heard, tmp_path, monkeypatch):
    bell.configure(least_free_megabytes=512)
    status = SimpleNamespace(f_bavail=10, f_frsize=1024 * 1024)
    monkeypatch.setattr(os, "statvfs", lambda folder: status)
    watching = watch(bell, heard, journal=lambda: "no such file", disk_problem=lambda: "recordings: full")
    await watching.look_at_disks()
    watching.look_at_journal()
    assert [notice.cause for notice in heard.notices] == ["disk", "disk", "journal"]
    assert "10 MB free, less than 512" in heard.notices[0].text
    assert "no such file" in heard.notices[2].text
    heard.notices.clear()
    status.f_bavail = 10_000
    quiet = watch(bell, heard)
    await quiet.look_at_disks()
    quiet.look_at_journal()
    assert heard.notices == []


async def test_the_store_is_told_of_when_it_stays_away(bell, heard):
    bell.configure()
    gone = SimpleNamespace(healthy=False, last_error="disk I/O error")
    watching = AlertWatch(bell.live, gone, heard, now=bell.clock)
    for _ in range(STORE_LOOKS - 1):
        watching.look_at_store()
    assert heard.notices == []
    watching.look_at_store()
    assert "disk I/O error" in heard.notices[0].text
    gone.healthy = True
    watching.look_at_store()
    gone.healthy = False
    watching.look_at_store()
    assert len(heard.notices) == 1
