#!/usr/bin/python3 -IS
"""Register a call with SGE from a dialplan that runs scripts: AGI(sge-voip-integration.py).

    AGI(sge-voip-integration.py[,route[?name=value&...][,address[,argument...]]])

It does nothing by itself: it carries AGI between Asterisk's pipes and the FastAGI server, which
thinks that Asterisk has connected. So each route of the server works, with the same parameters
and variables; the default is `register`. The address is host:port or agi://host:port, an IPv6
host in brackets; without one it is SGE_AGI_ADDRESS in Asterisk's own environment, else
127.0.0.1:4573. `argument` is what AGI(agi://...) would pass.

What differs between the two ways is translated: Asterisk tells a script by SIGHUP that the caller
hung up and a server by the line HANGUP. When the server cannot be reached within 2 s the script
sets SGE_STATUS=FAILED, SGE_ERROR and SGE_ERROR_CODE=service_unreachable itself; the session ends
with AGISTATUS=FAILURE, as it does for AGI(agi://...). A session lasts 300 s at most.

Python 3.9 or later, standard library only. The options in the first line, and the short list of
imports, keep a whole session under 30 ms of CPU.
"""

import os
import select
import signal
import socket
import sys
import time

DEFAULT_ROUTE = "register"
DEFAULT_ADDRESS = "127.0.0.1:4573"
DEFAULT_PORT = 4573

CONNECT_SECONDS = 2.0
REPLY_SECONDS = 2.0
SESSION_SECONDS = 300
# A command that was interrupted never gets its reply.
LAST_REPLIES_SECONDS = 0.5
CHUNK_BYTES = 65536
# The arguments that are ours; the server must not take them for its own.
OWN_ARGUMENTS = 2

FROM_ASTERISK = 0
TO_ASTERISK = 1

# How the last, or only, line of a reply begins.
LAST_LINES = (b"200 ", b"503 ", b"510 ", b"511 ", b"520 ")

UNREACHABLE = (
    ("SGE_STATUS", "FAILED"),
    ("SGE_ERROR", "Call service unreachable"),
    ("SGE_ERROR_CODE", "service_unreachable"),
)


class SessionError(Exception):
    """The session cannot go on; the text says why."""


class Asterisk:
    """Our end of Asterisk's pipes, and its signal that the caller has hung up."""

    def __init__(self) -> None:
        self.pending = b""
        self.wakeup, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        # Only the wake-up counts: the loop sends the line when it can do so between two others.
        signal.signal(signal.SIGHUP, lambda _number, _frame: None)

    def read(self) -> bytes:
        """Return what Asterisk has written, waiting for it; empty at its end."""
        kept, self.pending = self.pending, b""
        return kept or os.read(FROM_ASTERISK, CHUNK_BYTES)

    def read_until(self, end: bytes) -> bytes:
        """Return all up to and with `end`, within the deadline of a reply."""
        deadline = time.monotonic() + REPLY_SECONDS
        text = b""
        while end not in text:
            chunk = b""
            if self.pending or can_read(FROM_ASTERISK, deadline - time.monotonic()):
                chunk = self.read()
            if not chunk or len(text) > CHUNK_BYTES:
                raise SessionError("Asterisk sent no whole block of lines")
            text += chunk
        block, _, self.pending = text.partition(end)
        return block + end

    def has_hung_up(self) -> bool:
        """Take the signals that have come, and say whether a hang-up was among them."""
        return signal.SIGHUP in os.read(self.wakeup, CHUNK_BYTES)

    def write(self, lines: bytes) -> None:
        """Write whole lines. A part of one would make Asterisk spin until the rest comes."""
        while lines:
            lines = lines[os.write(TO_ASTERISK, lines) :]

    def set_variable(self, name: str, value: str) -> None:
        """Set a channel variable; `value` must not need quoting."""
        self.write(f'SET VARIABLE {name} "{value}"\n'.encode())
        self.read_until(b"\n")


