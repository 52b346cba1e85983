"""Nothing that a caller, a trunk or a browser sends can choose whom Asterisk dials."""

import re

from asking import NOON, Asked, History, Record
from hypothesis import given
from hypothesis import strategies as st

from agi.commands import set_variables
from agi.protocol import FastAgiCodec, Request
from agi.request import AgiRequest
from dialplan.render import is_dial_string
from pool.numbers import NumberKind
from router.config import Config
from router.routing.counts import RouteCounts
from router.routing.extension import ExtensionRoute
from router.routing.numbering import NotANumber
from router.routing.route import NotOurNumber, Route
from router.store.routing import Holder

CONFIG = Config.model_validate(
    {
        "asterisk": {"dial": "PJSIP/{number}@trunk"},
        "block": [{"callers": ["+447700900666"]}],
        "site": [
            {
                "key": "shop",
                "name": "Shop",
                "main_number": "+442079460000",
                "origins": ["https://shop.example"],
                "channel": [{"name": "Google Ads", "whisper": "google"}],
                "step": [
                    {"targets": ["PJSIP/agent1", "PJSIP/agent2"], "strategy": "sticky"},
                    {"targets": ["PJSIP/agent3", "+442079460001"], "strategy": "round_robin"},
                ],
                "plan": [
                    {"name": "ads", "channel": ["G*"], "step": [{"targets": ["PJSIP/+442079460002@trunk"]}]},
                    {"name": "north", "region": ["*"], "caller": ["+44*"], "overflow": "busy"},
                ],
                "number_slot": [{"name": "leeds", "main_number": "+441134960000"}],
            }
        ],
    }
)
TARGETS = {
    "PJSIP/agent1",
    "PJSIP/agent2",
    "PJSIP/agent3",
    "PJSIP/+442079460000@trunk",
    "PJSIP/+442079460001@trunk",
    "PJSIP/+442079460002@trunk",
    "PJSIP/+441134960000@trunk",
}
OURS = ["+442079460100", "02079460101", "+442079460500", "+442079460000"]
HOSTILE = st.sampled_from(
    [
        "PJSIP/+449098790000@trunk",
        "8001&PJSIP/agent9,5",
        '"; EXEC Dial PJSIP/agent9',
        "${SHELL(id)}",
        "+442079460100&PJSIP/+449098790000@trunk",
        "agent9,tT",
        "LL_D1=PJSIP/agent9",
        "1\nagi_arg_1: +449098790000",
    ]
)
ANYTHING = st.text(max_size=40) | HOSTILE
PREMIUM = "PJSIP/+449098790000@trunk"


async def find(number: str) -> Record | None:
    kinds = {OURS[0]: NumberKind.DYNAMIC, "+442079460101": NumberKind.STATIC, OURS[2]: NumberKind.EXTENSION}
    return Record(site="shop", kind=kinds[number]) if number in kinds else None


def dialed_by(answer: dict[str, str]) -> set[str]:
    """The dial strings of an answer, each allowed by the dialplan too."""
    steps = [value for name, value in answer.items() if re.match(r"LL_D\d\Z", name) and value]
    assert all(is_dial_string(step) for step in steps)
    return {dial for step in steps for dial in step.split("&")}


@given(
    dialed=st.sampled_from(OURS) | ANYTHING,
    caller=ANYTHING,
    keyed=st.just("4711") | ANYTHING,
    linkedid=ANYTHING,
    headers=st.dictionaries(ANYTHING, ANYTHING, max_size=3),
    channel=ANYTHING,
    region=ANYTHING,
    slot=st.sampled_from(["main", "leeds"]) | ANYTHING,
    agent=st.none() | st.just(PREMIUM) | ANYTHING,
    at=st.integers(0, NOON * 2),
)
async def test_whatever_is_asked_only_configured_targets_are_answered(
    *,
    dialed: str,
    caller: str,
    keyed: str,
    linkedid: str,
    headers: dict[str, str],
    channel: str,
    region: str,
    slot: str,
    agent: str | None,
    at: int,
) -> None:
    """Request fields come from the caller and the trunk; channel, region and slot from the browser's visit;
    the agent from earlier calls' records.
    """
    holder = Holder(slot, channel, region, at)
    history = History({(number, code): holder for number in OURS for code in ("", "4711")})
    history.answered = {known: [agent] for known in (caller, "+447700900123")}
    asked = Asked(
        dialed, caller, keyed, linkedid, at, {"agi_callerid": caller, "agi_dnid": dialed, **headers}
    )
    for path in (Route, ExtensionRoute):
        try:
            answer = dict(await path(lambda: CONFIG, find, history, RouteCounts())(asked))
        except (NotANumber, NotOurNumber):
            continue
        assert dialed_by(answer) <= TARGETS
        # What goes to Asterisk is these variables and no more.
        lines = set_variables(answer.items())
        assert all(line.startswith(b'EXEC MSet "LL_') and line.count(b'"') == 2 for line in lines)


@given(values=st.lists(ANYTHING, min_size=3, max_size=3))
async def test_headers_smuggled_into_arguments_choose_no_target(values: list[str]) -> None:
    """The same, from the bytes on the wire: a line feed in a value begins another header."""
    dialed, linkedid, caller = (value.encode("utf-8", "surrogateescape") for value in values)
    block = (
        b"agi_network_script: route\nagi_dnid: " + dialed + b"\nagi_callerid: " + caller
        + b"\nagi_arg_1: +442079460100\nagi_arg_2: " + linkedid + b"\nagi_arg_3: " + caller + b"\n\n"
    )  # fmt: skip
    requests = [event for event in FastAgiCodec().receive(block) if isinstance(event, Request)]
    for request in requests:
        asked = AgiRequest.of(request.variables, "127.0.0.1", NOON)
        try:
            answer = dict(await Route(lambda: CONFIG, find, History(), RouteCounts())(asked))
        except (NotANumber, NotOurNumber):
            continue
        assert dialed_by(answer) <= TARGETS
