"""Commands for credentials of the embedded API: API keys, and operators' passwords.

Keys are changed in the database, while the service runs or not: a running service knows a new key
at once, and forgets a revoked one within two seconds.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from fastagi_server.identities.identity import TRUSTED, Scope, is_name, is_user_name
from fastagi_server.settings import Settings, SettingsError, load_settings

USAGE_ERROR = 2

T = TypeVar("T")


@click.group()
def keys() -> None:
    """Make, list and revoke keys for the embedded SGE API."""


@keys.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([str(scope) for scope in Scope]),
    default=[str(Scope.CALLS)],
    show_default=True,
    help="What the key is good for; can be given more than once.",
)
def keys_create(name: str, scopes: tuple[str, ...]) -> None:
    """Make a key for the user or the program NAME, and print it: it is shown only now.

    A key with the scope voip.call stands for the user of that name. The scope service is for
    parts of the telephone system, and operator for who runs it; both may act on every call.
    """
    granted = frozenset(Scope(scope) for scope in scopes)
    if not is_name(name) or (TRUSTED.isdisjoint(granted) and not is_user_name(name)):
        raise click.UsageError(f"{name!r} cannot be the name of a key with these scopes")
    click.echo(_in_store(lambda store: store.api_keys.add(name, granted)))


@keys.command("list")
def keys_list() -> None:
    """List keys: fingerprint, name, scopes, when made, when revoked."""
    found = _in_store(lambda store: store.api_keys.all())
    for key in found:
        state = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "good"
        scopes = ",".join(sorted(key.scopes))
        click.echo(
            f"{key.fingerprint}  {key.name:24} {scopes:24} {key.created_at:%Y-%m-%d %H:%M}  {state}"
        )
    if not found:
        click.echo("no keys")


@keys.command("revoke")
@click.argument("name")
@click.option("--fingerprint", help="Only the key of this fingerprint, instead of all of NAME.")
def keys_revoke(name: str, fingerprint: str | None) -> None:
    """Revoke the keys of NAME, or one of them."""
    count = _in_store(lambda store: store.api_keys.revoke(name, fingerprint))
    if count == 0:
        raise click.ClickException(f"there is no such key of {name}")
    click.echo(f"{count} key{'' if count == 1 else 's'} revoked")


@click.group()
def operators() -> None:
    """Make accounts of operators, for asterisk/* by name and password."""


@operators.command("hash")
@click.argument("name")
@click.password_option(help="Asked for when not given; give it so only where nobody else looks.")
def operators_hash(name: str, password: str) -> None:
    """Print the line of NAME for the file that SGE_OPERATORS_FILE names."""
    from fastagi_server.identities.passwords import AccountError, make_line  # noqa: PLC0415

    try:
        click.echo(make_line(name, password))
    except AccountError as error:
        raise click.ClickException(str(error)) from None


def _in_store(work: Callable[[Any], Awaitable[T]]) -> T:
    from fastagi_server.store.errors import StoreError  # noqa: PLC0415 - `--help` needs none of it
    from fastagi_server.store.opening import open_store  # noqa: PLC0415

    settings = _settings()

    async def opened() -> T:
        async with open_store(settings.database_url) as store:
            return await work(store)

    try:
        settings.fastagi_state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return asyncio.run(opened())
    except (OSError, StoreError) as error:
        raise click.ClickException(str(error)) from None


def _settings() -> Settings:
    try:
        settings = load_settings()
    except SettingsError as error:
        for line in str(error).splitlines():
            click.echo(f"error: {line}", err=True)
        sys.exit(USAGE_ERROR)
    if not settings.embedded:
        raise click.ClickException("SGE_API_URL names a remote API: its keys are made there")
    return settings
