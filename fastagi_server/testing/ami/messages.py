"""Messages of the manager interface as bytes."""

from collections.abc import Iterable, Mapping

Pairs = Iterable[tuple[str, str]]
"""Headers in their order; a name may come twice."""

GREETING = b"Asterisk Call Manager/11.0.0\r\n"


def message(pairs: Pairs) -> bytes:
    """One message, with its end."""
    return "".join(f"{name}: {value}\r\n" for name, value in pairs).encode() + b"\r\n"


def event(name: str, headers: Mapping[str, str], *, privilege: str, at: float) -> bytes:
    """An event as Asterisk writes it with `timestampevents = yes`; `at` is a Unix time."""
    return message(
        (
            ("Event", name),
            ("Privilege", f"{privilege},all"),
            ("Timestamp", f"{at:.6f}"),
            *headers.items(),
        )
    )


def read_action(block: bytes) -> dict[str, str]:
    """The headers of an action, names in lower case; those that are none are left out."""
    lines = (line.partition(":") for line in block.decode("utf-8", "replace").split("\r\n"))
    return {name.strip().lower(): value.strip() for name, found, value in lines if found}
