"""A stand-in for Asterisk's journal: writes the events of a call as the switch would, from what the parties
do.

Instants are seconds since the call's start; numbers are fictional.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agi.cel import CelEvent

EPOCH = 1_763_817_000
CALLER = "+447700900123"
NUMBER = "+442079460123"
AGENT1, AGENT2, AGENT3 = "PJSIP/agent1", "PJSIP/agent2", "PJSIP/agent3"


_CONTEXTS = {"CHAN_START": "leaseline-in", "LL_END": "leaseline-hangup"}


@dataclass
class Script:
    """One call; each method appends what the journal would say. `seq` is Asterisk's channel counter."""

    plan: tuple[str, ...] = (AGENT1,)
    seq: int = 10
    epoch: int = EPOCH
    start: float = 0.125
    by: str = "router"
    record: str = ""
    events: list[CelEvent] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    sip: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.linkedid = f"{self.epoch}.{self.seq}"
        self.caller = f"PJSIP/trunk-{self.seq:08x}"
        self.file = f"/var/spool/asterisk/monitor/leaseline/{self.linkedid}.wav"
        self._legs = 0

    def put(
        self,
        at: float,
        kind: str,
        leg: str = "",
        *,
        extra: Mapping[str, str] | None = None,
        user: Mapping[str, str] | None = None,
    ) -> None:
        """Append one event; `leg` is a leg's channel, the caller's when empty."""
        channel = leg or self.caller
        at_us = round((self.epoch + self.start + at) * 1_000_000)
        # A journal's instants are never whole seconds but for one in a million.
        at_us += at_us % 1_000_000 == 0
        self.events.append(
            CelEvent(
                at=at_us // 1000,
                at_us=at_us,
                type=kind,
                uniqueid=f"{self.epoch}.{int(channel.rpartition('-')[2], 16)}",
                linkedid=self.linkedid,
                channel=channel,
                exten="" if leg else NUMBER.lstrip("+"),
                context="office" if leg else _CONTEXTS.get(kind, "leaseline-call"),
                caller_number="" if leg else CALLER,
                caller_name="" if leg else "Ann",
                dnid="" if leg else NUMBER.lstrip("+"),
                peer="",
                extra=dict(extra or {}),
                user=dict(user or {}),
            )
        )

    def arrive(self, *, routed: bool = True, **more: str) -> "Script":
        """The caller's channel comes up and is routed."""
        self.put(0.0, "CHAN_START")
        if routed:
            user = {"v": "1", "dnis": NUMBER.lstrip("+"), "number": NUMBER, "site": "shop", "by": self.by}
            user |= {"ms": "1.234" if self.by == "router" else "", "agi": "SUCCESS", "rec": self.record}
            user["file"] = self.file if self.record else ""
            for step, dial in enumerate(self.plan, 1):
                user |= {f"d{step}": dial, f"t{step}": "20"}
            self.put(0.01, "LL_ROUTE", user=user | more)
        return self

    def leg(self, at: float, target: str) -> str:
        """A leg's channel comes up; gives its name."""
        self._legs += 1
        channel = f"PJSIP/{target.rpartition('@')[2].removeprefix('PJSIP/')}-{self.seq + self._legs:08x}"
        self.put(at, "CHAN_START", channel)
        return channel

    def hang_up(
        self, at: float, leg: str = "", *, cause: int = 16, source: str = "", status: str = ""
    ) -> None:
        """A channel ends."""
        extra = {"hangupcause": str(cause), "hangupsource": source, "dialstatus": status}
        self.put(at, "HANGUP", leg, extra=extra)

    def refuse(self, at: float, leg: str, *, cause: int, sip: int | None = None) -> None:
        """A leg is refused by its target."""
        self.hang_up(at, leg, cause=cause, source=leg)
        if sip is not None:
            self.sip.append(f"{leg}={sip}")

    def bridge(self, at: float, leg: str, until: float, bridge: str = "b1") -> None:
        """Caller and leg are connected from `at` to `until`."""
        for channel, delay in ((leg, 0.0), ("", 0.001)):
            self.put(at + delay, "BRIDGE_ENTER", channel, extra={"bridge_id": bridge})
        for channel, delay in (("", 0.0), (leg, 0.001)):
            self.put(until + delay, "BRIDGE_EXIT", channel, extra={"bridge_id": bridge})

    def end(self, at: float, *, status: str = "", source: str = "", cause: int = 16, **more: str) -> "Script":
        """The caller's channel ends: hangup handler, hangup, end of the linkedid."""
        user = {"v": "1", "dnis": NUMBER.lstrip("+"), "number": NUMBER, "site": "shop", "by": self.by}
        user |= {"dialstatus": status, "att": "".join(f"{attempt}^" for attempt in self.attempts)}
        user |= {"sip": "".join(f"{told}^" for told in self.sip), "hsrc": source} | more
        self.put(at, "LL_END", user=user)
        self.hang_up(at + 0.002, cause=cause, source=source, status=status)
        self.put(at + 0.003, "LINKEDID_END")
        return self

    def in_order(self) -> list[CelEvent]:
        """The events as the journal has them."""
        return sorted(self.events, key=lambda event: event.at_us)


def answered(talk: float = 30.0, *, ended_by: str = "agent", record: str = "", **options: object) -> Script:
    """A call that agent1 takes after five seconds."""
    script = Script(record=record, **options).arrive()  # type: ignore[arg-type]
    leg = script.leg(0.05, AGENT1)
    script.put(5.0, "ANSWER", leg)
    script.put(5.2, "ANSWER")
    script.bridge(5.2, leg, 5.2 + talk)
    script.sip.append(f"{leg}=200")
    over = 5.2 + talk + 0.002
    script.hang_up(over, leg, source=leg if ended_by == "agent" else "")
    more = {"file": script.file, "bytes": str(44 + round(talk * 16_000))} if record else {}
    source = leg if ended_by == "agent" else script.caller
    return script.end(over + 0.001, status="ANSWER", source=source, bridged=f"{EPOCH + 5.3:.3f}", **more)


def coarse(events: Iterable[CelEvent]) -> list[CelEvent]:
    """The same events as the second witness tells them: whole seconds."""
    return [
        event._replace(at_us=event.at_us // 1_000_000 * 1_000_000, at=event.at // 1000 * 1000)
        for event in events
    ]
