"""`switchgear explain`: which targets a call would try, in which order, and why."""

from __future__ import annotations

import asyncio
import time

import typer

from app.auth.principal import Principal
from app.cli.check import place
from app.cli.database import stored_keys
from app.cli.options import fail
from app.cli.output import print_pairs, print_table
from app.config.loader import Loaded
from app.config.problems import did_you_mean
from app.errors import GatewayError
from app.gateway.router import Plan, Router
from app.store.keys import StoredKey
from providers.types import Operation

ANYONE = Principal("a key without limits")


def explain(loaded: Loaded, model: str, operation: Operation, key: str | None) -> None:
    """Print the plan of a call; a call that would be refused ends with 1 and the refusal."""
    principal = ANYONE if key is None else principal_named(loaded, key)
    try:
        plan = Router(loaded.providers, loaded.config.chains).plan(model, operation, principal)
    except GatewayError as error:
        fail(f"{error.message} ({error.http_status} {error.code})")
    may = f"{principal.name} may use it" if key else "not asked about; name one with --key"
    print_pairs([("model", model), ("operation", operation), ("rule", plan.rule), ("key", may)])
    typer.echo()
    _print_targets(loaded, plan)


def principal_named(loaded: Loaded, name: str) -> Principal:
    """Find a key by its name, in the configuration and then in the database. Ends the command if it is not valid."""
    keys = {key.name: key for key in loaded.config.auth.keys}
    stored = {} if name in keys else {key.name: key for key in _live_keys(loaded)}
    if found := keys.get(name):
        expires = found.expires.timestamp() if found.expires else None
        principal = Principal(found.name, found.models, expires)
    elif kept := stored.get(name):
        principal = Principal(kept.name, tuple(kept.models or ()), kept.expires)
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
        (str(count), target.provider, target.model, target.dialect, where[target.provider])
        for count, target in enumerate(plan.targets, 1)
    ]
    print_table(("try", "provider", "upstream model", "dialect", "host"), rows)
    if plan.skipped:
        typer.echo()
        print_pairs([("skipped", text) for text in plan.skipped])
