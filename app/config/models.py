"""The configuration: every setting there is, its default, and its documentation as its docstring."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from app.config.accounting import Ledger, Notifications
from app.config.administration import Admin, Audit
from app.config.allowances import Budget, Budgets, LimitGroup, Limiting, Limits, Plan, Price, told_apart
from app.config.encryption import Encryption
from app.config.headers import Headers
from app.config.identities import GroupName, Key, Organisation, Team, User, UserName
from app.config.issuers import Issuer
from app.config.model_facts import Facts, ModelLists
from app.config.networks import Network
from app.config.overload import Overload
from app.config.pool import Pool
from app.config.public_models import HedgeSettings, ModelSettings
from app.config.resilience import BreakerSettings, RetrySettings
from app.config.scalars import (
    Count,
    Duration,
    Flag,
    Listing,
    Maybe,
    Port,
    SecretText,
    Size,
    Table,
    Text,
    Wait,
    integer,
    none_is_empty,
    refuse,
)
from app.config.section import EMPTY, Section
from app.config.state import IN_MEMORY, OnStateLoss, StateUrl
from app.config.storage import Storage
from providers.facts import ModelFacts
from providers.types import Secret

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
MOST_WORKERS = 256
"""More than any machine has use for; each is a process."""


def _few(workers: int) -> int:
    return workers if workers <= MOST_WORKERS else refuse(f"{workers} are too many", "one a core is right")


Workers = Annotated[Count, AfterValidator(_few)]


class Server(Section):
    """Where and how the gateway listens."""

    later = frozenset({"cors"})

    host: Text = "127.0.0.1"
    """Address to listen on."""
    port: Port = 4000
    """Port to listen on; 0 takes any free one."""
    max_body: Size = 32 << 20
    """Largest request body that is accepted, in bytes or as `32MiB`."""
    max_upload: Size = 256 << 20
    """Largest form with files that is accepted. What is not small waits in a temporary file, not in memory."""
    workers: Workers = 1
    """Processes that serve, one a core; more than one share their limits and budgets through the Redis of `state`."""
    max_inflight: Count = 10_000
    """Calls that may be under way at once in each worker; more are refused at once with 503 and `Retry-After`."""
    overload: Overload = Overload()
    """Who is refused first when there is more to do than can be done."""
    drain: Duration = 60.0
    """How long running calls may go on after a stop was asked for."""
    drain_notice: Duration = 1.0
    """How long new calls are still taken after a stop was asked for, with answers that say `connection: close`."""
    stream_commit: Wait = 45.0
    """How long a silent provider is waited for before a stream's status is sent with keep-alive comments."""
    write_stall: Wait = 60.0
    """How long a client may leave what was sent to it unread before its call ends."""
    allowed_hosts: Listing[Text] = ()
    """`Host` names that are answered; `*.example.com` takes subdomains, an empty list takes any."""
    trusted_proxies: Listing[Network] = ()
    """Addresses and networks of the proxies whose `X-Forwarded-For` tells where a client is."""


class Metrics(Section):
    """Who may read `/metrics`."""

    token: SecretText | None = None
    """Bearer token for `/metrics`. Without one, only callers on this machine may read it."""


class Auth(Section):
    """Who may call."""

    master_key: SecretText | None = None
    """Key that may do everything. Empty means none; the environment's SWITCHGEAR_MASTER_KEY wins over it."""
    keys: Listing[Key] = ()
    """API keys."""
    jwt: Listing[Issuer] = ()
    """Issuers whose JWTs are taken as API keys."""
    max_failures: Count = 100
    """Wrong keys and tokens a minute from one address, or with one beginning, that are answered 401 and not 429."""
    stale_after: Wait = 10.0
    """How long the database may be away until keys that are not known here are told to come again (503), not that they are wrong."""


