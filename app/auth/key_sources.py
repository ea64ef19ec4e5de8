"""The keys of all issuers. They outlive a configuration: an issuer that stays keeps what is known of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from structlog.typing import FilteringBoundLogger

from app.auth.issuer_keys import FetchedKeys, IssuerKeys, SharedSecret
from app.config.issuers import Issuer
from app.config.urls import is_this_machine


class Fetcher(Protocol):
    """Gets documents."""

    def __call__(self, url: str, *, allow_private: bool) -> Awaitable[bytes]:
        """Get one. Raises `FetchFailed`."""
        ...


_Source = tuple[str, str, tuple[str, ...], bool]


class KeySources:
    """Follows the issuers that there are."""

    def __init__(self, fetch: Fetcher, now: Callable[[], float], log: FilteringBoundLogger) -> None:
        """`now` in monotonic seconds."""
        self._fetch = fetch
        self._now = now
        self._log = log
        self._followed: dict[_Source, tuple[FetchedKeys, asyncio.Task[None]]] = {}

    def configure(self, issuers: Sequence[Issuer]) -> Mapping[str, IssuerKeys]:
        """Follow these issuers and no others; give their keys by their names. Call it where an event loop runs."""
        keys: dict[str, IssuerKeys] = {}
        wanted: set[_Source] = set()
        for issuer in issuers:
            if issuer.secret is not None:
                keys[issuer.issuer] = SharedSecret(issuer.secret)
                continue
            source = _source(issuer)
            wanted.add(source)
            keys[issuer.issuer] = self._follow(source)
        for source in self._followed.keys() - wanted:
            self._followed.pop(source)[1].cancel()
        return keys

    def ages(self) -> list[tuple[str, float]]:
        """Give the seconds since each issuer's keys were fetched; infinite if they never were."""
        return [(source[0], keys.age) for source, (keys, _) in self._followed.items()]

    async def close(self) -> None:
        """Follow none any more."""
        tasks = [task for _, task in self._followed.values()]
        self._followed.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _follow(self, source: _Source) -> FetchedKeys:
        if source not in self._followed:
            name, url, algorithms, allow_private = source
            keys = FetchedKeys(
                name, algorithms, lambda: self._fetch(url, allow_private=allow_private), self._now, self._log
            )
            task = asyncio.get_running_loop().create_task(keys.follow(), name="jwks-of-issuer")
            self._followed[source] = keys, task
        return self._followed[source][0]


def _source(issuer: Issuer) -> _Source:
    assert issuer.jwks_url is not None, "checked when the configuration is read"
    host = urlsplit(issuer.jwks_url).hostname or ""
    return (
        issuer.issuer,
        issuer.jwks_url,
        issuer.algorithms,
        issuer.allow_private or is_this_machine(host),
    )
