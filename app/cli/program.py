"""The commands and their arguments. What each does is in the module of its name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from app.cli.groups import providers
from app.cli.key_group import keys
from app.cli.level_groups import budgets, levels
from app.cli.options import AsJson, ConfigFiles, fail, failing_on, load_or_fail

program = typer.Typer(
    name="switchgear",
    help="An OpenAI-compatible gateway.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (keys, *levels, budgets, providers):
    program.add_typer(group)


@program.callback(invoke_without_command=True)
def _list_commands(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@program.command()
def version() -> None:
    """Print the version."""
    from app.version import VERSION

    typer.echo(VERSION)


@program.command()
def run(
    config: ConfigFiles = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
) -> None:
    """Start the gateway."""
    given = {"server.host": host, "server.port": None if port is None else str(port)}
    overrides = {key: value for key, value in given.items() if value is not None}
    loaded = load_or_fail(config, overrides)
    from app.api.listening import CannotListen
    from app.cli.check import report_warnings
    from app.cli.first_start import UnsafeToListen
    from app.cli.run import run as serve
    from app.config.loader import load
    from app.state.opening import ClientMissing
    from app.store.database import StoreUnavailable

    report_warnings(loaded)
    with failing_on(UnsafeToListen, CannotListen, ClientMissing, StoreUnavailable):
        serve(loaded, lambda: load(config or [], os.environ, overrides))


@program.command()
def check(config: ConfigFiles = None) -> None:
    """Check the configuration. Tells every problem with its place, or what it switches on."""
    loaded = load_or_fail(config)
    from app.cli.check import check as report

    report(loaded)


@program.command()
def init(
    file: Annotated[Path, typer.Argument(help="File to write; `-` is standard output.")] = Path(
        "config.yaml"
    ),
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
) -> None:
    """Write a first configuration. It uses the vendors' keys that are in the environment."""
    from app.cli.init import text_of

    text = text_of(os.environ)
    if file == Path("-"):
        typer.echo(text, nl=False)
        return
    try:
        with file.open("w" if force else "x") as opened:
            opened.write(text)
    except FileExistsError:
        fail(f"{file} is there already: choose another name, or overwrite it with --force")
    load_or_fail([file])
    typer.echo(f"{file} is written. What it switches on: switchgear check --config {file}", err=True)


@program.command()
def explain(
    model: Annotated[str, typer.Option(help="Model as a client would name it.")],
    key: Annotated[str | None, typer.Option(help="Name of the key that would ask.")] = None,
    operation: Annotated[
        str,
        typer.Option(help="What would be asked for: chat, embeddings, rerank, image_generation, speech, …"),
    ] = "chat",
    config: ConfigFiles = None,
) -> None:
    """Say where a call would go. Tells the rule, the targets in their order, and what is left out."""
    loaded = load_or_fail(config)
    from app.cli.database import at_work
    from app.cli.explain import explain as explain_call
    from app.store.database import StoreUnavailable

    with failing_on(StoreUnavailable):
        explain_call(at_work(loaded), model, operation, key)


@program.command()
def models(
    config: ConfigFiles = None,
    *,
    as_json: AsJson = False,
    ask: Annotated[
        bool, typer.Option("--ask", help="Ask the providers now which models they have, and list those too.")
    ] = False,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Show cost and times of this model at each provider, side by side."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="With --compare: a duration back from now (24h) or a date (2026-11-01)."),
    ] = None,
    form: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="With --compare: how to print it.")
    ] = "table",
) -> None:
    """List the models that can be named without guessing, or compare one at its providers."""
    loaded = load_or_fail(config)
    from app.cli.database import at_work
    from app.cli.models import comparison
    from app.cli.models import models as list_models
    from app.cli.usage import period
    from app.store.database import StoreUnavailable

    if compare is None:
        list_models(at_work(loaded), as_json=as_json, asking=ask)
        return
    begin, _ = period(since, None)
    with failing_on(StoreUnavailable):
        comparison(loaded.config.storage, compare, begin, form)


@program.command()
def doctor(config: ConfigFiles = None, *, as_json: AsJson = False) -> None:
    """Examine files, database, port and limits. Ends with 1 if something fails."""
    from app.cli.doctor.examination import doctor as examine

    if not examine(config or [], os.environ, as_json=as_json):
        raise typer.Exit(1)


@program.command()
def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="A configuration file.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="The one to compare it with.")],
) -> None:
    """Compare two configuration files. Ends with 0 if they agree, 1 if they differ, 2 if one is broken."""
    from app.cli.diff import diff as print_changes

    if print_changes(before, after):
        raise typer.Exit(1)


@program.command()
def healthcheck(
    url: Annotated[
        str | None,
        typer.Option(help="Where the gateway is, if not where the configuration says: http://127.0.0.1:4000"),
    ] = None,
    config: ConfigFiles = None,
) -> None:
    """Ask the gateway whether it is ready. Ends with 0 if it says so within 2 s, else with 1."""
    from app.cli.healthcheck import ask, chosen_address

    health = ask(chosen_address(url, config))
    if not health.ready:
        fail(f"not ready: {health.reason}")
    typer.echo("ready")


@program.command()
def schema() -> None:
    """Print the JSON Schema of the configuration."""
    from app.cli.output import print_json
    from app.config.schema import schema as schema_of_config

    print_json(schema_of_config())


@program.command()
def usage(  # noqa: PLR0913 - each is an option of the command line
    *,
    since: Annotated[
        str | None, typer.Option(help="A duration back from now (24h) or a date (2026-11-01).")
    ] = None,
    until: Annotated[str | None, typer.Option(help="The same; calls before it.")] = None,
    by: Annotated[
        str,
        typer.Option(
            help="What to sum by: key, plan, model, provider, upstream_model, operation, outcome, hour, day or "
            "tag:NAME, or several with commas."
        ),
    ] = "model",
    key: Annotated[str | None, typer.Option(help="Only calls with the key of this name.")] = None,
    model: Annotated[str | None, typer.Option(help="Only calls for this model.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only calls that this provider answered.")] = None,
    plan: Annotated[str | None, typer.Option(help="Only calls of keys with this plan.")] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Only calls with this tag; may be repeated."),
    ] = None,
    form: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How to print it.")
    ] = "table",
    one_by_one: Annotated[bool, typer.Option("--list", help="List calls instead, the newest first.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="How many calls to list; implies --list. Default: 50."),
    ] = None,
    config: ConfigFiles = None,
) -> None:
    """Sum or list what calls have used. Works while the gateway runs."""
    from app.cli.usage import calls, dimensions, period, sums, tags
    from app.store.calls import CallFilter
    from app.store.database import StoreUnavailable

    groups = dimensions(by)
    begin, end = period(since, until)
    storage = load_or_fail(config).config.storage
    where = CallFilter(begin, end, key, model, provider, plan, tags=tags(tag or ()))
    with failing_on(StoreUnavailable):
        if one_by_one or limit is not None:
            calls(storage, limit or 50, where, form)
        else:
            sums(storage, groups, where, form)
