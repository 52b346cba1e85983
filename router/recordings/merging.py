"""Two mono WAVs as the sides of one stereo file: `python -m router.recordings.merging LEFT RIGHT OUT`.

A program of its own, so that it runs at low priority and never holds the router's interpreter.
Standard library only.
"""

import array
import sys
import wave
from pathlib import Path

FRAMES = 16_000


def merge(left: Path, right: Path, out: Path) -> None:
    """Writes `out`: `left` and `right` side by side, the shorter one filled up with silence."""
    with (
        wave.open(str(left), "rb") as one,
        wave.open(str(right), "rb") as other,
        out.open("wb") as file,
        wave.open(file, "wb") as both,
    ):
        if (one.getnchannels(), one.getsampwidth()) != (1, 2) or one.getparams()[:3] != other.getparams()[:3]:
            raise ValueError(f"{left.name} and {right.name} are not two mono files of one rate")
        both.setnchannels(2)
        both.setsampwidth(2)
        both.setframerate(one.getframerate())
        for _ in range(0, max(one.getnframes(), other.getnframes()), FRAMES):
            sides = one.readframes(FRAMES), other.readframes(FRAMES)
            length = max(map(len, sides))
            frames = array.array("h", bytes(2 * length))
            # The order of a sample's bytes does not matter here: samples are moved, never looked at.
            frames[0::2], frames[1::2] = (array.array("h", side.ljust(length, b"\0")) for side in sides)
            both.writeframesraw(frames.tobytes())


if __name__ == "__main__":
    merge(*map(Path, sys.argv[1:4]))
