"""The logic of `fastagi-server call`: act as Asterisk and print the dialogue."""

import re
from collections.abc import Callable, Mapping, Sequence

from fastagi_server.testing.asterisk.record import Line
from fastagi_server.testing.fake_asterisk import FakeAsterisk

DEFAULT_PORT = 4573
"""What Asterisk connects to where the URL names no port."""

FAILED = 1
OVERDUE = 2

_URL = re.compile(
    r"agi://(?P<host>\[[^\]]+\]|[^/:]+)(?::(?P<port>\d{1,5}))?(?:/(?P<script>.*))?", re.IGNORECASE
)


def parse_url(url: str) -> tuple[str, int, str]:
    """Split `agi://host[:port][/script]` as Asterisk does: all after the first slash is the script.

    An IPv6 address stands in brackets. Raises ValueError where Asterisk would not find a host,
    which includes `agi://host?x=1`: without a slash the query is part of the host's name.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(f"not a FastAGI URL (agi://host[:port][/script]): {url}")
    host = match["host"].strip("[]")
    if "?" in host:
        raise ValueError(f"a slash is missing before the query: {url}")
    port = int(match["port"] or DEFAULT_PORT)
    if not 0 < port < 65536:  # noqa: PLR2004 - the number of TCP ports is no choice of ours
        raise ValueError(f"no such port: {url}")
    return host, port, match["script"] or ""


async def call(
    url: str,
    arguments: Sequence[str] = (),
    *,
    variables: Mapping[str, str] | None = None,
    hang_up_after: float | None = None,
    dead: bool = False,
    timeout: float = 30.0,  # noqa: ASYNC109 - an option of the command, passed on
    write: Callable[[str], object] = print,
) -> int:
    """Run one session against `url`, and write each line of it and the outcome.

    A variable's name may be one of the channel's own: `CALLERID(num)`, `CALLERID(name)`, `EXTEN`,
    `CONTEXT`, `UNIQUEID`, `CHANNEL`. `hang_up_after` and `timeout` are seconds. Gives 0 when the
    session ended as SUCCESS or HANGUP, 1 for FAILURE, 2 when the server did not end it in time.
    """
    host, port, script = parse_url(url)
    given = dict(variables or {})
    asterisk = FakeAsterisk(
        script,
        arguments=arguments,
        unique_id=given.pop("UNIQUEID", "1700000000.1"),
        channel=given.pop("CHANNEL", "PJSIP/1002-00000001"),
        caller_number=given.pop("CALLERID(num)", "1002"),
        caller_name=given.pop("CALLERID(name)", ""),
        extension=given.pop("EXTEN", "1001"),
        context=given.pop("CONTEXT", "sky-genesis-voip"),
        variables=given,
        dead=dead,
        request=url,
        hang_up_after=hang_up_after,
        deadline=timeout,
        observer=lambda line: write(format_line(line)),
    )
    try:
        await asterisk.run(host, port)
    except TimeoutError:
        write(f"the server did not end the session in {timeout:g} s; Asterisk would wait for ever")
        return OVERDUE
    for name, value in asterisk.variables.items():
        write(f"{name}={escape(value)}")
    return FAILED if asterisk.status == "FAILURE" else 0


def format_line(line: Line) -> str:
    """Give one line of the dialogue: milliseconds, direction seen from Asterisk, text."""
    return f"{line.seconds * 1000:9.1f} ms {line.direction} {escape(line.text)}"


def escape(text: str) -> str:
    r"""Make control characters and bytes that are not UTF-8 visible, as `\n` and `\xff`."""
    return "".join(
        character if character.isprintable() else _escape_one(character) for character in text
    )


def _escape_one(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # noqa: PLR2004 - lone surrogates stand for single bytes
        return f"\\x{code - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
