"""The connections to providers, shared by the configurations that want the same ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass

from app.config.activation import ActiveProvider
from app.gateway.upstream import Upstream


@dataclass(slots=True)
class _Held:
    upstream: Upstream
    holders: int = 0


class Upstreams:
    """Opens a provider's connections when it is first wanted, and closes them when nobody holds them any more."""

    def __init__(self, open: Callable[[ActiveProvider], Upstream]) -> None:
        self._open = open
        self._held: dict[Hashable, _Held] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def take(self, providers: Iterable[ActiveProvider]) -> Mapping[str, Upstream]:
        """Give the connections by provider. What is taken is to be given back."""
        taken: dict[str, Upstream] = {}
        for provider in providers:
            way = _way(provider)
            held = self._held.get(way)
            if held is None:
                held = self._held[way] = _Held(self._open(provider))
            held.holders += 1
            taken[provider.name] = held.upstream
        return taken

    def give_back(self, providers: Iterable[ActiveProvider]) -> None:
        """Let go of what was taken. Connections that nobody holds close beside all else."""
        for provider in providers:
            way = _way(provider)
            held = self._held[way]
            held.holders -= 1
            if not held.holders:
                del self._held[way]
                task = asyncio.get_running_loop().create_task(held.upstream.close(), name="upstream-close")
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close every connection, held or not."""
        await asyncio.gather(*self._closing, *(held.upstream.close() for held in self._held.values()))
        self._held.clear()


def _way(provider: ActiveProvider) -> Hashable:
    """Give what makes connections the same."""
    return (
        *(provider.name, provider.transport, provider.allow_private, provider.timeouts.connect),
        *(provider.pool, provider.pool.tls.stamps),
        *(provider.auth, provider.identity, _audience(provider)),
    )


def _audience(provider: ActiveProvider) -> Hashable:
    """Give what a credential is made for, where it is made."""
    if provider.auth == "key":
        return None
    return provider.base_url, tuple(sorted(provider.options.items()))
