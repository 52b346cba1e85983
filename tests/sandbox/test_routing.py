"""Real calls through real redirect plans: who rings, who does not, and what the record says of it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from instance import Instance
from router_process import MAIN_NUMBER, RouterProcess

pytestmark = pytest.mark.sandbox
CALLER = "+447700900123"
HOST = "+442079460500"
StartRouter = Callable[..., RouterProcess]


@pytest.fixture
def route_by(sandbox: Instance, tmp_path: Path) -> Iterator[StartRouter]:
    """`route_by(tables)`: a router whose site has these tables instead of its own steps. `whisper` is that of
    its channel Google Ads, which brings its visitors.
    """
    routers: list[RouterProcess] = []

    def start(tables: str, *, whisper: str = "") -> RouterProcess:
        router = RouterProcess.beside(sandbox, tmp_path)
        routers.append(router)
        base, _, channel = router.config.read_text(encoding="utf-8").partition("[[site.channel]]")
        channel = channel.partition("[[site.step]]")[0]
        router.config.write_text(
            f"{base}{tables}[[site.channel]]{channel}whisper = '{whisper}'\n", encoding="utf-8"
        )
        return router

    yield start
    for router in routers:
        router.end()


@pytest.fixture
def routed(route_by: StartRouter) -> StartRouter:
    """The same, started, with numbers."""

    def start(tables: str, *, whisper: str = "") -> RouterProcess:
        router = route_by(tables, whisper=whisper)
        router.import_numbers()
        router.start()
        return router

    return start


def number_shown(router: RouterProcess) -> str:
    """A number that a visitor is shown."""
    return str(router.visit()["numbers"][0]["number"])


def test_of_sequential_targets_the_second_answers(sandbox: Instance, routed: StartRouter) -> None:
    router = routed(
        "[[site.step]]\ntargets = ['PJSIP/agent1', 'PJSIP/agent2']\n"
        "strategy = 'sequential'\nring_seconds = 2\n"
    )
    with sandbox.agent("agent1", answer_after=None) as first, sandbox.agent("agent2", answer_after=0.2):
        seen = sandbox.call(number_shown(router), caller=CALLER, seconds=0.5)
    assert (seen.status, first.outcomes()[0].status) == (200, 487)
    [record] = router.wait_for_cdrs(1)
    assert (record["result"], record["answered_by"]) == ("answered", "PJSIP/agent2")
    assert [(leg["step"], leg["target"], leg["result"]) for leg in record["legs"]] == [
        (1, "PJSIP/agent1", "missed"),
        (2, "PJSIP/agent2", "answered"),
    ]


def test_of_simultaneous_targets_the_first_to_answer_has_the_call(
    sandbox: Instance, routed: StartRouter
) -> None:
    router = routed("[[site.step]]\ntargets = ['PJSIP/agent1', 'PJSIP/agent2']\n")
    with (
        sandbox.agent("agent1", answer_after=5) as slow,
        sandbox.agent("agent2", answer_after=0.5) as quick,
    ):
        seen = sandbox.call(number_shown(router), caller=CALLER, seconds=0.5)
    assert (seen.status, slow.outcomes()[0].status, quick.outcomes()[0].status) == (200, 487, 200)
    [record] = router.wait_for_cdrs(1)
    assert record["answered_by"] == "PJSIP/agent2"
    assert [(leg["step"], leg["result"]) for leg in record["legs"]] == [(1, "elsewhere"), (1, "answered")]


def test_turns_and_the_last_agent(sandbox: Instance, routed: StartRouter) -> None:
    """Two strangers are rung to two agents; each of them, calling again, gets his own agent."""
    router = routed(
        "[[site.plan]]\nname = 'known'\nfirst_call = false\n"
        "[[site.plan.step]]\ntargets = ['PJSIP/agent1', 'PJSIP/agent2']\n"
        "strategy = 'sticky'\nring_seconds = 5\n"
        "[[site.step]]\ntargets = ['PJSIP/agent1', 'PJSIP/agent2']\nstrategy = 'round_robin'\n"
    )
    number = number_shown(router)
    callers = ["+447700900001", "+447700900002"]
    with sandbox.agent("agent1", answer_after=0.1), sandbox.agent("agent2", answer_after=0.1):
        for place, caller in enumerate([*callers, *reversed(callers)], 1):
            assert sandbox.call(number, caller=caller, seconds=0.3).status == 200
            router.wait_for_cdrs(place)
    records = router.wait_for_cdrs(4)
    first, second = "PJSIP/agent1", "PJSIP/agent2"
    assert [record["answered_by"] for record in records] == [first, second, second, first]
    assert [len(record["legs"]) for record in records] == [1, 1, 1, 1]


def test_outside_its_hours_a_site_says_so_or_is_busy(sandbox: Instance, routed: StartRouter) -> None:
    """The site's language has no prompts of its own here: the common ones are played."""
    other_day = (datetime.now(UTC) + timedelta(days=3)).strftime("%a")
    router = routed(
        "language = 'ru'\n"
        f"[[site.schedule]]\nname = 'office'\nhours = ['{other_day}']\n"
        "[[site.plan]]\nname = 'box'\noutside = 'office'\ncaller = ['+447700900777']\n"
        "overflow = 'voicemail'\nvoicemail_box = '100'\n"
        "[[site.plan]]\nname = 'busy'\noutside = 'office'\ncaller = ['+447700900666']\n"
        "[[site.plan]]\nname = 'closed'\noutside = 'office'\n"
        "overflow = 'announcement'\noverflow_prompt = 'unavailable'\n"
        "[[site.step]]\ntargets = ['PJSIP/agent1']\n"
    )
    number = number_shown(router)
    with sandbox.agent("agent1") as agent:
        told = sandbox.call(number, caller=CALLER)
        refused = sandbox.call(number, caller="+447700900666")
        recorded = sandbox.call(number, caller="+447700900777", seconds=9, audio=True)
    assert agent.outcomes() == []
    assert (told.status, refused.status, recorded.status) == (480, 486, 200)
    assert told.early_media_at is not None
    assert told.ended_at is not None
    assert told.ended_at - told.early_media_at > 2000
    records = router.wait_for_cdrs(3)
    assert [record["result"] for record in records] == ["missed", "missed", "voicemail"]
    assert [record["legs"] for record in records] == [[], [], []]
    assert [record["match"] for record in records] == ["live", "live", "live"]


