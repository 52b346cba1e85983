"""The recordings folder: what a recording's files are called, and how a finished one takes its place."""

import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

NAME: Final = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]{0,150}\.(wav|opus|mp3)\Z")
"""A file that may be served: one name without a folder, never hidden."""
STRAY: Final = re.compile(r"(?:[A-Za-z0-9_+-]+-)?[0-9]+\.[0-9]+(?:-rx|-tx)?\.(?:wav|opus|mp3)\Z")
"""What Asterisk's unique ids make of a recording's name."""
_PART: Final = ".part"


class BadName(ValueError):
    """A recording's name is no plain file name."""


def name_of(pbx_path: str) -> str:
    """The file name in the PBX's path, which may be mounted elsewhere here. Raises BadName."""
    name = PurePosixPath(pbx_path).name
    if not NAME.match(name):
        raise BadName(f"not a recording's name: {name[:80]!r}")
    return name


def inside(folder: Path, name: str) -> Path | None:
    """The regular file `name` of `folder`, its links followed; None when it is not there, or not in there.

    Raises BadName.
    """
    if not NAME.match(name):
        raise BadName(f"not a recording's name: {name[:80]!r}")
    try:
        root = folder.resolve(strict=True)
        found = (root / name).resolve(strict=True)
    except (OSError, RuntimeError):
        return None
    return found if found.parent == root and found.is_file() else None


def originals(folder: Path, name: str) -> tuple[Path, Path, Path]:
    """What the PBX may have written for the recording `name`: mixed, the caller's side, the agent's side."""
    stem = name.rpartition(".")[0]
    return folder / f"{stem}.wav", folder / f"{stem}-rx.wav", folder / f"{stem}-tx.wav"


def every(folder: Path, name: str) -> list[Path]:
    """All files that the recording may have, whatever was done with it."""
    stem = name.rpartition(".")[0]
    return [*originals(folder, name), folder / f"{stem}.opus", folder / f"{stem}.mp3"]


def new_part(folder: Path, name: str) -> Path:
    """A name for a file in the making. One that a killed process left is never taken for another's."""
    return folder / f".{name}.{secrets.token_hex(4)}{_PART}"


def parts(folder: Path) -> Iterator[Path]:
    """Files in the making."""
    return folder.glob(f".*{_PART}")


def put_in_place(part: Path, target: Path) -> None:
    """Gives a finished file its name, durably: the name always stands for one whole file."""
    # As readable as the recording that it replaces.
    part.chmod(0o640)
    _sync(part)
    part.replace(target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def delete(paths: list[Path]) -> int:
    """Deletes those that are there; gives how many bytes that were."""
    size = 0
    for path in paths:
        try:
            there = path.stat().st_size
            path.unlink()
        except FileNotFoundError:
            continue
        size += there
    return size


def free_bytes(folder: Path) -> int:
    """What is free on the folder's disk for this process."""
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize
