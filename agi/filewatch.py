"""Waking up when something is written in a folder: inotify through ctypes, polling where that is not to be
had."""

import asyncio
import contextlib
import ctypes
import os
import struct
from pathlib import Path
from typing import Final

_MODIFY: Final = 0x002
_ATTRIB: Final = 0x004
_MOVED: Final = 0x0C0
_CREATE: Final = 0x100
_DELETE: Final = 0x200
_DELETE_SELF: Final = 0x400
_MOVE_SELF: Final = 0x800
_UNMOUNT: Final = 0x2000
_IGNORED: Final = 0x8000
_ONLYDIR: Final = 0x1000000
_WANTED: Final = _MODIFY | _ATTRIB | _MOVED | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF | _ONLYDIR
_END: Final = _DELETE_SELF | _MOVE_SELF | _UNMOUNT | _IGNORED
_EVENT: Final = struct.Struct("iIII")

_POLL_SECONDS: Final = (0.002, 0.02)
_GATHER_SECONDS: Final = 0.4
"""After a wake-up the writes of a moment are read together: a call's dozen lines cost two reads, and so do
2,000 lines of many calls. Whoever watches live calls is told every half second."""
_HEARTBEAT_SECONDS: Final = 1.0
_MUTE_LIMIT: Final = 3


class FolderWatch:
    """Tells that something in ``folder`` was written, made, renamed or removed.

    Raises OSError when the system has no inotify, no watches left, or there is no such folder. Writes from
    other machines (NFS) are never told: poll beside it. Once `ended` the folder is gone or has moved: watch
    anew.
    """

    def __init__(self, folder: Path) -> None:
        self.ended = False
        self._woken: asyncio.Future[None] | None = None
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "inotify_init1"):
            raise OSError("no inotify on this system")
        self._fd: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise _last_error()
        if libc.inotify_add_watch(self._fd, os.fsencode(folder), _WANTED) < 0:
            error = _last_error()
            os.close(self._fd)
            raise error

    async def wait(self, seconds: float) -> bool:
        """Whether something happened since the last call; waits for it at most ``seconds``.

        The descriptor is only polled from a wait on until something happens, so a thousand writes between
        two waits cost one read.
        """
        if self._drain():
            return True
        if self._woken is None:
            loop = asyncio.get_running_loop()
            self._woken = loop.create_future()
            loop.add_reader(self._fd, self._wake)
        # A wait in vain leaves the descriptor as it is, for the next one.
        await asyncio.wait((self._woken,), timeout=seconds)
        return self._drain()

    def close(self) -> None:
        if self._fd >= 0:
            self._wake()
            os.close(self._fd)
            self._fd = -1

    def _wake(self) -> None:
        woken, self._woken = self._woken, None
        if woken is not None and not woken.get_loop().is_closed():
            woken.get_loop().remove_reader(self._fd)
            if not woken.done():
                woken.set_result(None)

    def _drain(self) -> bool:
        happened = False
        while True:
            try:
                data = os.read(self._fd, 65536)
            except BlockingIOError:
                return happened
            happened = True
            offset = 0
            while offset < len(data):
                _, mask, _, length = _EVENT.unpack_from(data, offset)
                offset += _EVENT.size + length
                self.ended = self.ended or bool(mask & _END)


def _last_error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


class FolderWaker:
    """Pauses a reader until there may be something new in ``folder``, some milliseconds after it was written.

    Polls, with back-off, where there is no watch to be had or where news keep coming that the watch did not
    tell.
    """

    def __init__(self, folder: Path, *, watch: bool = True) -> None:
        self._folder = folder
        self._wants_watch = watch
        self._watch: FolderWatch | None = None
        self._timed_out = False
        self._mute = 0
        self._idle_seconds = _POLL_SECONDS[0]

    @property
    def is_watching(self) -> bool:
        return self._watch is not None

    def news(self) -> None:
        """There was something new after the last pause."""
        self._idle_seconds = _POLL_SECONDS[0]
        if self._timed_out:
            self._mute += 1
            self._timed_out = False

    async def pause(self, *, poll: bool = False) -> None:
        """Wait. ``poll``: for something that the folder does not tell, as time passing."""
        if self._renew():
            # What was written before the watch was set is not told: look once more.
            return
        self._timed_out = False
        if poll or self._watch is None:
            await asyncio.sleep(self._idle_seconds)
            self._idle_seconds = min(self._idle_seconds * 2, _POLL_SECONDS[1])
        elif await self._watch.wait(_HEARTBEAT_SECONDS):
            self._mute = 0
            await asyncio.sleep(_GATHER_SECONDS)
        else:
            self._timed_out = True

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    def _renew(self) -> bool:
        """Whether a watch was set just now."""
        if self._watch is not None and (self._watch.ended or self._mute >= _MUTE_LIMIT):
            self.close()
        if self._watch is None and self._wants_watch and self._mute < _MUTE_LIMIT:
            with contextlib.suppress(OSError):
                self._watch = FolderWatch(self._folder)
                return True
        return False
