"""When the caller was connected, and with whom. Microseconds."""

from typing import Final

from router.cdr.facts import MICROSECONDS
from router.cdr.heard import Heard
from router.cdr.timeline import Stay, Track, opened_bridges, stays_of, together, within

STAMP_TO_END_US: Final = 100_000
"""Measured between the whisper's end and the end of a call given up meanwhile: 3 ms."""


class Talk:
    """When the caller was connected with whom."""

    def __init__(self, heard: Heard) -> None:
        opened = opened_bridges(heard.tracks.values())
        self.coarse = any(fact.coarse for track in heard.tracks.values() for fact in track.bridging)
        self._span_us = heard.caller.start_us, heard.ended_us
        mine = stays_of(heard.caller, opened, heard.ended_us)
        self._stays = {track.uniqueid: stays_of(track, opened, heard.ended_us) for track in heard.others}
        theirs = [stay for stays in self._stays.values() for stay in stays]
        # Lines may have been lost: whoever was alone in a bridge was there with somebody.
        self._mine = mine or theirs
        self.shared: list[Stay] = within(together(self._mine, theirs or mine), *self._span_us)
        if not self.shared:
            self.shared = _stamped(heard)

    @property
    def answered_us(self) -> int | None:
        """When the caller was first connected, None if never."""
        return self.shared[0].start_us if self.shared else None

    def of(self, track: Track) -> list[Stay]:
        """When the caller talked with this leg."""
        return within(together(self._stays.get(track.uniqueid, ()), self._mine), *self._span_us)


def _stamped(heard: Heard) -> list[Stay]:
    """The talk by the dialplan's own stamp, believed only when the bridge's lines cannot have been heard.

    A caller who gives up during the whisper leaves such a stamp too: just before the end, which Asterisk only
    notices when the whisper is over.
    """
    stamp = decimal(heard.end.get("bridged")) if heard.end else None
    whole = heard.caller.started is not None and any(track.answered for track in heard.others)
    if stamp is None or whole or heard.end is None or heard.end.get("dialstatus") != "ANSWER":
        return []
    start = round(stamp * MICROSECONDS)
    talked = heard.caller.start_us <= start <= heard.ended_us - STAMP_TO_END_US
    return [Stay("", start, heard.ended_us)] if talked else []


def decimal(text: str) -> float | None:
    """A decimal number, or None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if -1e15 < value < 1e15 else None
