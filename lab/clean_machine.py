"""A fresh Debian with systemd as its init, in namespaces of its own: a machine to install on.

It has a network of its own with nothing but loopback, so that services listen on their usual ports
beside those of this host. What must be downloaded is run with the host's network.
"""

import configparser
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import processes
from lab.errors import CommandError, InstallError, StartError
from lab.root import OS_RELEASE, Say, archive_address, cache_folder, run_step

START_SECONDS = 60
COMMAND_SECONDS = 900
STOP_SECONDS = 10

CGROUPS = Path("/sys/fs/cgroup")

PIP_FILES = ("etc/pip.conf", "root/.config/pip/pip.conf", "root/.pip/pip.conf")

# Below a group of its own, so that its init does not take the host's groups for its own.
ENTER = r"""
for hierarchy in systemd unified .; do
  if [ -e "/sys/fs/cgroup/$hierarchy/cgroup.procs" ]; then
    mkdir -p "/sys/fs/cgroup/$hierarchy/$1"
    echo $$ > "/sys/fs/cgroup/$hierarchy/$1/cgroup.procs"
  fi
done
shift
exec unshare --fork --pid --mount --uts --ipc --cgroup --net --kill-child "$@"
"""

# What an init finds on a machine. Nothing of the host's devices and kernel settings can be changed.
BOOT = r"""
set -e
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
for folder in $2; do
  mkdir -p "$root$(dirname "$folder")"
  if [ -d "$folder" ]; then mkdir -p "$root$folder"; else touch "$root$folder"; fi
  mount --bind -o ro "$folder" "$root$folder"
done
mount -t proc proc "$root/proc"
mount --bind -o ro "$root/proc/sys" "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
if [ -d /sys/fs/cgroup/systemd ]; then
  mount -t tmpfs tmpfs "$root/sys/fs/cgroup"
  mkdir "$root/sys/fs/cgroup/systemd" "$root/sys/fs/cgroup/unified"
  mount -t cgroup -o none,name=systemd cgroup "$root/sys/fs/cgroup/systemd"
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup/unified"
else
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
fi
# Not chroot, in which the kernel allows no user namespaces, and with them no PrivateUsers=.
mkdir -p "$root/.host"
cd "$root"
pivot_root . .host
umount -l .host
# As on any machine: what systemd mounts for credentials must be seen by the service.
mount --make-rshared /
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
"""


class CleanMachine:
    """One machine; a context manager that removes it with all that was done on it.

    Raises InstallError where there can be none, StartError when its init does not start, and
    CommandError when a command fails.
    """

    def __init__(self, suite: str, say: Say = print) -> None:
        self._suite = suite
        self._say = say
        self._folder = Path(tempfile.mkdtemp(prefix="clean-", dir=_prepared(cache_folder())))
        self.root = self._folder / "root"
        self._child: subprocess.Popen[bytes] | None = None
        self._pid = 0

    def __enter__(self) -> Self:
        try:
            base = _base(self._suite, self._say)
            run_step(["cp", "-a", "--reflink=auto", str(base), str(self.root)], self._log)
            _configure_pip(self.root)
            self._boot()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def run(self, command: str, *, folder: str = "/", online: bool = False) -> str:
        """Run a line of shell as root and return what it prints; `online` in the host's network."""
        spaces = ["--mount", "--uts", "--ipc", "--pid", "--cgroup", *([] if online else ["--net"])]
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
            "DEBIAN_FRONTEND": "noninteractive",
            **{name: value for name, value in os.environ.items() if name.startswith("PIP_")},
        }
        # /bin/sh after the change of root: the machine's own.
        done = subprocess.run(
            [
                *("nsenter", "--target", str(self._pid), *spaces),
                *("/bin/sh", "-c", f"cd {folder} && {command}"),
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
        if done.returncode:
            raise CommandError(f"{command}: {done.returncode}\n{done.stdout[-3000:]}")
        return done.stdout

    def _boot(self) -> None:
        self._child = processes.start(
            [
                *("sh", "-c", ENTER, "sh", self._folder.name),
                *("sh", "-c", BOOT, "sh", str(self.root), " ".join(_pip_places())),
            ],
            self._folder / "init.log",
        )
        is_up = processes.wait_until(self._is_up_or_over, START_SECONDS)
        if not is_up or self._child.poll() is not None:
            said = (self._folder / "init.log").read_text(errors="replace")
            raise StartError(f"systemd does not start on the clean machine:\n{said[-2000:]}")

    def _is_up_or_over(self) -> bool:
        if self._child is None or self._child.poll() is not None:
            return True
        children = Path(f"/proc/{self._child.pid}/task/{self._child.pid}/children").read_text()
        if not children:
            return False
        self._pid = int(children.split()[0])
        try:
            state = self.run("systemctl is-system-running || true")
        except (CommandError, OSError):
            return False
        return state.strip() in {"running", "degraded"}

    def _remove(self) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.kill()  # and with it, --kill-child, the init, and with it all the rest
            self._child.wait(STOP_SECONDS)
            processes.wait_until(lambda: _remove_groups(self._folder.name), STOP_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _log(self) -> Path:
        return self._folder / "steps.log"


def _prepared(folder: Path) -> Path:
    if os.geteuid() != 0 or "ID=debian" not in OS_RELEASE.read_text().splitlines():
        raise InstallError("a clean machine is made as root and on Debian only")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _base(suite: str, say: Say) -> Path:
    """The suite with systemd as debootstrap makes it, once; machines are copies of it."""
    base = cache_folder() / f"clean-{suite}"
    if base.is_dir():
        return base
    say(f"unpacking Debian {suite} with systemd (60 s)")
    partial = base.with_name(base.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    options = ["--variant=minbase", "--include=systemd,systemd-sysv,dbus,ca-certificates"]
    log = cache_folder() / f"install-{suite}.log"
    run_step(["debootstrap", *options, suite, str(partial), archive_address()], log)
    partial.rename(base)
    return base


def _configure_pip(root: Path) -> None:
    """Let pip in the machine take packages from where pip of this host takes them."""
    merged = configparser.RawConfigParser()
    merged.read(Path("/") / name for name in PIP_FILES)
    with (root / "etc/pip.conf").open("w") as file:
        merged.write(file)


def _pip_places() -> list[str]:
    """The files and folders of this host that pip's configuration names."""
    texts = [value for name, value in os.environ.items() if name.startswith("PIP_")]
    texts += [path.read_text() for name in PIP_FILES if (path := Path("/") / name).is_file()]
    named = re.findall(r"(?<![\w:/])(?:file://)?(/[\w./+-]+)", "\n".join(texts))
    # The pages of a local index name files beside it.
    places = {path.removesuffix("/").removesuffix("/simple") for path in named}
    return sorted(place for place in places if Path(place).exists())


def _remove_groups(name: str) -> bool:
    """Remove the machine's control groups; whether its processes are gone, so that it could."""
    for hierarchy in ("systemd", "unified", "."):
        group = CGROUPS / hierarchy / name
        for folder in sorted((group, *group.rglob("*/")), reverse=True):
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return False
    return True
