"""The command line: reads words, calls the part that does the work, prints what came of it."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from fastagi_server import __version__
from fastagi_server.cli_doctor import doctor
from fastagi_server.cli_events import events, webhooks
from fastagi_server.cli_keys import keys, operators
from fastagi_server.cli_pictures import calls, endpoints, open_console, rooms, top
from fastagi_server.cli_snmp import snmp, traps
from fastagi_server.cli_store import store
from fastagi_server.settings import Settings, SettingsError, config_file, load_settings

USAGE_ERROR = 2
STARTUP_ERROR = 1


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="fastagi-server")
@click.pass_context
def main(context: click.Context) -> None:
    """FastAGI call server: registers every Asterisk call with the SGE VoIP API.

    Without a command it runs the server, which is what `run` does. Settings come from the
    environment, .env, systemd credentials and the TOML file that FASTAGI_CONFIG names
    (/etc/fastagi-server/config.toml by default); `check` shows them all.
    """
    if context.invoked_subcommand is None:
        context.invoke(run)


main.add_command(doctor)
main.add_command(keys)
main.add_command(operators)
main.add_command(store)
main.add_command(snmp)
main.add_command(traps)
main.add_command(calls)
main.add_command(rooms)
main.add_command(endpoints)
main.add_command(top)
main.add_command(events)
main.add_command(webhooks)


@main.command()
def run() -> None:
    """Run the server in the foreground until SIGTERM or Ctrl-C."""
    from fastagi_server.registration.ports import OutboxError  # noqa: PLC0415
    from fastagi_server.running import run_server  # noqa: PLC0415 - `--help` needs none of it

    try:
        run_server(_settings())
    except (OSError, ValueError, OutboxError) as error:
        raise click.ClickException(str(error)) from None


@main.command()
def check() -> None:
    """Print the settings, secrets masked, and say what is wrong with them."""
    from fastagi_server.checking import (  # noqa: PLC0415
        describe_settings,
        find_doubts,
        find_faults,
    )

    settings = _settings()
    click.echo(f"# settings file: {config_file() or 'none'}")
    for line in describe_settings(settings):
        click.echo(line)
    for doubt in find_doubts(settings):
        click.echo(f"warning: {doubt}", err=True)
    faults = find_faults(settings)
    for fault in faults:
        click.echo(f"error: {fault}", err=True)
    if faults:
        sys.exit(STARTUP_ERROR)
    click.echo("# ok")


@main.command()
def routes() -> None:
    """List what the dialplan may ask for."""
    from fastagi_server.routes import ROUTES  # noqa: PLC0415

    for route in ROUTES:
        parameters = " ".join(
            f"{p.name}=" if p.required else f"[{p.name}=]" for p in route.parameters
        )
        click.secho(f"{route.path} {parameters}".rstrip(), bold=True)
        click.echo("    " + route.description.replace("\n", "\n    ") + "\n")


@main.command()
@click.argument("url")
@click.argument("arguments", nargs=-1)
@click.option("--var", "variables", multiple=True, metavar="NAME=VALUE", help="Channel variable.")
@click.option("--hangup-after", type=float, metavar="SECONDS", help="Hang up after this time.")
@click.option("--dead", is_flag=True, help="Start on a dead channel, as in a hang-up handler.")
@click.option("--timeout", type=float, default=30.0, show_default=True, metavar="SECONDS")
def call(
    url: str,
    arguments: tuple[str, ...],
    variables: tuple[str, ...],
    hangup_after: float | None,
    dead: bool,  # noqa: FBT001 - a flag of the command line
    timeout: float,
) -> None:
    r"""Act as Asterisk: run AGI(URL,ARGUMENTS...) and print the dialogue.

    \b
    Example:
      fastagi-server call 'agi://127.0.0.1/register?dialled=1001' --var 'CALLERID(num)=1002'

    Ends with 0 when Asterisk would see SUCCESS or HANGUP, 1 for FAILURE, 2 past the time-out.
    """
    from fastagi_server.testing.caller import call as act_as_asterisk  # noqa: PLC0415

    pairs = dict(_pair(text) for text in variables)
    try:
        code = asyncio.run(
            act_as_asterisk(
                url,
                arguments,
                variables=pairs,
                hang_up_after=hangup_after,
                dead=dead,
                timeout=timeout,
                write=click.echo,
            )
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    sys.exit(code)


@main.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="JSON instead of tables.")
@click.pass_context
def outbox(context: click.Context, as_json: bool) -> None:  # noqa: FBT001 - a flag
    """Look at what waits for the SGE API, and at what was given up.

    Without a command the first hundred of each are shown.
    """
    if context.invoked_subcommand is None:
        _picture_outbox(as_json=as_json)


@outbox.command("list")
@click.option("--pending", is_flag=True, help="What waits, instead of dead letters.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
def outbox_list(pending: bool, limit: int) -> None:  # noqa: FBT001 - a flag
    """List dead letters, or what waits."""
    from fastagi_server.outbox.outbox import Outbox  # noqa: PLC0415

    async def work(outbox: Outbox) -> None:
        letters = await (outbox.pending_letters if pending else outbox.dead_letters)(limit)
        for letter in letters:
            click.echo(
                f"{letter.number:8} {letter.kind:10} {letter.key}  attempts={letter.attempts}"
                f" age={letter.age_seconds:.0f}s {letter.code}"
            )
        if not letters:
            click.echo("nothing waits" if pending else "no dead letters")

    _with_outbox(work)


@outbox.command("retry")
@click.argument("numbers", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="Every dead letter.")
def outbox_retry(numbers: tuple[int, ...], everything: bool) -> None:  # noqa: FBT001 - a flag
    """Let dead letters, by number, wait for delivery again."""
    _on_dead_letters("retry", numbers, everything=everything)


@outbox.command("drop")
@click.argument("numbers", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="Every dead letter.")
def outbox_drop(numbers: tuple[int, ...], everything: bool) -> None:  # noqa: FBT001 - a flag
    """Delete dead letters, by number."""
    _on_dead_letters("drop", numbers, everything=everything)


@outbox.command("stats")
def outbox_stats() -> None:
    """Count what waits and what was given up."""
    from fastagi_server.outbox.outbox import Outbox  # noqa: PLC0415

    async def work(outbox: Outbox) -> None:
        figures = await outbox.statistics()
        click.echo(f"pending {figures.pending}")
        click.echo(f"dead {figures.dead}")
        click.echo(f"oldest {figures.oldest_seconds:.0f} s")

    _with_outbox(work)


def _picture_outbox(*, as_json: bool) -> None:
    from fastagi_server.outbox.outbox import Outbox  # noqa: PLC0415
    from fastagi_server.pictures import tables  # noqa: PLC0415

    async def work(outbox: Outbox) -> None:
        figures = await outbox.statistics()
        waiting, dead = await outbox.pending_letters(100), await outbox.dead_letters(100)
        if as_json:
            letters = {"pending": list(map(asdict, waiting)), "dead": list(map(asdict, dead))}
            click.echo(json.dumps({"statistics": asdict(figures), **letters}, indent=2))
            return
        console = open_console()
        console.print(tables.letters(f"{figures.pending:,} wait", waiting))
        console.print(tables.letters(f"{figures.dead:,} were given up", dead))

    _with_outbox(work)


def _on_dead_letters(verb: str, numbers: tuple[int, ...], *, everything: bool) -> None:
    from fastagi_server.outbox.outbox import Outbox  # noqa: PLC0415

    if bool(numbers) == everything:
        raise click.UsageError("name dead letters by number, or say --all")

    async def work(outbox: Outbox) -> None:
        count = await getattr(outbox, verb)(None if everything else numbers)
        click.echo(f"{count} dead letter{'' if count == 1 else 's'}: {verb}")

    _with_outbox(work)


def _with_outbox(work: Callable[[Any], Coroutine[Any, Any, None]]) -> None:
    from fastagi_server.outbox.outbox import open_outbox  # noqa: PLC0415
    from fastagi_server.registration.ports import OutboxError  # noqa: PLC0415
    from fastagi_server.telemetry.measures import Measures  # noqa: PLC0415

    path = _settings().fastagi_state_dir / "outbox.sqlite3"
    if not path.exists():
        raise click.ClickException(f"there is no outbox at {path}")

    async def opened(path: Path) -> None:
        async with open_outbox(path, measures=Measures()) as outbox:
            await work(outbox)

    try:
        asyncio.run(opened(path))
    except OutboxError as error:
        raise click.ClickException(str(error)) from None


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        for line in str(error).splitlines():
            click.echo(f"error: {line}", err=True)
        sys.exit(USAGE_ERROR)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"--var takes NAME=VALUE, not {text!r}")
    return name, value
