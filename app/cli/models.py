"""`switchgear models`: the models that can be named without guessing, and how they compare."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

import typer
from structlog import get_logger

from app.auth.principal import Principal
from app.cli.database import database_of, exists
from app.cli.healthcheck import address_of
from app.cli.live import fetch
from app.cli.output import print_json, print_table
from app.config.activation import ActiveProvider
from app.config.loader import Loaded
from app.config.models import Config
from app.config.storage import Storage
from app.config.tls import context
from app.gateway.catalogue import Catalogue, described
from app.gateway.knowledge import Knowledge
from app.gateway.model_asking import ask
from app.gateway.model_lists import ModelLists, lists_models
from app.gateway.router import Router
from app.gateway.transports import carrier
from app.gateway.upstream import Upstream
from app.store.call_sums import CallFilter
from app.store.calls import CallStore
from app.store.comparison import TargetFigures
from app.usage.price_book import PriceBook
from app.usage.price_data import PriceData
from app.usage.report_comparison import comparison_csv, comparison_json, comparison_table
from providers.listing import Models
from providers.types import JsonObject

_FORMS: Mapping[str, Callable[[Sequence[TargetFigures]], str]] = {
    "table": comparison_table,
    "csv": comparison_csv,
    "json": comparison_json,
}


def models(loaded: Loaded, *, as_json: bool, asking: bool) -> None:
    """List public models, well-known ones, and those that providers list: by the running gateway's word, or asked now.

    Says on standard error whose lists are missing.
    """
    rows, problem = (None, "") if asking else _as_running(loaded.config)
    if rows is None:
        lists = ModelLists(get_logger(), _NoCounts(), lambda: 0.0)
        if asking:
            lists.configure(loaded.providers, 1.0, 0.0)
            problem = "; ".join(asyncio.run(fill(lists, loaded.providers)))
        elif problem:
            problem = f"what providers list is not shown: {problem}; --ask asks them"
        cards = _catalogue(loaded, lists).cards(Principal("everyone", is_master=True))
        rows = [described(card) for card in cards]
    if as_json:
        print_json([{name: row[name] for name in row if name not in _ENVELOPE} for row in rows])
    else:
        print_table(
            ("model", "owned by", "context", "output", "$/M in", "$/M out"), [_row(row) for row in rows]
        )
    if problem:
        typer.echo(problem, err=True)


def _as_running(config: Config) -> tuple[list[JsonObject] | None, str]:
    return fetch(config, address_of(config.server), "/v1/models", lambda page: page["data"])


_ENVELOPE = frozenset({"object", "created"})


async def fill(lists: ModelLists, providers: Sequence[ActiveProvider]) -> list[str]:
    """Ask every provider for its models. Gives a line for each that gave none."""
    asked = [each for each in providers if lists_models(each)]
    answers = await asyncio.gather(*map(_models_of, asked), return_exceptions=True)
    failed = []
    for provider, answer in zip(asked, answers, strict=True):
        if isinstance(answer, BaseException):
            failed.append(f"{provider.name} gave no list of its models ({type(answer).__name__})")
        else:
            lists.take(provider.name, answer, 0.0, time.time())
    return failed


async def _models_of(provider: ActiveProvider) -> Models:
    upstream = Upstream(
        carrier(provider.pool, context(provider.pool.tls), allow_private=provider.allow_private),
        connect=provider.timeouts.connect,
    )
    try:
        return await ask(provider, next(iter(provider.credentials), None), upstream, time.time())
    finally:
        await upstream.close()


class _NoCounts:
    def count_model_change(self, provider: str, change: str, number: int) -> None:
        pass

    def count_list_refresh(self, provider: str, result: str) -> None:
        pass


def _catalogue(loaded: Loaded, lists: ModelLists) -> Catalogue:
    config, data = loaded.config, PriceData()
    router = Router(loaded.providers, config.models, listed=lists.of)
    book = PriceBook({name: each.stated_prices for name, each in config.providers.items()}, data)
    return Catalogue(router, Knowledge(config.stated_facts, lists, data.window), book, time.time)


def _row(card: JsonObject) -> tuple[str, ...]:
    counts = (card.get(name) for name in ("context_window", "max_output_tokens"))
    prices = card.get("pricing") or {}
    dollars = (prices.get(name, "-") for name in ("input_mtok", "output_mtok"))
    return (card["id"], card["owned_by"], *(f"{count:,}" if count else "-" for count in counts), *dollars)


def comparison(storage: Storage, model: str, since: float | None, form: str) -> None:
    """Print what a model has cost, and how long it took, at each provider. Raises `StoreUnavailable`."""
    found = asyncio.run(_compare(storage, model, since)) if exists(storage) else []
    typer.echo(_FORMS[form](found).rstrip("\n"))


async def _compare(storage: Storage, model: str, since: float | None) -> list[TargetFigures]:
    async with database_of(storage) as database:
        return await CallStore(database).compare(model, CallFilter(since=since))
