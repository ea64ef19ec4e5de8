"""Asking providers for their models, beside all calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

from app.config.activation import ActiveProvider, ProviderCredential
from app.gateway.model_lists import ModelLists, listing_of
from app.gateway.upstream import Upstream
from app.telemetry.clock import Clock
from providers.errors import UpstreamError, class_for_status
from providers.listing import Models
from providers.registry import DIALECTS
from providers.types import Operation, Target

WITHIN = 15.0
"""Seconds for the whole exchange. A list of models takes the slowest vendors two."""
LONGEST_SLEEP = 5.0
"""Seconds. What is configured meanwhile counts from then on."""

Ways = Callable[[], AbstractContextManager[Callable[[str], Upstream]]]
"""Gives the connections to each provider, and keeps them open as long as the context is."""


async def keep_fresh(lists: ModelLists, ways: Ways, clock: Clock) -> None:
    """Ask each provider whenever its list is due. Ends only by being cancelled."""
    while True:
        wait = lists.wait(clock.monotonic())
        await asyncio.sleep(LONGEST_SLEEP if wait is None else min(wait, LONGEST_SLEEP))
        if not (due := lists.due(clock.monotonic())):
            continue
        with ways() as way_to:
            for provider, failures in due:
                await _refresh(lists, provider, failures, way_to(provider.name), clock)


async def ask(
    provider: ActiveProvider, credential: ProviderCredential | None, upstream: Upstream, now: float
) -> Models:
    """Ask a provider that lists models for them; `now` in Unix seconds. Raises `UpstreamError`, `TimeoutError`."""
    listing = listing_of(provider)
    assert listing is not None
    async with (
        asyncio.timeout(WITHIN),
        await upstream.send(listing.request(bare_target(provider, credential))) as answer,
    ):
        body = await answer.read()
    if 200 <= answer.head.status < 300:
        return listing.parse(body)
    adapters = DIALECTS[provider.dialect].adapters
    adapter = adapters.get(Operation.CHAT) or next(iter(adapters.values()), None)
    if adapter is None:
        raise class_for_status(answer.head.status)("", status=answer.head.status)
    raise adapter.parse_error(answer.head, body, now)


def bare_target(provider: ActiveProvider, credential: ProviderCredential | None, model: str = "") -> Target:
    """Give a provider's target for a model, outside of any call."""
    return Target(
        provider=provider.name,
        dialect=provider.dialect_of(model),
        base_url=provider.base_url,
        model=model,
        credential=credential.key if credential else None,
        quirks=provider.quirks,
        rename=provider.rename,
        drop=provider.drop,
        headers=provider.headers,
        max_tokens=provider.max_tokens,
        options=provider.options,
        paths=provider.paths,
    )


async def _refresh(
    lists: ModelLists, provider: ActiveProvider, failures: int, upstream: Upstream, clock: Clock
) -> None:
    # Where one credential is refused, another may not be.
    keys = provider.credentials
    credential = keys[failures % len(keys)] if keys else None
    try:
        models = await ask(provider, credential, upstream, clock.wall())
    except UpstreamError as error:
        lists.fail(provider.name, type(error).__name__, clock.monotonic())
    except TimeoutError:
        lists.fail(provider.name, "TimeoutError", clock.monotonic())
    else:
        lists.take(provider.name, models, clock.monotonic(), clock.wall())