class Credential(Section):
    """A provider's key, as it gave it to you."""

    key: SecretText
    """The key itself."""
    weight: Count = 1
    """Its share of the calls: one of weight 2 gets twice as many as one of weight 1."""
    models: Listing[Text] = ()
    """Patterns of the models that it may be used for, as the provider names them; an empty list means all."""
    limits: Limiting = Limits()
    """How fast it may be used: as under `plans`."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        # `{file: …}` is a secret too, and a secret alone is a credential.
        if isinstance(value, Mapping) and set(value) != {"file"}:
            return value
        return {"key": value}


class Timeouts(Section):
    """How long a provider is waited for."""

    connect: Wait = 5.0
    """Until the connection stands."""
    first_event: Wait = 120.0
    """Until the first event of a stream."""
    response: Wait = 600.0
    """Until the whole answer, where it is not streamed."""
    idle: Wait = 120.0
    """Between two events of a stream."""
    stream_total: Wait = 3600.0
    """Until the end of a stream."""


def _fits_nobody(budgets: tuple[Budget, ...]) -> tuple[Budget, ...]:
    if any(budget.fit_max_tokens for budget in budgets):
        refuse(
            "`fit_max_tokens` is for what clients may spend", "set it under `plans`, `auth.keys` or `models`"
        )
    return budgets


class ProviderSettings(Section):
    """A provider: one of the catalogue, or anything that speaks one of the dialects."""

    keys: Listing[Credential] = ()
    """The provider's keys. Without one, the vendor's own variable is used, such as OPENAI_API_KEY."""
    auth: Maybe[Literal["key", "aws", "google", "entra"]] = None
    """`key`, or what is asked for in its place: a signature of AWS's, a token of Google's or Entra's. Default: the catalogue's, else `key`."""
    identity: Maybe[Text] = None
    """Who asks for it: a profile of AWS's, a key file of Google's, a managed identity's client ID. Default: whoever the machine is."""
    base_url: Maybe[Text] = None
    """Where the API is, up to and without the operation: `https://api.acme.test/v1`. Default: the catalogue's."""
    dialect: Maybe[Text] = None
    """Wire format. Default: the catalogue's, else `openai`."""
    dialects: Table[Text] = EMPTY
    """Wire formats of models with another one, by pattern of the model's name: `{"*-codex": responses}`."""
    timeouts: Timeouts = Timeouts()
    """How long this provider is waited for."""
    breaker: BreakerSettings = BreakerSettings()
    """When the provider, or one of its models, is left alone for a while."""
    retry: RetrySettings = RetrySettings()
    """How often a call that failed is sent to it again."""
    pool: Pool = Pool()
    """How connections to it are made and kept."""
    allow_private: Maybe[Flag] = None
    """Whether its address, and its proxy's, may be private ones. Default: the catalogue's, else false."""
    region: Maybe[Text] = None
    """Where the provider works, in a word of your own: what `regions` of keys is compared with."""
    exact: Maybe[Flag] = None
    """Whether it speaks clean OpenAI, so that its bytes pass through. Default: the catalogue's, else false."""
    rename: Table[Text] = EMPTY
    """Request fields that it spells otherwise: OpenAI's name → its name."""
    drop: Listing[Text] = ()
    """Request fields to leave out for it."""
    headers: Headers = EMPTY
    """Headers to send it beside the gateway's own, such as OpenRouter's `HTTP-Referer` and `X-OpenRouter-Title`."""
    models: Listing[Text] = ()
    """Patterns of the bare model names that go to it, such as `acme-*`. Default: the catalogue's."""
    max_tokens: Maybe[Count] = None
    """What to ask for where the dialect needs a number and the client gave none."""
    options: Table[Text] = EMPTY
    """Settings of its dialect's own, such as `api_version`; in `base_url` they fill in `{name}`."""
    limits: Limiting = Limits()
    """How fast the provider may be used: as under `plans`."""
    budget: Annotated[Budgets, AfterValidator(_fits_nobody)] = ()
    """How much may be spent there: as under `plans`."""
    prices: Annotated[Table[Price], AfterValidator(told_apart)] = EMPTY
    """What its models cost, by pattern of the model's name; else the published prices count."""

    facts: Table[Facts] = EMPTY
    """What is so of its models, by pattern of the model's name; else what it says itself counts."""

    @property
    def stated_prices(self) -> Mapping[str, Mapping[str, str]]:
        """Give what is said of prices, by pattern."""
        return {pattern: price.stated for pattern, price in self.prices.items()}


def _name_of(kind: str) -> AfterValidator:
    """Give the check of a name that becomes part of other names, as in `provider/model`."""

    def check(name: str) -> str:
        if not _NAME.fullmatch(name):
            refuse(f"`{name}` cannot be a {kind}'s name", "use letters, digits, `-`, `_` and `.`, and no `/`")
        return name

    return AfterValidator(check)


