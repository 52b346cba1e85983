"""SIGKILL at random instants: no recording is lost, none is half, and the rows say what there is."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from router.recordings import wav
from router.recordings.encoders import decoded_seconds, find_encoder
from router.recordings.files import parts
from tests.router.recordings.conftest import Bench
from tests.router.recordings.sounds import cut, tone

REPOSITORY = Path(__file__).parents[3]
CALLS = 12
MOST_KILLS = 12


def start(folder: Path, form: str) -> subprocess.Popen[bytes]:
    with (folder / "log").open("ab") as output:
        command = [sys.executable, "-m", "tests.router.recordings.finishing_process", str(folder), form]
        return subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=output)


def lay_down(folder: Path, number: int) -> float:
    """A recording of its own length, mono, stereo or cut by a crash; gives its seconds."""
    seconds = 0.5 + number / 10
    path = tone(folder / f"1763817000.{number}.wav", seconds)
    if number % 3 == 1:
        for side in ("rx", "tx"):
            tone(folder / f"1763817000.{number}-{side}.wav", seconds)
    if number % 3 == 2:
        cut(path)
    return seconds


async def length(path: Path, form: str) -> float:
    """By the file alone: what a listener hears."""
    if form == "wav":
        found = wav.read(path)
        assert not found.broken
        return found.seconds
    encoder = find_encoder("opus")
    assert encoder is not None
    channels = 2 if int(path.name.split(".")[1]) % 3 == 1 else 1
    return await decoded_seconds(encoder.decoding(path), 5, channels)


@pytest.mark.parametrize("form", ["wav", "opus"])
async def test_no_recording_is_lost_whatever_is_killed(bench: Bench, tmp_path: Path, form: str) -> None:
    if form != "wav" and find_encoder("opus") is None:
        pytest.skip("no Opus encoder is installed")
    rng = random.Random(20_261_122)
    seconds = {}
    for number in range(1, CALLS + 1):
        seconds[await bench.call()] = lay_down(bench.folder, number)
    for _ in range(MOST_KILLS):
        process = start(tmp_path, form)
        async with asyncio.timeout(60):
            while not (tmp_path / f"ready-{process.pid}").exists():
                await asyncio.sleep(0.005)
        await asyncio.sleep(rng.random() * 0.4)
        process.kill()
        process.wait()
        # At any instant each recording is there, whole or to be repaired.
        for number in range(1, CALLS + 1):
            assert list(bench.folder.glob(f"1763817000.{number}.*")), number
        found = await bench.recordings.of(seconds)
        if len(found) == CALLS and all(row.state == "ready" for row in found.values()):
            break
    process = start(tmp_path, form)
    try:
        rows = [await bench.until(call_id) for call_id in seconds]
    finally:
        process.kill()
        process.wait()
    assert bench.names == {row.name for row in rows}
    assert not list(parts(bench.folder))
    for row in rows:
        path = bench.folder / row.name
        assert row.seconds == pytest.approx(seconds[row.call_id], abs=0.001)
        assert await length(path, form) == pytest.approx(row.seconds, abs=0.2)
        assert (row.format, row.bytes) == (form, path.stat().st_size)
