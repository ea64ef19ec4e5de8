"""Which providers are on, and with what: the catalogue, the file and the vendors' own variables put together.

Pure: the environment is an argument.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from app.config import credentials, dialect_options, urls
from app.config.environment import first_set, variable
from app.config.models import Config, ProviderSettings, Timeouts
from app.config.pool import Pool
from app.config.problems import Mark, Problem, did_you_mean
from app.config.resilience import BreakerSettings, RetrySettings
from app.config.tree import Node, place
from providers.catalog import Provider
from providers.registry import DIALECTS, adapter_for
from providers.types import Operation, Quirks, Secret


@dataclass(frozen=True, slots=True)
class ProviderCredential:
    """One of a provider's keys that is set."""

    key: Secret = field(repr=False)
    position: int = 0
    """Its place under `keys`, by which people are told of it."""
    weight: int = 1
    models: tuple[str, ...] = ()
    """Patterns of the models that it may be used for, as the provider names them; none means all."""

    def covers(self, model: str) -> bool:
        """Whether it may be used for a model."""
        return not self.models or any(fnmatchcase(model, pattern) for pattern in self.models)


@dataclass(frozen=True, slots=True)
class ActiveProvider:
    """A provider that is on: its row of the catalogue, with what the configuration says laid over."""

    name: str
    dialect: str
    base_url: str
    """Without a slash at its end."""
    credentials: tuple[ProviderCredential, ...]
    """None at all: it is asked without one."""
    timeouts: Timeouts
    quirks: Quirks
    rename: Mapping[str, str]
    drop: frozenset[str]
    headers: Mapping[str, str]
    max_tokens: int | None
    patterns: tuple[str, ...]
    """Bare model names that go to it, as shell patterns."""
    example: str
    """A model to show people what a call looks like, or empty."""
    allow_private: bool
    transport: str
    operations: frozenset[Operation]
    breaker: BreakerSettings = field(default_factory=BreakerSettings)
    retry: RetrySettings = field(default_factory=RetrySettings)
    region: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    """Settings of the dialect's own; each that it knows has a value."""
    pool: Pool = field(default_factory=Pool)
    paths: Mapping[Operation, str] = field(default_factory=dict)
    """Operations that it has elsewhere than its dialect says."""

    def has_credential_for(self, model: str) -> bool:
        """Whether one of its credentials may be used for a model, or it has none."""
        return not self.credentials or any(each.covers(model) for each in self.credentials)


