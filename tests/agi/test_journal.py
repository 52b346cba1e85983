import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from agi import filewatch
from agi.journal import JournalLine, JournalReader, JournalState
from agi.journal_files import Position
from tests.waiting import until

from .journal_lines import line


def write(path: Path, *numbers: int) -> None:
    """Write events as cel_custom does: open, write, close, for each."""
    for number in numbers:
        with path.open("ab") as file:
            file.write(line(uniqueid=f"1.{number}", at=f"1763817000.{number:06}") + b"\n")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leaseline.csv"


class Tail:
    """A reader at work, and what it gave."""

    def __init__(self, reader: JournalReader, position: Position | None) -> None:
        self.reader = reader
        self.got: list[JournalLine] = []
        self._task = asyncio.create_task(self._run(position))

    async def _run(self, position: Position | None) -> None:
        async with contextlib.aclosing(self.reader.batches(position)) as batches:
            async for batch in batches:
                assert batch
                self.got += batch

    @property
    def numbers(self) -> list[int]:
        return [int(got.event.uniqueid.removeprefix("1.")) for got in self.got]

    async def has(self, *numbers: int) -> None:
        with contextlib.suppress(TimeoutError):
            await until(lambda: len(self.got) >= len(numbers))
        assert self.numbers == list(numbers)

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@contextlib.asynccontextmanager
async def tailing(path: Path, position: Position | None = None, *, watch: bool = True) -> AsyncIterator[Tail]:
    tail = Tail(JournalReader(path, settle_seconds=0.05, watch=watch), position)
    try:
        yield tail
    finally:
        await tail.stop()


@pytest.mark.parametrize("watch", [True, False])
async def test_lines_come_as_they_are_written(path: Path, watch: bool) -> None:
    write(path, 1, 2)
    async with tailing(path, watch=watch) as tail:
        await tail.has(1, 2)
        for number in range(3, 30):
            write(path, number)
            await tail.has(*range(1, number + 1))
        assert tail.reader.state is JournalState.READING
        assert tail.reader.lines_read == 29


async def test_a_file_that_is_not_there_is_waited_for(path: Path) -> None:
    folder = path.parent / "cel-custom"
    async with tailing(folder / "x.csv") as tail:
        await until(lambda: tail.reader.caught_up)
        assert tail.reader.state is JournalState.WAITING
        folder.mkdir()
        await asyncio.sleep(0.01)
        write(folder / "x.csv", 1)
        await tail.has(1)


async def test_a_line_is_given_once_it_is_whole(path: Path) -> None:
    async with tailing(path) as tail:
        raw = line(uniqueid="1.1") + b"\n" + line(uniqueid="1.2") + b"\n"
        with path.open("ab", buffering=0) as file:
            for byte in range(len(raw)):
                file.write(raw[byte : byte + 1])
                if byte % 40 == 0:
                    await asyncio.sleep(0.004)
                if byte < len(raw) // 2 - 1:
                    assert tail.got == []
        await tail.has(1, 2)
    assert tail.got[0].position.byte_offset == 0
    assert tail.got[0].end == tail.got[1].position
    assert tail.reader.lines_malformed == 0


async def test_rotation_loses_and_repeats_nothing(path: Path) -> None:
    async with tailing(path) as tail:
        for start in range(0, 40, 4):
            write(path, start, start + 1)
            with path.open("ab") as held:
                assert tail.reader.rotate() is not None
                # The switch had the file open when it was renamed.
                held.write(line(uniqueid=f"1.{start + 2}") + b"\n")
            write(path, start + 3)
        await tail.has(*range(40))
    assert len(list(path.parent.iterdir())) == 11
    assert tail.reader.late_files == 0


