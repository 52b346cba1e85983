"""The watchdog in processes whose loop is really stuck."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agi.watchdog import STALLED_EXIT_CODE, LoopWatchdog

STALL_SECONDS = 0.8
PROGRAM = """
import asyncio, os, re, sys, time
from agi.watchdog import LoopWatchdog

def stick(how):
    if how == b"sleep":
        time.sleep(60)
    elif how == b"regex":
        re.match(r"(a+)+$", "a" * 60 + "b")
    elif how == b"pipe":
        while True:
            os.write(2, b"x" * 65536)

async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line)
        stick(line.strip())

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    LoopWatchdog(float(sys.argv[1])).start()
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@contextlib.contextmanager
def running() -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(STALL_SECONDS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def echo(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line + b"\n")
    return connection.recv(100).strip()


def test_a_blocked_loop_ends_the_process_and_frees_its_callers() -> None:
    with running() as (process, port), socket.create_connection(("127.0.0.1", port), timeout=20) as caller:
        assert echo(caller, b"hello") == b"hello"
        caller.sendall(b"sleep\n")
        assert process.wait(20) == STALLED_EXIT_CODE
        with contextlib.suppress(ConnectionError):
            while caller.recv(100):
                pass
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
        assert process.stderr is not None
        told = process.stderr.read().decode()
    assert f"event loop stalled for {STALL_SECONDS} s" in told
    assert "in stick" in told


def test_code_that_keeps_the_interpreter_to_itself_ends_the_process_too() -> None:
    with running() as (process, port), socket.create_connection(("127.0.0.1", port), timeout=20) as caller:
        caller.sendall(b"regex\n")
        assert process.wait(60) == -signal.SIGPROF
        assert process.stderr is not None
        assert b"in stick" in process.stderr.read()


def test_a_report_that_cannot_be_written_does_not_hold_the_end_up() -> None:
    with running() as (process, port), socket.create_connection(("127.0.0.1", port), timeout=20) as caller:
        caller.sendall(b"pipe\n")
        assert process.wait(20) == STALLED_EXIT_CODE


def test_a_stopped_process_gets_its_full_time_to_tick_again() -> None:
    with running() as (process, port), socket.create_connection(("127.0.0.1", port), timeout=20) as caller:
        for _ in range(3):
            assert echo(caller, b"before") == b"before"
            process.send_signal(signal.SIGSTOP)
            time.sleep(STALL_SECONDS * 2.5)
            process.send_signal(signal.SIGCONT)
            assert echo(caller, b"after") == b"after"
        time.sleep(STALL_SECONDS * 1.5)
        assert process.poll() is None
        assert echo(caller, b"still") == b"still"


async def test_a_late_loop_is_measured_and_left_alone() -> None:
    told: list[str] = []
    watchdog = LoopWatchdog(5.0, report=told.append, burn=False)
    watchdog.start()
    await asyncio.sleep(0)
    watchdog._tick()
    await asyncio.sleep(0.05)
    watchdog._tick()
    watchdog.stop()
    assert 0.05 <= watchdog.longest_gap_seconds < 5
    assert told == []


def test_a_stall_takes_time() -> None:
    with pytest.raises(ValueError, match="positive"):
        LoopWatchdog(0)
