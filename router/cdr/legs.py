"""The attempts to reach the plan's targets, and who came into the call later; how each ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from router.cdr.facts import MICROSECONDS, TRANSFERS
from router.cdr.heard import Heard
from router.cdr.laying import (
    Attempt,
    Slot,
    attempts_of,
    endpoint_of_channel,
    lay_legs,
    number_or_none,
    plan_slots,
    sip_statuses,
)
from router.cdr.talk import Talk
from router.cdr.timeline import Track, length

LegResult = Literal["answered", "missed", "busy", "cancelled", "failed", "elsewhere"]


@dataclass(frozen=True, slots=True)
class Leg:
    """One attempt to reach one target. Seconds; `cause` is Q.850; `step` is None outside the plan."""

    step: int | None
    target: str
    result: LegResult
    sip_status: int | None
    cause: int | None
    ring_seconds: float
    talk_seconds: float


class Legs:
    """The legs and the targets they stand for."""

    def __init__(self, heard: Heard, talk: Talk) -> None:
        slots = plan_slots(_plan(heard))
        end = heard.end
        self.attempts: list[Attempt] = (
            attempts_of(end.get("att"), end.get("dialstatus")) if end is not None else []
        )
        if talk.shared and self.attempts:
            # Once it was answered our Dial ends with the call: another status is that of a transfer's Dial.
            self.attempts[-1] = self.attempts[-1]._replace(status="ANSWER")
        later = _later(heard, talk, slots)
        self.tracks = [track for track in heard.others if track.uniqueid not in later]
        self.later = [track for track in heard.others if track.uniqueid in later]
        self._given_up = end is not None and end.get("dialstatus") == "CANCEL"
        self._slots = slots
        self._started_us, self._ended_us = heard.caller.start_us, heard.ended_us
        self._sip = sip_statuses(end.get("sip")) if end is not None else {}
        self._laid = lay_legs(self.tracks, slots, self.attempts)
        self._talks = [talk.of(track) for track in self.tracks]
        # A stamp or a caller alone in a bridge tells no leg: the one that was picked up it must have been.
        self._later_talks = [talk.of(track) for track in self.later]
        if talk.shared and not any(self._talks) and not any(self._later_talks):
            picked = [index for index, track in enumerate(self.tracks) if track.answered]
            for index in picked[-1:]:
                self._talks[index] = talk.shared

    @property
    def answered_by(self) -> str | None:
        """The first target that was connected."""
        talks = [(stays[0].start_us, index) for index, stays in enumerate(self._talks) if stays]
        return self._target(min(talks)[1]) if talks else None

    @property
    def last_step(self) -> int:
        """The last step that was tried."""
        laid = [slot.step for slot in self._laid if slot]
        return max([*laid, *(attempt.step for attempt in self.attempts)], default=0)

    def entries(self, *, cancelled: bool) -> list[Leg]:
        """One entry per target of each tried step, in the plan's order; then channels outside the plan, and
        those that a transfer brought in."""
        made = {slot: index for index, slot in enumerate(self._laid) if slot}
        status = {attempt.step: attempt for attempt in self.attempts}
        tried = {slot.step for slot in made} | (status.keys() - {self.last_step} if made else status.keys())
        entries = []
        for slot in self._slots:
            if slot in made:
                entries.append(self._leg(made[slot], cancelled=cancelled))
            elif slot.step in tried:
                attempt = status.get(slot.step)
                entries.append(
                    Leg(slot.step, slot.target, "failed", None, attempt.cause if attempt else None, 0.0, 0.0)
                )
        outside = [index for index, slot in enumerate(self._laid) if slot is None]
        entries.extend(self._leg(index, cancelled=cancelled) for index in outside)
        entries.extend(self._later_leg(index) for index in range(len(self.later)))
        return entries

    def _target(self, index: int) -> str:
        slot = self._laid[index]
        return slot.target if slot else self.tracks[index].channel.rpartition("-")[0]

    def _leg(self, index: int, *, cancelled: bool) -> Leg:
        track, slot = self.tracks[index], self._laid[index]
        step = slot.step if slot else None
        winners = [
            other.answered.at_us
            for at, other in enumerate(self.tracks)
            if at != index and self._talks[at] and other.answered and self._step(at) == step
        ]
        start = max(track.start_us, self._started_us)
        sip_status = self._sip.get(track.channel)
        talks = self._talks[index]
        rung_until = track.answered.at_us if track.answered else track.end_us or self._ended_us
        return Leg(
            step=step,
            target=self._target(index),
            result=result_of(
                track,
                sip_status=sip_status,
                bridged=bool(talks),
                won_us=min(winners, default=None),
                cancelled=cancelled and (step is None or step == self.last_step),
            ),
            sip_status=sip_status,
            cause=cause_of(track),
            ring_seconds=seconds(max(0, min(rung_until, self._ended_us) - start)),
            talk_seconds=seconds(length(talks)),
        )

    def _later_leg(self, index: int) -> Leg:
        track, talks = self.later[index], self._later_talks[index]
        rung_until = track.answered.at_us if track.answered else track.end_us or self._ended_us
        # A channel that began in a call of its own (an attended transfer) did not ring for this caller.
        rung = min(rung_until, self._ended_us) - track.start_us if track.started else 0
        sip_status = self._sip.get(track.channel)
        return Leg(
            step=None,
            target=endpoint_of_channel(track.channel),
            result=result_of(
                track,
                sip_status=sip_status,
                bridged=bool(talks),
                won_us=None,
                cancelled=self._given_up and index == len(self.later) - 1,
            ),
            sip_status=sip_status,
            cause=cause_of(track),
            ring_seconds=seconds(max(0, rung)),
            talk_seconds=seconds(length(talks)),
        )

    def _step(self, index: int) -> int | None:
        slot = self._laid[index]
        return slot.step if slot else None


def _later(heard: Heard, talk: Talk, slots: Sequence[Slot]) -> frozenset[str]:
    """The channels that came in after the caller was first connected: they belong to transfers.

    One whose start was told under another linkedid was called by somebody else first (attended transfer, a
    parked call that is fetched); without any transfer a start that is missing was lost. An instant that is
    known to the second only may be a second late, but a channel that the plan does not name was not ours.
    """
    first_talk = talk.answered_us
    if first_talk is None:
        return frozenset()
    passed_on = heard.caller.started is not None and any(fact.kind in TRANSFERS for fact in heard.facts)
    planned = {slot.endpoint for slot in slots}

    def is_later(track: Track) -> bool:
        if passed_on and track.started is None and track.first_us > first_talk:
            return True
        if not (track.coarse or talk.coarse):
            # Who talked first was there first, also when the clock was set back meanwhile.
            stays = talk.of(track)
            return track.start_us > first_talk and not (stays and stays[0].start_us <= first_talk)
        if passed_on and endpoint_of_channel(track.channel) not in planned:
            return track.start_us // MICROSECONDS >= first_talk // MICROSECONDS
        return track.start_us > first_talk + MICROSECONDS

    return frozenset(track.uniqueid for track in heard.others if is_later(track))


def _plan(heard: Heard) -> dict[str, str]:
    """The dial strings as the router gave them; a right code brought its holder's plan."""
    keyed = heard.extension
    if keyed is not None and keyed.get("ok") == "1" and not keyed.get("again"):
        return dict(keyed.detail)
    return dict(heard.route.detail) if heard.route else {}