def test_the_agent_is_told_the_holders_channel(sandbox: Instance, routed: StartRouter) -> None:
    """Google Ads whispers; a call to the main number, which nobody holds, does not."""
    router = routed("[[site.step]]\ntargets = ['PJSIP/agent1']\n", whisper="whisper")
    waits = []
    for place, number in enumerate((number_shown(router), MAIN_NUMBER), 1):
        with sandbox.agent("agent1", answer_after=0.1) as agent:
            seen = sandbox.call(number, caller=CALLER, seconds=0.3)
        [rung] = agent.outcomes()
        assert seen.answered_at is not None
        assert rung.answered_at is not None
        waits.append(seen.answered_at - rung.answered_at)
        router.wait_for_cdrs(place)
    assert waits[0] > 1000 > waits[1]


def test_blocked_and_limited_callers(sandbox: Instance, routed: StartRouter) -> None:
    router = routed(
        "[[site.step]]\ntargets = ['PJSIP/agent1']\n"
        "[[block]]\ncallers = ['+4477009006*']\n"
        "[calls]\nmost_per_caller = 1\nper_minutes = 5\n"
    )
    number = number_shown(router)
    with sandbox.agent("agent1", answer_after=0.1) as agent:
        statuses = [
            sandbox.call(number, caller=caller, seconds=0.2).status
            for caller in ("+447700900666", CALLER, CALLER)
        ]
        assert len(agent.outcomes()) == 1
    assert statuses == [403, 200, 486]
    results = [record["result"] for record in router.wait_for_cdrs(3)]
    assert results == ["blocked", "answered", "blocked"]
    assert b'leaseline_calls_blocked_total{by="limit"} 1.0' in router.get("/metrics")


