"""WAV files as Asterisk writes them: 8 kHz, 16 bit, a 44-byte header."""

import array
import itertools
import math
import struct
import wave
from collections.abc import Sequence
from pathlib import Path

RATE = 8_000


def tone(path: Path, seconds: float, hertz: float = 440, *, silent_seconds: float = 0) -> Path:
    """A mono file with a tone, after some silence."""
    samples = array.array(
        "h", (int(9_000 * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(round(seconds * RATE)))
    )
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(bytes(2 * round(silent_seconds * RATE)) + samples.tobytes())
    return path


def cut(path: Path) -> Path:
    """What a SIGKILL of Asterisk leaves: the audio with zero lengths in the header."""
    with path.open("r+b") as file:
        for at in (4, 40):
            file.seek(at)
            file.write(struct.pack("<I", 0))
    return path


def bare(path: Path) -> Path:
    """A header and no audio: a call that never was on a bridge."""
    return tone(path, 0)


def hertz(samples: Sequence[int]) -> float:
    """The tone in mono samples of RATE, by its zero crossings."""
    crossings = sum(one < 0 <= other for one, other in itertools.pairwise(samples))
    return crossings * RATE / len(samples)