def result_of(
    track: Track, *, sip_status: int | None, bridged: bool, won_us: int | None, cancelled: bool
) -> LegResult:
    """How an attempt ended.

    `bridged`: caller and target were connected. `won_us`: when another target of the same step answered.
    `cancelled`: the caller gave up while this step rang.
    """
    cause = cause_of(track)
    refused = sip_status is not None and sip_status >= 300 and sip_status not in {480, 487}
    if bridged:
        return "answered"
    if cause == 17 or sip_status in {486, 600}:
        return "busy"
    if refused or (cause is not None and cause not in _QUIET):
        return "failed"
    if won_us is not None and (track.hung_up is None or track.hung_up.latest_us >= won_us):
        return "elsewhere"
    return "cancelled" if cancelled else "missed"


# Q.850 causes that a leg carries when it was not the target that refused: none or normal clearing (the Dial
# gave it up), no user responding, no answer, subscriber absent while ringing (SIP 480), answered elsewhere,
# interworking (Asterisk's 127 after the caller cancelled).
_QUIET: Final = frozenset({0, 16, 18, 19, 26, 127})


def cause_of(track: Track) -> int | None:
    """The Q.850 cause of the channel's end."""
    return number_or_none(track.hung_up.get("hangupcause")) if track.hung_up else None


def seconds(microseconds: int) -> float:
    """Seconds to the millisecond."""
    return round(microseconds / MICROSECONDS, 3)
