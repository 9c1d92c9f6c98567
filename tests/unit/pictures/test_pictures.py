"""Tables of the board: what they say, how wide they are, and what cannot get through them."""

import io
import unicodedata
from typing import Any

import httpx
import pytest
from board_samples import EVIL, board, call
from rich.console import Console, RenderableType

from fastagi_server.outbox.ledger import Letter
from fastagi_server.pictures import tables
from fastagi_server.pictures.asking import AskError, Asking, Credential
from fastagi_server.pictures.waiting import waiting
from fastagi_server.pictures.words import figure, lasting, plain


def drawn(picture: RenderableType, *, width: int = 80, terminal: bool = False) -> str:
    """What is printed of it."""
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, markup=False)
    console.print(picture)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def words(picture: RenderableType) -> list[str]:
    """Its lines that say something, with single spaces."""
    lines = drawn(picture).splitlines()
    return [" ".join(line.split()) for line in lines if line.strip(" ─")]


def test_calls() -> None:
    """Those that wait for somebody come first, and each has a line."""
    picture = tables.calls(board(calls=[call(1), call(2, "ringing"), call(3, "on_hold")]))
    assert words(picture) == [
        "State From To Type Duration",
        "ringing Anna (1002) 1001 audio 2:00",
        "on hold Anna (1002) 1001 audio 2:00",
        "connected Anna (1002) 1001 audio 1:00",
    ]


def test_no_calls() -> None:
    """Nothing is said in words."""
    assert words(tables.calls(board())) == ["no active calls"]
    assert words(tables.rooms(board())) == ["no active rooms"]


def test_more_calls_than_fit() -> None:
    """What is left out is counted."""
    state = board(calls=[call(1), call(2)])
    state["figures"]["calls"] = 1200
    assert words(tables.calls(state, 1))[-1] == "and 1,199 more"


def test_rooms_and_endpoints() -> None:
    """Rooms with the number to dial; endpoints, or why they are not known."""
    room = {"id": "r", "name": "Stand-up", "number": "123", "present": 2, "seats": 5}
    more = {"is_locked": True, "is_recorded": True, "since": "2026-01-01T10:00:00Z"}
    assert words(tables.rooms(board(rooms=[{**room, **more}])))[1:] == [
        "Stand-up 9123 2/5 recording, locked 2:00:00"
    ]
    endpoint = {"id": "PJSIP/1001", "state": "online", "channels": 1}
    assert words(tables.endpoints(board(endpoints=[endpoint])))[1:] == [
        "PJSIP/1001 online 1",
        "and 4 more",
    ]
    assert "no Asterisk" in words(tables.endpoints(board(endpoints=None)))[0]


def test_status_and_links() -> None:
    """One word and the figures; each system with why it is not up."""
    state = board(
        verdict={"word": "degraded", "reasons": ["SGE API unavailable"]},
        links=[{"id": "sge_api", "state": "down", "level": "warn", "error": "timeout"}],
    )
    state["links"][0]["since"] = "2026-01-01T11:59:30Z"
    assert words(tables.status(state)) == [
        "▲ DEGRADED SGE API unavailable",
        "calls 0 rooms 0 endpoints 2 of 5 channels 4 MOS 4.2",
        "registrations 12/min p95 7.4 ms SGE p95 - outbox 3, dead 0",
    ]
    assert words(tables.links(state))[1:] == ["sge_api ▲ down 0:30 timeout"]


