"""The root folder that holds Asterisk, its sounds and SIPp, and how it is built.

Debian stable has no asterisk package; Debian sid has. It is put into a root folder of its own,
so that nothing of the host changes. About a minute and 660 MB, once.
"""

import fcntl
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.errors import CommandError, InstallError

PACKAGES = ("asterisk", "asterisk-core-sounds-en-gsm", "sip-tester", "python3-minimal")

# Present only when every package is: the last files that each of them unpacks.
PROOFS = (
    "usr/sbin/asterisk",
    "usr/share/asterisk/sounds/en_US_f_Allison/cannot-complete-as-dialed.gsm",
    "usr/bin/sipp",
    "usr/bin/python3",
)

OS_RELEASE = Path("/etc/os-release")

STEP_SECONDS = 900

Say = Callable[[str], None]


def cache_folder() -> Path:
    """Return FASTAGI_LAB_DIR, or fastagi-lab in the user's cache folder."""
    chosen = os.environ.get("FASTAGI_LAB_DIR")
    if chosen:
        return Path(chosen)
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "fastagi-lab"


@dataclass(frozen=True)
class Root:
    """A root folder with Asterisk in it, built or yet to be built."""

    path: Path

    @classmethod
    def default(cls) -> "Root":
        """Return the root in the cache folder, where every user of the lab shares it."""
        return cls(cache_folder() / "asterisk-root")

    @property
    def is_complete(self) -> bool:
        """Say whether all packages are there; a build that was cut short is not complete."""
        return all((self.path / proof).is_file() for proof in PROOFS)

    @property
    def instances(self) -> Path:
        """The folder of the running instances, seen from outside."""
        return self.path / "srv" / "lab"

    def why_not(self) -> str | None:
        """Return in words why nothing can run in this root now, or None when it can."""
        if os.geteuid() != 0:
            return "the lab needs root: Asterisk runs in a root folder of its own"
        if not self.is_complete:
            return f"there is no Asterisk in {self.path}: run make lab"
        return None

    def inside(self, path: Path) -> str:
        """Return the name that a file below this root has for the programs in it."""
        return "/" + str(path.relative_to(self.path))

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that runs a program of this root."""
        return ["chroot", str(self.path), *arguments]

    def name_this_machine(self) -> None:
        """Let the root know this machine's name.

        Asterisk looks its own address up for every call, and asks the root name servers of the
        Internet when it finds none.
        """
        hosts = f"127.0.0.1 localhost {socket.gethostname()}\n"
        (self.path / "etc/hosts").write_text(hosts)

    def asterisk_ids(self) -> tuple[int, int]:
        """Return user and group id that the root gives to its user `asterisk`."""
        for line in (self.path / "etc/passwd").read_text().splitlines():
            name, _, uid, gid, *_ = line.split(":")
            if name == "asterisk":
                return int(uid), int(gid)
        raise CommandError(f"{self.path} has no user asterisk")


def install(root: Root, say: Say = print) -> None:
    """Build `root` unless it is complete; a half-built one is removed and built again.

    Raises InstallError, with the reason in words, on a machine that cannot have it, and
    CommandError with the end of its output when a step of the build fails.
    """
    if root.is_complete:
        say(f"Asterisk is installed in {root.path}")
        return
    _check_machine()
    root.path.parent.mkdir(parents=True, exist_ok=True)
    with _one_builder(root.path.parent / "install.lock"):
        if not root.is_complete:
            _build(root, say)
    say(f"Asterisk is installed in {root.path}")


def _check_machine() -> None:
    if os.geteuid() != 0:
        raise InstallError("installing the lab needs root, for debootstrap and chroot")
    if "ID=debian" not in OS_RELEASE.read_text().splitlines():
        raise InstallError("the lab installs on Debian only: this is another system")


@contextmanager
def _one_builder(lock: Path) -> Generator[None]:
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _build(root: Root, say: Say) -> None:
    log = root.path.parent / "install.log"
    log.write_text("")
    archive = archive_address()
    if shutil.which("debootstrap") is None:
        say("installing debootstrap")
        run_step(["apt-get", "update"], log)
        run_step(["apt-get", "install", "-y", "--no-install-recommends", "debootstrap"], log)
    # Built beside its place and renamed at the end: a name without `.partial` is a whole root.
    partial = Root(root.path.with_name(root.path.name + ".partial"))
    for leftover in (partial.path, root.path):
        shutil.rmtree(leftover, ignore_errors=True)
    say("unpacking Debian sid (30 s)")
    run_step(["debootstrap", "--variant=minbase", "sid", str(partial.path), archive], log)
    _forbid_services(partial)
    say(f"installing {', '.join(PACKAGES)} (15 s)")
    apt = ("apt-get", "-o", "Acquire::Check-Valid-Until=false", "install", "-y")
    run_step(partial.command(*apt, "--no-install-recommends", *PACKAGES), log)
    if not partial.is_complete:
        raise CommandError(f"the packages lack a file the lab needs, see {log}")
    partial.path.rename(root.path)


def _forbid_services(root: Root) -> None:
    """Keep the packages from starting anything: exit code 101 means forbidden by policy."""
    policy = root.path / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)


def archive_address() -> str:
    """Return the address of the Debian archive that this machine's apt uses."""
    try:
        targets = subprocess.run(
            ["apt-get", "indextargets", "--no-release-info", "--format", "$(RELEASE) $(REPO_URI)"],
            capture_output=True,
            text=True,
            check=False,
            timeout=STEP_SECONDS,
        )
    except OSError as error:
        raise InstallError(f"apt-get cannot be run: {error.strerror}") from error
    for line in targets.stdout.splitlines():
        release, _, address = line.partition(" ")
        if address.startswith(("http://", "https://")) and "security" not in release:
            return address
    raise InstallError("apt knows no Debian archive: its list of sources is empty")


def run_step(command: Sequence[str], log: Path) -> None:
    """Run a program with its output in the log; raises CommandError with the end of it."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    with log.open("a") as output:
        try:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=True,
                timeout=STEP_SECONDS,
                env=environment,
            )
        except (OSError, subprocess.SubprocessError) as error:
            end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise CommandError(f"{error}\n{end}\n(all of it in {log})") from error
