"""The keys of one issuer, kept fresh beside the calls.

A fetch bounds itself in time and size. Whatever an issuer answers, no call waits for more than one
fetch, unknown names of keys cause one in `PAUSE` at most, and the last good keys stay for `KEPT`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from app.auth.jwks import BadKeySet, KeySet, read_key_set
from app.auth.jws import VerifyingKey
from providers.types import Secret

REFRESH = 300.0
"""Seconds between looks at an issuer's keys: how soon one that was taken back counts for nothing here."""
PAUSE = 30.0
"""Seconds between fetches that unknown keys cause."""
KEPT = 86_400.0
"""Seconds for which keys are believed while their issuer cannot be asked."""
FIRST_PAUSE = 1.0
"""Seconds before the second try of an issuer of which no key is known yet; each pause is twice as long."""

Fetch = Callable[[], Awaitable[bytes]]
"""Gets the document. Raises `FetchFailed`."""


class FetchFailed(Exception):
    """The document could not be got; the text says why, without secrets."""


class IssuerKeys(Protocol):
    """Finds the key that verifies a token."""

    def find(self, kid: str | None, algorithm: str) -> VerifyingKey | None:
        """Give the key, if it is known."""
        ...

    def renewal(self) -> Awaitable[object] | None:
        """Give the end of a fetch that may bring a key that is not known; nothing if none is due."""
        ...


class SharedSecret:
    """Of an issuer that signs with a secret it shares with us."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    def find(self, _kid: str | None, _algorithm: str) -> VerifyingKey | None:
        """Give the secret, whatever the token calls it."""
        return self._secret.reveal().encode()

    def renewal(self) -> None:
        """Give nothing: there is nothing to fetch."""


class FetchedKeys:
    """Of an issuer that publishes its keys."""

    def __init__(
        self,
        issuer: str,
        algorithms: Sequence[str],
        fetch: Fetch,
        now: Callable[[], float],
        log: FilteringBoundLogger,
    ) -> None:
        """`now` in monotonic seconds."""
        self._issuer = issuer
        self._algorithms = algorithms
        self._fetch = fetch
        self._now = now
        self._log = log
        self._keys: KeySet | None = None
        self._fetched = -math.inf
        self._tried = -math.inf
        self._running: asyncio.Task[None] | None = None
        self._failing = False

    @property
    def age(self) -> float:
        """Seconds since the keys were fetched; infinite if they never were."""
        return self._now() - self._fetched

    def find(self, kid: str | None, algorithm: str) -> VerifyingKey | None:
        """Give the key, if it is known and not too old."""
        return self._keys.find(kid, algorithm) if self._keys and self.age <= KEPT else None

    def renewal(self) -> Awaitable[object] | None:
        """Give the end of the fetch that runs, or of one that begins; nothing if the last one was just now."""
        if self._running is None and self._now() - self._tried < PAUSE:
            return None
        return self._renewed()

    async def follow(self) -> None:
        """Fetch again and again until cancelled."""
        pause = FIRST_PAUSE
        try:
            while True:
                await self._renewed()
                # An issuer that starts together with us is there in a moment.
                pause = REFRESH if self._keys else min(2 * pause, PAUSE)
                await asyncio.sleep(pause)
        finally:
            if self._running:
                self._running.cancel()

    def _renewed(self) -> Awaitable[object]:
        """Give the end of the one fetch there is; who waits for it and leaves does not end it, nor the other way."""
        if self._running is None:
            self._tried = self._now()
            self._running = asyncio.get_running_loop().create_task(self._renew(), name="jwks")
        return asyncio.wait([self._running])

    async def _renew(self) -> None:
        try:
            self._keys = read_key_set(await self._fetch(), self._algorithms)
            self._fetched = self._now()
        except (FetchFailed, BadKeySet) as error:
            self._tell(str(error))
        except Exception as error:  # noqa: BLE001 - were following to end, keys taken back would stay valid
            self._tell(repr(error))
        else:
            self._tell(None)
        finally:
            self._running = None

    def _tell(self, problem: str | None) -> None:
        """Log the first failure in a row, and its end."""
        if problem and not self._failing:
            self._log.error("jwks_unavailable", issuer=self._issuer, reason=problem)
        elif self._failing and not problem:
            self._log.info("jwks_available", issuer=self._issuer)
        self._failing = problem is not None
