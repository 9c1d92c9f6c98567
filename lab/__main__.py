"""The lab from a terminal: python3 -m lab install|start|stop|call|cli|status."""

import argparse
import sys

from lab import browser, postgres, programs
from lab.asterisk import Asterisk
from lab.errors import LabError
from lab.phones import Phone
from lab.records import records
from lab.root import Root, install

TALK_MS = 1000


def put_in_place(_options: argparse.Namespace) -> None:
    """Install Asterisk, PostgreSQL, programs of operators and a browser unless they are there."""
    install(Root.default())
    postgres.install()
    programs.install()
    browser.install()


def start(options: argparse.Namespace) -> None:
    """Start an instance that outlives this command."""
    variables = {"SGE_AGI": f"agi://{options.agi}"}
    asterisk = Asterisk.start(options.name, variables=variables, detached=True)
    ports = asterisk.ports
    print(f"Asterisk {options.name} is up on 127.0.0.1: SIP {ports.sip}, AMI {ports.ami},")
    print(f"ARI http://127.0.0.1:{ports.http}/ari; its calls ask agi://{options.agi}")
    print(f"files in {asterisk.folder}")


def stop(options: argparse.Namespace) -> None:
    """Stop the named instance, or with --all every instance."""
    root = Root.default()
    names = sorted(records(root.instances)) if options.all else [options.name]
    for name in names:
        Asterisk.attach(name, root).stop()
        print(f"Asterisk {name} has stopped")


def call(options: argparse.Namespace) -> None:
    """Have 1002 call a phone that answers as 1001, talk for a second and hang up."""
    asterisk = Asterisk.attach(options.name)
    with Phone.answering(asterisk, options.called, ring_ms=200) as callee:
        caller = Phone.calling(asterisk, options.caller, options.called, hang_up_after_ms=TALK_MS)
        with caller:
            ended_well = caller.wait() and callee.wait()
            print(f"{options.caller} called {options.called}: {caller.statuses()}")
            if not ended_well:
                raise LabError(f"the call failed:\n{caller.explain()}\n{callee.explain()}")


def cli(options: argparse.Namespace) -> None:
    """Run a command of Asterisk's console."""
    sys.stdout.write(Asterisk.attach(options.name).cli(" ".join(options.command)))


def status(_options: argparse.Namespace) -> None:
    """Say what is installed and what runs."""
    root = Root.default()
    print(root.why_not() or f"installed in {root.path}")
    for name, record in records(root.instances).items():
        state = "running" if record.asterisk.is_alive else "dead"
        print(f"{name}: {state}, process {record.asterisk.number}, SIP {record.first_port}")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    root = argparse.ArgumentParser(prog="python3 -m lab", description="A real Asterisk on loopback")
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser(
        "install", help="install Asterisk, PostgreSQL, snmpd, promtool and chromium, once"
    )
    run.set_defaults(run=put_in_place)
    run = commands.add_parser("start", help="start an Asterisk that outlives this command")
    run.add_argument("--name", default="default")
    run.add_argument("--agi", default="127.0.0.1:4573", help="host:port of the FastAGI server")
    run.set_defaults(run=start)
    run = commands.add_parser("stop", help="stop an Asterisk")
    run.add_argument("--name", default="default")
    run.add_argument("--all", action="store_true", help="every one, whoever started it")
    run.set_defaults(run=stop)
    run = commands.add_parser("call", help="place a call between two SIP phones")
    run.add_argument("--name", default="default")
    run.add_argument("--caller", default="1002")
    run.add_argument("--called", default="1001")
    run.set_defaults(run=call)
    run = commands.add_parser("cli", help="run a command of Asterisk's console")
    run.add_argument("--name", default="default")
    run.add_argument("command", nargs="+")
    run.set_defaults(run=cli)
    run = commands.add_parser("status", help="say what is installed and what runs")
    run.set_defaults(run=status)
    return root


def main() -> int:
    """Run one command; 0 when it did what it was asked, 1 with the reason when not."""
    options = parser().parse_args()
    try:
        options.run(options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
