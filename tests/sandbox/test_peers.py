"""The harness itself: what it reads from SIPp's messages, and the script's own errors."""

from __future__ import annotations

import os
import subprocess

import pytest
from instance import SCRIPT
from wire import read_log


def message(second: float, way: str, sip: str) -> str:
    head = f"{'-' * 47} 2026-11-22T13:00:{second:09.6f}Z\nUDP message {way} [1] bytes:\n\n"
    return head + sip.replace("\n", "\r\n") + "\n\n"


def reply(second: float, way: str, status: str, sequence: str = "1 INVITE", call_id: str = "a") -> str:
    return message(second, way, f"SIP/2.0 {status}\nCall-ID: {call_id}\nCSeq: {sequence}\n\n")


def request(second: float, way: str, method: str, call_id: str = "a") -> str:
    head = f'{method} sip:+442079460000@127.0.0.1 SIP/2.0\nFrom: "Ann" <sip:+447700900123@127.0.0.2>;tag=1\n'
    return message(second, way, f"{head}Call-ID: {call_id}\nCSeq: 1 {method}\n\n")


BASE = 1795352400000  # 2026-11-22T13:00:00Z


def test_answered_call() -> None:
    log = [
        request(1, "sent", "INVITE"),
        reply(1.1, "received", "100 Trying"),
        reply(1.2, "received", "180 Ringing"),
        reply(1.9, "received", "180 Ringing"),
        reply(2, "received", "200 OK"),
        request(2.1, "sent", "ACK"),
        request(5.5, "received", "BYE"),
        reply(5.6, "sent", "200 OK", "1 BYE"),
    ]
    [call] = read_log("".join(log)).values()
    assert (call.number, call.caller, call.caller_name) == ("+442079460000", "+447700900123", "Ann")
    assert (call.invited_at, call.ringing_at, call.answered_at, call.ended_at) == (
        BASE + 1000, BASE + 1200, BASE + 2000, BASE + 5500,
    )  # fmt: skip
    assert (call.status, call.hung_up_by, call.ended_well) == (200, "other", True)


def test_refused_cancelled_and_interleaved_calls() -> None:
    log = [
        request(1, "sent", "INVITE"),
        request(1.1, "sent", "INVITE", "b"),
        reply(1.2, "received", "486 Busy Here", call_id="b"),
        reply(1.3, "received", "180 Ringing"),
        request(2, "sent", "CANCEL"),
        reply(2.1, "received", "200 OK", "1 CANCEL"),
        reply(2.2, "received", "487 Request Terminated"),
    ]
    calls = read_log("".join(log))
    assert [(call.status, call.cancelled_at) for call in calls.values()] == [(487, BASE + 2000), (486, None)]
    assert not any(call.ended_well for call in calls.values())


def test_messages_of_an_earlier_run_are_no_call() -> None:
    assert read_log(request(1, "received", "BYE", "old") + reply(1.1, "sent", "200 OK", "1 BYE", "old")) == {}


def test_a_log_may_be_cut_anywhere() -> None:
    text = request(1, "sent", "INVITE") + reply(1.1, "received", "200 OK")
    for end in range(len(text)):
        assert len(read_log(text[:end])) <= 1


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (["--help"], {}, ""),
        (["frobnicate"], {}, "no command 'frobnicate'"),
        (["up"], {"ASTERISK": "13"}, "ASTERISK=13"),
        (["up"], {"SANDBOX_NAME": "a b"}, "SANDBOX_NAME=a b"),
        (["up"], {"SANDBOX_SIP_PORT": "70000"}, "port 70000"),
        (["up"], {"SANDBOX_RTP": "20000-10000"}, "SANDBOX_RTP"),
        (["up"], {"SANDBOX_STATE": "/tmp/a,b"}, "set SANDBOX_STATE"),
        (["up"], {"SANDBOX_ENGINE": "docker", "DOCKER_HOST": "unix:///nowhere"}, "no Docker engine answers"),
    ],
)
def test_the_script_says_what_is_wrong(arguments: list[str], environment: dict[str, str], told: str) -> None:
    done = subprocess.run(
        [str(SCRIPT), *arguments], env={**os.environ, **environment}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert told in done.stderr
    assert (done.returncode == 0) == (told == "")
    assert "Usage: sandbox" in done.stdout + done.stderr or len(done.stderr.splitlines()) == 1
