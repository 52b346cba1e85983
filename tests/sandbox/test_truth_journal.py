"""The journal at its worst: cut in mid-line, its disk full, and nobody at the AMI to ask."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from instance import Instance
from ports import free_tcp_port
from router_process import RouterProcess, wait_for

pytestmark = pytest.mark.sandbox
CALLER = "+447700900123"


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of 64 kB at `folder`: about a dozen calls' lines."""
    if os.geteuid() != 0:
        pytest.skip("making a tiny file system takes root: the full disk was not tried")
    command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0777", "leaseline-full", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no tiny file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_the_second_witness_fills_what_a_full_disk_lost(sandbox: Instance, tmp_path: Path) -> None:
    """cel_custom loses lines without a word; every call has its whole record all the same.

    `sandbox` says whether real calls can be placed; this switch has a disk of its own.
    """
    full = Instance.private("full", agi_seconds=4.0)
    with ExitStack() as stack:
        stack.callback(full.down)
        full.journal_path.parent.mkdir(parents=True)
        stack.enter_context(small_disk(full.journal_path.parent))
        full.up()
        router = RouterProcess.beside(full, tmp_path)
        stack.callback(router.end)
        router.import_numbers()
        router.start()
        wait_for("the witness", lambda: True if "switch.witness_on" in router.log_text else None)
        holders, talked = {}, {}
        for _ in range(24):
            lease = router.visit()
            holders[lease["numbers"][0]["number"]] = lease["visitor_id"]
        with full.agent("agent1", answer_after=0.1):
            for start in range(0, 24, 8):
                runs = [full.peers.call(number, seconds=1.2) for number in list(holders)[start : start + 8]]
                for run in runs:
                    assert run.wait(60) == 0
                    [seen] = run.outcomes()
                    talked[seen.number] = (seen.ended_at - seen.answered_at) / 1000
        records = router.wait_for_cdrs(24, 60)
        lines = full.journal_path.read_bytes().count(b"LINKEDID_END")
        assert lines < 24, "the disk was not full"
        assert {record["number"] for record in records} == set(holders)
        for record in records:
            assert (record["result"], record["hung_up_by"]) == ("answered", "caller"), record
            assert (record["answered_by"], record["repaired"]) == ("PJSIP/agent1", None), record
            assert record["attribution"]["visitor_id"] == holders[record["number"]]
            wire = talked[record["number"]]
            assert record["talk_seconds"] == pytest.approx(wire, abs=1.5), "over AMI to the second"
        # Room again: the journal is believed again, from the next whole line on.
        subprocess.run(["mount", "-o", "remount,size=8m", str(full.journal_path.parent)], check=True)
        with full.agent("agent1", answer_after=0.1):
            assert full.call(next(iter(holders)), seconds=1.2).status == 200
        last = router.wait_for_cdrs(25)[-1]
        assert (last["result"], last["repaired"]) == ("answered", None)


@pytest.fixture
def without_ami(either: Instance, tmp_path: Path) -> Iterator[RouterProcess]:
    """A router that finds nobody at the AMI's port, beside a journal of this test alone."""
    forget_journal(either)
    router = RouterProcess(
        tmp_path,
        agi_port=either.agi_port,
        agi_seconds=either.agi_seconds,
        ami_port=free_tcp_port(),
        journal=either.journal_path,
        recordings=either.recordings,
        environment={
            "LEASELINE_AMI_SECRET": either.ami_secret,
            "LEASELINE_AMI_DB_SECRET": either.astdb_secret,
        },
    )
    router.import_numbers()
    router.start()
    yield router
    router.end()
    forget_journal(either)


def forget_journal(sandbox: Instance) -> None:
    """Asterisk opens the file for each event, so that it can be taken away at any time."""
    for file in sandbox.journal_path.parent.glob(f"{sandbox.journal_path.name}*"):
        file.unlink()


def test_without_the_ami_the_journal_suffices(either: Instance, without_ami: RouterProcess) -> None:
    number = without_ami.visit()["numbers"][0]["number"]
    with either.agent("agent1", answer_after=0.2):
        seen = either.call(number, caller=CALLER, seconds=1.0)
    [record] = without_ami.wait_for_cdrs(1)
    assert (record["result"], record["match"], record["repaired"]) == ("answered", "live", None)
    assert record["talk_seconds"] == pytest.approx((seen.ended_at - seen.answered_at) / 1000, abs=0.5)
    assert "not connected" in without_ami.get("/readyz").decode()


def test_a_line_that_a_crash_cut_costs_no_call(either: Instance, without_ami: RouterProcess) -> None:
    """Asterisk dies in mid-line; what it writes after its restart is glued to the half line."""
    first, second = (without_ami.visit()["numbers"][0]["number"] for _ in range(2))
    try:
        with either.agent("agent1", answer_after=0.1):
            run = either.peers.call(first, caller=CALLER, seconds=30)
            either.wait_for_journal(lambda lines: any(line["eventtype"] == "BRIDGE_ENTER" for line in lines))
            either.kill_asterisk()
            run.stop()
        with either.journal_path.open("ab") as journal:
            journal.write(b'"1795358861.957063","HANGUP","179535')
    finally:
        either.restart()
    with either.agent("agent1", answer_after=0.1):
        assert either.call(second, caller="+447700900124", seconds=0.5).status == 200
        assert either.call(second, caller="+447700900125", seconds=0.5).status == 200
    records = {record["caller"]["number"][-3:]: record for record in without_ami.wait_for_cdrs(3, 60)}
    assert (records["123"]["result"], records["123"]["repaired"]) == ("answered", "switch-restarted")
    # The cut swallowed this call's first line: known by the others, and said so.
    assert (records["124"]["result"], records["124"]["repaired"]) == ("answered", "start-lost")
    assert (records["125"]["result"], records["125"]["repaired"]) == ("answered", None)
    assert [record["number"] for _, record in sorted(records.items())] == [first, second, second]
    assert without_ami.log_text.count("call.repaired") == 2
