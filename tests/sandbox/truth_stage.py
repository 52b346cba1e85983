"""Where the rows of docs/truth-table.md are played: many calls beside each other, one CDR each.

A row is a function that places its call with phones and a number of its own and then compares the CDR with
what the wire saw. All rows of one Asterisk version are played on one switch and through one ingesting router;
the plans come from a FastAGI server of the tests, so that a row says exactly what the dialplan is told.
"""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fake_router import FakeRouter
from instance import Instance
from peers import AGENTS, Run
from ports import free_tcp_port
from router_process import RouterProcess, wait_for
from wire import Outcome

AT_ONCE = 5
"""Rows played at the same time: two cores carry that without a call being late."""
NEAR_SECONDS = 0.5
"""How far the CDR may be from the wire; a busy machine makes 0.05 of it."""

NUMBERS = [f"+4420794603{index:02d}" for index in range(100)]
CODES = "+441174960001"
SITES = f"""
[[site]]
key = "codes"
name = "Codes"
main_number = "{CODES}"
origins = ["https://shop.example"]
pool = "codes"
[[site.step]]
targets = ["PJSIP/agent1"]
"""

Row = Callable[["Case"], None]
Plan = dict[str, str]


@dataclass
class Rows:
    """The rows of one module, by name, and how many phones each needs."""

    rows: dict[str, tuple[Row, int]] = field(default_factory=dict)

    def row(self, *, agents: int = 0) -> Callable[[Row], Row]:
        """Enters a function as a row; its docstring's first line is the table's."""

        def enter(function: Row) -> Row:
            self.rows[function.__name__] = function, agents
            return function

        return enter


class Stage:
    """One Asterisk, one ingesting router, and the phones that the rows take in turn."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.sandbox = Instance.private("truth", asterisk=version, agi_seconds=4.0)
        self.plans: dict[str, Plan] = {}
        self.extensions: dict[tuple[str, str], Plan] = {}
        self.delays: dict[str, float] = {}
        self._agi = FakeRouter()
        self._phones = sorted(AGENTS)
        self._free = threading.Condition()
        self._serial = itertools.count()
        self._stack = ExitStack()
        self.placed: list[str] = []

    def __enter__(self) -> Stage:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.enter_context(self.sandbox)
            stack.enter_context(self._agi)
            self._agi.listen(self.sandbox.agi, self._answer)
            self.router = _ingesting(self.sandbox, folder)
            stack.callback(self.router.end)
            self.router.start()
            self.sandbox.peers  # noqa: B018  its container is up before the first row's clock runs
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _answer(self, connection: Any) -> None:
        asked = self._agi.asked
        dialed, digits = asked["dialed"], asked["other"]
        time.sleep(self.delays.get(dialed, 0))
        if asked["path"] == "extension":
            plan = self.extensions.get((asked["agi_callerid"], digits), {"LL_ASK": "1"})
        else:
            plan = self.plans.get(asked["agi_callerid"]) or self.plans[dialed]
        self._agi.answer(plan)(connection)

    def play(self, rows: Mapping[str, tuple[Row, int]]) -> dict[str, Future[None]]:
        """Plays the rows beside each other and returns when all are through."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            return {
                name: threads.submit(self._play, row, agents)
                for name, (row, agents) in sorted(rows.items(), key=lambda item: -item[1][1])
            }

    def numbers_told(self) -> list[str]:
        """The number of each CDR, once there are as many as calls were placed, or after a while."""
        deadline = time.monotonic() + 15
        while len(self.router.cdrs) < len(self.placed) and time.monotonic() < deadline:
            time.sleep(0.1)
        return sorted(str(record["number"]) for record in self.router.cdrs)

    def _play(self, row: Row, agents: int) -> None:
        with self._phones_for(agents) as phones:
            Case(self, phones, next(self._serial)).play(row)

    @contextmanager
    def _phones_for(self, count: int) -> Iterator[list[str]]:
        """Phones that no other row uses meanwhile."""
        with self._free:
            self._free.wait_for(lambda: len(self._phones) >= count, 600)
            taken, self._phones = self._phones[:count], self._phones[count:]
        try:
            yield taken
        finally:
            with self._free:
                self._phones += taken
                self._free.notify_all()


