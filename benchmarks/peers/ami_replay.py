"""A manager interface that replays recorded calls: `ami_replay.py PORT CALLS FILTERED RATE`.

Who logs in and then sends a Ping gets CALLS calls and, behind them, the UserEvent `end`: side by
side and at once with a RATE of 0, else so many calls a second with the time of their sending.
With FILTERED `yes` the events are those that dialplan/manager.conf lets through, with `no` all of
the calls'.
"""

import asyncio
import re
import sys
import time
from collections.abc import Iterator

from benchmarks.recorded_call import messages, renamed, stamped, stream

TICK_SECONDS = 0.005
APART = 50
"""Calls that begin between two events of one call."""

ANSWERS = {
    b"login": b"Message: Authentication accepted\r\n\r\n"
    b"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 1\r\nStatus: Fully Booted\r\n",
    b"corestatus": b"CoreStartupDate: 2026-01-01\r\nCoreStartupTime: 00:00:00\r\n",
    b"coresettings": b"AsteriskVersion: 22.10.1\r\nSystemName: \r\n",
    b"ping": b"Ping: Pong\r\n",
    b"getvar": b"Variable: SGE_SYSTEM\r\nValue: pbx1\r\n",
}
LISTS = {
    b"coreshowchannels": b"CoreShowChannelsComplete",
    b"bridgelist": b"BridgeListComplete",
    b"pjsipshowcontacts": b"ContactListComplete",
}
"""What is there at a look: nothing, because no reader takes so long that it looks twice."""

END = b"Event: UserEvent\r\nPrivilege: user,all\r\nUserEvent: end\r\n\r\n"


class Replay:
    """Serves one reader after another."""

    def __init__(self, calls: int, rate: int, *, chosen: bool) -> None:
        self._calls = calls
        self._rate = rate
        self._chosen = chosen

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the login and what belongs to it; replay at the first Ping."""
        writer.write(b"Asterisk Call Manager/11.0.0\r\n")
        is_played = False
        try:
            while True:
                action = await reader.readuntil(b"\r\n\r\n")
                name = _field(action, b"Action").lower()
                action_id = _field(action, b"ActionID")
                writer.write(b"Response: Success\r\nActionID: %b\r\n" % action_id)
                writer.write(answer(name, action_id) + b"\r\n")
                if name == b"ping" and not is_played:
                    is_played = True
                    await self._play(writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _play(self, writer: asyncio.StreamWriter) -> None:
        if self._rate:
            await self._play_paced(writer)
        else:
            for events in side_by_side(self._calls, chosen=self._chosen):
                writer.write(events)
                await writer.drain()
        writer.write(END)
        await writer.drain()

    async def _play_paced(self, writer: asyncio.StreamWriter) -> None:
        (call,) = stream(1, chosen=self._chosen)
        begun, sent = time.monotonic(), 0
        while sent < self._calls:
            due = min(int((time.monotonic() - begun) * self._rate), self._calls)
            for number in range(sent, due):
                writer.write(stamped(renamed(call, number), time.time()))
            sent = max(sent, due)
            await writer.drain()
            await asyncio.sleep(TICK_SECONDS)


def side_by_side(calls: int, *, chosen: bool) -> Iterator[bytes]:
    """The events of so many calls, of which many are under way at any moment."""
    events = [message + b"\r\n\r\n" for message in messages(chosen=chosen)]
    for step in range(calls + APART * (len(events) - 1)):
        numbered = ((step - APART * place, event) for place, event in enumerate(events))
        yield b"".join(renamed(event, number) for number, event in numbered if 0 <= number < calls)


def answer(name: bytes, action_id: bytes) -> bytes:
    """What follows the first two lines of the answer to an action, up to the empty line."""
    if name in ANSWERS:
        return ANSWERS[name]
    end = b"Event: %b\r\nActionID: %b\r\nEventList: Complete\r\nListItems: 0\r\n"
    return b"EventList: start\r\n\r\n" + end % (LISTS[name], action_id)


def _field(action: bytes, name: bytes) -> bytes:
    found = re.search(rb"(?:^|\r\n)%b: ([^\r]*)" % name, action)
    return found[1] if found else b""


async def main(port: int, calls: int, rate: int, *, chosen: bool) -> None:
    """Serve until ended."""
    replay = Replay(calls, rate, chosen=chosen)
    server = await asyncio.start_server(replay.serve, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    given = sys.argv[1:]
    asyncio.run(main(int(given[0]), int(given[1]), int(given[3]), chosen=given[2] == "yes"))
