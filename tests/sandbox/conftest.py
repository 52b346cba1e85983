"""Real calls: a private Asterisk for the session, SIPp as carrier and agents, and a router that misbehaves.

Where no container engine can be had the tests are skipped with one loud line; in CI that is a failure.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "asterisk-sandbox"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from fake_router import FakeRouter
from instance import Instance, SandboxError
from truth_stage import Played, played

AGI_SECONDS = 4.0
"""The dialplan's patience with the router in most tests: a busy machine is no router that hangs."""

_missing: list[str] = []
_numbers = itertools.count()


@dataclass(frozen=True)
class Story:
    """One call as the journal tells it."""

    lines: list[dict[str, str]]

    @property
    def events(self) -> list[str]:
        """Event types in order."""
        return [line["eventtype"] for line in self.lines]

    @property
    def caller_channel(self) -> str:
        """The channel the call came in on."""
        return next(line["channel"] for line in self.lines if line["uniqueid"] == line["linkedid"])

    def told(self, event: str) -> dict[str, str]:
        """The `key=value` pairs of the one user event `event`."""
        [extra] = [line["extra"] for line in self.lines if line["eventtype"] == event]
        return dict(pair.split("=", 1) for pair in json.loads(extra)["extra"].split("|"))

    def at(self, event: str, channel: str | None = None) -> int:
        """Instant (ms) of the first `event`, of `channel` if given."""
        for line in self.lines:
            if line["eventtype"] == event and channel in (None, line["channel"]):
                return round(float(line["eventtime"]) * 1000)
        raise AssertionError(f"no {event} of {channel} in {self.events}")


def _instance(version: int) -> Iterator[Instance]:
    instance = Instance.private("tests", asterisk=version, agi_seconds=AGI_SECONDS)
    try:
        try:
            instance.up()
        except SandboxError as error:
            if not error.missing:
                raise
            _missing.append(str(error))
            if os.environ.get("CI") == "true":
                pytest.fail(f"CI must be able to place real calls: {error}")
            pytest.skip("no container engine can be had here: no real calls were placed")
        yield instance
    finally:
        if not _missing:
            instance.down()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Instance]:
    """Asterisk 22."""
    yield from _instance(22)


@pytest.fixture(scope="session")
def sandbox16() -> Iterator[Instance]:
    """Asterisk 16."""
    yield from _instance(16)


@pytest.fixture(scope="session", params=[22, 16], ids=["asterisk22", "asterisk16"])
def either(request: pytest.FixtureRequest) -> Instance:
    """Asterisk 22, and again Asterisk 16."""
    instance: Instance = request.getfixturevalue("sandbox" if request.param == 22 else "sandbox16")
    return instance


@pytest.fixture(scope="session", params=[22, 16], ids=["asterisk22", "asterisk16"])
def truth(request: pytest.FixtureRequest, sandbox: Instance) -> Played:
    """The selected rows of the truth table, played beside each other; `sandbox` says whether any can be."""
    rows = {}
    for item in request.session.items:
        if isinstance(item, pytest.Function) and {"truth", "row"} <= set(item.fixturenames):
            name = item.callspec.params["row"]
            rows[name] = item.module.ROWS.rows[name]
    return played(request.param, rows)


@pytest.fixture
def number() -> str:
    """A dialed number of this test alone."""
    return f"+44207946{next(_numbers):04d}"


@pytest.fixture
def router() -> Iterator[FakeRouter]:
    """A FastAGI server to be told how to misbehave."""
    with FakeRouter() as fake:
        yield fake


@pytest.fixture
def story() -> Callable[..., Story]:
    """`story(sandbox, number)`: what the journal tells of the last call to `number`, once it has ended."""

    def find(instance: Instance, number: str, *, seconds: float = 30) -> Story:
        def linkedid(lines: list[dict[str, str]]) -> str | None:
            started = [line["linkedid"] for line in lines if line["exten"] == number]
            return started[-1] if started else None

        def ended(lines: list[dict[str, str]]) -> bool:
            return any(
                line["eventtype"] == "LINKEDID_END" and line["linkedid"] == linkedid(lines) for line in lines
            )

        lines = instance.wait_for_journal(ended, seconds)
        return Story([line for line in lines if line["linkedid"] == linkedid(lines)])

    return find


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is made for all tests of a session (images, a switch, the truth table's calls) takes its time."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(1_200))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly that no call was placed."""
    if _missing:
        terminalreporter.write_line(f"NO REAL CALLS WERE PLACED: {_missing[0]}", red=True, bold=True)
