"""Calls that begin in a browser, as orders, and what users may have rung."""

import re

import pytest
from call_samples import a_call

from fastagi_server.calls.models import CallType
from fastagi_server.calls.orders import CallOrder, is_browsers, rung_participants
from fastagi_server.calls.outbound import OutboundPolicy
from fastagi_server.identities.browsers import BrowserEndpoint

BROWSERS = BrowserEndpoint("sge-gateway")


def order(**metadata: str) -> CallOrder:
    """A call of somebody to a phone."""
    return CallOrder(("SIP/1001",), CallType.AUDIO, metadata)


@pytest.mark.parametrize("kind", ["webrtc", "direct"])
def test_nobody_is_rung_before_the_offer(kind: str) -> None:
    """The PBX is not asked, and no channel of ours is promised."""
    asked = order(caller_leg=kind)
    assert not asked.needs_pbx
    assert "asterisk_channel_id" not in asked.draft("alice", a_call().start_time).metadata


def test_which_calls_are_a_browsers() -> None:
    """Those that say so, and are no channel that exists already."""
    assert is_browsers({"caller_leg": "webrtc"})
    assert not is_browsers({"caller_leg": "direct"})
    assert not is_browsers({})
    assert not is_browsers({"caller_leg": "webrtc", "asterisk_call_id": "17.4"})
    assert order().needs_pbx


def test_users_are_rung_after_telephones() -> None:
    """So that the first leg has the same number, whoever has a page open."""
    call = a_call()
    call.participants = ("bob", "SIP/1001", "carol", "SIP/1002")
    assert rung_participants(call) == ["SIP/1001", "SIP/1002", "bob", "carol"]


def test_a_browser_is_a_telephone_of_our_own() -> None:
    """Users may ring each other's pages where they may ring nothing outside."""
    policy = OutboundPolicy(browsers=BROWSERS)
    assert policy.user_refusal("PJSIP/bob@sge-gateway") == ""
    assert policy.user_refusal("PJSIP/0123@trunk") == "users_not_allowed"
    assert OutboundPolicy().user_refusal("PJSIP/bob@sge-gateway") == "users_not_allowed"


def test_the_gateway_is_no_way_out() -> None:
    """What only looks like a browser is held against the policy of the trunk."""
    policy = OutboundPolicy(
        trunk="PJSIP/trunk", allow=(re.compile("0[0-9]+"),), for_users=True, browsers=BROWSERS
    )
    assert policy.user_refusal("PJSIP/0900@trunk") == ""
    assert policy.user_refusal("PJSIP/sge-gateway/sip:0900@elsewhere.example") == "not_by_trunk"
