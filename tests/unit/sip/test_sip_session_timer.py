"""Session timers: what is agreed, who refreshes, and what happens when nobody does."""

import pytest
from sip_far_end import ANSWER, OFFER, Scene

from fastagi_server.sip.events import Ended, LegState
from fastagi_server.sip.session_timer import SessionTimer

WE_REFRESH = ("Session-Expires", "600;refresher=uac")
THEY_REFRESH = ("Session-Expires", "600;refresher=uas")
HAS_UPDATE = ("Allow", "INVITE, ACK, BYE, UPDATE")


@pytest.mark.parametrize(
    ("interval", "refresh", "expire"), [(1800, 900, 1768), (90, 45, 60), (6, 3, 4)]
)
def test_times(interval: int, refresh: float, expire: float) -> None:
    """Half the interval; and the lesser of 32 s and a third of it before its end."""
    timer = SessionTimer(interval, we_refresh=True)
    assert (timer.refresh_seconds, timer.expire_seconds) == (refresh, expire)


def test_we_refresh_by_update() -> None:
    """At half the interval, again and again, without SDP."""
    scene = Scene.up(WE_REFRESH, HAS_UPDATE)
    scene.pass_time(299)
    assert scene.lines == []
    scene.pass_time(1)
    assert scene.lines == ["UPDATE"]
    update = scene.last("UPDATE")
    assert update.headers.get("Session-Expires") == "600;refresher=uac"
    assert update.body == b""
    scene.respond("UPDATE", 200, WE_REFRESH)
    scene.pass_time(300)
    assert scene.lines == ["UPDATE", "UPDATE"]
    assert scene.told == []


def test_we_refresh_by_invite_where_there_is_no_update() -> None:
    """With the SDP that was agreed, and nobody hears of it."""
    scene = Scene.up(WE_REFRESH)
    scene.pass_time(300)
    assert scene.lines == ["INVITE"]
    assert scene.last("INVITE").body == OFFER.encode()
    scene.respond("INVITE", 200, WE_REFRESH, sdp=ANSWER)
    assert scene.lines == ["INVITE", "ACK"]
    assert scene.told == []
    scene.pass_time(300)
    assert scene.lines == ["INVITE", "ACK", "INVITE"]


@pytest.mark.parametrize("status", [405, 501])
def test_an_update_that_is_not_known(status: int) -> None:
    """The far end gets an INVITE instead, and never an UPDATE again."""
    scene = Scene.up(WE_REFRESH, HAS_UPDATE)
    scene.pass_time(300)
    scene.respond("UPDATE", status)
    scene.respond("INVITE", 200, WE_REFRESH, sdp=ANSWER)
    scene.pass_time(300)
    assert scene.lines == ["UPDATE", "INVITE", "ACK", "INVITE"]


@pytest.mark.parametrize("fields", [(WE_REFRESH, HAS_UPDATE), (WE_REFRESH,)])
@pytest.mark.parametrize("status", [408, 481])
def test_a_refresh_that_finds_no_dialog(fields: tuple[tuple[str, str], ...], status: int) -> None:
    """The call is over."""
    scene = Scene.up(*fields)
    scene.pass_time(300)
    scene.respond(scene.lines[0], status)
    assert scene.told == [Ended(status, None, by_far_end=True)]
    assert scene.lines[-1] == "BYE"


def test_a_refresh_that_fails_otherwise() -> None:
    """The call goes on until its session expires."""
    scene = Scene.up(WE_REFRESH, HAS_UPDATE)
    scene.pass_time(300)
    scene.respond("UPDATE", 500)
    scene.pass_time(267)
    assert scene.told == []
    scene.pass_time(1)
    assert scene.told == [Ended(408, None, by_far_end=True)]
    assert scene.lines == ["UPDATE", "BYE"]


@pytest.mark.parametrize("fields", [(WE_REFRESH, HAS_UPDATE), (WE_REFRESH,)])
def test_a_refresh_that_comes_too_often(fields: tuple[tuple[str, str], ...]) -> None:
    """The longer interval of the 422 is taken."""
    scene = Scene.up(*fields)
    scene.pass_time(300)
    method = scene.lines[0]
    scene.respond(method, 422, ("Min-SE", "1900"))
    assert [line for line in scene.lines if line == method] == [method, method]
    assert scene.last(method).headers.get("Session-Expires") == "1900;refresher=uac"
    assert scene.told == []


def test_a_refresh_that_crosses_an_offer() -> None:
    """It is made again after a while."""
    scene = Scene.up(WE_REFRESH)
    scene.pass_time(300)
    scene.respond("INVITE", 491)
    scene.pass_time(4)
    assert scene.lines == ["INVITE", "ACK", "INVITE"]
    assert scene.last("INVITE").body == OFFER.encode()


def test_they_refresh() -> None:
    """Each refresh of theirs begins the interval anew."""
    scene = Scene.up(THEY_REFRESH)
    for _ in range(3):
        scene.pass_time(500)
        scene.ask("UPDATE", ("Session-Expires", "600;refresher=uac"), ("Supported", "timer"))
    assert scene.lines == ["200 UPDATE"] * 3
    headers = scene.last_response().headers
    assert headers.get("Session-Expires") == "600;refresher=uac"
    assert headers.get("Require") == "timer"
    assert scene.told == []


def test_they_do_not_refresh() -> None:
    """The call is ended before the interval is over."""
    scene = Scene.up(THEY_REFRESH)
    scene.pass_time(567)
    assert scene.lines == []
    scene.pass_time(1)
    assert scene.lines == ["BYE"]
    assert scene.told == [Ended(408, None, by_far_end=True)]


def test_a_refresh_of_theirs_that_comes_too_often() -> None:
    """It is told the least interval."""
    scene = Scene.up(THEY_REFRESH)
    scene.ask("UPDATE", ("Session-Expires", "30"))
    assert scene.lines == ["422 UPDATE"]
    assert scene.last_response().headers.get("Min-SE") == "90"


@pytest.mark.parametrize("value", ["", "x", "-5", "0", "999999999999"])
def test_an_interval_that_is_none(value: str) -> None:
    """The session has no end."""
    scene = Scene.up(("Session-Expires", value))
    scene.pass_time(100_000)
    assert scene.lines == []
    assert scene.leg.state is LegState.UP


def test_a_refresher_that_cannot_be_read() -> None:
    """We refresh, to be on the safe side."""
    scene = Scene.up(("Session-Expires", '600;refresher="'), HAS_UPDATE)
    scene.pass_time(300)
    assert scene.lines == ["UPDATE"]


def test_a_session_without_a_timer() -> None:
    """Nothing is said for a day."""
    scene = Scene.up()
    scene.pass_time(86_400)
    assert scene.lines == []