def _version(value: object) -> object:
    return value if integer(value) == 1 else refuse("this program reads version 1", "write `version: 1`")


class Logging(Section):
    """What is logged, and how."""

    later = frozenset({"content"})

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important level that is logged."""
    format: Literal["json", "console"] = "json"
    """`json`: one object a line. `console`: for reading."""


class Config(Section):
    """Settings of Switchgear. Every key is optional; top-level keys that begin with `x-` are ignored."""

    version: Annotated[Count, BeforeValidator(_version)] = 1
    """Version of this format: 1."""
    server: Server = Server()
    """Where and how the gateway listens."""
    admin: Admin = Admin()
    """Where the admin API answers, and how often it may be asked."""
    metrics: Metrics = Metrics()
    """Who may read `/metrics`."""
    auth: Auth = Auth()
    """Who may call."""
    plans: Annotated[Mapping[Annotated[str, _name_of("plan")], Plan], none_is_empty(dict)] = EMPTY
    """Named limits and budgets. A key has a plan's beside its own, and shares them with no other key."""
    organisations: Annotated[Mapping[GroupName, Organisation], none_is_empty(dict)] = EMPTY
    """Organisations by name. What one allows, its teams share."""
    teams: Annotated[Mapping[GroupName, Team], none_is_empty(dict)] = EMPTY
    """Teams by name. What one allows, its users and keys share."""
    users: Annotated[Mapping[UserName, User], none_is_empty(dict)] = EMPTY
    """Users by name, as keys and tokens give it. One that only tokens name need not stand here."""
    providers: Annotated[
        Mapping[Annotated[str, _name_of("provider")], ProviderSettings], none_is_empty(dict)
    ] = EMPTY
    """Providers by name; for one of the catalogue, a key is enough."""
    models: Table[ModelSettings] = EMPTY
    """Public model names, each with a list of its targets, or with a mapping."""
    model_lists: ModelLists = ModelLists()
    """The models that providers list themselves."""
    limit_groups: Annotated[Mapping[Annotated[str, _name_of("group")], LimitGroup], none_is_empty(dict)] = (
        EMPTY
    )
    """Limits that several upstream models share."""
    on_state_loss: OnStateLoss = "local_share"
    """While the Redis in `state` is lost: `local_share` of each limit, limit ÷ processes; `open`; or `closed`."""
    state: StateUrl = Field(default_factory=lambda: IN_MEMORY)
    """Where limits and budgets are kept: memory://, or redis://user:password@host:6379/0 for several processes."""
    storage: Storage = Storage(Secret("sqlite:///data/switchgear.db"))
    """Where keys and usage are kept: sqlite:///path or postgresql://user:password@host/database, or a file that holds it."""
    encryption: Encryption = Encryption()
    """How providers' credentials that came through the admin API are kept."""
    ledger: Ledger = Ledger()
    """How calls are accounted."""
    audit: Audit = Audit()
    """What is kept of who changed what."""
    notifications: Notifications = Notifications()
    """Who is told when a share of a budget is spent."""
    logging: Logging = Logging()
    """What is logged, and how."""

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses that are listened on."""
        return (self.server.host,) if self.admin.port is None else (self.server.host, self.admin.host)

    @property
    def spool_folder(self) -> Path:
        """The folder of the spool."""
        return Path(self.ledger.spool) if self.ledger.spool else self.storage.local.parent / "spool"

    @property
    def chains(self) -> Mapping[str, tuple[str, ...]]:
        """Give the targets of each public model."""
        return {name: model.names for name, model in self.models.items()}

    @property
    def stated_facts(self) -> Mapping[str, Mapping[str, ModelFacts]]:
        """Give what is said of models, by provider and pattern."""
        return {
            name: {pattern: facts.stated for pattern, facts in each.facts.items()}
            for name, each in self.providers.items()
            if each.facts
        }

    @property
    def hedges(self) -> Mapping[str, HedgeSettings]:
        """Give the hedging of those public models that have it."""
        return {name: model.hedge for name, model in self.models.items() if model.hedge is not None}

    @property
    def single_flight(self) -> frozenset[str]:
        """Give the public models whose equal calls share an answer."""
        return frozenset(name for name, model in self.models.items() if model.single_flight)
