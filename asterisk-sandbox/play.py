"""`sandbox call` and `sandbox agent`: one peer from the command line, JSON lines of what it saw."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from dataclasses import asdict
from pathlib import Path

from peers import AGENTS, Peers
from wire import Outcome


def _printable(outcome: Outcome) -> str:
    facts = {key: value for key, value in asdict(outcome).items() if key != "messages"}
    return json.dumps(facts, ensure_ascii=True)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sandbox")
    commands = parser.add_subparsers(dest="command", required=True)
    call = commands.add_parser("call", help="call a number as the carrier")
    call.add_argument("number")
    call.add_argument("--from", dest="caller", default="+447700900123", help="caller's number")
    call.add_argument("--name", default="", help="caller's name")
    call.add_argument("--seconds", type=float, default=3.0, help="talk that long (3)")
    call.add_argument("--digits", default="", help="key these after the answer")
    call.add_argument("--audio", action="store_true", help="send sound and check that it comes back")
    call.add_argument("--cancel-after", type=float, help="give up so many seconds after the last ringing")
    agent = commands.add_parser("agent", help="play an agent")
    agent.add_argument("name", choices=sorted(AGENTS))
    how = agent.add_mutually_exclusive_group()
    how.add_argument("--answer-after", type=float, default=0.5, help="ring that long (0.5)")
    how.add_argument("--no-answer", action="store_true", help="ring for ever")
    how.add_argument("--busy", action="store_true", help="refuse with 486")
    how.add_argument("--reject", type=int, metavar="CODE", help="refuse with this code")
    how.add_argument("--silent", action="store_true", help="answer nothing at all")
    agent.add_argument("--hangup-after", type=float, help="hang up first, so many seconds after answering")
    agent.add_argument("--calls", type=int, help="end after so many calls")
    return parser.parse_args(arguments)


def _call(peers: Peers, options: argparse.Namespace) -> int:
    run = peers.call(
        options.number, caller=options.caller, name=options.name, seconds=options.seconds,
        digits=options.digits, audio=options.audio, cancel_after=options.cancel_after,
    )  # fmt: skip
    run.wait(180 + options.seconds)
    outcomes = run.outcomes()
    if not outcomes:
        sys.stderr.write(f"sandbox: SIPp placed no call: {run.errors().strip()[-500:]}\n")
        return 2
    print(_printable(outcomes[0]))
    return 0 if outcomes[0].ended_well else 1


def _agent(peers: Peers, options: argparse.Namespace) -> int:
    run = peers.agent(
        options.name, answer_after=None if options.no_answer else options.answer_after,
        reject=486 if options.busy else options.reject, silent=options.silent,
        hangup_after=options.hangup_after,
    )  # fmt: skip
    sys.stderr.write(f"sandbox: {options.name} listens on {run.address}:{run.port}\n")
    told: set[str] = set()
    while options.calls is None or len(told) < options.calls:
        if run.exit_code is not None:
            sys.stderr.write(f"sandbox: SIPp ended: {run.errors().strip()[-500:]}\n")
            return 2
        for outcome in run.outcomes():
            if outcome.call_id not in told and (outcome.ended_at or outcome.cancelled_at):
                told.add(outcome.call_id)
                print(_printable(outcome), flush=True)
        time.sleep(0.2)
    time.sleep(0.5)  # the last answers (200 to BYE, 487 after CANCEL) are still to be sent
    run.stop()
    return 0


def main() -> int:
    """Entry of `sandbox call` and `sandbox agent`."""
    options = _parse(sys.argv[1:])
    folder = Path(os.environ["SANDBOX_STATE"]) / "sipp"
    enter = shlex.split(os.environ["SANDBOX_EXEC"])
    ports = int(os.environ["SANDBOX_SIP_PORT"]), int(os.environ["SANDBOX_AGENT_PORT"])
    try:
        with Peers(enter, folder, *ports) as peers:
            return _call(peers, options) if options.command == "call" else _agent(peers, options)
    except (OSError, TimeoutError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