@pytest.fixture
def extension_host(route_by: StartRouter) -> tuple[RouterProcess, str]:
    """A router with one number for all visitors, and the code that a visitor from Google Ads was shown. Calls
    of that channel go to agent2, after agent3 was tried; every other call to agent1.
    """
    router = route_by(
        "[[site.plan]]\nname = 'ads'\nchannel = ['Google Ads']\n"
        "[[site.plan.step]]\ntargets = ['PJSIP/agent3']\nring_seconds = 5\n"
        "[[site.plan.step]]\ntargets = ['PJSIP/agent2']\n"
        "[[site.step]]\ntargets = ['PJSIP/agent1']\n"
    )
    numbers = router.folder / "hosts.csv"
    numbers.write_text(f"number,kind,site\n{HOST},extension,shop\n", encoding="utf-8")
    router.command("numbers", "import", str(numbers))
    router.start()
    [shown] = router.visit()["numbers"]
    assert shown["number"] == HOST
    return router, str(shown["extension"])


@pytest.mark.parametrize(
    ("keyed", "agent", "match"),
    [("right", "agent2", "extension"), ("wrong", "agent1", "none"), ("none", "agent1", "none")],
)
def test_a_keyed_code(
    sandbox: Instance, extension_host: tuple[RouterProcess, str], keyed: str, agent: str, match: str
) -> None:
    router, code = extension_host
    wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
    digits = {"right": f"{code}#", "wrong": f"{wrong}#", "none": ""}[keyed]
    with (
        sandbox.agent("agent1", answer_after=0.1, hangup_after=0.5),
        sandbox.agent("agent2", answer_after=0.1, hangup_after=0.5),
        sandbox.agent("agent3", reject=486),
    ):
        seen = sandbox.call(HOST, caller=CALLER, seconds=90, digits=digits, digits_after=1.0)
    assert (seen.status, seen.hung_up_by) == (200, "other")
    [record] = router.wait_for_cdrs(1)
    assert (record["result"], record["answered_by"]) == ("answered", f"PJSIP/{agent}")
    assert (record["match"], record["extension"]) == (match, digits.rstrip("#") or None)
    if keyed == "right":
        assert [(leg["step"], leg["target"]) for leg in record["legs"]] == [
            (1, "PJSIP/agent3"),
            (2, "PJSIP/agent2"),
        ]
    tries = {"right": {"right": 1}, "wrong": {"wrong": 1, "none": 2}, "none": {"none": 3}}[keyed]
    metrics = router.get("/metrics").decode()
    for outcome in ("right", "wrong", "none"):
        count = float(tries.get(outcome, 0))
        assert f'leaseline_extensions_keyed_total{{outcome="{outcome}"}} {count}' in metrics


def test_a_router_that_dies_while_digits_are_keyed_loses_nothing(
    sandbox: Instance, extension_host: tuple[RouterProcess, str]
) -> None:
    """The first plan rings at once; the record, made later, still knows whose code it was."""
    router, code = extension_host
    with sandbox.agent("agent1", answer_after=0.1, hangup_after=0.5):
        run = sandbox.peers.call(HOST, caller=CALLER, seconds=90, digits=f"{code}#", digits_after=3.0)
        sandbox.wait_for_journal(lambda lines: any(line["eventtype"] == "LL_ROUTE" for line in lines))
        router.kill()
        run.wait(120)
    [seen] = run.outcomes()
    assert (seen.status, seen.hung_up_by) == (200, "other")
    router.start()
    [record] = router.wait_for_cdrs(1)
    assert (record["result"], record["answered_by"]) == ("answered", "PJSIP/agent1")
    assert (record["match"], record["extension"]) == ("extension", code)
    assert record["attribution"]["channel"] == "Google Ads"