class Relay:
    """Carries one session between Asterisk and the server."""

    def __init__(self, asterisk: Asterisk, server: socket.socket) -> None:
        self.asterisk = asterisk
        self.server = server
        self.half_command = b""
        self.half_reply = b""
        self.replies_due = 0
        self.hung_up = False
        self.last_moment = 0.0

    def run(self, request: bytes) -> None:
        """Send the request, then everything both ways until one side is done.

        Asterisk waits for a script to exit before it closes the pipes, so the end is ours to
        see: the server has closed, and the replies to its last commands have been carried to it.
        """
        self.send(request)
        wanted = select.poll()
        for source in (FROM_ASTERISK, self.server.fileno(), self.asterisk.wakeup):
            wanted.register(source, select.POLLIN)
        while not self.last_moment or (self.replies_due > 0 and self.seconds_left() > 0):
            # Without a last moment the alarm of the whole session is the deadline.
            wait_ms = self.seconds_left() * 1000 if self.last_moment else None
            ready = [source for source, _ in wanted.poll(wait_ms)]
            if self.asterisk.wakeup in ready:
                self.hung_up = self.asterisk.has_hung_up() or self.hung_up
            if FROM_ASTERISK in ready and not self.receive_replies():
                return
            if self.server.fileno() in ready and not self.receive_commands():
                wanted.unregister(self.server.fileno())
                # End-of-file has Asterisk run every command that it has buffered.
                os.close(TO_ASTERISK)
                self.last_moment = time.monotonic() + LAST_REPLIES_SECONDS
            if self.hung_up and not self.half_reply:
                self.hung_up = False
                self.send(b"HANGUP\n")

    def seconds_left(self) -> float:
        """Return the time until the replies to the last commands are no longer waited for."""
        return max(0.0, self.last_moment - time.monotonic())

    def receive_replies(self) -> bool:
        """Hand on what Asterisk wrote; return False at its end."""
        replies = self.asterisk.read()
        lines = (self.half_reply + replies).split(b"\n")
        self.half_reply = lines.pop()
        self.replies_due -= sum(line[:4] in LAST_LINES for line in lines)
        self.send(replies)
        return bool(replies)

    def receive_commands(self) -> bool:
        """Hand on the server's whole lines; return False when it will send no more."""
        try:
            commands = self.server.recv(CHUNK_BYTES)
        except OSError:
            return False
        lines, newline, self.half_command = (self.half_command + commands).rpartition(b"\n")
        if len(self.half_command) > CHUNK_BYTES:
            raise SessionError("the server sent a line without an end")
        self.replies_due += (lines + newline).count(b"\n")
        self.asterisk.write(lines + newline)
        return bool(commands)

    def send(self, lines: bytes) -> None:
        """Send to the server; one that has gone is noticed where its commands are received."""
        try:
            self.server.sendall(lines)
        except OSError:
            self.replies_due = 0


def main() -> None:
    """Run one session, whatever becomes of it."""
    route, address = own_arguments(sys.argv[1:])
    asterisk = Asterisk()
    # One deadline for everything, a write to a pipe that nobody reads included.
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(SESSION_SECONDS)
    try:
        run(asterisk, route, address)
    except OSError:
        # Asterisk has closed its pipes: there is nobody left to tell.
        return


def run(asterisk: Asterisk, route: str, address: str) -> None:
    """Connect and relay; what goes wrong is told to the dialplan by AGISTATUS=FAILURE."""
    try:
        environment = asterisk.read_until(b"\n\n")
        with connect_or_tell(asterisk, route, address) as server:
            Relay(asterisk, server).run(network_request(environment, route))
    except SessionError as error:
        sys.stderr.write(f"sge-voip-integration: {error}\n")
        asterisk.write(b"failure\n")


def connect_or_tell(asterisk: Asterisk, route: str, address: str) -> socket.socket:
    """Return a connection; a caller of `register` finds why there is none in its variables."""
    try:
        return connect(address)
    except (OSError, ValueError, OverflowError) as error:
        if route.partition("?")[0] == DEFAULT_ROUTE:
            for name, value in UNREACHABLE:
                asterisk.set_variable(name, value)
        raise SessionError(f"no call service at {address}: {error}") from error


def own_arguments(arguments: "list[str]") -> "tuple[str, str]":
    """Return the route and the server's address. A newline would forge lines of the request."""
    given = [argument.partition("\n")[0] for argument in arguments] + ["", ""]
    address = given[1] or os.environ.get("SGE_AGI_ADDRESS", "")
    return given[0] or DEFAULT_ROUTE, address or DEFAULT_ADDRESS


def connect(address: str) -> socket.socket:
    """Return a connection that was there within the deadline."""
    server = socket.create_connection(host_and_port(address), CONNECT_SECONDS)
    server.settimeout(REPLY_SECONDS)
    # Replies are small and waited for: none may wait for the acknowledgement of the last.
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return server


def host_and_port(address: str) -> "tuple[str, int]":
    """Return host and port of host:port, [host]:port, either without port, or with agi://."""
    plain = address.removeprefix("agi://").rstrip("/")
    host, colon, port = plain.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = plain, str(DEFAULT_PORT)
    return host.removeprefix("[").removesuffix("]"), int(port)


def network_request(environment: bytes, route: str) -> bytes:
    """Return the request as Asterisk would have sent it to the server itself."""
    lines = [b"agi_network: yes", b"agi_network_script: " + os.fsencode(route)]
    for line in environment.split(b"\n"):
        name, colon, value = line.partition(b":")
        number = name[8:] if name.startswith(b"agi_arg_") else b""
        if not number.isdigit():
            lines.append(line)
        elif int(number) > OWN_ARGUMENTS:
            lines.append(b"agi_arg_%d" % (int(number) - OWN_ARGUMENTS) + colon + value)
    return b"\n".join(lines)


def can_read(source: int, seconds: float) -> bool:
    """Return whether something can be read before the deadline."""
    return bool(select.select([source], [], [], max(0.0, seconds))[0])


def give_up(_number: int, _frame: object) -> None:
    """Break off whatever is waited for: the session has lasted too long."""
    raise SessionError(f"the session was not over after {SESSION_SECONDS} s")


if __name__ == "__main__":
    main()
    # Nothing is left to flush or to close; taking the interpreter apart would cost 4 ms.
    os._exit(0)
