"""A CDR compared field by field with what the wire saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from truth_stage import NEAR_SECONDS, Case
from wire import Outcome


@dataclass(frozen=True)
class Leg:
    """A leg as it must be told: `wire` is what its phone saw (None: nothing reached a phone).

    `sip` overrides the phone's own final answer, which an answer that was overtaken or a channel of another
    call's does not tell. Seconds are compared where they are given.
    """

    step: int | None
    target: str
    result: str
    sip: int | None
    ring: float | None = None
    talk: float = 0.0


def instant(text: str) -> float:
    """Milliseconds since the epoch."""
    return datetime.fromisoformat(text).timestamp() * 1000


def check(
    case: Case,
    record: dict[str, Any],
    seen: Outcome,
    *,
    result: str,
    hung_up_by: str,
    legs: Sequence[Leg],
    answered_at: float | None = None,
    ended_at: float | None = None,
    ring: float = 0.0,
    talk: float | None = None,
    answered_by: str | None = None,
    transfers: Sequence[tuple[str, str]] = (),
    recorded: int | None = None,
    recorded_seconds: float | None = None,
    **more: Any,
) -> None:
    """Raises AssertionError with every field that differs.

    `answered_at`, `ended_at`: milliseconds as a peer saw them; `ended_at` is else the caller's. `recorded`:
    channels of the recording, `recorded_seconds` its length where that is not the talk's. `more`: fields by
    name; what is not given is what an attributed call has.
    """
    expected = {
        "site": "shop", "extension": None, "result": result, "answered_by": answered_by,
        "hung_up_by": hung_up_by, "match": "live", "repaired": None, "qualified": False, "first_call": True,
        **more,
        "legs": [(leg.step, leg.target, leg.result, leg.sip) for leg in legs],
        "transfers": list(transfers),
    }  # fmt: skip
    told = {name: record[name] for name in expected}
    told["legs"] = [(leg["step"], leg["target"], leg["result"], leg["sip_status"]) for leg in record["legs"]]
    told["transfers"] = [(one["kind"], one["to"]) for one in record["transfers"]]
    wrong = [
        f"{name}: {told[name]!r}, not {wanted!r}" for name, wanted in expected.items() if told[name] != wanted
    ]
    assert seen.invited_at is not None
    ended_at = ended_at or seen.ended_at
    assert ended_at is not None, seen.messages
    near: dict[str, tuple[float | None, float | None]] = {
        "started_at": (instant(record["started_at"]), seen.invited_at),
        "ended_at": (instant(record["ended_at"]), ended_at),
        "answered_at": (record["answered_at"] and instant(record["answered_at"]), answered_at),
        "ring_seconds": (record["ring_seconds"] * 1000, ring * 1000),
    }
    if talk is None:
        talk = (ended_at - answered_at) / 1000 if answered_at else 0.0
    near["talk_seconds"] = record["talk_seconds"] * 1000, talk * 1000
    for index, (leg, entry) in enumerate(zip(legs, record["legs"], strict=False)):
        if leg.ring is not None:
            near[f"legs[{index}].ring_seconds"] = entry["ring_seconds"] * 1000, leg.ring * 1000
        near[f"legs[{index}].talk_seconds"] = entry["talk_seconds"] * 1000, leg.talk * 1000
    if recorded is not None:
        recording = record["recording"] or {"seconds": 0, "channels": 0}
        wanted_seconds = talk if recorded_seconds is None else recorded_seconds
        near["recording.seconds"] = recording["seconds"] * 1000, wanted_seconds * 1000
        if recording["channels"] != recorded:
            wrong.append(f"recording: {record['recording']!r}, not {recorded} channels")
    elif record["recording"] is not None:
        wrong.append(f"recording: {record['recording']!r}, not None")
    for name, (tell, want) in near.items():
        if (tell is None) != (want is None) or (
            tell is not None and want is not None and abs(tell - want) > NEAR_SECONDS * 1000
        ):
            wrong.append(f"{name}: {tell}, the wire saw {want} (ms)")
    if record["caller"]["number"] != more.get("caller", {"number": case.caller})["number"]:
        wrong.append(f"caller: {record['caller']!r}")
    if record["match"] == "live" and record["attribution"]["visitor_id"] != case.lease["visitor_id"]:
        wrong.append("attributed to another visitor")
    if record["route"]["by"] != "router" and record["route"]["decided_in_ms"] is not None:
        wrong.append(f"route: {record['route']!r}")
    assert not wrong, "\n".join([*wrong, f"record: {record}", f"caller's wire: {seen.messages}"])
