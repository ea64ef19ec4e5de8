"""`switchgear providers credentials` and its commands, with their arguments. A secret is never one of them."""

from __future__ import annotations

from typing import Annotated

import typer

from app.cli.options import AsJson, ConfigFiles, failing_on, load_or_fail

credentials = typer.Typer(
    name="credentials",
    help="Keep providers' credentials in the database, sealed: add, list, replace and remove them.",
    rich_markup_mode=None,
    no_args_is_help=True,
)

Provider = Annotated[str, typer.Argument(metavar="NAME", help="A provider.")]
Id = Annotated[int, typer.Argument(metavar="ID", help="Which of its credentials, as `list` shows it.")]


@credentials.command()
def add(
    context: typer.Context,
    name: Provider,
    *,
    weight: Annotated[int, typer.Option(min=1, max=1_000_000, help="Its share of the calls.")] = 1,
    models: Annotated[
        str | None, typer.Option(help="Patterns of models, with commas: gpt-4o*. Default: all.")
    ] = None,
    config: ConfigFiles = None,
) -> None:
    """Add a credential, read from standard input or asked for."""
    from app.cli.credentials import add as keep
    from app.cli.credentials import read_secret
    from app.errors import GatewayError
    from app.store.database import StoreUnavailable

    loaded = load_or_fail(config or context.obj)
    patterns = [each.strip() for each in (models or "").split(",") if each.strip()]
    with failing_on(GatewayError, StoreUnavailable):
        keep(loaded, name, read_secret(name), {"weight": weight, "models": patterns})


@credentials.command("list")
def list_credentials(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A provider. Default: all of them.")
    ] = None,
    config: ConfigFiles = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List them: by id and last characters, never the credentials themselves."""
    from app.cli.credentials import show
    from app.store.database import StoreUnavailable

    with failing_on(StoreUnavailable):
        show(load_or_fail(config or context.obj), name, as_json=as_json)


@credentials.command()
def replace(context: typer.Context, name: Provider, id: Id, config: ConfigFiles = None) -> None:
    """Put another credential in the place of one, read from standard input or asked for."""
    from app.cli.credentials import read_secret
    from app.cli.credentials import replace as put
    from app.errors import GatewayError
    from app.store.database import StoreUnavailable

    loaded = load_or_fail(config or context.obj)
    with failing_on(GatewayError, StoreUnavailable):
        put(loaded, name, id, read_secret(name))


@credentials.command()
def remove(context: typer.Context, name: Provider, id: Id, config: ConfigFiles = None) -> None:
    """Remove a credential for good."""
    from app.cli.credentials import remove as end
    from app.errors import GatewayError
    from app.store.database import StoreUnavailable

    with failing_on(GatewayError, StoreUnavailable):
        end(load_or_fail(config or context.obj), name, id)


@credentials.command()
def reseal(context: typer.Context, config: ConfigFiles = None) -> None:
    """Seal with the first of `encryption.keys` what another one has sealed, so that the other can go."""
    from app.cli.credentials import reseal as seal_anew
    from app.errors import GatewayError
    from app.store.database import StoreUnavailable

    with failing_on(GatewayError, StoreUnavailable):
        seal_anew(load_or_fail(config or context.obj))
