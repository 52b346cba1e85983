"""`leaseline cdr tail -f` as an operator runs it: a process of its own, while calls end."""

import asyncio
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from pool.database import Database, open_database
from pool.service import Pool
from router.store.calls import CallBatch, CallStore
from router.store.visits import MIGRATIONS
from tests.router.cdr.stored import MARK, NOW, row
from tests.router.web.admin.conftest import RECORD

LEASELINE = Path(sys.executable).with_name("leaseline")
CONFIG = """\
[node]
switch = "pbx"
[storage]
url = "sqlite:///store.db"
[cdr]
path = "cdr.ndjson"
"""


class Tail:
    """The command and what it has printed."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [str(LEASELINE), "--config", str(folder / "config.toml"), "cdr", "tail", *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "NO_COLOR": ""},
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def line(self, seconds: float = 40) -> str:
        """The next line, without waiting for any other."""
        return self._lines.get(timeout=seconds)

    def silent(self) -> bool:
        return self._lines.empty()

    def interrupt(self) -> int:
        """Ctrl-C; gives the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)

    def close(self) -> None:
        """End it, however it stands."""
        self.process.kill()
        self.process.wait()
        self._reader.join()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


def piped(command: str) -> subprocess.Popen[str]:
    """A pipe as an operator types it."""
    return subprocess.Popen(
        ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    (tmp_path / "config.toml").write_text(CONFIG, encoding="utf-8")
    database = await open_database(f"sqlite:///{tmp_path}/store.db")
    await Pool(database).open()
    await database.migrate("router", MIGRATIONS)
    yield database
    await database.close()


@pytest.fixture
def tails() -> Iterator[list[Tail]]:
    made: list[Tail] = []
    yield made
    for tail in made:
        tail.close()


async def store(database: Database, number: int, switch: str = "pbx", **columns: Any) -> str:
    """A call ends and is stored; gives its id."""
    stored = row(number) | {"linkedid": f"{NOW}.{number}"} | columns
    record = RECORD | {
        "id": stored["call_id"], "linkedid": stored["linkedid"], "site": "shop", "number": "+442079460123",
        "caller": {"number": stored["caller"], "name": None, "region": None}, "match": "live",
        "started_at": "2026-11-22T13:10:00.123Z", "ended_at": "2026-11-22T13:11:00.000Z",
        "result": stored["result"], "recording": None,
    }  # fmt: skip
    stored["record"] = json.dumps(record)
    batch = CallBatch(switch, [stored], [], MARK, NOW)
    await CallStore(database).write(batch)
    return str(stored["call_id"])


async def test_calls_are_printed_while_they_end(
    tmp_path: Path, database: Database, tails: list[Tail]
) -> None:
    before = [await store(database, number) for number in range(1, 4)]
    tails.append(tail := Tail(tmp_path, "-f", "-n", "2", "--json"))
    assert [json.loads(tail.line())["id"] for _ in range(2)] == before[1:]
    # The clock of the writer may be behind: the order of writing decides, not the time of day.
    wanted = [await store(database, number) for number in range(10, 60)]
    assert [json.loads(tail.line())["id"] for _ in wanted] == wanted
    # Another router shares the store, and its file or ours may be rotated or gone: nothing is read from it.
    other = await store(database, 100, "branch")
    assert json.loads(tail.line())["id"] == other
    assert tail.silent()
    assert tail.interrupt() == 0


async def test_filters_and_one_switch_hold_for_what_follows(
    tmp_path: Path, database: Database, tails: list[Tail]
) -> None:
    await store(database, 1, result="answered")
    tails.append(tail := Tail(tmp_path, "-f", "--json", "--result", "answered", "--switch", "pbx"))
    tail.line()
    await store(database, 2)
    await store(database, 3, "branch", result="answered")
    wanted = await store(database, 4, result="answered")
    assert json.loads(tail.line())["id"] == wanted


@pytest.mark.parametrize(("color", "coloured"), [("always", True), ("auto", False)])
async def test_a_line_for_a_person(
    tmp_path: Path, database: Database, tails: list[Tail], color: str, coloured: bool
) -> None:
    await store(database, 1, result="answered", caller="+447700900123\x1b[2J")
    tails.append(tail := Tail(tmp_path, "--color", color))
    line = tail.line()
    assert line.startswith("2026-11-22 13:10:00  ")
    assert ("\x1b[32manswered" in line) is coloured
    assert "+447700900123\N{REPLACEMENT CHARACTER}[2J → +442079460123" in line
    assert "Google Ads (live 100%)" in line
    assert tail.process.wait(30) == 0


async def test_a_reader_that_goes_ends_it_quietly(tmp_path: Path, database: Database) -> None:
    for number in range(1, 4):
        await store(database, number)
    command = f"{LEASELINE} --config {tmp_path}/config.toml cdr tail -f -n 3 | head -n 1"
    done = piped(command)
    try:
        number = 10
        while done.poll() is None:
            await store(database, number)
            number += 1
            assert number < 200
            await asyncio.sleep(0.2)
    finally:
        done.kill()
    output, errors = done.communicate()
    assert len(output.splitlines()) == 1
    assert "Traceback" not in errors
