"""SIPp over TCP as the far end of the SIP user agent, with scenarios written as a few steps."""

import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from sip_stage import free_port

from lab import processes
from lab.phones import MESSAGE
from lab.root import Root

START_SECONDS = 5.0
STOP_SECONDS = 2.0
LIFETIME_SECONDS = 60

SDP = """
v=0
o=- 1 {version} IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 40000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
"""

# Of the request that SIPp answers, where it is not the last message that came.
SAVE_VIA = '<action><ereg regexp=".*" search_in="hdr" header="Via:" assign_to="via"/></action>'
SAVE_ENDS = (
    '<action><ereg regexp=".*" search_in="hdr" header="From:" assign_to="them"/>'
    '<ereg regexp=".*" search_in="hdr" header="To:" assign_to="us"/></action>'
)


def receive(what: str | int, action: str = "") -> str:
    """Wait for a request or a response."""
    kind = "response" if isinstance(what, int) else "request"
    return f'<recv {kind}="{what}" rrs="true">{action}</recv>'


def send(start: str, *lines: str, version: int = 0) -> str:
    """Send a message; a `version` makes it carry SDP."""
    body = SDP.format(version=version) if version else ""
    kind = ("Content-Type: application/sdp",) if version else ()
    head = (start, *lines, *kind, "Content-Length: [len]")
    return f"<send><![CDATA[\n{chr(10).join(head)}\n{body}\n]]></send>"


def reply(
    status: int,
    *lines: str,
    version: int = 0,
    sequence: str = "[last_CSeq:]",
    via: str = "[last_Via:]",
    tag: str = ";tag=[call_number]",
) -> str:
    """Answer the last request, or the one with this number and way."""
    ends = (via, "[last_From:]", f"[last_To:]{tag}", "[last_Call-ID:]", sequence)
    contact = "Contact: <sip:[local_ip]:[local_port];transport=tcp>"
    return send(f"SIP/2.0 {status} Said", *ends, contact, *lines, version=version)


def ask(method: str, number: int, *, version: int = 0) -> str:
    """Send a request within the dialog of a call that SIPp took, behind `SAVE_ENDS`."""
    return send(
        f"{method} [next_url] SIP/2.0",
        "Via: SIP/2.0/TCP [local_ip]:[local_port];branch=[branch]",
        "Max-Forwards: 70",
        "From:[$us]",
        "To:[$them]",
        "[last_Call-ID:]",
        f"CSeq: {number} {method}",
        "Contact: <sip:[local_ip]:[local_port];transport=tcp>",
        version=version,
    )


def call(method: str, number: int, *lines: str, version: int = 0, branch: str = "[branch]") -> str:
    """Send a request of a call that SIPp makes; behind the first it is within the dialog."""
    is_first = method in {"INVITE", "CANCEL"} and number == 1
    return send(
        f"{method} {'sip:bob@[remote_ip]:[remote_port]' if is_first else '[next_url]'} SIP/2.0",
        f"Via: SIP/2.0/TCP [local_ip]:[local_port];branch={branch}",
        "Max-Forwards: 70",
        "From: <sip:1001@[local_ip]>;tag=[call_number]",
        "To: <sip:bob@[remote_ip]>" if is_first else "To: <sip:bob@[remote_ip]>[peer_tag_param]",
        "Call-ID: [call_id]",
        f"CSeq: {number} {method}",
        "Contact: <sip:[local_ip]:[local_port];transport=tcp>",
        *lines,
        version=version,
    )


class SippPeer:
    """One SIPp that plays one scenario on a port of loopback."""

    def __init__(self, root: Root, folder: Path, steps: tuple[str, ...]) -> None:
        self.root = root
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        scenario = "\n".join(steps)
        # SIPp refuses a scenario that sets a variable and does not use it.
        set_here = ",".join(re.findall(r'assign_to="(\w+)"', scenario))
        used = f'<Reference variables="{set_here}"/>' if set_here else ""
        text = f'<?xml version="1.0"?>\n<scenario name="peer">\n{scenario}\n{used}</scenario>\n'
        (folder / "scenario.xml").write_text(text)

    def listen(self) -> None:
        """Take calls, and answer OPTIONS besides."""
        self._start(f"127.0.0.1:{free_port()}")
        assert processes.wait_until(self._is_listening, START_SECONDS), self.explain()

    def call(self, port: int) -> None:
        """Call the agent that listens on a port, once."""
        self._start(f"127.0.0.1:{port}", "-m", "1")

    def _is_listening(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _start(self, remote: str, *options: str) -> None:
        inside = self.root.inside(self.folder)
        command = self.root.command(
            "/usr/bin/sipp",
            remote,
            *("-t", "t1", "-sf", f"{inside}/scenario.xml", "-i", "127.0.0.1"),
            *("-p", str(self.port), "-timeout", f"{LIFETIME_SECONDS}s"),
            *("-trace_msg", "-message_file", f"{inside}/messages.log"),
            *("-trace_err", "-error_file", f"{inside}/errors.log", "-nostdin", "-aa"),
            *("-au", "gate", "-ap", "secret", "-recv_timeout", "20000", *options),
        )
        self._process = processes.start(command, self.folder / "output")

    def wait(self) -> bool:
        """Return whether the scenario of a caller ran to its end."""
        return self._process is not None and self._process.wait(LIFETIME_SECONDS) == 0

    def log(self) -> str:
        """Return all messages as SIPp logged them."""
        file = self.folder / "messages.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def conversation(self) -> list[str]:
        """Return the messages in order, as `> 200` (SIPp's) and `< INVITE` (ours); no OPTIONS."""
        marks = {"sent": ">", "received": "<"}
        found = MESSAGE.findall(self.log())
        said = [f"{marks[way]} {status or method}" for way, status, method in found]
        options = said.count("< OPTIONS")
        return [one for one in said if one != "< OPTIONS"][options:]

    def explain(self) -> str:
        """Return what SIPp says went wrong."""
        files = [self.folder / name for name in ("errors.log", "output", "messages.log")]
        return "\n".join(one.read_text(errors="replace")[-3000:] for one in files if one.exists())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            processes.end(self._process, STOP_SECONDS)


@contextmanager
def peer_playing(root: Root, *steps: str) -> Generator[SippPeer]:
    """Make a peer with a folder of its own, and end it."""
    folder = Path(tempfile.mkdtemp(prefix="sipp-", dir=root.path / "tmp"))
    try:
        with SippPeer(root, folder, steps) as peer:
            yield peer
    finally:
        shutil.rmtree(folder, ignore_errors=True)
