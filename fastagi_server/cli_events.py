"""Commands for events: follow the stream of a running service, look after dead letters."""

import asyncio
import os
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from fastagi_server.settings import SettingsError, load_settings

DEFAULT_URL = "http://127.0.0.1:8080"
PATH = "/api/v1/voip/events"

SILENCE_SECONDS = 40.0
"""The service says something every 15 s; after this time it is taken for gone."""

CONNECT_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 10.0

USAGE_ERROR = 2
BROKEN_PIPE = 128 + signal.SIGPIPE
INTERRUPTED = 128 + signal.SIGINT

_ESCAPES = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029)}
"""What a caller may have in his name, that JSON allows, and that a terminal or another program
takes for a command or a line's end."""

_FINAL = frozenset({401, 403, 404, 422})
"""Statuses that coming again does not change."""

T = TypeVar("T")


@click.command()
@click.option("--type", "types", multiple=True, metavar="TYPE", help="call.ended, call.*; or all.")
@click.option("--after", metavar="CURSOR", default="", help="Go on behind the event with this id.")
@click.option("--url", default=DEFAULT_URL, show_default=True, help="Where the service is.")
@click.option(
    "--key-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with an API key of the scope operator; or name:password of an operator.",
)
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CA certificates (PEM) for an https URL.",
)
def events(
    types: tuple[str, ...], after: str, url: str, key_file: Path | None, ca_file: Path | None
) -> None:
    r"""Print what happens as JSON, one event a line, until Ctrl-C.

    \b
      fastagi-server events --key-file operator.key --type 'call.*' | jq .type

    It comes again by itself when the connection is lost, and goes on where it was; events that were
    lost meanwhile are told of by a line of the type stream.gap. `id` of the last line is the cursor
    for --after.
    """
    from fastagi_server.events.filters import TypeFilter  # noqa: PLC0415 - `--help` needs none

    try:
        TypeFilter(types)
        credential = key_file.read_text(encoding="utf-8").strip() if key_file else ""
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except (OSError, ValueError) as error:
        raise click.UsageError(str(error)) from None
    try:
        asyncio.run(_follow(url, types, after, credential, context))
    except BrokenPipeError:
        # Python would complain about what it cannot write when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(BROKEN_PIPE)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


async def _follow(
    url: str, types: tuple[str, ...], cursor: str, credential: str, context: ssl.SSLContext
) -> None:
    """Print events until cancelled, over as many connections as it takes."""
    import httpx  # noqa: PLC0415 - `--help` needs none of it

    from fastagi_server.events.frames import FrameReader, StreamError  # noqa: PLC0415

    reader = FrameReader(cursor)
    headers, auth = _credentials(credential)
    failures = 0
    timeout = httpx.Timeout(CONNECT_SECONDS, read=SILENCE_SECONDS)
    async with httpx.AsyncClient(
        verify=context, trust_env=False, timeout=timeout, headers=headers, auth=auth
    ) as client:
        while True:
            try:
                await _read_one(client, url.rstrip("/") + PATH, types, reader)
                failures = 0
            except (httpx.HTTPError, httpx.InvalidURL, StreamError) as error:
                click.echo(f"{url}: {type(error).__name__} {error}".rstrip(), err=True)
                failures += 1
            reader = FrameReader(reader.cursor)
            await asyncio.sleep(min(0.5 * 2.0 ** min(failures, 10), LONGEST_PAUSE_SECONDS))


async def _read_one(client: Any, url: str, types: tuple[str, ...], reader: Any) -> None:
    """Print what one connection brings; `reader` remembers how far that was."""
    import httpx  # noqa: PLC0415 - as above

    headers = {"Last-Event-ID": reader.cursor} if reader.cursor else {}
    parameters = [("type", each) for each in types]
    async with client.stream("GET", url, params=parameters, headers=headers) as answer:
        if answer.status_code in _FINAL:
            body = (await answer.aread())[:1000].decode("utf-8", "replace")
            raise click.ClickException(f"status {answer.status_code}: {body}")
        if not answer.is_success:
            raise httpx.RemoteProtocolError(f"status {answer.status_code}")
        async for data in answer.aiter_bytes():
            for event in reader.feed(data):
                print(event.translate(_ESCAPES), flush=True)  # noqa: T201 - what it is for


def _credentials(credential: str) -> tuple[dict[str, str], tuple[str, str] | None]:
    name, colon, password = credential.partition(":")
    if colon:
        return {}, (name, password)
    return ({"X-API-Key": credential} if credential else {}), None


@click.group()
def webhooks() -> None:
    """Look after events that a webhook could not be told of."""


@webhooks.command("dead")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
def webhooks_dead(limit: int) -> None:
    """List dead letters, oldest first: number, target, event, attempts, why."""
    letters = _in_store(lambda store: store.webhooks.dead_letters(limit))
    for letter in letters:
        click.echo(
            f"{letter.number:8} {letter.target:16} {letter.event_id:16} {letter.event_type:20}"
            f" attempts={letter.attempts} {letter.died_at:%Y-%m-%d %H:%M} {letter.reason}"
        )
    if not letters:
        click.echo("no dead letters")


@webhooks.command("retry")
@click.argument("numbers", nargs=-1, type=int)
@click.option("--all", "everything", is_flag=True, help="Every dead letter.")
def webhooks_retry(numbers: tuple[int, ...], everything: bool) -> None:  # noqa: FBT001 - a flag
    """Let the running service send dead letters, by number, once more within some seconds."""
    if bool(numbers) == everything:
        raise click.UsageError("name dead letters by number, or say --all")
    count = _in_store(lambda store: store.webhooks.retry(None if everything else numbers))
    click.echo(f"{count} dead letter{'' if count == 1 else 's'}: retry")


def _in_store(work: Callable[[Any], Awaitable[T]]) -> T:
    from fastagi_server.events.ports import RecordsError  # noqa: PLC0415 - `--help` needs no SQL
    from fastagi_server.store.errors import StoreError  # noqa: PLC0415
    from fastagi_server.store.opening import open_store  # noqa: PLC0415

    async def opened(url: str) -> T:
        async with open_store(url) as store:
            return await work(store)

    try:
        settings = load_settings()
    except SettingsError as error:
        for line in str(error).splitlines():
            click.echo(f"error: {line}", err=True)
        sys.exit(USAGE_ERROR)
    if not settings.embedded:
        raise click.ClickException("SGE_API_URL names a remote API: it has the webhooks")
    try:
        return asyncio.run(opened(settings.database_url))
    except (OSError, RecordsError, StoreError) as error:
        raise click.ClickException(str(error)) from None
