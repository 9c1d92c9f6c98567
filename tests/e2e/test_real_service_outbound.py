"""The service as Asterisk's persistent event socket finds it: calls wait while it restarts."""

from collections.abc import Iterator

import pytest
from led_calls import WAIT_SECONDS, check_by_asterisk, end_of, newest, wait_for_status

from lab.asterisk import Asterisk
from lab.outbound_events import connect_events
from lab.phones import Phone
from lab.processes import wait_until
from lab.root import Root
from lab.service import Service, ari_settings

pytestmark = pytest.mark.asterisk

APPLICATIONS = ["sky-genesis-voip", "sky-genesis-conference", "sky-genesis-outbound"]
LINK_SECONDS = 30.0


@pytest.fixture
def asterisk(lab_root: Root) -> Iterator[Asterisk]:
    """An Asterisk whose dialplan hands calls to the service."""
    with Asterisk.start(variables={"SGE_STASIS": "yes"}, root=lab_root) as running:
        yield running


@pytest.fixture
def service(asterisk: Asterisk) -> Iterator[Service]:
    """The service, to which that Asterisk connects."""
    port = asterisk.ports.phone(19).last
    settings = ari_settings(asterisk)
    connect_events(
        asterisk,
        port,
        APPLICATIONS,
        username=asterisk.control.user,
        password=settings["ASTERISK_ARI_PASSWORD"],
    )
    listen = {"ASTERISK_ARI_LISTEN": f"127.0.0.1:{port}"}
    with Service.start({**settings, **listen}) as running:
        wait_for_link(running)
        asterisk.set_global("SGE_AGI", running.agi)
        yield running


def wait_for_link(service: Service) -> None:
    """Wait until Asterisk has connected; it tries again every few seconds."""

    def is_up() -> bool:
        return any(
            line["event"] == "link_state" and line["state"] == "up" for line in service.log()
        )

    assert wait_until(is_up, LINK_SECONDS), service.log()[-5:]


def test_a_call_waits_for_the_service(asterisk: Asterisk, service: Service) -> None:
    """One goes on while the service is away, one comes then and is served by its successor."""
    with Phone.talking(asterisk, "1001") as talking, Phone.answering(asterisk, "1004") as callee:
        placed = service.place("SIP/1001")
        wait_for_status(service, placed["id"], "connected")
        service.kill()
        with Phone.calling(asterisk, "1002", "1004", hang_up_after_ms=300) as late:
            assert wait_until(lambda: is_waiting(asterisk), WAIT_SECONDS), late.explain()
            service.start_again()
            wait_for_link(service)
            assert service.call(placed["id"])["status"] == "connected"
            assert late.wait(), late.explain()
            assert callee.wait(), callee.explain()
        came = newest(service)
        service.request("POST", f"/calls/{placed['id']}/end")
        assert talking.wait(), talking.explain()
    assert end_of(service, came["id"]) == ("ended", 16, "ANSWER")
    check_by_asterisk(asterisk, service, came["id"], came["metadata"]["asterisk_channel_id"])
    assert end_of(service, placed["id"]) == ("ended", 16, "ANSWER")


def is_waiting(asterisk: Asterisk) -> bool:
    """Whether the phone that calls is in the application of a service that is not there."""
    return any(
        channel["name"].startswith("PJSIP/1002") and channel["dialplan"]["app_name"] == "Stasis"
        for channel in asterisk.control.channels()
    )
