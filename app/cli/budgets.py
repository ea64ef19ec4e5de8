"""`switchgear budgets`: what has been spent and what is left, as the ledger in the database has it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence

import structlog

from app.api.budgets_shown import standing_shown
from app.assembly import configured_keys
from app.auth.directory import Directory
from app.auth.principal import Principal
from app.auth.snapshot import principal_of
from app.cli.database import database_of, exists
from app.cli.entries import Entry, print_entries
from app.cli.options import fail
from app.cli.times import time_text
from app.config.loader import Loaded
from app.config.models import Config
from app.config.problems import did_you_mean
from app.gateway.rules import BudgetRules
from app.gateway.seeding import Seeding
from app.store.keys import KeyStore
from app.store.spending import SpendStore
from app.usage.budget_book import BudgetBook
from app.usage.budgets import Budget
from app.usage.seeding import seed

_TITLES: Mapping[str, str] = {
    **{name: name for name in ("subject", "per", "mode", "amount", "spent", "left")},
    "ends": "resets",
}


def show(loaded: Loaded, subject: str | None, *, as_json: bool) -> None:
    """List all budgets, or those of a subject; ends with 1 if it has none. Raises `StoreUnavailable`."""
    now = time.time()
    book, known = asyncio.run(_known(loaded.config, now))
    shown = sorted(
        (_entry(budget, book, now) for budget in known), key=lambda each: (each["subject"], each["per"])
    )
    wanted = [each for each in shown if subject in {None, each["subject"]}]
    if subject is not None and not wanted:
        hint = did_you_mean(subject, {each["subject"] for each in shown})
        fail(f"`{subject}` has no budget; {hint or '`switchgear budgets list` lists them'}")
    print_entries(wanted, _TITLES, "There are no budgets: keys, plans and others have them.", as_json=as_json)


def _entry(budget: Budget, book: BudgetBook, now: float) -> Entry:
    # What running calls hold is known to the gateway alone.
    shown = standing_shown(budget, book.standing(budget, now)).model_dump(exclude={"reserved"})
    times = {name: None if shown[name] is None else time_text(shown[name]) for name in ("starts", "ends")}
    return {**shown, **times}


async def _known(config: Config, now: float) -> tuple[BudgetBook, Sequence[Budget]]:
    """Give every budget that is known, and what it has spent. Raises `StoreUnavailable`."""
    rules, book = BudgetRules(config), BudgetBook()
    holders = [principal for _, principal in configured_keys(config)]
    if not exists(config.storage):
        return book, rules.known(holders)
    async with database_of(config.storage) as database:
        holders += await _stored(KeyStore(database), Directory(config))
        spending = SpendStore(database)
        seeding = Seeding(spending, rules, lambda: holders, lambda: now)
        known = list(dict.fromkeys([*seeding.named(), *await seeding.of_holders()]))
        log = structlog.wrap_logger(structlog.PrintLogger(sys.stderr))
        await seed(book, known, spending, now, log)
    return book, known


async def _stored(store: KeyStore, directory: Directory) -> list[Principal]:
    found = (principal_of(key, directory) for key in await store.list_keys() if key.revoked is None)
    return [principal for principal in found if principal]
