"""Ends a process whose event loop has stalled.

A stalled router still holds its listening socket and every connection: Asterisk's connect succeeds, and
each caller waits for the dialplan's absolute time-out. Once the process is gone, connects are refused and
calls fall back at once; the supervisor starts it again.

Two layers, because a thread of Python cannot run while C code keeps the interpreter's lock:

* a thread that sees the loop miss its ticks, says where it stands and calls ``os._exit``;
* a CPU timer (ITIMER_PROF) that every tick re-arms; when a stall burns the processor the kernel's SIGPROF
  dumps the traceback from C and ends the process. It counts processor time, so a stopped process does not
  age.
"""

import asyncio
import faulthandler
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Final

STALLED_EXIT_CODE: Final = 70
_CHECKS_PER_STALL: Final = 4
_REPORT_SECONDS: Final = 0.5


class LoopWatchdog:
    """Ends the process with `STALLED_EXIT_CODE` when the running loop has not ticked for ``stall_seconds``.

    A loop that is only late is left alone: `longest_gap_seconds` is the longest time between two ticks so
    far. ``report`` is told once, on a thread of its own that cannot hold the end up; by default it writes
    to stderr. Start it after the start-up's own heavy work. ``burn=False`` leaves the process's CPU timer
    alone.
    """

    def __init__(
        self,
        stall_seconds: float = 1.0,
        *,
        report: Callable[[str], None] | None = None,
        burn: bool = True,
    ) -> None:
        if stall_seconds <= 0:
            raise ValueError("stall_seconds must be positive")
        self.longest_gap_seconds = 0.0
        self._stall_seconds = stall_seconds
        self._interval = stall_seconds / _CHECKS_PER_STALL
        self._report = report or _to_stderr
        self._burn = burn
        self._ticks = 0
        self._ticked_at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Watch the running loop. To be called on it."""
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._stopped.clear()
        self._ticked_at = time.monotonic()
        if self._burn:
            faulthandler.register(signal.SIGPROF, file=sys.__stderr__ or 2, all_threads=True, chain=True)
        self._tick()
        self._thread = threading.Thread(target=self._watch, name="loop-watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._burn:
            signal.setitimer(signal.ITIMER_PROF, 0)
            faulthandler.unregister(signal.SIGPROF)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._thread = None

    def _tick(self) -> None:
        now = time.monotonic()
        self.longest_gap_seconds = max(self.longest_gap_seconds, now - self._ticked_at)
        self._ticked_at = now
        self._ticks += 1
        if self._burn:
            # Twice the stall: other threads may burn too, and the thread below can say more.
            signal.setitimer(signal.ITIMER_PROF, 2 * self._stall_seconds)
        if self._loop is not None:
            self._timer = self._loop.call_later(self._interval, self._tick)

    def _watch(self) -> None:
        """Count checks without a tick, not seconds.

        After SIGSTOP and SIGCONT, or a machine's suspension, the clock has jumped by any amount but this
        thread has woken only once: the loop gets its full time to tick again.
        """
        seen, missed = self._ticks, 0
        while not self._stopped.wait(self._interval):
            if self._ticks != seen:
                seen, missed = self._ticks, 0
                continue
            missed += 1
            if missed >= _CHECKS_PER_STALL:
                self._end(missed * self._interval)

    def _end(self, seconds: float) -> None:
        text = f"event loop stalled for {seconds:.1f} s, ending the process; it stands at:\n{self._stack()}"
        # The stall may be a write to a full pipe, or hold the lock of the logger: do not wait for the
        # report long.
        reporter = threading.Thread(target=self._report, args=(text,), daemon=True)
        reporter.start()
        reporter.join(_REPORT_SECONDS)
        os._exit(STALLED_EXIT_CODE)

    def _stack(self) -> str:
        frame = sys._current_frames().get(self._loop_thread)
        return "".join(traceback.format_stack(frame)) if frame is not None else "(the loop's thread is gone)"


def _to_stderr(text: str) -> None:
    os.write(2, text.encode(errors="replace"))
