"""The configuration of one instance: the files of dialplan/, fitted to its ports, and the rest.

Only what must differ between instances is replaced: addresses, ports, secrets and a few globals.
Every replaced line must be there exactly once, so that the lab notices when a sample changes
under it rather than running something else than what is shipped.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import LabError
from lab.media import MEDIA_ADDRESS
from lab.ports import Ports

CHECKOUT = Path(__file__).resolve().parent.parent
DIALPLAN = CHECKOUT / "dialplan"
AGI_SCRIPTS = CHECKOUT / "agi-bin"
OWN_FILES = Path(__file__).resolve().parent / "etc"

# The trunk of the samples is a documentation address; the lab's lives on loopback too.
TRUNK_ADDRESS = "127.0.0.2"


# Those of the samples, and one more of lab/etc/phones.inc.
USERS = ("1001", "1002", "1003", "1004", "ari", "ami", "gateway")


def _new_secrets() -> dict[str, str]:
    return {name: secrets.token_hex(8) for name in USERS}


@dataclass(frozen=True)
class Configuration:
    """What one instance is told that the samples leave to the operator."""

    ports: Ports
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    extensions: str = ""
    passwords: Mapping[str, str] = field(default_factory=_new_secrets)

    def write(self, folder: Path, inside: str) -> None:
        """Write all files into `folder`/etc; `inside` is what Asterisk calls `folder`."""
        target = folder / "etc"
        target.mkdir(parents=True)
        for sample in sorted(DIALPLAN.glob("*.conf")):
            text = sample.read_text()
            if sample.name == "pjsip.conf":
                text += (OWN_FILES / "phones.inc").read_text()
            text = self._fitted(sample.name, text)
            (target / sample.name).write_text(text)
        for own in sorted(OWN_FILES.glob("*.conf")):
            (target / own.name).write_text(own.read_text().replace("@INSTANCE@", inside))
        with (target / "extensions.conf").open("a") as extensions:
            extensions.write((OWN_FILES / "contexts.inc").read_text())
            extensions.write(self.extensions)

    def _fitted(self, name: str, text: str) -> str:
        for password, value in self.passwords.items():
            text = text.replace(f"change-me-{password}", value)
        for old, new in self._replacements().get(name, {}).items():
            text = _replace_line(name, text, old, new)
        if name == "extensions.conf":
            text = _set_globals(text, self.variables)
        return text

    def _replacements(self) -> dict[str, dict[str, str]]:
        ports = self.ports
        rtp_first, rtp_last = ports.rtp
        return {
            "http.conf": {"bindport = 8088": f"bindport = {ports.http}"},
            "manager.conf": {"port = 5038": f"port = {ports.ami}"},
            "rtp.conf": {
                "rtpstart = 10000": f"rtpstart = {rtp_first}",
                "rtpend = 20000": f"rtpend = {rtp_last}",
                ";10.0.0.5 => 203.0.113.5": f"{MEDIA_ADDRESS} => 127.0.0.1",
            },
            "pjsip.conf": {
                "protocol = udp\nbind = 127.0.0.1:5060": (
                    f"protocol = udp\nbind = 127.0.0.1:{ports.sip}"
                ),
                "protocol = tcp\nbind = 127.0.0.1:5060": (
                    f"protocol = tcp\nbind = 127.0.0.1:{ports.sip}"
                ),
                r"contact = sip:gateway@127.0.0.1:5070\;transport=tcp": (
                    rf"contact = sip:gateway@127.0.0.1:{ports.gateway}\;transport=tcp"
                ),
                "contact = sip:192.0.2.10:5060": f"contact = sip:{TRUNK_ADDRESS}:{ports.sip}",
                "match = 192.0.2.10": f"match = {TRUNK_ADDRESS}",
            },
        }


def _replace_line(name: str, text: str, old: str, new: str) -> str:
    """Replace a line, or several that follow each other."""
    times = text.count(f"\n{old}\n")
    if times != 1:
        raise LabError(f"{name} has the line {old!r} {times} times, not once")
    return text.replace(f"\n{old}\n", f"\n{new}\n")


def _set_globals(text: str, variables: Mapping[str, str]) -> str:
    """Give globals of extensions.conf another value; each must exist in the sample."""
    for name, value in variables.items():
        line = re.search(rf"^{re.escape(name)} = .*$", text, flags=re.MULTILINE)
        if line is None:
            raise LabError(f"extensions.conf sets no global called {name}")
        text = _replace_line("extensions.conf", text, line[0], f"{name} = {value}")
    return text
