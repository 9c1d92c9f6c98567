"""One running Asterisk of the lab.

with Asterisk.start(variables={"SGE_AGI": "agi://127.0.0.1:4573"}) as asterisk:
    asterisk.control.originate("Local/1001@sky-genesis-voip", context="lab", extension="wait")
    asterisk.wait_for_log("is ringing")
"""

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import processes
from lab.configuration import AGI_SCRIPTS, Configuration
from lab.control import Control
from lab.errors import CommandError, StartError
from lab.ports import Ports, take_slot
from lab.processes import ProcessId
from lab.records import Record, records
from lab.root import Root

BOOT_SECONDS = 30.0
STOP_SECONDS = 10.0
CLI_SECONDS = 10.0
LOG_SECONDS = 10.0
# At 20 ms a packet, a fifth of a second of audio.
SPOKEN_PACKETS = 10

FOLDERS = ("var/keys", "spool/recording", "run", "log/cdr-custom", "agi-bin", "phones")

# Parts of Asterisk's core warn without a file of their own; Debian's does.
DISTRIBUTION_FILES = (
    "acl.conf",
    "ccss.conf",
    "cdr.conf",
    "cel.conf",
    "features.conf",
    "indications.conf",
    "pjproject.conf",
    "udptl.conf",
    "websocket_client.conf",
)

# Said on every start of every Asterisk.
HARMLESS = re.compile(
    r"modules will be loaded|CDR simple logging enabled|default indication country"
    r"|Default country for indication tones|cdr_custom\.conf"
)
COMPLAINT = re.compile(r"\] (NOTICE|WARNING|ERROR)\[")


