"""Real calls through a real router: each becomes one CDR that says what the wire saw."""

import struct
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from instance import Instance
from router_process import MAIN_NUMBER, STATIC_NUMBER, RouterProcess

pytestmark = pytest.mark.sandbox
CALLER = "+447700900123"
TOLERANCE_SECONDS = 0.5
TOLERANCE_MS = 1000 * TOLERANCE_SECONDS
StartRouter = Callable[[Instance], RouterProcess]


@pytest.fixture
def start_router(tmp_path: Path) -> Iterator[StartRouter]:
    """`start_router(sandbox)`: a router with numbers and an empty journal, ready for calls."""
    routers: list[RouterProcess] = []

    def start(sandbox: Instance) -> RouterProcess:
        router = RouterProcess.beside(sandbox, tmp_path)
        routers.append(router)
        router.import_numbers()
        router.start()
        return router

    yield start
    for router in routers:
        router.end()


@pytest.fixture
def router(sandbox: Instance, start_router: StartRouter) -> RouterProcess:
    """A router beside Asterisk 22."""
    return start_router(sandbox)


def instant(text: str) -> float:
    """Milliseconds since the epoch."""
    return datetime.fromisoformat(text).timestamp() * 1000


def samples(path: Path) -> tuple[int, ...]:
    """The 16-bit samples of a wav file."""
    sound = path.read_bytes()[44:]
    return struct.unpack(f"<{len(sound) // 2}h", sound[: len(sound) // 2 * 2])


def only(record: dict[str, Any], **wanted: Any) -> None:
    """Compare the named fields."""
    assert {name: record[name] for name in wanted} == wanted


def test_answered_call_is_attributed_recorded_and_timed_as_the_wire_saw_it(
    either: Instance, start_router: StartRouter
) -> None:
    router = start_router(either)
    lease = router.visit()
    [shown] = lease["numbers"]
    with either.agent("agent1", answer_after=1.0) as agent:
        seen = either.call(shown["number"], caller=CALLER, name="Ann", seconds=2, audio=True)
    assert (seen.status, seen.audio, seen.hung_up_by) == (200, True, "self")
    [rang] = agent.outcomes()
    [record] = router.wait_for_cdrs(1)
    only(record, result="answered", number=shown["number"], site="shop", answered_by="PJSIP/agent1")
    only(record, hung_up_by="caller", match="live", first_call=True, repaired=None, extension=None)
    assert record["caller"] == {"number": CALLER, "name": "Ann", "region": record["caller"]["region"]}
    assert record["attribution"]["source"] == "google"
    assert record["attribution"]["channel"] == "Google Ads"
    assert record["attribution"]["campaign"] == "spring"
    assert record["attribution"]["visitor_id"] == lease["visitor_id"]
    assert 0.5 < record["confidence"] <= 1
    assert sum(one["probability"] for one in record["candidates"]) == pytest.approx(1, abs=0.01)

    assert seen.answered_at is not None
    assert seen.ended_at is not None
    assert seen.invited_at is not None
    talk = (seen.ended_at - seen.answered_at) / 1000
    assert record["talk_seconds"] == pytest.approx(talk, abs=TOLERANCE_SECONDS)
    assert record["ring_seconds"] == pytest.approx(
        (seen.answered_at - seen.invited_at) / 1000, abs=TOLERANCE_SECONDS
    )
    assert instant(record["started_at"]) == pytest.approx(seen.invited_at, abs=TOLERANCE_MS)
    assert instant(record["answered_at"]) == pytest.approx(seen.answered_at, abs=TOLERANCE_MS)
    assert instant(record["ended_at"]) == pytest.approx(seen.ended_at, abs=TOLERANCE_MS)
    [leg] = record["legs"]
    only(leg, step=1, target="PJSIP/agent1", result="answered", sip_status=200)
    assert rang.answered_at == pytest.approx(instant(record["answered_at"]), abs=TOLERANCE_MS)

    only(record["recording"], channels=1)
    assert record["recording"]["seconds"] == pytest.approx(talk, abs=TOLERANCE_SECONDS)
    sound = samples(either.recordings / Path(record["recording"]["path"]).name)
    assert len(sound) / 8000 == pytest.approx(talk, abs=TOLERANCE_SECONDS)
    assert max(map(abs, sound)) > 1000  # silence is 0; the caller's pattern may be one level throughout
    only(record["route"], by="router", late=False)
    assert 0 < record["route"]["decided_in_ms"] < 3_000


def test_all_agents_busy(either: Instance, start_router: StartRouter) -> None:
    router = start_router(either)
    number = router.visit()["numbers"][0]["number"]
    with either.agent("agent1", reject=486), either.agent("agent2", reject=486):
        seen = either.call(number, caller=CALLER)
    assert seen.status == 486
    [record] = router.wait_for_cdrs(1)
    only(
        record,
        result="busy",
        answered_at=None,
        talk_seconds=0,
        answered_by=None,
        recording=None,
        match="live",
    )
    assert [(leg["step"], leg["target"], leg["result"], leg["sip_status"]) for leg in record["legs"]] == [
        (1, "PJSIP/agent1", "busy", 486),
        (2, "PJSIP/agent2", "busy", 486),
    ]


def test_nobody_answers(sandbox: Instance, router: RouterProcess) -> None:
    number = router.visit()["numbers"][0]["number"]
    with sandbox.agent("agent1", reject=480), sandbox.agent("agent2", answer_after=None):
        seen = sandbox.call(number, caller=CALLER)
    assert seen.status >= 400
    [record] = router.wait_for_cdrs(1)
    only(record, result="missed", answered_at=None, recording=None, hung_up_by="system")
    assert record["legs"][0]["sip_status"] == 480
    assert record["legs"][1]["ring_seconds"] == pytest.approx(3, abs=TOLERANCE_SECONDS)


def test_caller_gives_up_while_it_rings(sandbox: Instance, router: RouterProcess) -> None:
    number = router.visit()["numbers"][0]["number"]
    with sandbox.agent("agent1", answer_after=None):
        seen = sandbox.call(number, caller=CALLER, cancel_after=1.0)
    assert seen.status == 487
    [record] = router.wait_for_cdrs(1)
    only(record, result="cancelled", hung_up_by="caller", talk_seconds=0)
    assert seen.cancelled_at is not None
    assert seen.invited_at is not None
    assert record["ring_seconds"] == pytest.approx(
        (seen.cancelled_at - seen.invited_at) / 1000, abs=TOLERANCE_SECONDS
    )


def test_every_target_refuses(sandbox: Instance, router: RouterProcess) -> None:
    number = router.visit()["numbers"][0]["number"]
    with sandbox.agent("agent1", reject=503), sandbox.agent("agent2", reject=404):
        sandbox.call(number, caller=CALLER)
    [record] = router.wait_for_cdrs(1)
    only(record, result="failed", answered_at=None)
    assert [leg["sip_status"] for leg in record["legs"]] == [503, 404]


def test_the_second_step_answers_and_the_agent_hangs_up(sandbox: Instance, router: RouterProcess) -> None:
    number = router.visit()["numbers"][0]["number"]
    with sandbox.agent("agent1", reject=486), sandbox.agent("agent2", answer_after=0.2, hangup_after=1.0):
        seen = sandbox.call(number, caller=CALLER, seconds=20)
    assert seen.hung_up_by == "other"
    [record] = router.wait_for_cdrs(1)
    only(record, result="answered", answered_by="PJSIP/agent2", hung_up_by="agent")
    assert record["talk_seconds"] == pytest.approx(1.0, abs=TOLERANCE_SECONDS)


def test_a_static_number_names_its_channel(sandbox: Instance, router: RouterProcess) -> None:
    with sandbox.agent("agent1", answer_after=0.1):
        sandbox.call(STATIC_NUMBER, caller=CALLER, seconds=0.3)
    [record] = router.wait_for_cdrs(1)
    only(record, match="static", confidence=1, number=STATIC_NUMBER)
    only(record["attribution"], channel="Google Ads", visit_id=None)


def test_a_number_that_nobody_holds_says_so(sandbox: Instance, router: RouterProcess) -> None:
    with sandbox.agent("agent1", answer_after=0.1):
        sandbox.call(MAIN_NUMBER, caller=CALLER, seconds=0.3)
    [record] = router.wait_for_cdrs(1)
    only(record, result="answered", match="none", site="shop")
    only(record["attribution"], visit_id=None, source=None)


def test_a_hostile_caller_name_is_text_and_nothing_else(sandbox: Instance, router: RouterProcess) -> None:
    number = router.visit()["numbers"][0]["number"]
    name = "Eve|site=evil,x;${SHELL(id)}"
    with sandbox.agent("agent1", answer_after=0.1):
        seen = sandbox.call(number, caller=CALLER, name=name, seconds=0.3)
    assert seen.status == 200
    [record] = router.wait_for_cdrs(1)
    only(record, site="shop", result="answered", match="live")
    assert record["caller"]["name"] == name