def _ingesting(sandbox: Instance, folder: Path) -> RouterProcess:
    """A real router with numbers to lease; its own FastAGI port is not the one that the dialplan asks."""
    router = RouterProcess(
        folder,
        agi_port=free_tcp_port(),
        agi_seconds=sandbox.agi_seconds,
        ami_port=sandbox.ami_port,
        journal=sandbox.journal_path,
        recordings=sandbox.recordings,
        environment={
            "LEASELINE_AMI_SECRET": sandbox.ami_secret,
            "LEASELINE_AMI_DB_SECRET": sandbox.astdb_secret,
        },
    )
    router.config.write_text(router.config.read_text(encoding="utf-8") + SITES, encoding="utf-8")
    table = folder / "numbers.csv"
    rows = [f"{number},dynamic,,," for number in NUMBERS] + [f"{CODES},extension,codes,codes,"]
    table.write_text("\n".join(["number,kind,pool,site,channel", *rows, ""]), encoding="utf-8")
    router.command("numbers", "import", str(table))
    return router


class Case:
    """What one row uses: its phones, its visitor's number, its caller."""

    def __init__(self, stage: Stage, phones: list[str], serial: int) -> None:
        self.stage = stage
        self.phones = phones
        self.caller = f"+447700900{serial:03d}"
        self.runs: dict[str, Run] = {}
        self._exit = ExitStack()
        self.lease: dict[str, Any] = {}

    def play(self, row: Row) -> None:
        """Plays the row to its end."""
        with self._exit:
            row(self)

    @property
    def version(self) -> int:
        """The Asterisk version."""
        return self.stage.version

    def number(self, *, slow: float = 0, **plan: str) -> str:
        """A number leased to a new visitor, for which the dialplan is told `plan` (after `slow` seconds)."""
        self.lease = self.stage.router.visit()
        number: str = self.lease["numbers"][0]["number"]
        self.stage.delays[number] = slow
        self.stage.plans[number] = {"LL_NUMBER": number, "LL_SITE": "shop", "LL_MS": "1.000", **plan}
        return number

    def code(self, plan: Plan, right: Plan) -> str:
        """A code on the extension host, leased to a new visitor; keyed, it gives the plan `right`.

        All rows share the host: their plans are told apart by the caller.
        """
        self.lease = self.stage.router.visit(site="codes")
        [shown] = self.lease["numbers"]
        number, extension = shown["number"], shown["extension"]
        known = {"LL_NUMBER": number, "LL_SITE": "codes"}
        self.stage.plans[self.caller] = {**known, "LL_MS": "1.000", **plan, "LL_ASK": "1"}
        self.stage.extensions[self.caller, extension] = {**known, **right, "LL_ASK": ""}
        return str(extension)

    def agent(self, index: int = 0, **how: Any) -> str:
        """Plays the row's phone `index`; gives its target."""
        name = self.phones[index]
        self.runs[name] = self._exit.enter_context(self.stage.sandbox.agent(name, **how))
        return f"PJSIP/{name}"

    def extension_of(self, index: int) -> str:
        """What another phone dials to reach phone `index`."""
        return f"1{int(self.phones[index].removeprefix('agent')):02d}"

    def call(self, number: str, **how: Any) -> Outcome:
        """The call, as the caller's side of the wire saw it."""
        self.stage.placed.append(number)
        return self.stage.sandbox.call(number, **{"caller": self.caller, **how})

    def begin(self, number: str, **how: Any) -> Run:
        """The call, going on by itself."""
        self.stage.placed.append(number)
        return self.stage.sandbox.peers.call(number, **{"caller": self.caller, **how})

    def seen(self, index: int = 0) -> Outcome:
        """What phone `index` saw of its one call from Asterisk, which has ended."""
        run = self.runs[self.phones[index]]
        run.wait_until_over(10)
        outcomes = run.outcomes()
        [outcome] = [one for one in outcomes if not one.call_id.startswith("second")]
        return outcome

    def records(self, number: str, count: int = 1, *, caller: str | None = None) -> list[dict[str, Any]]:
        """The CDRs of calls to the number."""

        def found() -> list[dict[str, Any]] | None:
            records = [
                record
                for record in self.stage.router.cdrs
                if record["number"] == number and caller in (None, record["caller"]["number"])
            ]
            return records if len(records) >= count else None

        records = wait_for(f"{count} CDR of {number}", found, 45)
        assert len(records) == count, records
        return records

    def record(self, number: str) -> dict[str, Any]:
        """The one CDR of the call to the number."""
        [record] = self.records(number)
        return record


class Played:
    """The rows of one version, played already; `placed` and `told`: the numbers called, and of the CDRs."""

    def __init__(self, results: Mapping[str, Future[None]], placed: list[str], told: list[str]) -> None:
        self._results = results
        self.placed = placed
        self.told = told

    def result(self, row: str) -> None:
        """Raises what the row raised."""
        self._results[row].result(0)


def played(version: int, rows: Mapping[str, tuple[Row, int]]) -> Played:
    """Plays the rows on a switch of their own."""
    with Stage(version) as stage:
        results = stage.play(rows)
        return Played(results, sorted(stage.placed), stage.numbers_told())
