"""`switchgear providers`: every provider that is known or configured, on or off, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

import typer

from app.cli.live import Live, ask_gateway
from app.cli.output import print_json, print_table
from app.config.activation import ActiveProvider
from app.config.loader import Loaded
from app.config.models import ProviderSettings
from providers.catalog import CATALOG, Provider


@dataclass(frozen=True, slots=True)
class Row:
    """What there is to tell of one provider. Never its credential."""

    name: str
    why: str
    """Why it is on or off."""
    dialect: str
    base_url: str
    on: bool
    credentials: int
    """How many are set."""
    live: Live | None = None
    """How it stands in the running gateway, where that was asked."""


def providers(loaded: Loaded, environ: Mapping[str, str], *, as_json: bool) -> None:
    """List the providers that are on, then the others. Says on standard error why states are not shown."""
    found = ask_gateway(loaded.config)
    rows = [replace(row, live=found.providers.get(row.name)) for row in rows_of(loaded, environ)]
    rows.sort(key=lambda row: not row.on)
    if as_json:
        print_json([asdict(row) for row in rows])
    else:
        print_table(
            ("provider", "", "breaker", "credentials", "dialect", "base URL", "why"),
            [
                (
                    row.name,
                    "on" if row.on else "off",
                    _breaker(row.live),
                    _credentials(row),
                    row.dialect,
                    row.base_url,
                    row.why,
                )
                for row in rows
            ],
        )
    if found.problem:
        typer.echo(found.problem, err=True)


def _breaker(live: Live | None) -> str:
    if live is None:
        return "-"
    return f"{live.breaker}, {live.models_left_alone} models not" if live.models_left_alone else live.breaker


def _credentials(row: Row) -> str:
    if row.live and row.live.credentials:
        return ", ".join(f"{count} {state}" for state, count in row.live.credentials.items())
    return f"{row.credentials} set" if row.credentials else "-"


def rows_of(loaded: Loaded, environ: Mapping[str, str]) -> Iterator[Row]:
    """Tell of each provider, in the order of the configuration, then of the catalogue."""
    on = {provider.name: provider for provider in loaded.providers}
    settings = loaded.config.providers
    for name in dict.fromkeys((*settings, *CATALOG)):
        row, given = CATALOG.get(name), settings.get(name)
        if active := on.get(name):
            why, count = _why_on(active, row, given, environ), len(active.credentials)
            yield Row(name, why, active.dialect, active.base_url, on=True, credentials=count)
        elif row is not None:
            dialect, base_url = (given.dialect, given.base_url) if given else (None, None)
            why = _why_off(row, given)
            yield Row(name, why, dialect or row.dialect, base_url or row.base_url, on=False, credentials=0)


def _why_on(
    active: ActiveProvider,
    row: Provider | None,
    given: ProviderSettings | None,
    environ: Mapping[str, str],
) -> str:
    if given is not None and any(each.key for each in given.keys):
        return "its key stands in the configuration"
    variables = (*row.env, *row.base_url_env) if row else ()
    if found := next((name for name in variables if environ.get(name)), None):
        return f"{found} is set"
    if any(each.stored for each in active.credentials):
        return "its key stands in the database"
    return "the configuration names it" if given is not None else "no other provider is on"


def _why_off(row: Provider, given: ProviderSettings | None) -> str:
    if row.key_required:
        empty = "its key is empty: " if given is not None and given.keys else ""
        return f"{empty}set {' or '.join(row.env)}"
    variables = (*row.base_url_env, *row.env)
    return f"name it under `providers`{', or set ' + ' or '.join(variables) if variables else ''}"
