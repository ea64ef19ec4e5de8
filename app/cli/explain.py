"""`switchgear explain`: which targets a call would try, in which order, and why."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import typer

from app.auth.directory import Directory
from app.auth.principal import Principal
from app.auth.snapshot import principal_of
from app.cli.check import place
from app.cli.database import stored_keys
from app.cli.options import fail
from app.cli.output import print_pairs, print_table
from app.config.loader import Loaded
from app.config.problems import did_you_mean
from app.config.public_models import ModelSettings
from app.errors import GatewayError
from app.gateway.balance import TYPICAL, Ask, Balancer
from app.gateway.balancing import Balancing
from app.gateway.loads import Loads
from app.gateway.plan import Plan
from app.gateway.router import Router
from app.gateway.spending import Prices
from app.store.keys import StoredKey
from app.telemetry.clock import Clock
from app.usage.price_book import PriceBook
from providers.types import Call, Operation

ANYONE = Principal("a key without limits")


def explain(loaded: Loaded, model: str, asked: str, key: str | None) -> None:
    """Print the plan of a call; a call that would be refused ends with 1 and the refusal."""
    if asked not in set(Operation):
        fail(f"there is no operation `{asked}`; there are {', '.join(Operation)}")
    operation = Operation(asked)
    principal = ANYONE if key is None else principal_named(loaded, key)
    ask = Ask(Call(operation, model, {}), principal.name, reasons={})
    try:
        plan = Router(loaded.providers, loaded.config.models, _balancer_of(loaded)).plan(
            model, operation, principal, ask
        )
    except GatewayError as error:
        fail(f"{error.message} ({error.http_status} {error.code})")
    may = f"{principal.name} may use it" if key else "not asked about; name one with --key"
    pairs = [("model", model), ("operation", operation), ("rule", plan.rule), ("key", may)]
    if settings := loaded.config.models.get(model):
        pairs += _choosing(settings)
    print_pairs(pairs)
    typer.echo()
    _print_targets(loaded, plan)


def _balancer_of(loaded: Loaded) -> Callable[[ModelSettings], Balancer]:
    """Give balancers as they are at a start: a command does not know what a running gateway has learned."""
    prices = PriceBook({name: each.stated_prices for name, each in loaded.config.providers.items()})
    clock = Clock(time.time, time.monotonic)
    return Balancing(Loads(), clock.monotonic, random.random, Prices(prices, clock).expected).of


def _choosing(settings: ModelSettings) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = [("balance", settings.balance)]
    if settings.balance == "cost":
        tokens = f"{TYPICAL.input_tokens:,} tokens in and {TYPICAL.output_tokens:,} out"
        pairs = [("balance", f"cost, here of {tokens}")]
    if settings.sticky:
        pairs.append(("sticky", f"by {settings.sticky}"))
    if mirror := settings.mirror:
        pairs.append(("mirror", f"{mirror.target}, {float(mirror.share):.6g} of the calls"))
    return pairs


def principal_named(loaded: Loaded, name: str) -> Principal:
    """Find a key by its name, in the configuration and then in the database. Ends the command if it is not valid."""
    keys = {key.name: key for key in loaded.config.auth.keys}
    stored = {} if name in keys else {key.name: key for key in _live_keys(loaded)}
    if found := keys.get(name):
        principal = Directory(loaded.config).of_key(found) or fail(
            f"the user `{found.user}` is disabled: the key `{name}` may use nothing"
        )
    elif kept := stored.get(name):
        principal = principal_of(kept, Directory(loaded.config)) or fail(
            f"the key `{name}` may use nothing: its user is disabled, or its user, team or plan is not there"
        )
    else:
        known = (*keys, *stored)
        fail(
            f"there is no key named `{name}`; {did_you_mean(name, known) or '`switchgear keys list` lists them'}"
        )
    if principal.expires is not None and principal.expires <= time.time():
        fail(f"the key `{name}` has expired: it may use nothing")
    return principal


def _live_keys(loaded: Loaded) -> list[StoredKey]:
    return [key for key in asyncio.run(stored_keys(loaded.config.storage)) if key.revoked is None]


def _print_targets(loaded: Loaded, plan: Plan) -> None:
    where = {provider.name: place(provider) for provider in loaded.providers}
    rows = [
        (
            str(count),
            *(target.provider, target.model, target.dialect, where[target.provider]),
            plan.reasons[target.name],
        )
        for count, target in enumerate(plan.targets, 1)
    ]
    print_table(("try", "provider", "upstream model", "dialect", "host", "why"), rows)
    after = [
        (f"after {cause}", ", ".join(target.name for target in chain) or "nothing that may be used")
        for cause, chain in plan.fallbacks.items()
    ]
    for pairs in (after, [("skipped", text) for text in plan.skipped]):
        if pairs:
            typer.echo()
            print_pairs(pairs)