@dataclass(frozen=True, slots=True)
class Activation:
    """The providers that are on, and what there is to say about them and the others."""

    providers: tuple[ActiveProvider, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    notices: tuple[str, ...]


def activate(
    config: Config, tree: Node, catalog: Mapping[str, Provider], environ: Mapping[str, str]
) -> Activation:
    """Decide what is on: in the order of the file, then of the catalogue; an embedded one if nothing else is."""
    names = dict.fromkeys((*config.providers, *catalog))
    candidates = [_candidate(name, config, catalog, environ) for name in names]
    wanted = [candidate for candidate in candidates if candidate.wanted]
    on = [candidate for candidate in wanted if not candidate.lacks]
    if not on:
        on = [candidate for candidate in candidates if candidate.row.transport == "embedded"]
    return Activation(
        tuple(map(_merged, on)),
        tuple(problem for candidate in wanted for problem in _problems(candidate, tree, catalog)),
        tuple(
            f"{each.name} gets its key unencrypted: its base_url is http://"
            for each in on
            if _in_the_clear(each)
        ),
        tuple(_why_off(candidate) for candidate in wanted if candidate.lacks),
    )


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    row: Provider
    settings: ProviderSettings
    named: bool
    """Whether the configuration names it."""
    credentials: tuple[ProviderCredential, ...]
    credential_from: str | None
    """The vendor's variable that gave it, if one did."""
    base_url: str
    base_url_from: str | None
    options: Mapping[str, str]

    @property
    def wanted(self) -> bool:
        return self.named or self.credential_from is not None or self.base_url_from is not None

    @property
    def lacks_key(self) -> bool:
        return self.row.key_required and not self.credentials

    @property
    def missing(self) -> tuple[str, ...]:
        """The dialect's options that nothing gives."""
        return tuple(name for name in dialect_options.known_to(self.dialect) if name not in self.options)

    @property
    def lacks(self) -> bool:
        """Whether it stays off: for want of a key or, where the file does not name it, of an option."""
        return self.lacks_key or (not self.named and bool(self.missing))

    @property
    def dialect(self) -> str:
        return _dialect(self.row, self.settings)

    @property
    def allow_private(self) -> bool:
        given = self.settings.allow_private
        return self.row.allow_private if given is None else given

    @property
    def operations(self) -> frozenset[Operation]:
        spoken = frozenset(each for each in Operation if adapter_for(self.dialect, each) is not None)
        # A row tells what the vendor serves in its own dialect; of another one it knows nothing.
        return spoken & self.row.operations if self.dialect == self.row.dialect else spoken


def _candidate(
    name: str, config: Config, catalog: Mapping[str, Provider], environ: Mapping[str, str]
) -> _Candidate:
    row = catalog.get(name) or Provider(name=name, base_url="", key_required=False)
    settings = config.providers.get(name, ProviderSettings())
    own = tuple(
        ProviderCredential(each.key, position, each.weight, each.models)
        for position, each in enumerate(settings.keys)
        if each.key
    )
    key_variable = None if own else first_set(row.env, environ)
    url_variable = None if settings.base_url else first_set(row.base_url_env, environ)
    base_url = settings.base_url or row.base_url
    options = dialect_options.values_for(_dialect(row, settings), settings.options, environ)
    return _Candidate(
        name=name,
        row=row,
        settings=settings,
        named=name in config.providers,
        credentials=(ProviderCredential(Secret(environ[key_variable])),) if key_variable else own,
        credential_from=key_variable,
        base_url=_completed(environ[url_variable], row.base_url)
        if url_variable
        else dialect_options.filled(base_url, options),
        base_url_from=url_variable,
        options=options,
    )


def _dialect(row: Provider, settings: ProviderSettings) -> str:
    return settings.dialect or row.dialect


def _completed(given: str, usual: str) -> str:
    """Fill in what a vendor's variable may leave out, as in `127.0.0.1:11434`: scheme, port and path."""
    pattern = urlsplit(usual)
    scheme, separator, rest = given.rpartition("://")
    authority, slash, path = rest.partition("/")
    if not separator:
        scheme = pattern.scheme
        if ":" not in authority.rpartition("]")[2] and pattern.port:
            authority += f":{pattern.port}"
    return f"{scheme}://{authority}{slash + path if path else pattern.path}"


def _merged(candidate: _Candidate) -> ActiveProvider:
    row, settings = candidate.row, candidate.settings
    exact = row.quirks.exact if settings.exact is None else settings.exact
    return ActiveProvider(
        name=candidate.name,
        dialect=candidate.dialect,
        base_url=candidate.base_url.rstrip("/"),
        credentials=candidate.credentials,
        timeouts=settings.timeouts,
        quirks=dataclasses.replace(row.quirks, exact=exact),
        rename={**row.rename, **settings.rename},
        drop=row.drop | frozenset(settings.drop),
        headers=row.headers,
        max_tokens=settings.max_tokens or row.max_tokens,
        example=row.example,
        patterns=settings.models or row.patterns,
        allow_private=candidate.allow_private,
        transport=row.transport,
        operations=candidate.operations,
        breaker=settings.breaker,
        retry=settings.retry,
        region=settings.region,
        options=candidate.options,
        pool=settings.pool,
        paths=row.paths if candidate.dialect == row.dialect else {},
    )


def _problems(candidate: _Candidate, tree: Node, catalog: Mapping[str, Provider]) -> Iterator[Problem]:
    path = ("providers", candidate.name)
    if not candidate.base_url:
        near = did_you_mean(candidate.name, catalog)
        hint = near or "give the base_url of its API"
        yield Problem(place(tree, path), path, "is not in the catalogue and has no base_url", hint)
    elif fault := urls.fault_of(candidate.base_url, allow_private=candidate.allow_private):
        yield Problem(_mark(tree, path, "base_url", candidate.base_url_from), (*path, "base_url"), *fault)
    proxy = candidate.settings.pool.proxy
    if proxy and (fault := urls.fault_of_proxy(proxy.reveal(), allow_private=candidate.allow_private)):
        yield Problem(place(tree, (*path, "pool", "proxy")), (*path, "pool", "proxy"), *fault)
    if candidate.dialect not in DIALECTS:
        hint = did_you_mean(candidate.dialect, DIALECTS) or f"known: {', '.join(sorted(DIALECTS))}"
        message = f"there is no dialect `{candidate.dialect}`"
        yield Problem(place(tree, (*path, "dialect")), (*path, "dialect"), message, hint)
    elif not candidate.operations:
        yield Problem(place(tree, path), path, "nothing that the gateway offers can be asked of it")
    missing = candidate.missing if candidate.named else ()
    yield from dialect_options.problems(
        candidate.name, candidate.dialect, candidate.settings.options, missing, tree
    )
    # A key from the file is judged with the other secrets there.
    if candidate.credential_from:
        said = credentials.fault_of(candidate.credentials[0].key.reveal(), guards_us=False)
        if said:
            yield Problem(_mark(tree, path, "keys", candidate.credential_from), (*path, "keys"), *said)


def _mark(tree: Node, path: tuple[str, ...], key: str, from_variable: str | None) -> Mark:
    return variable(from_variable) if from_variable else place(tree, (*path, key))


def _in_the_clear(candidate: _Candidate) -> bool:
    url = urlsplit(candidate.base_url)
    return (
        bool(candidate.credentials) and url.scheme == "http" and not urls.is_private_host(url.hostname or "")
    )


def _why_off(candidate: _Candidate) -> str:
    if candidate.lacks_key:
        why = "its key is empty" if candidate.settings.keys else "it has no key"
        return f"{candidate.name} is off: {why}; set {' or '.join(candidate.row.env) or 'its keys'}"
    known = dialect_options.known_to(candidate.dialect)
    wanted = [" or ".join(known[name].env) or f"its option `{name}`" for name in candidate.missing]
    return f"{candidate.name} is off: it needs {' and '.join(candidate.missing)}; set {' and '.join(wanted)}"