async def test_what_follows_a_rotation_needs_no_further_sign(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder tells of a file's last lines, its new name and the next file at once, and then nothing."""
    monkeypatch.setattr(filewatch, "_HEARTBEAT_SECONDS", 60.0)
    write(path, 1)
    async with tailing(path) as tail:
        await tail.has(1)
        write(path, 2)
        tail.reader.rotate()
        write(path, 3)
        await tail.has(1, 2, 3)


async def test_rotating_nothing_is_nothing(path: Path) -> None:
    reader = JournalReader(path)
    assert reader.rotate() is None
    path.touch()
    assert reader.rotate() is None


async def test_a_rename_by_others_and_two_of_them_at_once(path: Path) -> None:
    write(path, 1)
    async with tailing(path) as tail:
        await tail.has(1)
        write(path, 2)
        path.rename(path.with_name("leaseline.csv.1"))
        write(path, 3)
        path.with_name("leaseline.csv.1").rename(path.with_name("leaseline.csv.2"))
        path.rename(path.with_name("leaseline.csv.1"))
        write(path, 4)
        await tail.has(1, 2, 3, 4)
        path.with_name("leaseline.csv.2.gz").write_bytes(b"\x1f\x8b...\n")
        tail.reader.rotate()
        write(path, 5)
        await tail.has(1, 2, 3, 4, 5)


async def test_a_truncated_file_is_read_from_its_start(path: Path) -> None:
    write(path, 1, 2, 3)
    async with tailing(path) as tail:
        await tail.has(1, 2, 3)
        os.truncate(path, 0)
        write(path, 4)
        await tail.has(1, 2, 3, 4)
        os.truncate(path, 0)
        write(path, *range(5, 12))
        await tail.has(*range(1, 12))
    assert tail.reader.truncations == 2


async def test_a_copied_and_truncated_file_is_finished_in_its_copy(path: Path) -> None:
    write(path, 1)
    async with tailing(path) as tail:
        await tail.has(1)
        # All in one go, before the reader looks again.
        write(path, 2, 3)
        path.with_name("leaseline.csv.1").write_bytes(path.read_bytes())
        os.truncate(path, 0)
        write(path, 4)
        await tail.has(1, 2, 3, 4)


async def test_a_file_replaced_by_another_is_finished_first(path: Path) -> None:
    write(path, 1)
    async with tailing(path) as tail:
        await tail.has(1)
        write(path, 2)
        other = path.with_name("new")
        write(other, 3)
        other.replace(path)
        await tail.has(1, 2, 3)


async def test_a_used_again_inode_is_another_file(path: Path) -> None:
    write(path, 1)
    async with tailing(path) as tail:
        await tail.has(1)
        nodes = {path.stat().st_ino}
        for number in range(2, 12):
            rotated = tail.reader.rotate()
            assert rotated is not None
            await asyncio.sleep(0.08)
            rotated.unlink()
            write(path, number)
            nodes.add(path.stat().st_ino)
            await tail.has(*range(1, number + 1))


async def test_malformed_lines_are_told_with_their_offset_and_skipped(path: Path) -> None:
    write(path, 1)
    offset = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"nonsense\n" + line()[:40] + b"\n" + b'"' + b"x" * 200_000 + b'"\n')
    write(path, 2)
    with capture_logs() as logs:
        async with tailing(path) as tail:
            await tail.has(1, 2)
    told = [entry for entry in logs if entry["event"] == "journal line skipped"]
    assert [entry["offset"] for entry in told] == [offset, offset + 9, offset + 9 + 41]
    assert tail.reader.lines_malformed == 3


async def test_a_file_of_rubbish_does_not_fill_the_log(path: Path) -> None:
    path.write_bytes(b"rubbish\n" * 5000)
    write(path, 1)
    with capture_logs() as logs:
        async with tailing(path) as tail:
            await tail.has(1)
    assert tail.reader.lines_malformed == 5000
    assert len([entry for entry in logs if entry["event"] == "journal line skipped"]) == 25


async def test_a_rest_without_a_line_feed_is_given_up_with_its_file(path: Path) -> None:
    write(path, 1)
    with path.open("ab") as file:
        file.write(line()[:50])
    async with tailing(path) as tail:
        await tail.has(1)
        tail.reader.rotate()
        write(path, 2)
        await tail.has(1, 2)
    assert tail.reader.lines_malformed == 1


async def test_what_cannot_be_read_is_a_state_and_passes(path: Path) -> None:
    path.mkdir()
    async with tailing(path) as tail:
        await until(lambda: tail.reader.state is JournalState.UNREADABLE)
        assert "not an ordinary file" in tail.reader.reason
        path.rmdir()
        write(path, 1)
        await tail.has(1)
        assert tail.reader.state is JournalState.READING
        assert tail.reader.reason == ""


async def test_an_error_while_reading_goes_on_where_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(path, 1)
    real = os.pread
    async with tailing(path) as tail:
        await tail.has(1)

        def broken(fd: int, size: int, offset: int) -> bytes:
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(os, "pread", broken)
        write(path, 2)
        await until(lambda: tail.reader.state is JournalState.UNREADABLE)
        monkeypatch.setattr(os, "pread", real)
        await tail.has(1, 2)


async def test_a_fifo_does_not_hold_the_loop(path: Path) -> None:
    os.mkfifo(path)
    async with tailing(path) as tail:
        await until(lambda: tail.reader.state is JournalState.UNREADABLE)


async def positions_of(path: Path) -> list[Position]:
    async with tailing(path) as tail:
        await until(lambda: tail.reader.caught_up and tail.got)
        return [got.position for got in tail.got]


