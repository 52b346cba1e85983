"""One recording made ready: repaired, its sides merged, converted, proved. The caller keeps the books.

Nothing that was recorded is deleted here. A finished file takes its place by renaming, so that a process
that is killed at any point leaves the originals and at most a file in the making; doing it again is safe.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from router.recordings import encoders, files, wav
from router.recordings.encoders import Encoder, Format
from router.recordings.wav import Wav

log = structlog.get_logger(__name__)

TOLERANCE_SECONDS: Final = 0.2
"""How much the result's length may differ from the original's."""
SIDES_SHORT_SECONDS: Final = 2.5
"""By how much the sides may be shorter than the mixed file, and still be taken: what Asterisk's buffers of
each file held when it was killed."""


class NothingThere(Exception):
    """None of the recording's files is in the folder."""


class NothingRecorded(Exception):
    """The recording's files are bare headers: the call never was on a bridge."""


class NotProved(Exception):
    """The result is not what was recorded."""


class Finished(NamedTuple):
    """The file that holds the recording now, whole and durable; the others of it may be deleted."""

    name: str
    format: Format
    seconds: float
    channels: int
    bytes: int


def whole(folder: Path, name: str) -> Finished | None:
    """The recording `name` where the PBX left one whole WAV and nothing else: then nothing is to be done.

    None where there is more to do, or something is wrong.
    """
    mixed, *others = files.every(folder, name)
    try:
        found = wav.read(mixed)
    except (OSError, wav.NotWav):
        return None
    plain = mixed.name == name and found.data_bytes and not found.broken
    return _finished(mixed, "wav", found) if plain and not any(path.exists() for path in others) else None


class Heard(NamedTuple):
    """What the PBX wrote: the mixed file, and each side's where it recorded in stereo."""

    mixed: Wav | None
    sides: tuple[Wav, Wav] | None


async def finish(folder: Path, name: str, encoder: Encoder | None) -> Finished:
    """Makes the recording `name` ready, by `encoder` or (None) as WAV.

    Raises NothingThere, NothingRecorded, NotProved, ProgramFailed, NotWav, and OSError. Each file that is
    served stays as it is until a better one is proved.
    """
    found = await asyncio.to_thread(_heard, folder, name)
    if found is None:
        return await _adopted(folder, name)
    part = files.new_part(folder, name)
    merged = files.new_part(folder, name)
    try:
        source = found.mixed
        if found.sides is not None:
            source = await _merge(*found.sides, merged)
        if source is None:
            raise NothingRecorded(name)
        stem = name.rpartition(".")[0]
        if encoder is None:
            target = source.path
            if target == merged:
                target = folder / f"{stem}.wav"
                await asyncio.to_thread(files.put_in_place, merged, target)
            return _finished(target, "wav", source)
        await encoders.run(encoder.encoding(source.path, part, source.channels), source.seconds)
        await _prove(encoder, part, source)
        target = folder / f"{stem}.{encoder.format}"
        await asyncio.to_thread(files.put_in_place, part, target)
        return _finished(target, encoder.format, source)
    finally:
        files.delete([part, merged])


def _finished(target: Path, form: Format, source: Wav) -> Finished:
    return Finished(target.name, form, round(source.seconds, 3), source.channels, target.stat().st_size)


def _heard(folder: Path, name: str) -> Heard | None:
    """What the PBX wrote, with good headers; None when it is not there (any more)."""
    paths = files.originals(folder, name)
    there = [path for path in paths if path.is_file()]
    if not there:
        return None
    mixed, left, right = (_good(path) for path in paths)
    if left is None or right is None:
        sides = None
    else:
        longest = max(left.seconds, right.seconds)
        whole = mixed is None or longest >= mixed.seconds - SIDES_SHORT_SECONDS
        sides = (left, right) if whole else None
    if mixed is None and sides is None:
        # One side alone is better than nothing.
        mixed = left or right
    if mixed is None and sides is None:
        raise NothingRecorded(name)
    return Heard(mixed, sides)


def _good(path: Path) -> Wav | None:
    """The file with a header that tells its length; None when there is nothing in it."""
    try:
        if wav.is_empty(path):
            return None
    except FileNotFoundError:
        return None
    found = wav.read(path)
    if found.broken:
        found = wav.repair(found)
        log.warning("recording.repaired", name=path.name, seconds=round(found.seconds, 3))
    return found if found.data_bytes else None


async def _merge(left: Wav, right: Wav, target: Path) -> Wav:
    seconds = max(left.seconds, right.seconds)
    paths = [str(path) for path in (left.path, right.path, target)]
    await encoders.run([sys.executable, "-m", "router.recordings.merging", *paths], seconds)
    made = await asyncio.to_thread(wav.read, target)
    if made.broken or made.channels != 2 or abs(made.seconds - seconds) > TOLERANCE_SECONDS:
        raise NotProved(f"merged to {made.seconds:.1f} s instead of {seconds:.1f} s")
    return made


async def _prove(encoder: Encoder, part: Path, source: Wav) -> None:
    decoded = await encoders.decoded_seconds(encoder.decoding(part), source.seconds, source.channels)
    if abs(decoded - source.seconds) > TOLERANCE_SECONDS:
        raise NotProved(f"{encoder.name} made {decoded:.2f} s of {source.seconds:.2f} s")


async def _adopted(folder: Path, name: str) -> Finished:
    """A recording that was converted before, although the store (from a back-up) does not know it."""
    stem = name.rpartition(".")[0]
    wanted: Format
    for wanted in ("opus", "mp3"):
        path = folder / f"{stem}.{wanted}"
        encoder = await asyncio.to_thread(encoders.find_encoder, wanted) if path.is_file() else None
        if encoder is None:
            continue
        size = path.stat().st_size
        # Its original is gone: what decodes is what there is.
        channels = await asyncio.to_thread(encoders.channels_of, path)
        seconds = await encoders.decoded_seconds(encoder.decoding(path), size / 1_000, channels)
        return Finished(path.name, wanted, round(seconds, 3), channels, size)
    raise NothingThere(name)
