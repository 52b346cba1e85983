"""SIGKILL at random instants: each call once in the store, once in cdr.ndjson, in one order."""

import asyncio
import json
import random
import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.router.cdr.calls import EPOCH, answered
from tests.router.cdr.lines import append

REPOSITORY = Path(__file__).parents[3]
CALLS = 240
KILLS = 8


def journal_in_pieces(rng: random.Random):
    """Calls of one another's time, their lines mixed as a busy switch would, in pieces of random length."""
    calls = [
        answered(seq=10 * number, epoch=EPOCH + number // 10, start=0.1 + number % 10 / 20, by="router")
        for number in range(1, CALLS + 1)
    ]
    events = sorted((event for call in calls for event in call.events), key=lambda event: event.at_us)
    while events:
        size = rng.randrange(1, 120)
        yield events[:size]
        events = events[size:]


def start(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as output:
        command = [sys.executable, "-m", "tests.router.cdr.ingesting", str(folder)]
        return subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=output)


def stored(folder: Path) -> list[tuple[str, str]]:
    """Id and linkedid of each stored call, in the order of writing."""
    try:
        with sqlite3.connect(folder / "leaseline.db", timeout=10) as connection:
            sql = "SELECT call_id, linkedid FROM call ORDER BY written_at, call_id"
            return connection.execute(sql).fetchall()
    except sqlite3.OperationalError:
        return []


async def test_each_call_exactly_once_whatever_is_killed(tmp_path):
    rng = random.Random(20_261_122)
    pieces = list(journal_in_pieces(rng))
    path = tmp_path / "leaseline.csv"
    for kill in range(KILLS):
        process = start(tmp_path)
        async with asyncio.timeout(60):
            while not (tmp_path / f"ready-{process.pid}").exists():
                await asyncio.sleep(0.005)
        share = pieces[kill * len(pieces) // KILLS : (kill + 1) * len(pieces) // KILLS]
        for piece in share:
            append(path, piece)
            await asyncio.sleep(rng.random() * 0.05)
        process.kill()
        process.wait()
    process = start(tmp_path)
    lines: list[str] = []
    try:
        async with asyncio.timeout(90):
            while len(lines) < CALLS:
                await asyncio.sleep(0.1)
                assert process.poll() is None, (tmp_path / "log").read_text()[-2000:]
                lines = [line for file in files(tmp_path) for line in file.read_text().splitlines()]
    finally:
        process.kill()
        process.wait()
    calls = stored(tmp_path)
    assert len(calls) == len({linkedid for _, linkedid in calls}) == CALLS
    records = [json.loads(line) for line in lines]
    assert [record["id"] for record in records] == [call_id for call_id, _ in calls]
    assert {record["repaired"] for record in records} == {None}
    assert {record["result"] for record in records} == {"answered"}


def files(folder: Path) -> list[Path]:
    """The day may change while the test runs."""
    return [*sorted(folder.glob("cdr-*.ndjson")), *folder.glob("cdr.ndjson")]
