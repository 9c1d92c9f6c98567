"""What a service manager, such as systemd, puts into the environment of a process it starts.

sd_listen_fds(3), sd_notify(3) and sd_watchdog_enabled(3) name the variables.
"""

import os
from collections.abc import MutableMapping
from dataclasses import dataclass

from fastagi_server.settings.forms import SettingsError

MAX_SOCKETS = 64

_NAMES = (
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
)


@dataclass(frozen=True, slots=True)
class ManagerOffer:
    """What the manager expects and gives; all empty where there is none.

    States are told to the Unix socket `notify_address`. A process that has told nothing for
    `watchdog_seconds` is killed; 0 is never. `socket_names` are the names of the sockets that are
    open from descriptor 3 on, in their order.
    """

    notify_address: str = ""
    watchdog_seconds: float = 0.0
    socket_names: tuple[str, ...] = ()


def take_manager_offer(environment: MutableMapping[str, str] | None = None) -> ManagerOffer:
    """Read the offer and remove it, so that no program we start takes it for its own.

    What is meant for another process is left out. Raises `SettingsError` for nonsense.
    """
    environment = os.environ if environment is None else environment
    given = {name: environment.pop(name, "") for name in _NAMES}
    sockets = _number("LISTEN_FDS", given) if _is_ours(given["LISTEN_PID"], required=True) else 0
    if sockets > MAX_SOCKETS:
        raise SettingsError(f"LISTEN_FDS: at most {MAX_SOCKETS} sockets can be given")
    names = given["LISTEN_FDNAMES"].split(":") if given["LISTEN_FDNAMES"] else []
    names += ["unknown"] * sockets
    watched = _is_ours(given["WATCHDOG_PID"], required=False)
    return ManagerOffer(
        notify_address=given["NOTIFY_SOCKET"],
        watchdog_seconds=_number("WATCHDOG_USEC", given) / 1e6 if watched else 0.0,
        socket_names=tuple(names[:sockets]),
    )


def _is_ours(pid: str, *, required: bool) -> bool:
    return pid == str(os.getpid()) if pid else not required


def _number(name: str, given: dict[str, str]) -> int:
    text = given[name] or "0"
    if not (text.isascii() and text.isdigit()):
        raise SettingsError(f"{name}: {text!r} is no number")
    return int(text)