class Asterisk:
    """A running instance with a folder and ports of its own. Start or attach to one.

    It ends when `stop` is called or the `with` block is left; an instance whose owner was killed
    is ended by the next start of any instance.
    """

    def __init__(self, root: Root, name: str, record: Record) -> None:
        self.root = root
        self.name = name
        self.folder = root.instances / name
        self.passwords = record.passwords
        self.ports = Ports(record.first_port)
        self.control = Control(self.ports.http, record.passwords["ari"])
        self.process = record.asterisk
        self._child: subprocess.Popen[bytes] | None = None

    @classmethod
    def start(
        cls,
        name: str = "",
        *,
        variables: Mapping[str, str] | None = None,
        extensions: str = "",
        detached: bool = False,
        root: Root | None = None,
    ) -> Self:
        """Start an instance and return once it is fully booted.

        `variables` replace globals of dialplan/extensions.conf, `extensions` is dialplan to add
        to it. A `detached` instance outlives this process. Raises CommandError when the lab
        cannot run here and StartError when Asterisk is not up within 30 s or warns of anything.
        """
        root = root or Root.default()
        reason = root.why_not()
        if reason:
            raise CommandError(reason)
        end_orphans(root)
        name = name or f"lab-{secrets.token_hex(4)}"
        if name in records(root.instances):
            raise CommandError(f"an instance called {name} runs already")
        folder = root.instances / name
        slot = take_slot(root.path.parent / "slots")
        with closing(slot), ExitStack() as undo:
            undo.callback(shutil.rmtree, folder, ignore_errors=True)
            configuration = Configuration(slot.ports, variables or {}, extensions)
            _prepare(root, folder, configuration)
            child = processes.start(_command(root, folder), folder / "log/console", (slot.lock,))
            undo.callback(child.kill)
            owner = None if detached else ProcessId.of(os.getpid())
            passwords = dict(configuration.passwords)
            identity = processes.identify(child)
            record = Record(identity, owner, configuration.ports.first, passwords)
            record.write(folder)
            undo.pop_all()
        instance = cls(root, name, record)
        instance._child = child
        try:
            instance._wait_booted()
        except BaseException:
            instance.stop()
            raise
        return instance

    @classmethod
    def attach(cls, name: str, root: Root | None = None) -> Self:
        """Return the running instance called `name`, whoever started it."""
        root = root or Root.default()
        record = records(root.instances).get(name)
        if record is None or not record.asterisk.is_alive:
            raise CommandError(f"no instance called {name} is running")
        return cls(root, name, record)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End Asterisk, by force after 10 s, and remove its files. May be called twice."""
        self.process.end(STOP_SECONDS)
        if self._child is not None:
            self._child.wait(STOP_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def cli(self, command: str) -> str:
        """Run a command of Asterisk's console and return what it prints."""
        configuration = self.root.inside(self.folder / "etc/asterisk.conf")
        try:
            done = subprocess.run(
                self.root.command("/usr/sbin/asterisk", "-C", configuration, "-rx", command),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=True,
                timeout=CLI_SECONDS,
            )
        except subprocess.CalledProcessError as error:
            raise CommandError(f"{command}: {error.stderr or error.stdout}") from error
        except subprocess.TimeoutExpired as error:
            raise CommandError(f"{command}: no answer in {CLI_SECONDS:.0f} s") from error
        return done.stdout

    def set_global(self, name: str, value: str) -> None:
        """Set a global variable of the running dialplan; `value` must not hold a space."""
        self.cli(f"dialplan set global {name} {value}")

    def log(self) -> str:
        """Return all that Asterisk has logged: notices, warnings, errors, dialplan steps."""
        file = self.folder / "log/full.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def wait_for_log(
        self, pattern: str, seconds: float = LOG_SECONDS, *, after: int = 0
    ) -> "re.Match[str]":
        """Return the first match of a regular expression in the log, waiting for it.

        `after` is a length that the log had: nothing before it counts. Raises StartError, with
        the end of the log, when the deadline passes without a match.
        """
        wanted = re.compile(pattern)
        processes.wait_until(lambda: wanted.search(self.log(), after) is not None, seconds)
        found = wanted.search(self.log(), after)
        if found is None:
            end = "\n".join(self.log().splitlines()[-30:])
            raise StartError(f"{pattern!r} was not logged in {seconds:.0f} s:\n{end}")
        return found

    def complaints(self) -> list[str]:
        """Return the notices, warnings and errors logged so far, a line each."""
        file = self.folder / "log/messages.log"
        lines = file.read_text(errors="replace").splitlines() if file.exists() else []
        return [line for line in lines if COMPLAINT.search(line) and not HARMLESS.search(line)]

    def wait_idle(self, seconds: float = LOG_SECONDS) -> bool:
        """Return whether the last channel ended before the deadline."""
        return processes.wait_until(lambda: not self.control.channels(), seconds)

    def wait_for_media(self, channel_id: str, seconds: float = LOG_SECONDS) -> bool:
        """Return whether audio flowed both ways between Asterisk and a channel's phone."""
        path = f"channels/{channel_id}/rtp_statistics"

        def flows() -> bool:
            counts = self.control.request("GET", path)
            return bool(min(counts["rxcount"], counts["txcount"]) >= SPOKEN_PACKETS)

        return processes.wait_until(flows, seconds)

    def _wait_booted(self) -> None:
        booted = processes.wait_until(
            lambda: not self.process.is_alive or "Asterisk Ready." in self.log(),
            BOOT_SECONDS,
        )
        if not booted or not self.process.is_alive:
            output = self._console()[-2000:] + self.log()[-2000:]
            raise StartError(f"Asterisk was not up in {BOOT_SECONDS:.0f} s:\n{output}")
        complaints = self.complaints()
        if complaints:
            raise StartError("Asterisk does not like its configuration:\n" + "\n".join(complaints))

    def _console(self) -> str:
        return (self.folder / "log/console").read_text(errors="replace")


def end_orphans(root: Root) -> None:
    """End every instance whose owner was killed before it could."""
    for name, record in records(root.instances).items():
        if record.is_orphan or not record.asterisk.is_alive:
            Asterisk(root, name, record).stop()


def _prepare(root: Root, folder: Path, configuration: Configuration) -> None:
    """Fill an instance's folder: configuration, AGI scripts, and room for what it writes."""
    shutil.rmtree(folder, ignore_errors=True)
    root.name_this_machine()
    configuration.write(folder, root.inside(folder))
    for file in DISTRIBUTION_FILES:
        shutil.copy(root.path / "etc/asterisk" / file, folder / "etc")
    for part in FOLDERS:
        (folder / part).mkdir(parents=True)
    for script in sorted(AGI_SCRIPTS.glob("*.py")):
        shutil.copy(script, folder / "agi-bin")
        (folder / "agi-bin" / script.name).chmod(0o755)
    uid, gid = root.asterisk_ids()
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, gid)


def _command(root: Root, folder: Path) -> list[str]:
    configuration = root.inside(folder / "etc/asterisk.conf")
    program = ("/usr/sbin/asterisk", "-fn", "-vvv", "-C", configuration)
    return root.command(*program, "-U", "asterisk", "-G", "asterisk")
