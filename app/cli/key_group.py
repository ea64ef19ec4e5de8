"""`switchgear keys` and its commands, with their arguments."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.options import AsJson, ConfigFiles, failing_on, load_or_fail

keys = typer.Typer(
    name="keys",
    help="Make, list, show, change, rotate and revoke API keys.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

KeyName = Annotated[str, typer.Argument(metavar="NAME", help="What logs and reports call the key.")]
Models = Annotated[
    str | None, typer.Option(help="Models that it may use, with commas: fast,openai/*. Default: all.")
]
Expires = Annotated[
    str | None, typer.Option(help="When it ends: a duration from now (30d) or a date (2030-12-31).")
]
User = Annotated[str | None, typer.Option(help="The user that it belongs to.")]
Team = Annotated[str | None, typer.Option(help="The team that it belongs to. Default: the user's.")]
Plan = Annotated[str | None, typer.Option(help="The plan whose limits and budgets hold.")]
Priority = Annotated[str | None, typer.Option(help="low, normal or high.")]
Regions = Annotated[str | None, typer.Option(help="Regions that its calls may go to, with commas.")]
Roles = Annotated[
    str | None, typer.Option(help="Roles at the admin API, with commas: admin, operator, viewer, team_admin.")
]
Limit = Annotated[list[str] | None, typer.Option(help="A limit, as rpm=60. May be repeated.")]
Budget = Annotated[list[str] | None, typer.Option(help="Dollars per period, as 10.00/day. May be repeated.")]
Metadata = Annotated[
    list[str] | None, typer.Option(help="A text to keep with it, as name=text. May be repeated.")
]


@keys.command()
def create(  # noqa: PLR0913 - each is an option of the command
    name: KeyName,
    *,
    models: Models = None,
    expires: Expires = None,
    user: User = None,
    team: Team = None,
    plan: Plan = None,
    priority: Priority = None,
    regions: Regions = None,
    roles: Roles = None,
    limit: Limit = None,
    budget: Budget = None,
    metadata: Metadata = None,
    config: ConfigFiles = None,
) -> None:
    """Make a key. It is printed once, alone, on standard output."""
    from app.cli.key_options import Given, changes_of
    from app.cli.keys import create as make
    from app.errors import GatewayError
    from app.store.database import StoreUnavailable

    given = Given(models, expires, user, team, plan, priority, regions, roles, limit, budget, metadata)
    changes = changes_of(given)
    with failing_on(GatewayError, StoreUnavailable):
        make(load_or_fail(config), name, changes)


@keys.command()
def update(  # noqa: PLR0913 - each is an option of the command
    name: KeyName,
    *,
    models: Models = None,
    expires: Expires = None,
    user: User = None,
    team: Team = None,
    plan: Plan = None,
    priority: Priority = None,
    regions: Regions = None,
    roles: Roles = None,
    limit: Limit = None,
    budget: Budget = None,
    metadata: Metadata = None,
    clear: Annotated[
        list[str] | None, typer.Option(help="A setting to take away, such as expires. May be repeated.")
    ] = None,
    config: ConfigFiles = None,
) -> None:
    """Change a key. Each option replaces what the key has of it."""
    from app.cli.key_options import Given, changes_of
    from app.cli.keys import update as change
    from app.errors import GatewayError
    from app.store.database import StoreUnavailable

    given = Given(models, expires, user, team, plan, priority, regions, roles, limit, budget, metadata)
    changes = changes_of(given, clear or ())
    with failing_on(GatewayError, StoreUnavailable):
        change(load_or_fail(config), name, changes)


@keys.command("list")
def list_keys(config: ConfigFiles = None, *, as_json: AsJson = False) -> None:
    """List keys: by name and last characters, never the keys themselves."""
    from app.cli.keys import show
    from app.store.database import StoreUnavailable

    with failing_on(StoreUnavailable):
        show(load_or_fail(config), as_json=as_json)


@keys.command("show")
def show_key(name: KeyName, config: ConfigFiles = None, *, as_json: AsJson = False) -> None:
    """Show all that a live key of the database carries."""
    from app.cli.keys import show_one
    from app.store.database import StoreUnavailable

    with failing_on(StoreUnavailable):
        show_one(load_or_fail(config), name, as_json=as_json)


@keys.command()
def rotate(
    name: KeyName,
    *,
    grace: Annotated[str, typer.Option(help="How long the old key stays valid; 0s: not at all.")] = "1h",
    config: ConfigFiles = None,
) -> None:
    """Replace a key. The new one is printed once, alone, on standard output."""
    from app.cli.keys import rotate as replace
    from app.cli.times import read_duration
    from app.errors import GatewayError
    from app.store.database import StoreUnavailable

    seconds = read_duration(grace, "--grace")
    with failing_on(GatewayError, StoreUnavailable):
        replace(load_or_fail(config), name, seconds)


@keys.command()
def revoke(name: KeyName, config: ConfigFiles = None) -> None:
    """Revoke a key for good."""
    from app.cli.keys import revoke as end
    from app.errors import GatewayError
    from app.store.database import StoreUnavailable

    with failing_on(GatewayError, StoreUnavailable):
        end(load_or_fail(config), name)
