"""Commands that show what a running service does: calls, rooms, endpoints, and all of it live."""

import ssl
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fastagi_server.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from fastagi_server.pictures.asking import Asking, Credential

USAGE_ERROR = 2

ANY_ADDRESS = frozenset({"0.0.0.0", "::", ""})

Command = TypeVar("Command", bound=Callable[..., Any])


def _options(command: Command) -> Command:
    """The options that all of these commands have."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    for option in (
        click.option("--json", "as_json", is_flag=True, help="JSON instead of a table."),
        click.option("--ca-file", type=file, help="CA certificates (PEM) for an https URL."),
        click.option(
            "--key-file",
            type=file,
            help="File with an API key, or name:password of an operator; else the settings' key.",
        ),
        click.option("--url", help="Where the service is; else where the settings let it listen."),
    ):
        command = option(command)
    return command


@click.command()
@_options
def calls(**given: Any) -> None:
    """Show the active calls of the running service."""
    from fastagi_server.pictures import tables  # noqa: PLC0415 - `--help` needs none of it

    _show(given, "calls", tables.calls)


@click.command()
@_options
def rooms(**given: Any) -> None:
    """Show the active rooms of the running service."""
    from fastagi_server.pictures import tables  # noqa: PLC0415

    _show(given, "rooms", tables.rooms)


@click.command()
@_options
def endpoints(**given: Any) -> None:
    """Show the endpoints of Asterisk."""
    from fastagi_server.pictures import tables  # noqa: PLC0415

    _show(given, "endpoints", tables.endpoints)


@click.command()
@_options
def top(**given: Any) -> None:
    """Show all of it, anew each second; q quits.

    Without a terminal it is printed once.
    """
    from rich.console import Group  # noqa: PLC0415

    from fastagi_server.pictures import tables, top  # noqa: PLC0415

    if not given["as_json"] and top.is_terminal():
        _ask(given, lambda asking: top.show(asking.board, open_console()))
        return
    _show(
        given,
        None,
        lambda board: Group(
            tables.status(board), tables.links(board), tables.calls(board), tables.rooms(board)
        ),
    )


def open_console() -> "Console":
    """A terminal to draw on; a pipe gets plain text as wide as a screen of old."""
    from rich.console import Console  # noqa: PLC0415

    return Console(highlight=False, markup=False, emoji=False)


def _show(
    given: Mapping[str, Any],
    part: str | None,
    picture: "Callable[[Mapping[str, Any]], RenderableType]",
) -> None:
    def show(asking: "Asking") -> None:
        board = asking.board()
        if given["as_json"]:
            import orjson  # noqa: PLC0415

            document = board if part is None else board[part]
            click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
        else:
            open_console().print(picture(board))

    _ask(given, show)


def _ask(given: Mapping[str, Any], work: "Callable[[Asking], None]") -> None:
    from fastagi_server.pictures.asking import AskError, open_asking  # noqa: PLC0415

    try:
        url, credential = _target(given)
        context = ssl.create_default_context(cafile=given["ca_file"])
        with open_asking(url, credential, context) as asking:
            work(asking)
    except (AskError, OSError, ValueError) as error:
        from fastagi_server.pictures.words import plain  # noqa: PLC0415

        raise click.ClickException(plain(error)) from None
    except KeyboardInterrupt:
        sys.exit(130)


def _target(given: Mapping[str, Any]) -> "tuple[str, Credential]":
    """Where to ask and as whom: as was said, and as the settings say for the rest."""
    from fastagi_server.pictures.asking import Credential  # noqa: PLC0415

    url, key_file = given["url"], given["key_file"]
    settings = None if url and key_file else _settings()
    if key_file or settings is None:
        credential = Credential.from_text(key_file.read_text(encoding="utf-8"))
    else:
        credential = _own_credential(settings)
    return url or _own_url(settings), credential


def _own_credential(settings: Settings) -> "Credential":
    from fastagi_server.pictures.asking import Credential  # noqa: PLC0415

    scheme, value, path = settings.credential
    value = value or (path.read_text(encoding="utf-8").strip() if path else "")
    return Credential.bearer(value) if scheme == "bearer" else Credential({"X-API-Key": value})


def _own_url(settings: Settings | None) -> str:
    if settings is None or not settings.embedded:
        raise click.ClickException("SGE_API_URL names a remote API: say where to look with --url")
    if settings.port == 0:
        raise click.ClickException("PORT is 0, which is any port: say where to look with --url")
    host = settings.fastagi_api_host
    host = "127.0.0.1" if host in ANY_ADDRESS else f"[{host}]" if ":" in host else host
    scheme = "https" if settings.fastagi_api_tls_cert_file else "http"
    return f"{scheme}://{host}:{settings.port}"


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        for line in str(error).splitlines():
            click.echo(f"error: {line}", err=True)
        sys.exit(USAGE_ERROR)
