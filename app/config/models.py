"""The configuration: every setting there is, its default, and its documentation as its docstring."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

from app.config.scalars import (
    Count,
    Duration,
    Flag,
    Listing,
    Maybe,
    Moment,
    Port,
    SecretText,
    Size,
    Table,
    Text,
    Wait,
    Word,
    integer,
    none_is_empty,
    refuse,
)

_PROVIDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Section(BaseModel):
    """A mapping of settings: frozen, and strict about its keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    later: ClassVar[frozenset[str]] = frozenset()
    """Keys that the design names and this version does not have: refused as such, never ignored."""

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_empty(cls, value: Any) -> Any:
        return {} if value is None else value


class Server(Section):
    """Where and how the gateway listens."""

    later = frozenset({"workers", "max_inflight", "trusted_proxies", "cors"})

    host: Text = "127.0.0.1"
    """Address to listen on."""
    port: Port = 4000
    """Port to listen on; 0 takes any free one."""
    max_body: Size = 32 << 20
    """Largest request body that is accepted, in bytes or as `32MiB`."""
    drain: Duration = 60.0
    """How long running calls may go on after a stop was asked for."""
    stream_commit: Wait = 45.0
    """How long a silent provider is waited for before a stream's status is sent with keep-alive comments."""
    allowed_hosts: Listing[Text] = ()
    """`Host` names that are answered; `*.example.com` takes subdomains, an empty list takes any."""


class Metrics(Section):
    """Who may read `/metrics`."""

    token: SecretText | None = None
    """Bearer token for `/metrics`. Without one, only callers on this machine may read it."""


class Key(Section):
    """An API key of ours that stands in the configuration."""

    later = frozenset({"plan", "priority"})

    name: Text
    """What logs and reports call this key. Unique."""
    key: SecretText
    """The key that the client sends, of 16 characters at least."""
    models: Listing[Text] = ()
    """Patterns of the models that the key may use, such as `openai/*`; an empty list means all."""
    expires: Maybe[Moment] = None
    """When the key stops working: an RFC 3339 date (its first moment in UTC) or date-time."""
    metadata: Table[Word] = {}
    """Texts of your own to keep with the key."""


class Auth(Section):
    """Who may call."""

    later = frozenset({"jwt"})

    master_key: SecretText | None = None
    """Key that may do everything. Empty means none; the environment's SWITCHGEAR_MASTER_KEY wins over it."""
    keys: Listing[Key] = ()
    """API keys."""


class Credential(Section):
    """A provider's key, as it gave it to you."""

    later = frozenset({"weight", "models", "limits"})

    key: SecretText
    """The key itself."""

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


def _one_credential(keys: tuple[Credential, ...]) -> tuple[Credential, ...]:
    return (
        keys
        if len(keys) < 2
        else refuse("several keys are not available yet: credential pools", "give one key")
    )


class ProviderSettings(Section):
    """A provider: one of the catalogue, or anything that speaks one of the dialects."""

    later = frozenset({"limits", "breaker", "retry", "pool", "region", "prices"})

    keys: Annotated[Listing[Credential], AfterValidator(_one_credential)] = ()
    """The provider's key, as a list of one. Without it, the vendor's own variable is used, such as OPENAI_API_KEY."""
    base_url: Maybe[Text] = None
    """Where the API is, up to and without the operation: `https://api.acme.test/v1`. Default: the catalogue's."""
    dialect: Maybe[Text] = None
    """Wire format. Default: the catalogue's, else `openai`."""
    timeouts: Timeouts = Timeouts()
    """How long this provider is waited for."""
    allow_private: Maybe[Flag] = None
    """Whether the address may be a private one. Default: the catalogue's, else false."""
    exact: Maybe[Flag] = None
    """Whether it speaks clean OpenAI, so that its bytes pass through. Default: the catalogue's, else false."""
    rename: Table[Text] = {}
    """Request fields that it spells otherwise: OpenAI's name → its name."""
    drop: Listing[Text] = ()
    """Request fields to leave out for it."""
    models: Listing[Text] = ()
    """Patterns of the bare model names that go to it, such as `acme-*`. Default: the catalogue's."""
    max_tokens: Maybe[Count] = None
    """What to ask for where the dialect needs a number and the client gave none."""


def _chain(value: object) -> object:
    if isinstance(value, Mapping):
        refuse(
            "the mapping form of a model is not available yet",
            "give a list of targets: [openai/gpt-4o-mini, …]",
        )
    if isinstance(value, str):
        refuse("must be a list of targets", f"write `[{value}]`")
    return value


def _provider_name(name: str) -> str:
    if not _PROVIDER_NAME.fullmatch(name):
        refuse(f"`{name}` cannot be a provider's name", "use letters, digits, `-`, `_` and `.`, and no `/`")
    return name


def _storage(value: str) -> str:
    if value.startswith(("postgresql://", "postgres://")):
        refuse("`postgresql://` is not available yet", "use sqlite:///path")
    if not value.startswith("sqlite:///") or value == "sqlite:///":
        refuse("must be sqlite:///path", "such as `sqlite:///data/switchgear.db`")
    if ":memory:" in value or "?" in value:
        refuse("must name a file", "such as `sqlite:///data/switchgear.db`")
    return value


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

    later = frozenset({"admin", "plans", "limit_groups", "on_state_loss", "state"})

    version: Annotated[Count, BeforeValidator(_version)] = 1
    """Version of this format: 1."""
    server: Server = Server()
    """Where and how the gateway listens."""
    metrics: Metrics = Metrics()
    """Who may read `/metrics`."""
    auth: Auth = Auth()
    """Who may call."""
    providers: Annotated[
        Mapping[Annotated[str, AfterValidator(_provider_name)], ProviderSettings], none_is_empty(dict)
    ] = {}
    """Providers by name; for one of the catalogue, a key is enough."""
    models: Table[Annotated[Listing[Text], BeforeValidator(_chain)]] = {}
    """Public model names, each with its targets: tried in this order."""
    storage: Annotated[Text, AfterValidator(_storage)] = "sqlite:///data/switchgear.db"
    """Where keys and usage are kept: sqlite:///path, relative to the working directory."""
    logging: Logging = Logging()
    """What is logged, and how."""
