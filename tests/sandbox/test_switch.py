"""Asterisk itself: a crash in mid-call, and what the AMI users may do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fake_router import FakeRouter
from instance import Instance
from router_process import wait_for

pytestmark = pytest.mark.sandbox


def ask(instance: Instance, user: str, secret: str, *actions: dict[str, str]) -> list[str]:
    """`Success` or the refusal of each action, as pyst2 is told it."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(Path(__file__).with_name("ami_by_pyst2.py")),
         str(instance.ami_port), user, secret],
        input=json.dumps(actions), capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise PermissionError(done.stderr.strip())
    answers: list[str] = json.loads(done.stdout)
    return answers


def test_the_health_user_reads_and_changes_nothing(either: Instance) -> None:
    reads = [{"Action": name} for name in ("Ping", "CoreShowChannels", "CoreStatus", "CoreSettings")]
    changes = [
        {"Action": "Originate", "Channel": "PJSIP/agent1", "Application": "Wait"},
        {"Action": "DBPut", "Family": "leaseline", "Key": "1", "Val": "x"},
        {"Action": "Command", "Command": "core show version"},
        {"Action": "Hangup", "Channel": "x"},
        {"Action": "Setvar", "Variable": "LL_FALLBACK", "Value": "x"},
    ]
    answers = ask(either, "leaseline", either.ami_secret, *reads, *changes)
    assert answers[: len(reads)] == ["Success"] * len(reads)
    assert all(answer != "Success" and "ermission" in answer for answer in answers[len(reads) :]), answers


def test_the_astdb_user_keeps_the_redirects(either: Instance) -> None:
    key = {"Family": "leaseline", "Key": "442079460999"}
    put = {"Action": "DBPut", **key, "Val": "PJSIP/agent3"}
    assert ask(either, "leaseline-astdb", either.astdb_secret, put) == ["Success"]
    assert "PJSIP/agent3" in either.cli("database get leaseline 442079460999")
    delete = {"Action": "DBDel", **key}
    originate = {"Action": "Originate", "Channel": "PJSIP/agent1", "Application": "Wait"}
    deleted, refused = ask(either, "leaseline-astdb", either.astdb_secret, delete, originate)
    assert deleted == "Success"
    assert "ermission" in refused


def test_a_wrong_secret_is_refused(sandbox: Instance) -> None:
    with pytest.raises(PermissionError, match="Authentication failed"):
        ask(sandbox, "leaseline", "wrong-secret")


def test_killed_in_mid_call_the_journal_has_what_was_known(router: FakeRouter, number: str) -> None:
    """And what it had recorded is on disk, and AstDB's entries are there after the restart."""
    instance = Instance.private("killed", agi_seconds=4.0)
    astdb = instance.state / "lib" / "astdb.sqlite3"
    router.listen(instance.agi, router.answer({"LL_D1": "PJSIP/agent1", "LL_RECORD": "mono"}))
    try:
        instance.up()
        instance.set_redirect("442079460000", "PJSIP/agent2")
        wait_for("AstDB on the disk", lambda: True if b"442079460000" in astdb.read_bytes() else None)
        with instance.agent("agent1", answer_after=0.1):
            run = instance.peers.call(number, seconds=60, audio=True)
            instance.wait_for_journal(
                lambda lines: [x["eventtype"] for x in lines].count("BRIDGE_ENTER") == 2
            )
            told = json.loads(instance.journal()[1]["extra"])["extra"]
            recording = Path(dict(pair.split("=", 1) for pair in told.split("|"))["file"])
            # Two seconds of audio are in Asterisk's buffer at any moment; what was before is on the disk.
            wait_for("recorded sound", lambda: True if recording.stat().st_size > 16000 else None)
            instance.kill_asterisk()
            run.stop()
        assert [line["eventtype"] for line in instance.journal()] == [
            "CHAN_START", "LL_ROUTE", "CHAN_START", "ANSWER", "ANSWER", "BRIDGE_ENTER", "BRIDGE_ENTER",
        ]  # fmt: skip
        assert recording.stat().st_size > 16000
        instance.restart()
        with instance.agent("agent1", answer_after=0.1):
            assert instance.call(number, seconds=0.2).status == 200
        assert "PJSIP/agent2" in instance.cli("database get leaseline 442079460000")
    finally:
        instance.down()
