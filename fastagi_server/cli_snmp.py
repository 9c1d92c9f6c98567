"""Commands for SNMP: what snmpd runs to answer, and what watches the service and sends traps."""

import sys
import time
from itertools import count
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from fastagi_server.snmp.traps import Trap

DEFAULT_URL = "http://127.0.0.1:8080/api/v1/metrics/prometheus"

MAX_LINE = 4096

_url = click.option(
    "--url",
    default=DEFAULT_URL,
    show_default=True,
    help="Where the service shows its measures.",
)


@click.command()
@_url
@click.option(
    "--max-age",
    type=click.FloatRange(1, 3600),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="How long the last figures are given when the service does not answer.",
)
def snmp(url: str, max_age: float) -> None:
    r"""Answer snmpd: the command for pass_persist in snmpd.conf.

    \b
      pass_persist .1.3.6.1.4.1.8072.1.3.2.3.2 /usr/local/bin/fastagi-server snmp

    It needs no settings, and answers at once whatever the service does.
    """
    from fastagi_server.snmp.passing import PassPersist  # noqa: PLC0415 - `--help` needs none of it
    from fastagi_server.snmp.source import Source, fetch_from  # noqa: PLC0415

    conversation = PassPersist(Source(lambda: fetch_from(url), stale_seconds=max_age).values)
    while line := sys.stdin.readline(MAX_LINE):
        answer = conversation.receive(line)
        if answer is None:
            return
        if answer:
            try:
                sys.stdout.write(answer)
                sys.stdout.flush()
            except BrokenPipeError:  # snmpd has gone
                sys.stderr.close()
                return


@click.command()
@click.argument("destinations", nargs=-1, required=True, metavar="DESTINATION...")
@_url
@click.option(
    "--every",
    type=click.FloatRange(1, 3600),
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="Time between two looks.",
)
@click.option("--calls", is_flag=True, help="Tell of calls and rooms, too.")
def traps(destinations: tuple[str, ...], url: str, every: float, calls: bool) -> None:  # noqa: FBT001
    """Watch the service and send SNMP traps to each DESTINATION, such as 192.0.2.7:162.

    Traps tell that the service or a link is down or up again, of poor quality, of a limit that was
    reached and of failed registrations. They are sent by snmptrap, which finds version, community
    and passwords in snmp.conf.
    """
    from fastagi_server.snmp.sending import SendError, require_program  # noqa: PLC0415
    from fastagi_server.snmp.source import SourceError, fetch_from  # noqa: PLC0415
    from fastagi_server.snmp.traps import Watch  # noqa: PLC0415

    try:
        require_program()
    except SendError as error:
        raise click.ClickException(str(error)) from None
    watch = Watch(happenings=calls)
    for look in count(1):
        try:
            values = fetch_from(url)
        except SourceError:
            values = None
        dropped = watch.dropped
        for trap in watch.look(values):
            _send(trap, destinations)
        if watch.dropped > dropped:
            click.echo(f"{watch.dropped - dropped} traps too many at once were dropped", err=True)
        if look == 1:
            click.echo(f"watching {url}")
        time.sleep(every)


def _send(trap: "Trap", destinations: tuple[str, ...]) -> None:
    from fastagi_server.snmp.sending import SendError, send  # noqa: PLC0415

    try:
        send(trap, destinations)
    except SendError as error:
        click.echo(f"{trap.notification.name} was not sent: {error}", err=True)
    else:
        click.echo(f"{trap.notification.name} {trap.value}")
