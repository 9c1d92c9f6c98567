"""Every route of the real service, asked by the dialplan of a real Asterisk."""

import re
from collections.abc import Iterator, Mapping

import pytest
from account import wait_for_account

from lab.asterisk import Asterisk
from lab.processes import wait_until
from lab.service import Service

pytestmark = pytest.mark.asterisk


def run(asterisk: Asterisk, extension: str, context: str = "test-routes") -> str:
    """Let a channel run an extension to its wait; return its id."""
    channel = asterisk.control.originate("Local/wait@lab", context=context, extension=extension)
    read = asterisk.control.variable
    came = wait_until(lambda: read(channel, "AFTER") + read(channel, "WRAPPER") != "", 15)
    assert came, asterisk.log()[-3000:]
    return channel


def variables(asterisk: Asterisk, channel: str, *names: str) -> list[str]:
    """Variables of a live channel."""
    return [asterisk.control.variable(channel, name) for name in names]


def result(asterisk: Asterisk, extension: str, *names: str) -> list[str]:
    """AGISTATUS and more variables after a route, SGE_STATUS and SGE_ERROR_CODE by default."""
    channel = run(asterisk, extension)
    return variables(asterisk, channel, "AFTER", *(names or ("SGE_STATUS", "SGE_ERROR_CODE")))


@pytest.fixture
def other(asterisk: Asterisk, request: pytest.FixtureRequest) -> Iterator[Service]:
    """A service with settings of the test's own, asked by the dialplan."""
    settings: Mapping[str, str] = request.param
    with Service.start(settings) as running:
        asterisk.set_global("SGE_AGI", running.agi)
        yield running


def test_a_call_is_asked_for_through_its_life(asterisk: Asterisk, service: Service) -> None:
    """`register`, `status`, `accept`, `end`, by name and by position, from one channel."""
    channel = run(asterisk, "life")
    read = variables(asterisk, channel, "FIRST", "SECOND", "THIRD", "TOO_LATE", "AFTER")
    call_id = asterisk.control.variable(channel, "SGE_CALL_ID")
    assert read == [
        "initiating",
        "connected",
        "ended",
        "REFUSED:call_state",
        "unknown:REFUSED:call_unknown:SUCCESS",
    ]
    assert [event["kind"] for event in service.events(call_id)] == ["adopted", "accepted", "ended"]


def test_the_empty_path_registers(asterisk: Asterisk, service: Service) -> None:
    """AGI(agi://host:port,SIP/1001,video) is the documented script's job."""
    channel = run(asterisk, "plain")
    read = variables(asterisk, channel, "AFTER", "SGE_STATUS", "SGE_CHANNEL_ID", "SGE_ERROR")
    record = service.call(asterisk.control.variable(channel, "SGE_CALL_ID"))
    assert read == ["SUCCESS", "REGISTERED", channel, ""]
    assert (record["participants"], record["call_type"]) == (["SIP/1001"], "video")


def test_health_is_ok(asterisk: Asterisk, service: Service) -> None:
    """A service that works says so to the dialplan."""
    names = ("SGE_HEALTH", "SGE_HEALTH_REASON", "SGE_STATUS")
    assert result(asterisk, "health", *names) == ["SUCCESS", "ok", "", "REGISTERED"]


def test_an_unknown_route_is_a_failure(asterisk: Asterisk, service: Service) -> None:
    """AGISTATUS=FAILURE, and variables that say why."""
    assert result(asterisk, "unknown") == ["FAILURE", "FAILED", "unknown_route"]


def test_a_bad_argument_is_said(asterisk: Asterisk, service: Service) -> None:
    """A type of call that does not exist is FAILED; AGISTATUS stays as `continue` wants it."""
    assert result(asterisk, "bad") == ["SUCCESS", "FAILED", "bad_argument"]


def test_the_wrapper_registers_from_any_dialplan(asterisk: Asterisk, service: Service) -> None:
    """Gosub(sge-register,s,1) registers, and its hang-up handler ends the call."""
    channel = run(asterisk, "4711", "test-wrapper")
    wrapper, status, call_id = variables(asterisk, channel, "WRAPPER", "SGE_STATUS", "SGE_CALL_ID")
    active = service.call(call_id)
    asterisk.control.hang_up(channel)
    assert wait_until(lambda: service.call(call_id)["status"] == "ended", 10)
    assert (wrapper, status, active["status"]) == ("go", "REGISTERED", "initiating")
    assert active["participants"] == ["SIP/4711"]


