"""From stored calls to finished files: what is kept, what is replaced, what the rows say."""

import array
import os
import shutil
import subprocess
import wave
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pool.instants import DAY, now, to_iso
from router.recordings import encoders, worker
from router.recordings.encoders import channels_of, decoded_seconds, find_encoder
from tests.router.recordings.conftest import ENCODED, Bench
from tests.router.recordings.sounds import RATE, bare, cut, hertz, tone


def decoded(command: list[str]) -> bytes:
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.mark.parametrize("wanted", ENCODED)
async def test_a_recording_is_converted_proved_and_replaces_the_wav(bench: Bench, wanted) -> None:
    bench.configure(format=wanted)
    tone(bench.folder / "1763817000.1.wav", 3)
    call_id = await bench.call()
    async with bench.working():
        found = await bench.until(call_id)
    assert bench.names == {f"1763817000.1.{wanted}"}
    path = bench.folder / found.name
    assert (found.name, found.format, found.channels) == (path.name, wanted, 1)
    assert found.seconds == 3
    assert found.bytes == path.stat().st_size < 48_044 / 2
    encoder = find_encoder(wanted)
    assert encoder is not None
    assert await decoded_seconds(encoder.decoding(path), 3, 1) == pytest.approx(3, abs=0.2)


@pytest.mark.parametrize("wanted", ENCODED)
async def test_stereo_keeps_the_caller_left_and_the_agent_right(bench: Bench, wanted) -> None:
    bench.configure(format=wanted)
    tone(bench.folder / "1763817000.1.wav", 2, 500)
    tone(bench.folder / "1763817000.1-rx.wav", 1, 300)
    tone(bench.folder / "1763817000.1-tx.wav", 1, 700, silent_seconds=1)
    call_id = await bench.call(channels=2)
    async with bench.working():
        found = await bench.until(call_id)
    assert bench.names == {f"1763817000.1.{wanted}"}
    assert found.channels == channels_of(bench.folder / found.name) == 2
    encoder = find_encoder(wanted)
    assert encoder is not None
    samples = array.array("h", decoded(encoder.decoding(bench.folder / found.name)))
    # Half a second out of the middle of each second.
    first, second = (slice(start, start + RATE) for start in (RATE // 2, RATE // 2 + 2 * RATE))
    assert hertz(samples[first][0::2]) == pytest.approx(300, abs=8)
    assert max(samples[first][1::2]) < 500
    assert hertz(samples[second][1::2]) == pytest.approx(700, abs=8)
    assert max(samples[second][0::2]) < 500


async def test_as_wav_only_the_sides_are_merged(bench: Bench) -> None:
    for end in (".wav", "-rx.wav", "-tx.wav"):
        tone(bench.folder / f"1763817000.1{end}", 1)
    tone(bench.folder / "1763817000.2.wav", 1)
    stereo, mono = await bench.call(channels=2), await bench.call()
    async with bench.working():
        both, one = await bench.until(stereo), await bench.until(mono)
    assert bench.names == {"1763817000.1.wav", "1763817000.2.wav"}
    assert (both.channels, both.bytes, both.seconds) == (2, 44 + 4 * RATE, 1)
    assert (one.channels, one.bytes, one.seconds) == (1, 44 + 2 * RATE, 1)


async def test_a_wav_cut_by_a_crash_is_repaired_and_told_as_it_is(bench: Bench) -> None:
    cut(tone(bench.folder / "1763817000.1.wav", 2.5))
    call_id = await bench.call()
    with capture_logs() as logs:
        async with bench.working():
            found = await bench.until(call_id)
    assert found.seconds == 2.5
    with wave.open(str(bench.folder / found.name)) as file:
        assert file.getnframes() == 2.5 * RATE
    assert {"name": found.name, "seconds": 2.5}.items() <= next(
        line for line in logs if line["event"] == "recording.repaired"
    ).items()


@pytest.mark.parametrize("side", ["rx", "tx"])
async def test_one_side_alone_is_better_than_nothing(bench: Bench, side: str) -> None:
    bare(bench.folder / "1763817000.1.wav")
    tone(bench.folder / f"1763817000.1-{side}.wav", 1)
    call_id = await bench.call(channels=2)
    async with bench.working():
        found = await bench.until(call_id)
    assert (found.name, found.seconds, found.channels) == (f"1763817000.1-{side}.wav", 1, 1)
    assert (bench.folder / found.name).exists()


async def test_sides_that_a_crash_cut_far_shorter_do_not_replace_the_mixed_file(bench: Bench) -> None:
    tone(bench.folder / "1763817000.1.wav", 6)
    tone(bench.folder / "1763817000.1-rx.wav", 1)
    tone(bench.folder / "1763817000.1-tx.wav", 1)
    call_id = await bench.call(channels=2)
    async with bench.working():
        found = await bench.until(call_id)
    assert (found.seconds, found.channels) == (6, 1)


async def test_empty_recordings_are_deleted_only_once_their_call_has_ended(bench: Bench) -> None:
    for name in ("1763817000.1.wav", "1763817000.1-rx.wav", "1763817000.1-tx.wav", "1763817000.2.wav"):
        bare(bench.folder / name)
    tone(bench.folder / "1763817000.9.wav", 1)
    with capture_logs() as logs:
        async with bench.working():
            await bench.call(told=False)
            marker = await bench.call("1763817000.9.wav")
            await bench.until(marker)
    # .2 is that call's own name: it has ended, and its record tells of another file.
    assert bench.names == {"1763817000.2.wav", "1763817000.9.wav"}
    assert [line["name"] for line in logs if line["event"] == "recording.deleted"] == ["1763817000.1.wav"]


async def test_a_recording_that_the_record_does_not_know_is_found(bench: Bench) -> None:
    tone(bench.folder / "1763817000.1.wav", 1)
    call_id = await bench.call(told=False)
    async with bench.working():
        assert (await bench.until(call_id)).seconds == 1


async def test_a_recording_that_is_not_there_is_missing_and_found_when_it_comes(bench: Bench) -> None:
    call_id = await bench.call()
    async with bench.working():
        await bench.until(call_id, lambda found: found.state == "missing")
    tone(bench.folder / "1763817000.1.wav", 1)
    async with bench.working():
        await bench.until(call_id)


async def test_without_an_encoder_the_wav_is_kept_and_converted_when_there_is_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.configure(format="opus")
    tone(bench.folder / "1763817000.1.wav", 1)
    call_id = await bench.call()
    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(worker, "find_encoder", lambda wanted: None)
        async with bench.working() as service:
            found = await bench.until(call_id, lambda found: found.state == "kept")
            assert "opus-tools" in service.state()
    assert (found.name, found.format) == ("1763817000.1.wav", "wav")
    assert found.reason == "no encoder for opus is installed"
    [alert] = [line for line in logs if line["event"] == "recordings.alert"]
    assert alert["log_level"] == "error"
    if find_encoder("opus") is not None:
        async with bench.working():
            assert (await bench.until(call_id)).name == "1763817000.1.opus"


@pytest.mark.parametrize("fault", ["false", "short"])
async def test_a_result_that_is_not_proved_never_replaces_the_original(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    cat, head = shutil.which("cat"), shutil.which("head")
    assert cat
    assert head
    encode = ("false",) if fault == "false" else ("cp", "{source}", "{target}")
    encoder = encoders.Encoder("bad", "opus", encode, (head, "-c", "4000", "{source}"))
    monkeypatch.setattr(worker, "find_encoder", lambda wanted: encoder)
    bench.configure(format="opus")
    original = tone(bench.folder / "1763817000.1.wav", 2).read_bytes()
    call_id = await bench.call()
    async with bench.working() as service:
        found = await bench.until(call_id, lambda found: found.state == "kept")
    assert service.failures == len(worker.AGAIN_MS) + 1
    assert bench.names == {"1763817000.1.wav"}
    assert (bench.folder / found.name).read_bytes() == original
    assert ("exit 1" if fault == "false" else "0.25 s of 2.00 s") in str(found.reason)


async def test_a_full_disk_stops_converting_says_so_and_deletes_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 10 * 1024 * 1024
    monkeypatch.setattr("router.recordings.files.free_bytes", lambda folder: free)
    bench.configure(least_free_megabytes=100)
    for end in (".wav", "-rx.wav", "-tx.wav"):
        tone(bench.folder / f"1763817000.1{end}", 1)
    call_id = await bench.call(channels=2)
    with capture_logs() as logs:
        async with bench.working() as service:
            await bench.until(call_id, lambda found: found.state == "due")
            while not service.problems:
                await bench.until(call_id, lambda found: True)
            assert "10 MB free, less than 100" in service.state()
            assert len(bench.names) == 3
            free = 1000 * 1024 * 1024
            await bench.until(call_id)
    assert [line["log_level"] for line in logs if line["event"] == "recordings.alert"] == ["error"]
    assert len(bench.names) == 1


async def test_what_is_older_than_its_retention_is_deleted_and_logged(bench: Bench) -> None:
    for number in (1, 2):
        tone(bench.folder / f"1763817000.{number}.wav", 1)
    tone(bench.folder / "1763817000.77.wav", 1)
    notes = bench.folder / "notes.txt"
    notes.touch()
    old, young = await bench.call(ended_at=now() - 31 * DAY), await bench.call()
    async with bench.working():
        await bench.until(old)
        await bench.until(young)
    bench.configure(retention_days=30)
    with capture_logs() as logs:
        async with bench.working():
            found = await bench.until(old, lambda found: found.state == "deleted")
    assert found.reason == "older than 30 days"
    assert bench.names == {"1763817000.2.wav", "1763817000.77.wav", "notes.txt"}
    [line] = [line for line in logs if line["event"] == "recording.deleted"]
    assert (line["call_id"], line["name"]) == (old, "1763817000.1.wav")


async def test_a_name_that_leaves_the_folder_is_refused(bench: Bench, tmp_path: Path) -> None:
    tone(tmp_path / "secret.wav", 1)
    await bench.call("../secret.wav")
    await bench.call("..")
    await bench.call(".hidden.wav")
    marker = await bench.call("1763817000.9.wav")
    tone(bench.folder / "1763817000.9.wav", 1)
    async with bench.working():
        await bench.until(marker)
    # The folder of a path is the PBX's; only its last part counts, and only in our folder.
    assert (tmp_path / "secret.wav").stat().st_size == 44 + 2 * RATE
    assert bench.names == {"1763817000.9.wav"}


async def left(bench: Bench, message: Path, began: int) -> str:
    """A call of two seconds that left `message`."""
    path = f"/var/spool/asterisk/voicemail/leaseline/100/INBOX/{message.name}"
    recording = {"path": path, "seconds": 2.0, "channels": 1, "bytes": 44 + 2 * 2 * RATE}
    return await bench.call(
        result="voicemail", recording=recording, started_at=to_iso(began), id="x", ended_at=now()
    )


async def test_a_voicemails_message_is_copied_while_it_is_still_that_callers(bench: Bench) -> None:
    box = bench.folder.parent / "voicemail" / "leaseline" / "100" / "INBOX"
    box.mkdir(parents=True)
    began = now() - 3_000
    message = tone(box / "msg0000.wav", 2)
    bare(bench.folder / "1763817000.1.wav")
    heard = await left(bench, message, began)
    async with bench.working():
        found = await bench.until(heard)
    assert (found.name, found.seconds) == ("1763817000.1-voicemail.wav", 2)
    assert message.exists()
    # The box was tidied up: the name is another message's now, by its length or by its time.
    for seconds, mtime in ((3, None), (2, 1_000_000_000)):
        tone(message, seconds)
        if mtime:
            os.utime(message, (mtime, mtime))
        other = await left(bench, message, began)
        async with bench.working():
            await bench.until(other, lambda found: found.state == "missing")
    assert bench.names == {"1763817000.1-voicemail.wav"}


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs ffmpeg")
@pytest.mark.parametrize("wanted", ["opus", "mp3"])
async def test_ffmpeg_serves_where_the_small_programs_are_missing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, wanted
) -> None:
    found = shutil.which
    small = {"opusenc", "opusdec", "lame"}
    monkeypatch.setattr(encoders.shutil, "which", lambda name: None if name in small else found(name))
    bench.configure(format=wanted)
    for end in (".wav", "-rx.wav", "-tx.wav"):
        tone(bench.folder / f"1763817000.1{end}", 2)
    call_id = await bench.call(channels=2)
    async with bench.working():
        recording = await bench.until(call_id)
    assert recording.format == wanted
    assert channels_of(bench.folder / recording.name) == 2
