"""Headers that a crash left wrong, sides that are merged."""

import array
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from router.recordings import wav
from router.recordings.wav import NotWav
from tests.router.recordings.sounds import RATE, bare, cut, hertz, tone


def test_a_good_file_is_read_as_it_is(tmp_path: Path) -> None:
    found = wav.read(tone(tmp_path / "a.wav", 1.5))
    assert (found.channels, found.rate, found.data_at, found.seconds) == (1, RATE, 44, 1.5)
    assert not found.broken


@pytest.mark.parametrize("extra", [b"", b"\x01"], ids=["whole", "half a sample"])
def test_a_header_that_a_crash_left_empty_is_rewritten_and_the_audio_is_not(
    tmp_path: Path, extra: bytes
) -> None:
    path = tone(tmp_path / "a.wav", 2)
    audio = path.read_bytes()[44:]
    with cut(path).open("ab") as file:
        file.write(extra)
    found = wav.read(path)
    assert found.broken
    assert found.seconds == 2
    repaired = wav.repair(found)
    assert not repaired.broken
    assert wav.read(path) == repaired
    assert path.read_bytes()[44 : 44 + len(audio)] == audio
    with wave.open(str(path)) as file:
        assert file.getnframes() == 2 * RATE


def test_a_file_that_was_cut_short_plays_what_is_there(tmp_path: Path) -> None:
    path = tone(tmp_path / "a.wav", 2)
    with path.open("r+b") as file:
        file.truncate(44 + RATE)
    found = wav.read(path)
    assert found.broken
    assert wav.repair(found).seconds == 0.5


def test_a_repair_that_is_cut_short_is_done_again(tmp_path: Path) -> None:
    path = cut(tone(tmp_path / "a.wav", 1))
    whole = cut(tone(tmp_path / "b.wav", 1))
    wav.repair(wav.read(whole))
    with path.open("r+b") as file:  # only the data chunk's length was written
        file.seek(40)
        file.write(whole.read_bytes()[40:44])
    assert wav.read(path).seconds == 1


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\0\0\0\0WAVEfmt ", b"x" * 100])
def test_what_is_no_wav_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(NotWav):
        wav.read(path)


def test_a_bare_header_is_empty(tmp_path: Path) -> None:
    path = bare(tmp_path / "a.wav")
    assert path.stat().st_size == wav.EMPTY_BYTES
    assert wav.is_empty(path)
    assert not wav.read(path).broken


def test_sides_are_merged_left_and_right_and_the_shorter_is_filled_up(tmp_path: Path) -> None:
    left, right = tone(tmp_path / "l.wav", 2.5, 300), tone(tmp_path / "r.wav", 4, 700)
    out = tmp_path / "both.wav"
    subprocess.run([sys.executable, "-m", "router.recordings.merging", left, right, out], check=True)
    with wave.open(str(out)) as file:
        assert (file.getnchannels(), file.getnframes()) == (2, 4 * RATE)
        frames = array.array("h", file.readframes(4 * RATE))
    assert hertz(frames[0 : 4 * RATE : 2]) == pytest.approx(300, abs=5)
    assert hertz(frames[1 : 4 * RATE : 2]) == pytest.approx(700, abs=5)
    assert not any(frames[5 * RATE + 100 :: 2])
