"""`switchgear models`: the models that can be named without guessing, and how they compare."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import typer

from app.auth.principal import Principal
from app.cli.database import database_of, exists
from app.cli.output import print_json, print_table
from app.config.loader import Loaded
from app.config.storage import Storage
from app.gateway.router import Router
from app.store.call_sums import CallFilter
from app.store.calls import CallStore
from app.store.comparison import TargetFigures
from app.usage.report_comparison import comparison_csv, comparison_json, comparison_table

_FORMS: Mapping[str, Callable[[Sequence[TargetFigures]], str]] = {
    "table": comparison_table,
    "csv": comparison_csv,
    "json": comparison_json,
}


def models(loaded: Loaded, *, as_json: bool) -> None:
    """List public models, then those that the configuration names of each provider."""
    listed = Router(loaded.providers, loaded.config.models).names(Principal("everyone"))
    if as_json:
        print_json([{"id": name, "owned_by": owner} for name, owner in listed])
    else:
        print_table(("model", "owned by"), listed)


def comparison(storage: Storage, model: str, since: float | None, form: str) -> None:
    """Print what a model has cost, and how long it took, at each provider. Raises `StoreUnavailable`."""
    found = asyncio.run(_compare(storage, model, since)) if exists(storage) else []
    typer.echo(_FORMS[form](found).rstrip("\n"))


async def _compare(storage: Storage, model: str, since: float | None) -> list[TargetFigures]:
    async with database_of(storage) as database:
        return await CallStore(database).compare(model, CallFilter(since=since))
