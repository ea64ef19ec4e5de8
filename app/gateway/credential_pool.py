"""The credentials of all providers, and which of them a call gets. Pure but for the secrets' files.

Those that fit take turns by weight, so that shares are exact and not a matter of luck. One that is due to be
tried goes first, now and then; those whose limits have no room, as far as the provider says, go last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from app.config.activation import ActiveProvider, ProviderCredential
from app.gateway.credential import Credential, CredentialStanding
from providers.types import Secret

TRIAL_GAP = 1.0
"""Seconds between two calls of a provider that try what was refused while others serve: a call meets one of them."""

_TRIAL, _FITS, _SHORT, _LAST = range(4)


class Candidate(NamedTuple):
    """A credential that a call may get."""

    credential: Credential
    rank: tuple[int, float]
    """The lowest goes first."""
    weight: float
    """0 where it takes no part in turns."""


class Pool:
    """The credentials of one provider."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._credentials: tuple[Credential, ...] = ()
        self._trial_after = float("-inf")

    def configure(self, settings: Iterable[ProviderCredential]) -> None:
        """Take other credentials. What is known of a secret that was there before stays known."""
        before = list(self._credentials)
        self._credentials = tuple(self._kept_or_new(each, before) for each in settings)

    def candidates(self, model: str, tokens: int, now: float) -> list[Candidate]:
        """Give those that may be used for a model now, in the order in which to try them."""
        usable = [each for each in self._serving(model) if not each.wait(model, now)]
        if len(usable) < 2:
            return [Candidate(each, (_FITS, 0.0), 0.0) for each in usable]
        return sorted(
            (self._candidate(each, model, tokens, now) for each in usable), key=lambda each: each.rank
        )

    def note_turn(self, waiting: Sequence[Candidate], now: float) -> None:
        """Note that the first of these was taken, and owe the others their share."""
        taken = waiting[0]
        if taken.rank[0] == _TRIAL:
            self._trial_after = now + TRIAL_GAP
        if taken.weight:
            for each in waiting:
                each.credential.credit += each.weight
            taken.credential.credit -= sum(each.weight for each in waiting)

    def is_short(self, model: str, tokens: int, now: float) -> bool:
        """Whether the provider's limits have no room for a call with any credential that could be used."""
        usable = [each for each in self._serving(model) if not each.wait(model, now)]
        return bool(usable) and all(each.short_for(model, tokens, now) for each in usable)

    def wait(self, model: str, now: float) -> float:
        """Give the seconds until one can be used for a model; 0: now."""
        return min((each.wait(model, now) for each in self._serving(model)), default=0.0)

    def is_refused(self, model: str) -> bool:
        """Whether the provider refuses all that could be used for a model."""
        return all(each.is_quarantined(model) for each in self._serving(model))

    def secrets(self) -> Iterator[Secret]:
        """Give them all as they are now."""
        for each in self._credentials:
            each.follow()
            yield each.secret

    def reset(self) -> None:
        """Bring all back into use."""
        for each in self._credentials:
            each.reset()

    def standings(self, provider: str, now: float) -> Iterator[CredentialStanding]:
        """Say how each stands."""
        for each in self._credentials:
            each.follow()
            yield each.standing(provider, now)

    def _serving(self, model: str) -> Iterator[Credential]:
        for each in self._credentials:
            each.follow()
            if each.settings.covers(model):
                yield each

    def _candidate(self, credential: Credential, model: str, tokens: int, now: float) -> Candidate:
        if credential.is_barred(model):
            return Candidate(credential, (_TRIAL if now >= self._trial_after else _LAST, 0.0), 0.0)
        if short := credential.short_for(model, tokens, now):
            return Candidate(credential, (_SHORT, short), 0.0)
        weight = credential.weight(model, now)
        return Candidate(credential, (_FITS, -credential.credit - weight), weight)

    def _kept_or_new(self, settings: ProviderCredential, before: list[Credential]) -> Credential:
        for index, each in enumerate(before):
            if each.holds(settings.key):
                each.settings = settings
                return before.pop(index)
        return Credential(settings, self._random)


class Credentials:
    """The pool of each provider. It outlives a configuration: `configure` keeps what is known."""

    def __init__(self, providers: Sequence[ActiveProvider], random: Callable[[], float]) -> None:
        self._random = random
        self._pools: dict[str, Pool] = {}
        self._current: tuple[str, ...] = ()
        self.configure(providers)

    def configure(self, providers: Sequence[ActiveProvider]) -> None:
        """Take the credentials of other settings. Calls that began before may still use a provider that is gone."""
        self._current = tuple(each.name for each in providers if each.credentials)
        for each in providers:
            if each.credentials:
                self._pools.setdefault(each.name, Pool(self._random)).configure(each.credentials)
            else:
                self._pools.pop(each.name, None)

    def of(self, provider: str) -> Pool | None:
        """Give a provider's pool; None where it is asked without a credential."""
        return self._pools.get(provider)

    def standings(self, now: float) -> Iterator[CredentialStanding]:
        """Say how each credential stands, by provider and then by place."""
        for provider in self._current:
            yield from self._pools[provider].standings(provider, now)

    def reset(self, provider: str) -> None:
        """Bring a provider's credentials back into use; one without has none."""
        if pool := self._pools.get(provider):
            pool.reset()
