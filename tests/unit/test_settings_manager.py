"""What a service manager puts into the environment, read and taken out of it."""

import os

import pytest

from fastagi_server.settings import SettingsError
from fastagi_server.settings.manager import ManagerOffer, take_manager_offer

OURS = str(os.getpid())
ANOTHERS = "1"


def test_nothing_is_offered() -> None:
    """Without a manager there is nobody to tell, no watchdog and no socket."""
    assert take_manager_offer({"PATH": "/bin"}) == ManagerOffer("", 0.0, ())


def test_everything_is_offered() -> None:
    """The variables of systemd are understood, and gone afterwards."""
    environment = {
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": OURS,
        "LISTEN_FDS": "2",
        "LISTEN_FDNAMES": "agi:http",
        "LISTEN_PID": OURS,
        "PATH": "/bin",
    }
    offer = take_manager_offer(environment)
    assert offer == ManagerOffer("/run/systemd/notify", 30.0, ("agi", "http"))
    assert environment == {"PATH": "/bin"}


def test_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default it is this process's environment."""
    monkeypatch.setenv("NOTIFY_SOCKET", "@manager")
    assert take_manager_offer().notify_address == "@manager"
    assert "NOTIFY_SOCKET" not in os.environ


@pytest.mark.parametrize("pid", [ANOTHERS, ""])
def test_sockets_of_another_process(pid: str) -> None:
    """Sockets that were given to a parent are not taken for ours."""
    environment = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "agi", "LISTEN_PID": pid}
    assert take_manager_offer(environment).socket_names == ()


def test_watchdog_of_another_process() -> None:
    """Nor is its watchdog; one without a process is everybody's."""
    assert take_manager_offer({"WATCHDOG_USEC": "9", "WATCHDOG_PID": ANOTHERS}) == ManagerOffer()
    assert take_manager_offer({"WATCHDOG_USEC": "500000"}).watchdog_seconds == 0.5


def test_sockets_without_names() -> None:
    """They are called `unknown`, as systemd's own library does; names too many are left out."""
    environment = {"LISTEN_FDS": "2", "LISTEN_PID": OURS}
    assert take_manager_offer(dict(environment)).socket_names == ("unknown", "unknown")
    environment["LISTEN_FDNAMES"] = "agi:http:more"
    assert take_manager_offer(environment).socket_names == ("agi", "http")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"LISTEN_FDS": "many", "LISTEN_PID": OURS}, "LISTEN_FDS: 'many' is no number"),
        ({"LISTEN_FDS": "-1", "LISTEN_PID": OURS}, "LISTEN_FDS: '-1' is no number"),
        ({"LISTEN_FDS": "65", "LISTEN_PID": OURS}, "LISTEN_FDS: at most 64 sockets can be given"),
        ({"WATCHDOG_USEC": "soon"}, "WATCHDOG_USEC: 'soon' is no number"),
    ],
)
def test_nonsense(environment: dict[str, str], words: str) -> None:
    """What cannot be meant is an error in words."""
    with pytest.raises(SettingsError, match=words):
        take_manager_offer(environment)
