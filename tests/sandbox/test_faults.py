"""Whatever is killed, stopped or taken away: calls reach the business, and each becomes one CDR."""

import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from instance import Instance
from router_process import NUMBERS, RouterProcess, wait_for

pytestmark = pytest.mark.sandbox
CALLER = "+447700900123"


@pytest.fixture
def router(sandbox: Instance, tmp_path: Path) -> Iterator[RouterProcess]:
    """A router with numbers, not started yet."""
    process = RouterProcess.beside(sandbox, tmp_path)
    process.import_numbers()
    yield process
    process.end()


def redirects_are_in_astdb(sandbox: Instance) -> None:
    """Wait until AstDB has a redirect for each number."""

    def known() -> bool | None:
        table = sandbox.cli("database show leaseline")
        return True if all(number.removeprefix("+") in table for number in NUMBERS) else None

    wait_for("AstDB's fallback table", known, 60)


def test_router_not_running_calls_are_attributed_afterwards(sandbox: Instance, router: RouterProcess) -> None:
    router.start()
    number = router.visit()["numbers"][0]["number"]
    redirects_are_in_astdb(sandbox)
    router.end()
    with sandbox.agent("agent1", answer_after=0.1):
        seen = sandbox.call(number, caller=CALLER, seconds=0.5, audio=True)
    assert (seen.status, seen.audio) == (200, True)
    assert router.cdrs == []
    router.start()
    [record] = router.wait_for_cdrs(1)
    assert (record["result"], record["match"], record["answered_by"]) == ("answered", "live", "PJSIP/agent1")
    assert record["attribution"]["source"] == "google"
    assert record["route"] == {"decided_in_ms": None, "by": "fallback", "late": True}


def test_router_killed_under_ten_calls(sandbox: Instance, router: RouterProcess) -> None:
    router.start()
    leases = [router.visit() for _ in range(10)]
    numbers = [lease["numbers"][0]["number"] for lease in leases]
    assert len(set(numbers)) == 10
    with ExitStack() as calls:
        calls.enter_context(sandbox.agent("agent1", answer_after=0.1))
        runs = [sandbox.peers.call(number, seconds=6) for number in numbers]
        wait_for(
            "ten calls",
            lambda: True if sum(run.outcomes()[0].answered for run in runs if run.outcomes()) == 10 else None,
        )
        router.kill()
        router.start()
        talked = {}
        for run in runs:
            assert run.wait(60) == 0
            [seen] = run.outcomes()
            assert (seen.status, seen.hung_up_by) == (200, "self")
            assert seen.ended_at - seen.answered_at >= 5_900
            talked[seen.number] = (seen.ended_at - seen.answered_at) / 1000
    records = router.wait_for_cdrs(10)
    assert {record["number"] for record in records} == set(numbers)
    assert {record["result"] for record in records} == {"answered"}
    holders = {lease["numbers"][0]["number"]: lease["visitor_id"] for lease in leases}
    for record in records:
        assert record["match"] == "live"
        assert record["attribution"]["visitor_id"] == holders[record["number"]]
        assert record["talk_seconds"] == pytest.approx(talked[record["number"]], abs=0.5)


def test_router_stopped_in_its_tracks_new_calls_bridge_in_time(
    sandbox: Instance, router: RouterProcess
) -> None:
    router.start()
    number = router.visit()["numbers"][0]["number"]
    router.signal(signal.SIGSTOP)
    with sandbox.agent("agent1", answer_after=0.0) as agent:
        seen = sandbox.call(number, caller=CALLER, seconds=0.3)
    assert seen.status == 200
    [rang] = agent.outcomes()
    assert rang.invited_at - seen.invited_at <= 1000 * sandbox.agi_seconds + 3_000
    router.signal(signal.SIGCONT)
    [record] = router.wait_for_cdrs(1)
    assert (record["result"], record["route"]["by"], record["match"]) == ("answered", "fallback", "live")


def test_store_unreadable_calls_bridge_and_are_recorded_when_it_is_back(
    sandbox: Instance, router: RouterProcess
) -> None:
    router.start()
    number = router.visit()["numbers"][0]["number"]
    router.end()
    store, hidden = router.folder / "store", router.folder / "hidden"
    store.rename(hidden)
    store.write_text("not a folder", encoding="utf-8")
    router.start(ready=False)
    wait_for("FastAGI", lambda: True if "fastagi listening" in router.log_text else None)
    with sandbox.agent("agent1", answer_after=0.1) as agent:
        seen = sandbox.call(number, caller=CALLER, seconds=0.3)
    assert seen.status == 200
    [rang] = agent.outcomes()
    assert rang.invited_at - seen.invited_at < 1000 * sandbox.agi_seconds, (
        "the router answers: it cannot tell"
    )
    assert router.cdrs == []
    store.unlink()
    hidden.rename(store)
    [record] = router.wait_for_cdrs(1, 60)
    assert (record["result"], record["match"], record["route"]["by"]) == ("answered", "live", "fallback")