def test_a_call_ends_in_the_h_extension(asterisk: Asterisk, service: Service) -> None:
    """`end` on a dead channel reads what it needs in the h extension as in a handler."""
    before = len(asterisk.log())
    channel = run(asterisk, "4711", "test-h")
    call_id = asterisk.control.variable(channel, "SGE_CALL_ID")
    asterisk.control.hang_up(channel)
    account = wait_for_account(asterisk, after=before)
    assert wait_until(lambda: service.call(call_id)["status"] == "ended", 10)
    assert account.unique_id == channel
    assert service.call(call_id)["hangup_cause"] == account.hangup_cause == 16


def test_the_classic_script_registers(asterisk: Asterisk, service: Service) -> None:
    """AGI(sge-voip-integration.py) makes the same record as AGI(agi://...)."""
    channel = run(asterisk, "plain", "test-script")
    read = variables(asterisk, channel, "AFTER", "SGE_STATUS", "SGE_CHANNEL_ID")
    record = service.call(asterisk.control.variable(channel, "SGE_CALL_ID"))
    assert read == ["SUCCESS", "REGISTERED", channel]
    assert record["metadata"]["asterisk_channel_id"] == channel
    assert record["participants"] == ["SIP/plain"]


def test_both_ways_of_asking_make_one_call(asterisk: Asterisk, service: Service) -> None:
    """A channel that registers by the script and by FastAGI is one call."""
    channel = run(asterisk, "twice")
    first, second, after = variables(asterisk, channel, "FIRST", "SGE_CALL_ID", "AFTER")
    assert first != ""
    assert (second, after) == (first, "SUCCESS")


@pytest.mark.parametrize("other", [{"FASTAGI_LISTEN": "[::1]:0"}], indirect=True)
def test_over_ipv6(asterisk: Asterisk, other: Service) -> None:
    """AGI(agi://[::1]:port/...) registers like any other, by both ways."""
    assert re.fullmatch(r"agi://\[::1\]:\d+", other.agi)
    fastagi = run(asterisk, "4711", "test-wrapper")
    assert asterisk.control.variable(fastagi, "SGE_STATUS") == "REGISTERED"
    script = run(asterisk, "plain", "test-script")
    assert asterisk.control.variable(script, "SGE_STATUS") == "REGISTERED"


@pytest.mark.parametrize("other", [{"FASTAGI_SECRET": "kept-by-both"}], indirect=True)
@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("kept-by-both", ["SUCCESS", "REGISTERED", ""]),
        ("another", ["FAILURE", "FAILED", "challenge_failed"]),
        ('""', ["FAILURE", "FAILED", "challenge_failed"]),
    ],
    ids=["right", "wrong", "none"],
)
def test_the_challenge(
    asterisk: Asterisk, other: Service, secret: str, expected: list[str]
) -> None:
    """Only an Asterisk whose globals hold the secret registers; the secret is never sent."""
    asterisk.set_global("SGE_AGI_SECRET", secret)
    before = len(asterisk.log())
    asterisk.cli("agi set debug on")
    try:
        assert result(asterisk, "plain") == expected
    finally:
        asterisk.cli("agi set debug off")
        asterisk.set_global("SGE_AGI_SECRET", '""')
    assert "AGI Rx << GET FULL VARIABLE" in asterisk.log()[before:]
    assert not re.search(r"AGI [RT]x .*kept-by-both", asterisk.log()[before:])


@pytest.mark.parametrize("other", [{"FASTAGI_ON_ERROR": '{"register":"failure"}'}], indirect=True)
def test_a_policy_of_failure(asterisk: Asterisk, other: Service) -> None:
    """With on_error=failure AGISTATUS says FAILURE, and the variables are set all the same."""
    assert result(asterisk, "bad") == ["FAILURE", "FAILED", "bad_argument"]
    assert result(asterisk, "plain") == ["SUCCESS", "REGISTERED", ""]


@pytest.mark.parametrize(
    "other", [{"FASTAGI_ON_ERROR": '{"register":"goto:test-routes,elsewhere,1"}'}], indirect=True
)
def test_a_policy_of_goto(asterisk: Asterisk, other: Service) -> None:
    """With on_error=goto the dialplan goes on where it says, and only after a failure."""
    assert result(asterisk, "bad", "ELSEWHERE", "SGE_STATUS") == ["SUCCESS", "yes", "FAILED"]
    assert result(asterisk, "plain", "ELSEWHERE", "SGE_STATUS") == ["SUCCESS", "", "REGISTERED"]
