"""Calls of browsers when the service, or Asterisk, is started again in the middle of them."""

import os
import signal
from collections.abc import Iterator

import pytest
from browser_user import SETTINGS, BrowserUser
from led_calls import end_of, kinds, legs, wait_for_status

from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.processes import wait_until
from lab.root import Root
from lab.service import Service, ari_settings, gateway_settings

pytestmark = pytest.mark.asterisk

DECIDED_SECONDS = 60.0
"""After a start it takes 30 s until calls of which Asterisk knows nothing are lost."""


@pytest.fixture
def running_asterisk(lab_root: Root) -> Iterator[Asterisk]:
    """Run an Asterisk of a test's own, which it may end."""
    with Asterisk.start(variables={"SGE_STASIS": "yes"}, root=lab_root) as running:
        yield running


@pytest.fixture
def running_service(running_asterisk: Asterisk) -> Iterator[Service]:
    """Run a service that takes the calls of browsers, which a test may start again."""
    links = {**ari_settings(running_asterisk), **gateway_settings(running_asterisk)}
    with Service.start({**links, **SETTINGS}) as running:
        wait_for_links(running)
        yield running


def wait_for_links(service: Service) -> None:
    """Return when the service has both its links to Asterisk."""
    service.wait_for_log("link_state", link="ari", state="up")
    service.wait_for_log("link_state", link="sip", state="up")


def test_calls_go_on_over_a_restart_of_the_service(
    running_asterisk: Asterisk, running_service: Service
) -> None:
    """Killed in the middle, it goes on with a led call and one of the dialplan, and ends both."""
    asterisk, service = running_asterisk, running_service
    with Phone.answering(asterisk, "1001") as phone:
        with BrowserUser(service, "alice") as alice, BrowserUser(service, "bob") as bob:
            led, echoed = alice.call("SIP/1001"), bob.call("SIP/600")
            wait_for_status(service, led, "connected")
            wait_for_status(service, echoed, "connected")
            service.kill()
        service.start_again()
        wait_for_links(service)
        with BrowserUser(service, "alice") as alice, BrowserUser(service, "bob") as bob:
            assert len(asterisk.control.channels()) == 3
            alice.signal(led, "mute")
            alice.signal(led, "hangup")
            assert alice.hear(led, "hangup")["reason"] == "ended"
            bob.request("POST", f"/calls/{echoed}/end")
            assert bob.hear(echoed, "hangup")["reason"] == "ended"
        assert phone.wait(), phone.explain()
    assert asterisk.wait_idle()
    assert end_of(service, led) == ("ended", 16, "ANSWER")
    assert kinds(service, led) == ["created", "ringing", "accepted", "muted", "ended"]
    assert end_of(service, echoed)[0] == "ended"


def test_a_page_that_does_not_come_back(
    running_asterisk: Asterisk, running_service: Service
) -> None:
    """After a restart a page has ten seconds; then its call is over."""
    asterisk, service = running_asterisk, running_service
    with BrowserUser(service, "alice") as alice:
        call_id = alice.call("SIP/600")
        wait_for_status(service, call_id, "connected")
        service.kill()
    service.start_again()
    wait_for_links(service)
    assert asterisk.wait_idle(20)
    assert end_of(service, call_id) == ("ended", 16, "ANSWER")


def test_what_became_of_led_calls_is_seen_after_a_restart(
    running_asterisk: Asterisk, running_service: Service
) -> None:
    """One that ended meanwhile is over; one that goes on without its browser is left alone."""
    asterisk, service = running_asterisk, running_service
    # Those who are silent for 30 s are hung up by Asterisk.
    first, second = (Phone.talking(asterisk, number) for number in ("1001", "1002"))
    with first, second, Phone.answering(asterisk, "1003"):
        with BrowserUser(service, "alice") as alice, BrowserUser(service, "bob") as bob:
            talked, over = alice.call("SIP/1001"), bob.call("SIP/1003")
            wait_for_status(service, talked, "connected")
            wait_for_status(service, over, "connected")
            alice.request("POST", f"/calls/{talked}/transfer", {"to": "SIP/1002"})
            assert alice.hear(talked, "hangup")["reason"] == "ended"
            assert wait_until(lambda: len(legs(asterisk, {"id": talked})) == 2, 10)
            service.kill()
        kept = legs(asterisk, {"id": talked})
        for channel in asterisk.control.channels():
            if channel["id"] not in kept:
                asterisk.control.hang_up(channel["id"])
        service.start_again()
        wait_for_links(service)
        assert wait_until(lambda: service.call(over)["status"] == "ended", DECIDED_SECONDS)
        assert service.call(talked)["status"] == "connected"
        assert legs(asterisk, {"id": talked}) == kept
        service.request("POST", f"/calls/{talked}/end")
        assert asterisk.wait_idle()
    assert kinds(service, over)[-1] == "ended"
    assert end_of(service, talked)[0] == "ended"


def test_asterisk_is_gone(running_asterisk: Asterisk, running_service: Service) -> None:
    """A page is told that its call was lost, and that no other can be made now."""
    service = running_service
    with BrowserUser(service, "alice") as alice:
        call_id = alice.call("SIP/600")
        wait_for_status(service, call_id, "connected")
        # One that is stopped in good order ends its calls itself.
        os.kill(running_asterisk.process.number, signal.SIGKILL)
        assert alice.hear(call_id, "hangup")["reason"] == "gateway_lost"
        assert end_of(service, call_id)[0] == "ended"
        another = alice.create("SIP/600")
        refusal = alice.signal(another, "offer", alice.description("offer"), 503)
        assert refusal["code"] == "gateway_unavailable"
        assert alice.hear(another, "hangup")["reason"] == "gateway_lost"
        assert end_of(service, another)[0] == "ended"
