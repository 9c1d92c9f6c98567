"""Installs this checkout on a clean machine by the letter of docs/how-to/install.md, and tries it.

    python3 -m lab.clean_install [bookworm|trixie]

Some minutes, most of them for packages. The page's commands are run in their order; afterwards the
service must be active under systemd, with its sandbox, credential and sockets, and calls must be
registered while it is restarted.
"""

import re
import subprocess
import sys
from pathlib import Path

from lab.clean_machine import CleanMachine
from lab.errors import CommandError, LabError
from lab.processes import wait_until
from lab.root import Say

CHECKOUT = Path(__file__).parents[1]
PAGE = CHECKOUT / "docs/how-to/install.md"
SOURCE = "/usr/src/fastagi-server"
DOWNLOADS = ("apt-get ", "/opt/fastagi-server/bin/pip ")

CALLS = 300
CALLS_A_SECOND = 50
RESTARTS = 3
LOG_SECONDS = 10

CALLERS = f"""
import asyncio
from fastagi_server.testing.fake_asterisk import FakeAsterisk

async def main():
    calls = [
        FakeAsterisk("register", unique_id=f"17.{{number}}", deadline=60.0)
        for number in range({CALLS})
    ]
    async with asyncio.TaskGroup() as tasks:
        for call in calls:
            tasks.create_task(call.run("127.0.0.1", 4573))
            await asyncio.sleep(1 / {CALLS_A_SECOND})
    answers = {{(call.status, call.variables["SGE_STATUS"]) for call in calls}}
    print(answers, len({{call.variables["SGE_CALL_ID"] for call in calls}}))

asyncio.run(main())
"""

SHOWN = ("ActiveState", "SubState", "Type", "NRestarts", "Result", "StatusText")


def commands_of(page: str) -> list[str]:
    """The commands of a page, which its console blocks show behind a `# `."""
    blocks = re.findall(r"(?ms)^```console\n(.*?)^```", page)
    return [
        line.removeprefix("# ")
        for block in blocks
        for line in block.splitlines()
        if line.startswith("# ")
    ]


def follow(machine: CleanMachine, commands: list[str], say: Say) -> None:
    """Run the commands one after the other, as the reader of the page would."""
    for command in commands:
        say(f"# {command}")
        said = machine.run(command, folder=SOURCE, online=command.startswith(DOWNLOADS))
        for line in said.splitlines()[-3:]:
            say(f"  {line}")


def journal_of(machine: CleanMachine) -> str:
    """The last that the service and systemd have logged of it."""
    return machine.run("journalctl -n 50 -o cat -u fastagi-server")


def try_out(machine: CleanMachine, say: Say) -> None:
    """Look at what was installed. Raises CommandError for the first thing that is not so."""
    shown = machine.run(f"systemctl show fastagi-server -p {','.join(SHOWN)}")
    say(shown)
    _expect(shown, "ActiveState=active", "SubState=running", "Type=notify", "Result=success")
    _expect(machine.run("fastagi-server call agi://127.0.0.1/health"), "SGE_HEALTH=ok")
    _expect(machine.run("systemctl reload fastagi-server && echo reloaded"), "reloaded")
    if not wait_until(lambda: '"event":"reloaded"' in journal_of(machine), LOG_SECONDS):
        raise CommandError("the service did not read its settings again")
    level = machine.run("systemd-analyze security fastagi-server | tail -1")
    say(level.strip())
    restarts = f"for i in $(seq {RESTARTS}); do sleep 1; systemctl restart fastagi-server; done"
    called = machine.run(f"({restarts}) & /opt/fastagi-server/bin/python -c '{CALLERS}'; wait")
    say(f"{CALLS} calls, {CALLS_A_SECOND} a second, {RESTARTS} restarts: {called.strip()}")
    _expect(called, "{('SUCCESS', 'REGISTERED')} " + str(CALLS))
    machine.run("systemctl stop fastagi-server.socket fastagi-server-http.socket fastagi-server")
    _expect(machine.run("systemctl is-failed fastagi-server || true"), "inactive")


def _expect(said: str, *words: str) -> None:
    for word in words:
        if word not in said:
            raise CommandError(f"no {word!r} in:\n{said}")


def _copy_checkout(machine: CleanMachine) -> None:
    """The files that git knows or would take, as a clone of the repository has them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    ).stdout.split(b"\0")
    for name in filter(None, listed):
        source = CHECKOUT / name.decode()
        if source.is_file():
            target = machine.root / SOURCE.removeprefix("/") / name.decode()
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            target.chmod(source.stat().st_mode)


def main(suite: str) -> int:
    """Install and try; 0 when everything is as the page says, 1 with the reason when not."""
    try:
        with CleanMachine(suite) as machine:
            _copy_checkout(machine)
            machine.run("apt-get update", online=True)
            try:
                follow(machine, commands_of(PAGE.read_text(encoding="utf-8")), print)
                try_out(machine, print)
            except CommandError:
                print(journal_of(machine))
                raise
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    print(f"{PAGE.relative_to(CHECKOUT)} holds on Debian {suite}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "bookworm"))