def test_asterisk_killed_in_mid_call(sandbox: Instance, router: RouterProcess) -> None:
    router.start()
    number = router.visit()["numbers"][0]["number"]
    try:
        with sandbox.agent("agent1", answer_after=0.1) as agent:
            run = sandbox.peers.call(number, caller=CALLER, seconds=30)
            wait_for("the answer", lambda: True if any(one.answered for one in agent.outcomes()) else None)
            wait_for("a bridge", lambda: True if "BRIDGE_ENTER" in sandbox.journal_path.read_text() else None)
            talked_from = time.time()
            time.sleep(1.0)
            sandbox.kill_asterisk()
            talked = time.time() - talked_from
            run.stop()
    finally:
        sandbox.restart()
    with sandbox.agent("agent1", answer_after=0.1):
        assert sandbox.call(number, caller=CALLER, seconds=0.3).status == 200
    cut, after = sorted(router.wait_for_cdrs(2, 60), key=lambda record: record["started_at"])
    assert (cut["result"], cut["hung_up_by"], cut["match"]) == ("answered", "system", "live")
    assert cut["repaired"]
    assert 0 <= cut["talk_seconds"] <= talked + 1.5
    assert (after["result"], after["repaired"]) == ("answered", None)


@pytest.mark.parametrize("journal", ["both witnesses", "the AMI alone"])
def test_the_second_witness_makes_the_same_record(sandbox: Instance, tmp_path: Path, journal: str) -> None:
    elsewhere = None if journal == "both witnesses" else tmp_path / "no-journal.csv"
    process = RouterProcess.beside(sandbox, tmp_path, witness="on", journal=elsewhere)
    process.import_numbers()
    try:
        process.start()
        number = process.visit()["numbers"][0]["number"]
        wait_for("the witness", lambda: True if "switch.witness_on" in process.log_text else None)
        with sandbox.agent("agent1", answer_after=0.5):
            seen = sandbox.call(number, caller=CALLER, seconds=2)
        [record] = process.wait_for_cdrs(1)
    finally:
        process.end()
    # Over AMI instants are whole seconds; the journal's are exact.
    tolerance = 0.5 if elsewhere is None else 1.5
    assert (record["result"], record["match"], record["repaired"]) == ("answered", "live", None)
    assert (record["hung_up_by"], record["answered_by"]) == ("caller", "PJSIP/agent1")
    assert record["talk_seconds"] == pytest.approx((seen.ended_at - seen.answered_at) / 1000, abs=tolerance)
    assert [leg["sip_status"] for leg in record["legs"]] == [200]


def test_every_router_process_gone_and_back_while_calls_come(
    sandbox: Instance, router: RouterProcess
) -> None:
    """Calls keep coming while the router is killed again and again: all are answered, all have one CDR."""
    router.start()
    numbers = [router.visit()["numbers"][0]["number"] for _ in range(12)]
    redirects_are_in_astdb(sandbox)
    with sandbox.agent("agent1", answer_after=0.0), ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(sandbox.call, number, seconds=0.5) for number in numbers]
        for _ in range(3):
            router.kill()
            router.start()
        seen = [call.result() for call in calls]
    assert [one.status for one in seen] == [200] * len(numbers)
    records = router.wait_for_cdrs(len(numbers), 60)
    assert sorted(record["number"] for record in records) == sorted(numbers)
    assert {(record["result"], record["match"]) for record in records} == {("answered", "live")}


def test_no_admission_without_the_store_leaves_the_main_number(
    sandbox: Instance, router: RouterProcess
) -> None:
    """New visitors keep the main number while the store is away, and are told so."""
    router.start()
    router.kill()  # first: it would go on making files in the folder
    shutil.rmtree(router.folder / "store")
    (router.folder / "store").write_text("not a folder", encoding="utf-8")
    router.start(ready=False)
    wait_for("the public listener", lambda: router.status("/v1/leases"), 60)
    assert router.status("/v1/leases") == 503