async def test_reading_goes_on_from_any_position_also_in_a_rotated_file(path: Path) -> None:
    write(path, 0, 1, 2)
    os.utime(path, ns=(1, 1))
    path.rename(path.with_name("leaseline.csv.20261121T000000.000Z"))
    write(path, 3, 4)
    os.utime(path, ns=(2, 2))
    path.rename(path.with_name("leaseline.csv.1"))
    write(path, 5, 6)
    positions = await positions_of(path)
    assert len(positions) == 7
    for index, position in enumerate(positions):
        async with tailing(path, Position(position.file_id, position.byte_offset)) as tail:
            await tail.has(*range(index, 7))


async def test_a_position_survives_a_copy_of_the_whole_folder(path: Path, tmp_path: Path) -> None:
    write(path, 1, 2)
    [_, position] = await positions_of(path)
    restored = tmp_path / "restored" / path.name
    restored.parent.mkdir()
    restored.write_bytes(path.read_bytes())
    async with tailing(restored, position) as tail:
        await tail.has(2)


async def test_a_lost_position_reads_all_there_is_and_says_so(path: Path) -> None:
    write(path, 1, 2)
    with capture_logs() as logs:
        async with tailing(path, Position("1:2:abc", 100, "/gone")) as tail:
            await tail.has(1, 2)
    assert [entry["path"] for entry in logs if "position lost" in entry["event"]] == ["/gone"]


@pytest.mark.parametrize("lost", [4, 60, 10_000])
async def test_a_file_that_lost_its_end_is_read_anew(path: Path, lost: int) -> None:
    """A power cut takes what was not yet on the disk; what came after stands where something else was."""
    write(path, 1, 2)
    [_, position] = await positions_of(path)
    path.write_bytes(path.read_bytes()[: -min(lost, path.stat().st_size // 2 - 10)] + b"\n")
    write(path, 3)
    end = Position(position.file_id, position.byte_offset * 2)
    async with tailing(path, end) as tail:
        await tail.has(1, 3)


async def test_consumed_files_are_deleted_when_told_so(path: Path) -> None:
    async with tailing(path) as tail:
        for number in range(3):
            write(path, number)
            tail.reader.rotate()
            await asyncio.sleep(0.002)
        path.with_name("leaseline.csv.1").write_bytes(line(uniqueid="1.9") + b"\n")
        os.utime(path.with_name("leaseline.csv.1"), ns=(1, 1))
        write(path, 3)
        await until(lambda: 3 in tail.numbers)
        reader, by_number = tail.reader, dict(zip(tail.numbers, tail.got, strict=True))
        assert reader.delete_consumed(by_number[0].position) == []
        [first] = reader.delete_consumed(by_number[1].position)
        assert str(first) == by_number[0].position.path
        assert reader.delete_consumed(Position("1:2:abc", 0)) == []
        # A late write: nothing that was not read is deleted.
        write(Path(by_number[1].position.path), 7)
        assert reader.position is not None
        assert [str(file) for file in reader.delete_consumed(reader.position)] == [by_number[2].position.path]
        assert reader.late_files == 1
    assert sorted(file.name.count("Z") for file in path.parent.iterdir()) == [0, 0, 1]


async def test_files_before_the_position_may_be_deleted_after_a_restart(path: Path) -> None:
    write(path, 1)
    JournalReader(path).rotate()
    write(path, 2)
    [_, position] = await positions_of(path)
    async with tailing(path, position) as tail:
        await tail.has(2)
        assert len(tail.reader.delete_consumed(position)) == 1
    assert list(path.parent.iterdir()) == [path]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(["write", "rotate", "restart", "partial", "pause"]), max_size=20))
async def test_whatever_happens_each_line_is_given_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "leaseline.csv"
    written, given_out = 0, []
    position: Position | None = None
    rest = b""
    tail = Tail(JournalReader(path, settle_seconds=0.02), None)
    for step in steps:
        match step:
            case "write" | "partial":
                raw = rest or line(uniqueid=f"1.{written}", at=f"1763817000.{written:06}") + b"\n"
                cut = len(raw) // 2 if step == "partial" and not rest else len(raw)
                with path.open("ab") as file:
                    file.write(raw[:cut])
                rest = raw[cut:]
                written += not rest
            case "rotate" if not rest:
                tail.reader.rotate()
            case "restart":
                await tail.stop()
                given_out += tail.numbers
                position = tail.got[-1].end if tail.got else position
                tail = Tail(JournalReader(path, settle_seconds=0.02), position)
            case "pause":
                await asyncio.sleep(0.03)
    expected = list(range(written))
    with contextlib.suppress(TimeoutError):
        await until(lambda: len(given_out) + len(tail.got) >= len(expected))
    await tail.stop()
    assert given_out + tail.numbers == expected
