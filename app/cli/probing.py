"""`switchgear providers test`: a provider's list of models and one small call, by the way that calls take."""

from __future__ import annotations

import asyncio
import time
from typing import NamedTuple

import typer

from app.cli.options import fail
from app.config.activation import ActiveProvider, ProviderCredential
from app.config.loader import Loaded
from app.config.problems import did_you_mean
from app.config.tls import context
from app.gateway.authorized import authorized
from app.gateway.model_asking import ask
from app.gateway.model_lists import listing_of
from app.gateway.small_call import call, example_of
from app.gateway.transports import carrier
from app.gateway.upstream import Upstream
from providers import errors


class Verdict(NamedTuple):
    """What a test has shown, in words without anything that the provider said."""

    works: bool
    text: str


_FAILURES: tuple[tuple[type[errors.UpstreamError], str], ...] = (
    # The first class that fits wins. A provider's own words are not repeated: they may show parts of the credential.
    (errors.CredentialRejected, "refused the credential: give it another one"),
    (errors.QuotaExhausted, "takes the credential, and its account is out of money or quota"),
    (errors.RateLimited, "is limiting this credential's requests: try again later"),
    (errors.Unreachable, "unreachable: check base_url, the name's address and the network"),
    (errors.ModelNotFound, "answers, and has no list of models there: check base_url"),
    (errors.Redirected, "redirects, which is never followed: check base_url"),
    (errors.UpstreamTimeout, "did not answer in time"),
    (errors.MalformedResponse, "answers with something else than a list of models: check base_url"),
    (errors.UpstreamError, "failed"),
)


def probe(loaded: Loaded, name: str, model: str | None = None) -> None:
    """Print what a provider answers, to a request for its models and to a call; ends with 1 unless each key is answered well."""
    provider = next((each for each in loaded.providers if each.name == name), None)
    if provider is None:
        names = [each.name for each in loaded.providers]
        hint = did_you_mean(name, names) or f"on are {', '.join(names)}; `switchgear providers` says why"
        fail(f"no provider `{name}` is on; {hint}")
    verdicts = [
        (_named(provider, credential), asyncio.run(verdict_on(provider, credential, model)))
        for credential in provider.credentials or (None,)
    ]
    for named, verdict in verdicts:
        if verdict.works:
            typer.echo(f"{named} {verdict.text}")
    if bad := [f"{named} {verdict.text}" for named, verdict in verdicts if not verdict.works]:
        fail("\n".join(bad))


def _named(provider: ActiveProvider, credential: ProviderCredential | None) -> str:
    if credential is None or len(provider.credentials) == 1:
        return provider.name
    if credential.stored is not None:
        return f"{provider.name} credential {credential.stored} of the database"
    return f"{provider.name} keys[{credential.position}]"


async def verdict_on(
    provider: ActiveProvider, credential: ProviderCredential | None, model: str | None
) -> Verdict:
    """Ask the provider for its models, then call one of them. Total."""
    if provider.transport != "http":
        return Verdict(works=True, text="ok: it is part of this program, there is nothing to reach")
    reasons: list[str] = []
    bare = Upstream(
        carrier(provider.pool, context(provider.pool.tls), allow_private=provider.allow_private),
        connect=provider.timeouts.connect,
    )
    upstream = authorized(bare, provider, time.time, reasons.append)
    begin = time.monotonic()
    try:
        said = await _ask(upstream, provider, credential, model)
    except TimeoutError:
        return Verdict(works=False, text="did not answer in time")
    except errors.UpstreamError as error:
        if reasons:
            return Verdict(works=False, text=f"was not asked: no credential could be made: {reasons[-1]}")
        status = f" (HTTP {error.status})" if error.status else ""
        return Verdict(works=False, text=f"{_words(error)}{status}; {_elapsed(begin)}")
    finally:
        await upstream.close()
    return Verdict(works=True, text=f"ok: {said}; {_elapsed(begin)}")


async def _ask(
    upstream: Upstream, provider: ActiveProvider, credential: ProviderCredential | None, model: str | None
) -> str:
    """Say what came of it. Raises `UpstreamError`, `TimeoutError`."""
    listing = listing_of(provider)
    models = await ask(provider, credential, upstream, time.time()) if listing else {}
    said = [f"{len(models)} models"] if listing else []
    name = model or example_of(provider, models if listing and listing.names else {})
    if name is None:
        return ", ".join([*said, "none of which was called: name one with --model"])
    try:
        said.append(await call(provider, credential, upstream, name, time.time()))
    except errors.UpstreamError as error:
        if not said or isinstance(
            error, errors.CredentialRejected | errors.QuotaExhausted | errors.RateLimited
        ):
            raise
        raise CallFailed(
            f"{', '.join(said)}, but `{name}` {_words_of_call(error)}", status=error.status
        ) from error
    return ", ".join(said)


class CallFailed(errors.UpstreamError):
    """The provider answers, and the call of a model failed. The message is ours."""


def _words_of_call(error: errors.UpstreamError) -> str:
    return next(words for kind, words in _CALL_FAILURES if isinstance(error, kind))


_CALL_FAILURES: tuple[tuple[type[errors.UpstreamError], str], ...] = (
    (errors.ModelNotFound, "is not there: name another model with --model"),
    (errors.RequestRejected, "refused a plain call"),
    (errors.MalformedResponse, "answered with something else than an answer: check dialect"),
    (errors.UpstreamTimeout, "did not answer in time"),
    (errors.UpstreamError, "failed"),
)


def _words(error: errors.UpstreamError) -> str:
    if isinstance(error, CallFailed):
        return error.message
    return next(words for kind, words in _FAILURES if isinstance(error, kind))


def _elapsed(begin: float) -> str:
    return f"{(time.monotonic() - begin) * 1000:.0f} ms"
