"""What a FastAGI request asks, in both forms that an installed dialplan may have."""

from __future__ import annotations

import pytest

from agi.protocol import FastAgiCodec, Request
from agi.request import AgiRequest

from .asterisk_bytes import header_block

IN_THE_ADDRESS = "route/+442079460123/+447700900123/1763817000.42"


def asked(block: bytes) -> AgiRequest:
    [request] = FastAgiCodec().receive(block)
    assert isinstance(request, Request)
    return AgiRequest.of(request.variables, "127.0.0.1", 0)


def test_what_stands_in_the_address_is_asked() -> None:
    request = asked(header_block(script=IN_THE_ADDRESS))
    assert (request.path, request.dialed, request.linkedid) == ("/route", "+442079460123", "1763817000.42")
    assert request.caller == request.keyed == "+447700900123"


def test_arguments_of_an_older_dialplan_are_asked() -> None:
    request = asked(header_block(caller=""))
    assert (request.path, request.dialed, request.linkedid) == ("/route", "442079460123", "1763817000.42")
    assert request.caller == ""


@pytest.mark.parametrize("address", ["extension/442079460123//pbx/1-1763817000.42", "extension/1//2?x=1"])
def test_only_the_call_s_name_may_hold_more_slashes(address: str) -> None:
    request = asked(header_block(script=address))
    assert (request.path, request.keyed) == ("/extension", "")
    assert request.linkedid == address.split("/", 3)[3]


def test_a_line_feed_in_the_dialed_number_cannot_ask_otherwise() -> None:
    smuggled = b"1\nagi_arg_1: 999\nagi_network_script: route/999/1/2\nagi_request: agi://x/route/999/1/2"
    request = asked(header_block(script=IN_THE_ADDRESS, dnid=smuggled))
    assert (request.dialed, request.caller) == ("+442079460123", "+447700900123")
