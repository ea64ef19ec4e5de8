"""Putting another configuration to work while calls run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.api.addresses import is_loopback
from app.api.snapshot import Current
from app.assembly import Lasting, assemble, configured_keys
from app.auth.directory import Directory
from app.auth.keyring import KeyRing
from app.auth.snapshot import StoredKeys
from app.auth.upstream.stored import StoredCredentials
from app.config.accounting import Notifications
from app.config.loader import Loaded
from app.config.models import Config
from app.config.pool import Pool, Tls
from app.config.tls import TlsContexts
from app.gateway.balancing import watched
from app.gateway.notices import WITHIN, Webhook
from app.gateway.rules import BudgetRules
from app.gateway.seeding import Seeding
from app.gateway.transports import carrier
from app.gateway.upstream import Upstream
from app.reloading import UnsafeConfiguration
from app.store.spending import SpendStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The configuration at work, and how another takes its place."""

    hosts: Sequence[str]
    """Where the gateway listens, which no configuration changes while it runs."""
    lasting: Lasting
    current: Current
    keys: KeyRing
    stored: StoredKeys
    stored_credentials: StoredCredentials
    spending: SpendStore
    webhook: Webhook
    tls: TlsContexts
    followers: list[Callable[[Config], None]] = field(default_factory=list)
    """Told each configuration that has taken the place of another."""

    async def apply(self, loaded: Loaded) -> None:
        """Put a configuration to work, with the credentials of the database.

        Raises `UnsafeConfiguration`, `StoreUnavailable`, having changed nothing.
        """
        config, configured = loaded.config, configured_keys(loaded.config)
        exposed = [host for host in self.hosts if not is_loopback(host)]
        if exposed and not (configured or config.auth.jwt or self.keys.has_stored()):
            raise UnsafeConfiguration(f"It has no key, and anyone who reaches {exposed[0]} could call.")
        directory, before = Directory(config), self.current.snapshot.config
        callers = [*(principal for _, principal in configured), *self.stored.under(directory)]
        seeding = Seeding(
            self.spending,
            BudgetRules(config),
            lambda: [*callers, *self.keys.principals()],  # those that come later are asked for later
            self.lasting.clock.wall,
            new_plans=config.plans != before.plans,
        )
        await self.lasting.budgets.know(seeding)
        loaded = self.stored_credentials.over(loaded)
        snapshot = assemble(loaded, self.lasting)
        # From here on nothing waits until all of it has changed.
        self.lasting.breakers.configure({each.name: each.breaker for each in loaded.providers})
        self.lasting.credentials.configure(loaded.providers)
        self.lasting.loads.configure(watched(config.models.values()))
        self.lasting.hedges.configure(config.hedges)
        every, monotonic = config.model_lists.refresh, self.lasting.clock.monotonic()
        self.lasting.model_lists.configure(loaded.providers, every, monotonic)
        self.lasting.limiter.configure(config.on_state_loss)
        self.lasting.budgets.configure(config.on_state_loss)
        self.keys.configure(configured)
        self.stored.configure(directory)
        self.current.swap(snapshot)
        for follow in self.followers:
            follow(config)
        if config.notifications != before.notifications:
            await direct(self.webhook, config.notifications, self.tls)


async def direct(webhook: Webhook, settings: Notifications, tls: TlsContexts) -> None:
    """Send notices where the settings say."""
    if settings.webhook is None:
        await webhook.close()
    else:
        carries = carrier(Pool(), tls.of(Tls()), allow_private=settings.allow_private)
        await webhook.direct(settings.webhook, Upstream(carries, connect=WITHIN))
