"""SIGKILL the router, Asterisk, or both, again and again, while real calls come; then count.

    python tests/sandbox/soak.py --calls 1000 --seed 1

What must hold: no call that Asterisk kept is dropped, no CDR is lost, none is there twice, none names a
visitor who did not hold the number. The judges are SIPp's messages and the journal that Asterisk wrote.
Everything is on loopback, seeded, and bounded in calls and time.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "asterisk-sandbox"), str(HERE.parents[1])]

from instance import Instance  # noqa: E402
from peers import Run  # noqa: E402
from router_process import RouterProcess, wait_for  # noqa: E402
from wire import Outcome  # noqa: E402

NEAR_SECONDS = 1.0
AFTERWORD_MS = 1_000
"""Asterisk's own last words about a call come after its last SIP message."""
SAYING_MS, DYING_MS = 3_000, 500
"""How long before a kill a call was stored that could not be told of any more (the store was busy), and how
long after the instant of the kill was taken."""
CALM = 20
"""The last calls come when the killing is over: however long a restart takes, some calls are spared."""
SETTLE_SECONDS = 90.0
"""How long the last CDRs may take: a restarted switch is asked what it has, silence is believed after 3 s."""


@dataclass
class Placed:
    """One call: who called what, for how long, or when they gave up."""

    caller: str
    number: str
    seconds: float
    cancel_after: float | None
    run: Run
    seen: Outcome | None = None


@dataclass
class Soak:
    """A run: `kills` at random instants during `calls` calls, `rate` a second."""

    calls: int
    kills: int
    seed: int
    version: int = 22
    rate: float = 6.0
    killed: Counter[str] = field(default_factory=Counter)
    down: list[tuple[int, int]] = field(default_factory=list)
    router_killed: list[int] = field(default_factory=list)
    placed: list[Placed] = field(default_factory=list)
    holders: dict[str, str] = field(default_factory=dict)

    def play(self) -> dict[str, Any]:
        """Places the calls, kills, and gives the figures; AssertionError names what did not hold."""
        started = time.monotonic()
        private = Instance.private("soak", asterisk=self.version, agi_seconds=4.0)
        with tempfile.TemporaryDirectory() as folder, private as sandbox:
            router = RouterProcess.beside(sandbox, Path(folder))
            router.import_numbers()
            try:
                router.start()
                with sandbox.agent("agent1", answer_after=0.3):
                    self._call_and_kill(sandbox, router)
                    patience = time.monotonic() + 12
                    for call in self.placed:
                        call.seen = _ended(call.run, patience)
                # Asterisk keeps calls whose caller took a crash for the end: nobody is left to hang up.
                sandbox.cli("channel request hangup all")
                return {**self._judge(sandbox, router), "seconds": round(time.monotonic() - started)}
            finally:
                router.end()

    def _call_and_kill(self, sandbox: Instance, router: RouterProcess) -> None:
        chance = random.Random(self.seed)
        for _ in range(20):
            lease = router.visit()
            self.holders[lease["numbers"][0]["number"]] = lease["visitor_id"]
        _redirects_known(sandbox, list(self.holders))
        numbers = sorted(self.holders)
        whats = ["asterisk", "both", "router", "router"] * self.kills
        kills = sorted(
            (chance.uniform(0.05, 0.9) * (self.calls - CALM), what) for what in whats[: self.kills]
        )
        with ThreadPoolExecutor(1) as killer:
            killing = killer.submit(self._kill_in_turn, kills, sandbox, router)
            for index in range(self.calls):
                if index == self.calls - CALM:
                    killing.result(300)
                self.placed.append(self._place(sandbox, chance, numbers, index))
                time.sleep(chance.expovariate(self.rate))
            killing.result(0)

    def _place(self, sandbox: Instance, chance: random.Random, numbers: list[str], index: int) -> Placed:
        caller, number = f"+447700900{index % 1000:03d}", chance.choice(numbers)
        seconds = round(chance.uniform(0.3, 4.0), 2)
        cancel_after = 0.1 if chance.random() < 0.1 else None
        run = sandbox.peers.call(number, caller=caller, seconds=seconds, cancel_after=cancel_after)
        return Placed(caller, number, seconds, cancel_after, run)

    def _kill_in_turn(self, kills: list[tuple[float, str]], sandbox: Instance, router: RouterProcess) -> None:
        """Each kill when its share of the calls is placed, while calls go on being placed."""
        for after, what in kills:
            wait_for(f"call {after:.0f}", lambda after=after: len(self.placed) >= after or None, 600)
            self._kill(what, sandbox, router)

    def _kill(self, what: str, sandbox: Instance, router: RouterProcess) -> None:
        self.killed[what] += 1
        if what != "asterisk":
            self.router_killed.append(round(time.time() * 1000))
            router.kill()
        if what != "router":
            begun = round(time.time() * 1000)
            sandbox.kill_asterisk()
            sandbox.restart()
            self.down.append((begun, round(time.time() * 1000)))
        if what != "asterisk":
            router.start(ready=False)

    def _judge(self, sandbox: Instance, router: RouterProcess) -> dict[str, Any]:
        journal = [line for line in sandbox.journal() if line["uniqueid"] == line["linkedid"]]
        ours = {line["linkedid"] for line in journal if line["context"] in {"leaseline-in", "leaseline-call"}}
        talked = {line["linkedid"] for line in journal if line["eventtype"] == "BRIDGE_ENTER"}
        wait_for(
            f"the last of {len(ours)} CDRs",
            lambda: True if len(router.cdrs) >= len(ours) else None,
            SETTLE_SECONDS,
        )
        time.sleep(1.5)  # for one too many
        records = router.cdrs
        wrong = list(self._counted_wrong(router, records, ours))
        by_caller: dict[str, list[dict[str, Any]]] = {}
        for record in records:
            by_caller.setdefault(record["caller"]["number"], []).append(record)
        untouched = 0
        for call in self.placed:
            spared = self._spared(call)
            untouched += spared
            wrong += [
                f"{call.caller}: {problem}"
                for problem in _problems(call, by_caller.get(call.caller, []), spared, talked, self.holders)
            ]
        head = f"{len(wrong)} wrong (seed {self.seed}), killed {self.killed}:"
        assert not wrong, "\n".join([head, *wrong[:20]])
        return {
            "asterisk": self.version,
            "seed": self.seed,
            "calls": len(self.placed),
            "spared_by_asterisk": untouched,
            "journalled": len(ours),
            "cdrs": len(records),
            "killed": dict(self.killed),
            "results": dict(Counter(record["result"] for record in records)),
            "repaired": dict(Counter(record["repaired"] for record in records if record["repaired"])),
            "by_fallback": sum(record["route"]["by"] == "fallback" for record in records),
        }

    def _counted_wrong(
        self, router: RouterProcess, records: list[dict[str, Any]], ours: set[str]
    ) -> list[str]:
        told = Counter(record["linkedid"] for record in records)
        wrong = [f"no CDR of {linkedid}" for linkedid in ours - told.keys()]
        wrong += [f"a CDR of {linkedid}, which the journal does not know" for linkedid in told.keys() - ours]
        wrong += [f"{count} CDRs of {linkedid}" for linkedid, count in told.items() if count > 1]
        with sqlite3.connect(router.folder / "store" / "leaseline.db") as store:
            stored = dict(store.execute("SELECT call_id, written_at FROM call"))
        if stored.keys() != {record["id"] for record in records}:
            wrong.append(f"{len(stored)} calls in the store, {len(records)} lines in cdr.ndjson")
        lines = [json.loads(line) for line in router.log_text.splitlines() if line.startswith("{")]
        said = {line["call_id"] for line in lines if line["event"] == "call.repaired"}
        repaired = {record["id"] for record in records if record["repaired"]}
        # Only a process that was killed between storing a call and saying so may not have said it.
        for call_id in repaired - said:
            written_at = stored.get(call_id, 0)
            if not any(-SAYING_MS <= written_at - killed_at <= DYING_MS for killed_at in self.router_killed):
                wrong.append(f"call.repaired of {call_id}, written at {written_at}, was not logged")
        return wrong

    def _spared(self, call: Placed) -> bool:
        """Whether Asterisk lived from the INVITE until a little after the end of the call."""
        seen = call.seen
        if seen is None or seen.invited_at is None:
            return False
        ended_at = seen.ended_at or seen.invited_at + 1000 * (call.seconds + 3)
        until = ended_at + AFTERWORD_MS
        return not any(killed_at <= until and up_at >= seen.invited_at for killed_at, up_at in self.down)


