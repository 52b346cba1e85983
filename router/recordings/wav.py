"""WAV files as Asterisk writes them (PCM, 16 bit): how long they are, and their repair after a crash.

Asterisk writes the lengths in the header when it closes the file. After a SIGKILL they are zero, and the
audio behind them is whole.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

EMPTY_BYTES: Final = 44
"""A recording without a bridge is a bare header."""
_CHUNKS_CAP: Final = 20


class NotWav(ValueError):
    """The file is no WAV of 16-bit PCM."""


class Wav(NamedTuple):
    """What a file's header says, and `data_bytes`, the audio that is really there (whole frames)."""

    path: Path
    channels: int
    rate: int
    data_at: int
    declared_bytes: int
    data_bytes: int

    @property
    def seconds(self) -> float:
        """How long the audio lasts."""
        return self.data_bytes / (self.rate * self.channels * 2)

    @property
    def broken(self) -> bool:
        """Whether the header's lengths are not those of the file: it was cut before it was closed."""
        return self.declared_bytes == 0 < self.data_bytes or self.declared_bytes > self.data_bytes


def read(path: Path) -> Wav:
    """The WAV at `path`. Raises NotWav, and OSError when it cannot be read."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        riff = file.read(12)
        if len(riff) < 12 or riff[:4] != b"RIFF" or riff[8:] != b"WAVE":
            raise NotWav(f"{path.name}: no RIFF/WAVE header")
        channels = rate = 0
        for _ in range(_CHUNKS_CAP):
            name, length = _chunk(file, path)
            if name == b"data":
                break
            if name == b"fmt ":
                kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", file.read(16).ljust(16, b"\0"))
                if kind != 1 or bits != 16 or channels not in {1, 2} or rate == 0:
                    raise NotWav(f"{path.name}: not 16-bit PCM of one or two channels")
                length -= 16
            file.seek(length + length % 2, os.SEEK_CUR)
        else:
            raise NotWav(f"{path.name}: no data chunk")
        if not channels:
            raise NotWav(f"{path.name}: no format before the data")
        data_at = file.tell()
    there = size - data_at
    # A declared length that is smaller leaves out what follows the audio; one of zero was never filled in.
    counted = min(length, there) if length else there
    return Wav(path, channels, rate, data_at, length, counted - counted % (2 * channels))


def _chunk(file: BinaryIO, path: Path) -> tuple[bytes, int]:
    header = file.read(8)
    if len(header) < 8:
        raise NotWav(f"{path.name}: ends within its header")
    return header[:4], int.from_bytes(header[4:], "little")


def repair(found: Wav) -> Wav:
    """The same file with the lengths in its header rewritten from its size, durably.

    The audio is not touched, so a repair that is cut short is simply done again.
    """
    with found.path.open("r+b") as file:
        file.seek(found.data_at - 4)
        file.write(struct.pack("<I", found.data_bytes))
        file.seek(4)
        file.write(struct.pack("<I", found.data_at - 8 + found.data_bytes))
        file.flush()
        os.fsync(file.fileno())
    return found._replace(declared_bytes=found.data_bytes)


def is_empty(path: Path) -> bool:
    """Whether nothing was recorded: the file is not longer than a header."""
    return path.stat().st_size <= EMPTY_BYTES
