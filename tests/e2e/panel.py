"""An operator's panel: a second user of the manager interface, who may move calls about."""

import asyncio

from lab.asterisk import Asterisk

WAIT_SECONDS = 10.0

# What an operator's panel may do, and the service may not.
_USER = """
[panel]
secret = panel
permit = 127.0.0.1/255.255.255.255
write = call
"""


def admit(asterisk: Asterisk) -> None:
    """Give a running Asterisk this user; a second time changes nothing."""
    file = asterisk.folder / "etc/manager.conf"
    if _USER not in file.read_text():
        with file.open("a") as users:
            users.write(_USER)
        asterisk.cli("manager reload")


async def redirect(asterisk: Asterisk, channel: str, context: str, extension: str) -> None:
    """Redirect the channel of this name over AMI."""
    reader, writer = await asyncio.open_connection("127.0.0.1", asterisk.ports.ami)
    actions = (
        {"Action": "Login", "Username": "panel", "Secret": "panel"},
        {
            "Action": "Redirect",
            "Channel": channel,
            "Context": context,
            "Exten": extension,
            "Priority": "1",
        },
    )
    try:
        for action in actions:
            writer.writelines(f"{name}: {value}\r\n".encode() for name, value in action.items())
            writer.write(b"\r\n")
            async with asyncio.timeout(WAIT_SECONDS):
                answer = await reader.readuntil(b"Response: ")
                answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"Success"), answer
    finally:
        writer.close()
        await writer.wait_closed()
