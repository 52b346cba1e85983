"""What the FastAGI server counts, as plain numbers; whoever exports metrics reads them here."""

from bisect import bisect_left
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """How a connection ended. All but ANSWERED leave the call to the dialplan's own fallback."""

    ANSWERED = "answered"
    UNCONFIRMED = "unconfirmed"
    """answered whole, but Asterisk did not say that it took it: the caller had gone"""
    COMMAND_REFUSED = "command_refused"
    NO_ROUTE = "no_route"
    ROUTE_FAILED = "route_failed"
    UNSAFE_ANSWER = "unsafe_answer"
    ANSWER_DEADLINE = "answer_deadline"
    HEADER_DEADLINE = "header_deadline"
    NOT_FASTAGI = "not_fastagi"
    PEER_GONE = "peer_gone"
    PEER_REFUSED = "peer_refused"
    TOO_MANY = "too_many"
    SHUT_DOWN = "shut_down"


BUCKET_SECONDS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(slots=True)
class Latency:
    """Histogram of seconds from the whole request to its answer on the wire; the last bucket has no bound."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKET_SECONDS) + 1))
    count: int = 0
    sum_seconds: float = 0.0

    def observe(self, seconds: float) -> None:
        self.buckets[bisect_left(BUCKET_SECONDS, seconds)] += 1
        self.count += 1
        self.sum_seconds += seconds


@dataclass(slots=True)
class Statistics:
    outcomes: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    hangups: int = 0
    """requests whose caller hung up before the answer was confirmed"""
    latency: Latency = field(default_factory=Latency)
