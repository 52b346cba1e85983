"""Which calls are on hold: asked of the switch, channel by channel, while somebody watches."""

from collections.abc import Iterable, Mapping
from typing import Final

from agi.ami_event import LiveChannel

HELD: Final = "CHANNEL(rtp,hold)"
"""Of a PJSIP channel that is up: "1" while its phone has put the call on hold."""


def askable(channels: Iterable[LiveChannel]) -> list[str]:
    """The channels that can tell: others have no such variable, and Asterisk would log each question."""
    return [
        channel.channel
        for channel in channels
        if channel.bridge_id and channel.state == "Up" and channel.channel.startswith("PJSIP/")
    ]


def holds_of(channels: Iterable[LiveChannel], told: Mapping[str, str]) -> dict[str, bool]:
    """By linkedid whether any channel of the call holds it; calls of which no channel told are left out.

    `told`: what each channel answered to `HELD`.
    """
    holds: dict[str, bool] = {}
    for channel in channels:
        answer = told.get(channel.channel)
        if answer in {"0", "1"}:
            holds[channel.linkedid] = holds.get(channel.linkedid, False) or answer == "1"
    return holds
