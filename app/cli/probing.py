"""`switchgear providers test`: one small request to a provider, by the way that calls take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import typer

from app.cli.options import fail
from app.config.activation import ActiveProvider, ProviderCredential
from app.config.loader import Loaded
from app.config.problems import did_you_mean
from app.config.tls import context
from app.gateway.authorized import authorized
from app.gateway.transports import carrier
from app.gateway.upstream import Upstream
from providers import errors
from providers.probe import probe_request
from providers.registry import adapter_for
from providers.types import Head, HttpRequest, Operation, Target

_LISTS = ("data", "models", "modelSummaries")
WITHIN = 15.0
"""Seconds for the whole exchange. A list of models takes the slowest vendors two."""


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


def probe(loaded: Loaded, name: str) -> None:
    """Print what a provider answers to a request for its models; ends with 1 unless it answers each key well."""
    provider = next((each for each in loaded.providers if each.name == name), None)
    if provider is None:
        names = [each.name for each in loaded.providers]
        hint = did_you_mean(name, names) or f"on are {', '.join(names)}; `switchgear providers` says why"
        fail(f"no provider `{name}` is on; {hint}")
    verdicts = [
        (_named(provider, credential), asyncio.run(verdict_on(provider, credential)))
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


async def verdict_on(provider: ActiveProvider, credential: ProviderCredential | None) -> Verdict:
    """Ask the provider for its models. Total."""
    request = probe_request(_target(provider, credential))
    if provider.transport != "http":
        return Verdict(works=True, text="ok: it is part of this program, there is nothing to reach")
    if request is None:
        return Verdict(works=True, text="not asked: its dialect has no list of models; make a call to see")
    reasons: list[str] = []
    bare = Upstream(
        carrier(provider.pool, context(provider.pool.tls), allow_private=provider.allow_private),
        connect=provider.timeouts.connect,
    )
    upstream = authorized(bare, provider, time.time, reasons.append)
    begin = time.monotonic()
    try:
        async with asyncio.timeout(WITHIN):
            text = await _ask(upstream, request, provider)
    except TimeoutError:
        return Verdict(works=False, text=f"did not answer within {WITHIN:g} s")
    except errors.UpstreamError as error:
        if reasons:
            return Verdict(works=False, text=f"was not asked: no credential could be made: {reasons[-1]}")
        status = f" (HTTP {error.status})" if error.status else ""
        return Verdict(works=False, text=f"{_words(error)}{status}; {_elapsed(begin)}")
    finally:
        await upstream.close()
    return Verdict(works=True, text=f"ok: {text}; {_elapsed(begin)}")


async def _ask(upstream: Upstream, request: HttpRequest, provider: ActiveProvider) -> str:
    async with await upstream.send(request) as answer:
        body = await answer.read()
        if not 200 <= answer.head.status < 300:
            raise _error(provider, answer.head, body)
        return f"{_count(body)} models"


def _error(provider: ActiveProvider, head: Head, body: bytes) -> errors.UpstreamError:
    adapter = next(filter(None, (adapter_for(provider.dialect, operation) for operation in Operation)))
    return adapter.parse_error(head, body, time.time())


def _count(body: bytes) -> int:
    try:
        listed = msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise errors.MalformedResponse("no JSON") from error
    # Together gives the list itself, Gemini and Bedrock objects of their own around it, others OpenAI's.
    models = (
        next((listed[name] for name in _LISTS if name in listed), None)
        if isinstance(listed, Mapping)
        else listed
    )
    if not isinstance(models, list):
        raise errors.MalformedResponse("no list")
    return len(models)


def _words(error: errors.UpstreamError) -> str:
    return next(words for kind, words in _FAILURES if isinstance(error, kind))


def _elapsed(begin: float) -> str:
    return f"{(time.monotonic() - begin) * 1000:.0f} ms"


def _target(provider: ActiveProvider, credential: ProviderCredential | None) -> Target:
    return Target(
        provider=provider.name,
        dialect=provider.dialect,
        base_url=provider.base_url,
        model="",
        credential=credential.key if credential else None,
        headers=provider.headers,
        options=provider.options,
    )
