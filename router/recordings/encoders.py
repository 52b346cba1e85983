"""The programs that turn a WAV into Opus or MP3, and back again to prove it."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Format = Literal["wav", "opus", "mp3"]

DECODED_RATE: Final = 8_000
KILOBITS: Final[Mapping[tuple[str, int], int]] = {
    ("opus", 1): 24,
    ("opus", 2): 40,
    ("mp3", 1): 32,
    ("mp3", 2): 48,
}
"""Speech of 8 kHz does not become better with more; at 40 the sides stay apart also when both talk."""
MEDIA_TYPES: Final[Mapping[str, str]] = {"wav": "audio/wav", "opus": "audio/ogg", "mp3": "audio/mpeg"}
WANTED: Final[Mapping[str, str]] = {
    "opus": "opusenc and opusdec (Debian: opus-tools), or ffmpeg with libopus",
    "mp3": "lame, or ffmpeg with libmp3lame",
}
_FFMPEG_CODEC: Final[Mapping[str, str]] = {"opus": "libopus", "mp3": "libmp3lame"}
# Longest run of one program: a fixed part, and so much of the recording's own length.
START_SECONDS: Final = 60.0
PACE: Final = 2.0


class ProgramFailed(Exception):
    """A program ended with an error, or not in time."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """How one format is written and read; `{kilobits}`, `{source}`, `{target}` are filled in."""

    name: str
    format: Format
    encode: tuple[str, ...]
    decode: tuple[str, ...]
    """Writes 16-bit PCM of DECODED_RATE to its standard output."""

    def encoding(self, source: Path, target: Path, channels: int) -> list[str]:
        """The command that writes `target` from the WAV `source`."""
        words = {
            "{kilobits}": str(KILOBITS[self.format, channels]),
            "{kilobits}k": f"{KILOBITS[self.format, channels]}k",
            "{source}": str(source),
            "{target}": str(target),
        }
        return [words.get(word, word) for word in self.encode]

    def decoding(self, source: Path) -> list[str]:
        """The command that decodes `source`."""
        return [str(source) if word == "{source}" else word for word in self.decode]


def find_encoder(wanted: Format) -> Encoder | None:
    """What is installed here for `wanted`; None: nothing (or WAV, which needs nothing)."""
    if wanted == "opus" and (opusenc := shutil.which("opusenc")) and (opusdec := shutil.which("opusdec")):
        return Encoder(
            "opusenc",
            "opus",
            # Complexity 5 takes half of the default's time; nobody hears the difference on a phone line.
            (
                *(opusenc, "--quiet", "--speech", "--comp", "5"),
                *("--bitrate", "{kilobits}", "{source}", "{target}"),
            ),
            (opusdec, "--quiet", "--rate", str(DECODED_RATE), "{source}", "-"),
        )
    if wanted == "mp3" and (lame := shutil.which("lame")):
        return Encoder(
            "lame",
            "mp3",
            (lame, "--quiet", "-b", "{kilobits}", "{source}", "{target}"),
            (lame, "--quiet", "--mp3input", "--decode", "-t", "{source}", "-"),
        )
    if wanted != "wav" and (ffmpeg := shutil.which("ffmpeg")) and _has_codec(ffmpeg, _FFMPEG_CODEC[wanted]):
        return _ffmpeg(ffmpeg, wanted)
    return None


def _ffmpeg(ffmpeg: str, wanted: Format) -> Encoder:
    quiet = (ffmpeg, "-nostdin", "-v", "error", "-xerror")
    speech = ("-application", "voip") if wanted == "opus" else ()
    return Encoder(
        "ffmpeg",
        wanted,
        (
            *(*quiet, "-y", "-i", "{source}", "-c:a", _FFMPEG_CODEC[wanted], *speech),
            *("-b:a", "{kilobits}k", "-f", wanted, "{target}"),
        ),
        (*quiet, "-i", "{source}", "-f", "s16le", "-ar", str(DECODED_RATE), "-"),
    )


def _has_codec(ffmpeg: str, codec: str) -> bool:
    listed = subprocess.run(  # noqa: S603 - the program that PATH names
        [ffmpeg, "-hide_banner", "-encoders"], capture_output=True, text=True, timeout=20, check=False
    )
    return f" {codec} " in listed.stdout


def channels_of(path: Path) -> int:
    """1 or 2, by the header of an Opus (RFC 7845, 5.1) or MP3 file."""
    with path.open("rb") as file:
        head = file.read(4096)
    if (at := head.find(b"OpusHead")) >= 0:
        return 1 if head[at + 9] == 1 else 2
    frames = (at for at in range(len(head) - 4) if head[at] == 0xFF and head[at + 1] & 0xE0 == 0xE0)
    at = next(frames, -1)
    return 1 if at < 0 or head[at + 3] >> 6 == 3 else 2


def gently(command: Sequence[str]) -> list[str]:
    """`command` at the lowest priority for processor and disk, where the system has the words for it."""
    words = []
    if nice := shutil.which("nice"):
        words += [nice, "-n", "19"]
    if ionice := shutil.which("ionice"):
        words += [ionice, "-c", "3"]
    return [*words, *command]


async def run(command: Sequence[str], seconds: float) -> None:
    """Runs `command` gently; `seconds` is the length of what it works on. Raises ProgramFailed."""
    await _ended([await _started(command)], seconds)


async def decoded_seconds(command: Sequence[str], seconds: float, channels: int) -> float:
    """How much audio `command` decodes. Raises ProgramFailed when it says that the file is bad."""
    reading, writing = os.pipe()
    try:
        decoder = await _started(command, stdout=writing)
        # Counted by another program: an hour's samples need not pass through the router.
        counter = await _started(["wc", "-c"], stdin=reading, stdout=subprocess.PIPE)
    finally:
        os.close(reading)
        os.close(writing)
    outputs = await _ended([decoder, counter], seconds)
    return int(outputs[1]) / (DECODED_RATE * channels * 2)


async def _started(
    command: Sequence[str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *gently(command), stdin=stdin, stdout=stdout, stderr=subprocess.PIPE
    )


async def _ended(processes: Sequence[asyncio.subprocess.Process], seconds: float) -> list[bytes]:
    try:
        async with asyncio.timeout(START_SECONDS + PACE * seconds):
            outputs = await asyncio.gather(*(process.communicate() for process in processes))
    except TimeoutError:
        raise ProgramFailed("a program took too long and was ended") from None
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
    for process, (_, complaint) in zip(processes, outputs, strict=True):
        if process.returncode != 0:
            text = (complaint or b"").decode(errors="replace").strip().splitlines()
            raise ProgramFailed(f"exit {process.returncode}: {text[-1][:200] if text else 'no message'}")
    return [output or b"" for output, _ in outputs]
