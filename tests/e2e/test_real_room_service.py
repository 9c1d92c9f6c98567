"""Rooms as they are run: the service as a process of its own, and the shipped dialplan."""

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import pytest

from lab import processes
from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.root import Root
from lab.service import Service, ari_settings

pytestmark = pytest.mark.asterisk

WAIT_SECONDS = 15.0


@pytest.fixture
def pbx(lab_root: Root) -> Iterator[Asterisk]:
    """An Asterisk whose dialplan hands calls to the service."""
    with Asterisk.start(variables={"SGE_STASIS": "yes"}, root=lab_root) as running:
        yield running


@pytest.fixture
def service(pbx: Asterisk) -> Iterator[Service]:
    """The service, linked to that Asterisk; the phone of 1001 is alice's."""
    settings = {**ari_settings(pbx), "SGE_EXTENSIONS": '{"1001": "alice"}'}
    with Service.start(settings) as running:
        pbx.set_global("SGE_AGI", running.agi)
        yield running


def participants(service: Service, path: str) -> list[str]:
    """Who is in the room."""
    room: dict[str, Any] = service.request("GET", path)
    return list(room["participants"])


def until(service: Service, path: str, *labels: str) -> bool:
    """Whether these come to be in the room within 15 s."""
    return processes.wait_until(lambda: participants(service, path) == list(labels), WAIT_SECONDS)


def is_linked(service: Service) -> bool:
    """Whether the service hears of what happens in Asterisk."""
    return any(line["event"] == "link_state" and line["state"] == "up" for line in service.log())


def create(service: Service, settings: Mapping[str, int] = MappingProxyType({})) -> str:
    """Make a room with the number 123 and return its path."""
    assert processes.wait_until(lambda: is_linked(service), WAIT_SECONDS)
    body = {"name": "E2E", "max_participants": 4, "number": "123", "settings": dict(settings)}
    return f"/rooms/{service.request('POST', '/rooms', body)['id']}"


def test_room_outlives_the_service(service: Service, pbx: Asterisk) -> None:
    """Killed in the middle of a conference and started again, the service has the roster right."""
    path = create(service)
    with Phone(pbx, "1001").place("call-talk", "9123") as alice:
        assert until(service, path, "service", "alice")
        with Phone(pbx, "1002").place("call-talk", "9123") as other:
            assert until(service, path, "service", "alice", "1002")
            service.kill()
            gone = next(
                channel["id"]
                for channel in pbx.control.channels()
                if channel["name"].startswith("PJSIP/1002")
            )
            pbx.control.hang_up(gone)
            assert other.wait()
        service.start_again()
        assert until(service, path, "service", "alice")
        with Phone(pbx, "1003").place("call-talk", "9123") as late:
            assert until(service, path, "service", "alice", "1003")
            service.request("POST", f"{path}/close")
            assert alice.wait()
            assert late.wait()
    assert pbx.wait_idle()
    assert pbx.control.request("GET", "bridges") == []


def test_a_room_ends_at_its_time_limit(service: Service, pbx: Asterisk) -> None:
    """Who is still in it is hung up, and nothing is left; the limit outlives the service."""
    path = create(service, {"time_limit_minutes": 1})
    with Phone(pbx, "1001").place("call-talk", "9123") as alice:
        assert until(service, path, "service", "alice")
        service.kill()
        with contextlib.closing(sqlite3.connect(service.state_folder / "sge.sqlite3")) as database:
            database.execute("UPDATE rooms SET closes_at = closes_at - 57000000")
            database.commit()
        service.start_again()
        assert alice.wait()
    assert processes.wait_until(lambda: not service.request("GET", path)["is_active"], WAIT_SECONDS)
    assert pbx.wait_idle()
    assert pbx.control.request("GET", "bridges") == []


def test_no_service_no_room(service: Service, pbx: Asterisk) -> None:
    """While the service is away a room cannot be called, and the caller is told so."""
    create(service)
    service.kill()
    with Phone(pbx, "1002").place("call-talk", "9123") as phone:
        assert phone.wait()
    assert phone.statuses()[-1] == 200
    assert "cannot-complete-as-dialed" in pbx.log()
