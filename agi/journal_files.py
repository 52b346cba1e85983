"""The journal's files: which there are, in what order, and which one a position means.

The live file is ``path``; what was renamed away is ``path.SUFFIX``. Files come in the order in which they
were last written. A file is known by its device, inode and first line: an inode is used again once a file
is deleted, a first line (an instant in microseconds and a channel's id) is not.
"""

import hashlib
import os
import re
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_HEAD_BYTES: Final = 512
_COMPRESSED: Final = frozenset({".gz", ".xz", ".bz2", ".zst", ".lz4"})
_OUR_SUFFIX: Final = re.compile(r"\.\d{8}T\d{6}\.\d{3}Z(-\d+)?\Z")


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the journal: the byte ``byte_offset`` of the file ``file_id``. ``path``: where it was last
    seen."""

    file_id: str
    byte_offset: int
    path: str = field(default="", compare=False)


class OpenFile:
    """One file of the journal, open for reading. Raises OSError; ValueError when it is not an ordinary
    file."""

    def __init__(self, path: Path) -> None:
        # Without O_NONBLOCK the opening of a FIFO would hold the loop.
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self.path = path
        self.head = b""
        self._file_id = ""
        status = os.fstat(self._fd)
        self.node = (status.st_dev, status.st_ino)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise ValueError(f"{path} is not an ordinary file")
        try:
            self.learn_head()
        except OSError:
            self.close()
            raise

    @property
    def file_id(self) -> str:
        """Its name in a `Position`; "" while it has no whole first line."""
        return self._file_id

    def learn_head(self) -> None:
        """Look at the first line, if that is not known yet."""
        if not self.head:
            start = os.pread(self._fd, _HEAD_BYTES, 0)
            end = start.find(b"\n") + 1
            self.head = start[:end] if end else start if len(start) == _HEAD_BYTES else b""
            digest = hashlib.sha256(self.head).hexdigest()[:16]
            self._file_id = f"{self.node[0]:x}:{self.node[1]:x}:{digest}" if self.head else ""

    def has_same_head(self) -> bool:
        return os.pread(self._fd, len(self.head), 0) == self.head

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._fd, size, offset)

    def status(self) -> os.stat_result:
        return os.fstat(self._fd)

    def is_at(self, path: Path) -> bool:
        """Whether ``path`` still names this file."""
        try:
            status = path.stat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self.node

    def starts_line(self, offset: int) -> bool:
        """Whether a line starts at ``offset``: a file that lost its end in a power cut tells by this."""
        return offset == 0 or os.pread(self._fd, 1, offset - 1) == b"\n"

    def close(self) -> None:
        os.close(self._fd)


def files_of(path: Path) -> list[Path]:
    """The journal's files, oldest first, the live one (if it is there) last. Raises OSError."""
    prefix = path.name + "."
    try:
        with os.scandir(path.parent) as entries:
            rotated = [
                (entry.stat().st_mtime_ns, Path(entry.path))
                for entry in entries
                if entry.name.startswith(prefix)
                and entry.is_file()
                and Path(entry.name).suffix not in _COMPRESSED
            ]
    except FileNotFoundError:
        return []
    return [file for _, file in sorted(rotated)] + ([path] if path.exists() else [])


def identify(path: Path) -> tuple[str, int]:
    """A file's id and size; ("", 0) when it has gone. Raises OSError, ValueError."""
    try:
        file = OpenFile(path)
    except FileNotFoundError:
        return "", 0
    try:
        return file.file_id, file.status().st_size
    finally:
        file.close()


def same_content(one: str, other: str) -> bool:
    """Whether two file ids have the same first line: the file was copied, restored, or its disk
    renumbered."""
    return one.rpartition(":")[2] == other.rpartition(":")[2]


def rotate(path: Path) -> Path | None:
    """Rename the live file away, to ``path.20261122T131000.123Z``. None when there is nothing in it."""
    try:
        if path.stat().st_size == 0:
            return None
    except FileNotFoundError:
        return None
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"
    target, number = path.with_name(f"{path.name}.{stamp}"), 0
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.{stamp}-{number}")
    return path.rename(target)


def is_ours(file: Path, path: Path) -> bool:
    """Whether ``file`` is the journal ``path``, renamed away by `rotate`."""
    return file.name.startswith(path.name) and bool(_OUR_SUFFIX.fullmatch(file.name[len(path.name) :]))