def _problems(
    call: Placed, records: list[dict[str, Any]], spared: bool, talked: set[str], holders: dict[str, str]
) -> list[str]:
    """What one call's CDRs say wrongly. A second CDR only where Asterisk died and the INVITE came again."""
    wrong = []
    for record in records:
        if record["number"] != call.number:
            wrong.append(f"number {record['number']}, not {call.number}")
        if record["attribution"]["visitor_id"] != holders[call.number]:
            wrong.append(f"{record['linkedid']} is credited to {record['attribution']['visitor_id']}")
        if (record["result"] == "answered") != (record["linkedid"] in talked):
            wrong.append(f"{record['linkedid']} is {record['result']}, the journal says otherwise")
    if not spared or call.seen is None:
        return wrong
    seen = call.seen
    if len(records) != 1:
        return [*wrong, f"{len(records)} CDRs"]
    [record] = records
    if call.cancel_after is not None:
        if (seen.status, record["result"]) not in {(487, "cancelled"), (200, "answered")}:
            wrong.append(f"cancelled: {seen.status}, {record['result']}")
        return wrong
    if seen.answered_at is None or seen.ended_at is None or seen.hung_up_by != "self":
        return [*wrong, f"dropped: {seen.status}, {seen.hung_up_by}, {seen.messages[-3:]}"]
    talk = (seen.ended_at - seen.answered_at) / 1000
    if abs(talk - call.seconds) > NEAR_SECONDS or abs(record["talk_seconds"] - talk) > NEAR_SECONDS:
        wrong.append(f"talked {talk} s of {call.seconds}, the CDR says {record['talk_seconds']}")
    if (record["hung_up_by"], record["repaired"]) != ("caller", None):
        wrong.append(f"hung up by {record['hung_up_by']}, repaired {record['repaired']}")
    return wrong


def _ended(run: Run, patience: float) -> Outcome | None:
    """What the caller saw; a call whose Asterisk died hangs, and is ended at the instant `patience`."""
    while run.exit_code is None and time.monotonic() < patience:
        time.sleep(0.02)
    outcomes = run.stop()
    return outcomes[0] if outcomes else None


def _redirects_known(sandbox: Instance, numbers: list[str]) -> None:
    def known() -> bool | None:
        table = sandbox.cli("database show leaseline")
        return True if all(number.removeprefix("+") in table for number in numbers) else None

    wait_for("AstDB's fallback table", known, 60)


def main() -> int:
    """Entry of `make soak`."""
    parser = argparse.ArgumentParser(prog="soak", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--kills", type=int, help="one for each 40 calls, if not given")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--asterisk", type=int, default=22, choices=(22, 16))
    options = parser.parse_args()
    kills = max(3, options.calls // 40) if options.kills is None else options.kills
    soak = Soak(options.calls, kills, options.seed, options.asterisk)
    try:
        print(json.dumps(soak.play()))
    except AssertionError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