def test_letters() -> None:
    """Entries of the outbox under their title, or none."""
    letter = Letter(7, "register", "pbx-17.4", 3, 65.0, "api_timeout", "{}")
    assert words(tables.letters("1 waits", [letter]))[2:] == [
        "7 register pbx-17.4 3 65 s api_timeout"
    ]
    assert words(tables.letters("0 wait", [])) == ["0 wait: none"]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_names_do_not_steer_the_terminal(width: int) -> None:
    """Nothing that a caller sends reaches the terminal but characters that are shown."""
    room = {"id": "r", "name": EVIL, "number": None, "present": 1, "seats": 5}
    state = board(
        calls=[call(1, "connected", **{"from": EVIL, "to": EVIL, "kind": EVIL})],
        rooms=[{**room, "is_locked": False, "is_recorded": False, "since": board()["at"]}],
        endpoints=[{"id": EVIL, "state": EVIL, "channels": 0}],
        links=[{"id": EVIL, "state": EVIL, "level": "bad", "error": EVIL, "since": board()["at"]}],
        verdict={"word": "down", "reasons": [EVIL]},
    )
    for draw in (tables.calls, tables.rooms, tables.endpoints, tables.links, tables.status):
        text = drawn(draw(state), width=width)
        steering = [each for each in text if unicodedata.category(each)[0] == "C" and each != "\n"]
        assert steering == []
        assert all(len(line) <= width for line in text.splitlines())
        coloured = drawn(draw(state), width=width, terminal=True)
        assert "\x1b[2J" not in coloured
        assert "\x1b]" not in coloured


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Anna Müller", "Anna Müller"), ("a\x1b[0m", "a\ufffd[0m"), ("\u2028\x9b", "\ufffd\ufffd")],
)
def test_plain(text: str, shown: str) -> None:
    """Letters stay; what steers is replaced."""
    assert plain(text) == shown


def test_lasting_and_figures() -> None:
    """Times and numbers as people read them."""
    at = "2026-01-01T12:00:00Z"
    spans = [lasting(f"2026-01-01T{since}Z", at) for since in ("12:00:01", "11:59:53", "10:56:57")]
    assert spans == ["0:00", "0:07", "1:03:03"]
    assert [figure(None), figure(1234), figure(7.44, 1, " ms")] == ["-", "1,234", "7.4 ms"]


def asked(answer: httpx.Response | Exception) -> Asking:
    """A service that gives this answer."""

    def handle(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    transport = httpx.MockTransport(handle)
    return Asking(httpx.Client(base_url="http://pbx", transport=transport), "http://pbx")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (httpx.ConnectError("refused"), r"nobody answers at http://pbx \(refused\): does it run\?"),
        (httpx.ReadTimeout("late"), "http://pbx: ReadTimeout late"),
        (httpx.Response(401, json={"message": "wrong"}), "refused: wrong; make a key by"),
        (httpx.Response(503, json={"message": "busy"}), "refused: busy$"),
        (httpx.Response(200, text="<html>"), "answered 200: this is not the service"),
        (httpx.Response(200, json={"a": 1}), "answered 200: this is not the service"),
        (httpx.Response(200, text=" " * (4 * 1024 * 1024 + 1)), "this is not the service"),
    ],
)
def test_errors_say_what_helps(answer: Any, text: str) -> None:
    """Whoever does not answer, or not as the service would, is told of in words."""
    with pytest.raises(AskError, match=text):
        asked(answer).board()


def test_the_board_is_read() -> None:
    """The service's own answer is what it says."""
    assert asked(httpx.Response(200, json=board())).board()["verdict"]["word"] == "working"


def test_credentials() -> None:
    """A key, a token, or name and password."""
    assert Credential.from_text(" sk_1\n") == Credential({"X-API-Key": "sk_1"})
    assert Credential.from_text("ops:se:cret") == Credential(password=("ops", "se:cret"))
    assert Credential.from_text("") == Credential()
    assert Credential.bearer("t") == Credential({"Authorization": "Bearer t"})


def test_waiting_without_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    """Nobody who reads a file is shown a bar."""
    with waiting("bringing the tables up to date"):
        pass
    assert capfd.readouterr() == ("", "")


def test_waiting_on_a_terminal(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bar with words and time is there meanwhile."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    with waiting("bringing the tables up to date"):
        pass
    _, shown = capfd.readouterr()
    assert "bringing the tables up to date" in shown
    assert "0:00:00" in shown
