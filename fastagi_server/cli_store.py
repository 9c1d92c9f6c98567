"""Commands for the database of the embedded API: is it up to date, and bring it there.

The service brings its database up to date by itself when it starts. These are for an operator who
wants to know, or to do it, before that: with an account that may change tables, say.
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from fastagi_server.settings import SettingsError, load_settings

if TYPE_CHECKING:
    from fastagi_server.store.database import Place

USAGE_ERROR = 2

T = TypeVar("T")


@click.group()
def store() -> None:
    """Look at the tables of the embedded API's database, or bring them up to date."""


@store.command("check")
def store_check() -> None:
    """Say which step the tables are at; ends with 1 unless it is the one that this version needs.

    Nothing is changed but that an SQLite file is made where there is none.
    """
    from fastagi_server.store.migrating import HEAD, step_of  # noqa: PLC0415

    step = _at_place(step_of)
    click.echo(f"the tables are at {step}; this version needs {HEAD}")
    if step != HEAD:
        sys.exit(1)


@store.command("upgrade")
def store_upgrade() -> None:
    """Make the tables, or bring them up to date; all of it or, when it fails, nothing."""
    from fastagi_server.pictures.waiting import waiting  # noqa: PLC0415
    from fastagi_server.store.migrating import HEAD, bring_up_to_date  # noqa: PLC0415

    with waiting("bringing the tables up to date"):
        before = _at_place(bring_up_to_date)
    if before == HEAD:
        click.echo(f"the tables are at {HEAD} already")
    else:
        click.echo(f"the tables were at {before} and are at {HEAD} now")


def _at_place(work: "Callable[[Place], T]") -> T:
    from fastagi_server.store.database import find_place  # noqa: PLC0415 - `--help` needs no SQL
    from fastagi_server.store.errors import StoreError  # noqa: PLC0415

    try:
        settings = load_settings()
    except SettingsError as error:
        for line in str(error).splitlines():
            click.echo(f"error: {line}", err=True)
        sys.exit(USAGE_ERROR)
    if not settings.embedded:
        raise click.ClickException("SGE_API_URL names a remote API: its database is there")
    try:
        settings.fastagi_state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        return work(find_place(settings.database_url))
    except (OSError, StoreError) as error:
        raise click.ClickException(str(error)) from None
