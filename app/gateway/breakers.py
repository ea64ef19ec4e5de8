"""The breakers of all providers and of their models, each asked for every attempt."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from app.config.resilience import BreakerSettings
from app.gateway.breaker import Breaker, Snapshot
from app.gateway.permit import Barred, Permit
from app.gateway.verdicts import Verdict

MOST_MODELS = 1_000
"""Breakers of models that are kept: clients may make names up. The one that was not asked for longest goes first."""


class Permits(NamedTuple):
    """An attempt that may pass. It ends once; what comes later does nothing."""

    provider: Permit
    model: Permit

    def end(self, verdict: Verdict, now: float) -> None:
        """Tell both breakers how it ended."""
        self.provider.end(verdict.provider, now)
        self.model.end(verdict.model, now)


class Standing(NamedTuple):
    """A breaker by what it guards."""

    provider: str
    model: str | None
    """None: the provider as a whole."""
    snapshot: Snapshot


class Breakers:
    """A breaker for each provider, and for each of the models that were asked of it lately."""

    def __init__(self, settings: Mapping[str, BreakerSettings], random: Callable[[], float]) -> None:
        """Take the settings by provider."""
        self._random = random
        self._providers: dict[str, Breaker] = {}
        self._models: OrderedDict[tuple[str, str], Breaker] = OrderedDict()
        self._hints: Mapping[tuple[str, str | None], float] = {}
        self.configure(settings)

    def configure(self, settings: Mapping[str, BreakerSettings]) -> None:
        """Take other settings. Breakers of a provider whose settings are the same stay as they are."""
        kept = {name for name, each in self._providers.items() if each.settings == settings.get(name)}
        self._providers = {
            name: self._providers[name] if name in kept else Breaker(each, self._random)
            for name, each in settings.items()
        }
        for key in [key for key in self._models if key[0] not in kept]:
            del self._models[key]

    def admit(self, provider: str, model: str, now: float) -> Permits | Barred:
        """Let an attempt pass if both breakers do; else nothing is taken."""
        if self._hints and (wait := self._hinted(provider, model, now)):
            return Barred(wait)
        luck = self._random()
        whole = self._provider(provider).admit(now, luck)
        part = self._model(provider, model).admit(now, luck)
        if isinstance(whole, Permit) and isinstance(part, Permit):
            return Permits(whole, part)
        waits = [0.0]
        for each in (whole, part):
            if isinstance(each, Permit):
                each.release(now)
            else:
                waits.append(each.retry_after)
        return Barred(max(waits))

    def take_hints(self, hints: Mapping[tuple[str, str | None], float]) -> None:
        """Leave alone what other processes have opened, each until its time. What is not there any more is free."""
        self._hints = hints

    def openings(self, now: float) -> list[tuple[tuple[str, str | None], float]]:
        """Give what this process has opened itself, with the seconds until it probes."""
        return [
            ((each.provider, each.model), each.snapshot.probe_in)
            for each in self.standings(now)
            if each.snapshot.probe_in is not None
        ]

    def standings(self, now: float) -> Iterator[Standing]:
        """Say how each stands: providers first, in their order, then models."""
        for name, breaker in self._providers.items():
            yield Standing(name, None, breaker.snapshot(now))
        for (name, model), breaker in self._models.items():
            yield Standing(name, model, breaker.snapshot(now))

    def reset(self, provider: str) -> None:
        """Close the breakers of a provider and its models. Raises `KeyError` if there is no such provider."""
        self._providers[provider].reset()
        for name, model in self._models:
            if name == provider:
                self._models[name, model].reset()

    def _hinted(self, provider: str, model: str, now: float) -> float:
        """Give the seconds for which others leave it alone. What is not closed here has a mind of its own."""
        until = max(self._hints.get((provider, None), now), self._hints.get((provider, model), now))
        states = {
            each.snapshot(now).state for each in (self._provider(provider), self._model(provider, model))
        }
        return until - now if states == {"closed"} else 0.0

    def _provider(self, name: str) -> Breaker:
        # A call that began with an earlier configuration may come with a provider that is gone.
        return self._providers.get(name) or Breaker(BreakerSettings(), self._random)

    def _model(self, provider: str, model: str) -> Breaker:
        key = provider, model
        breaker = self._models.get(key)
        if breaker is None:
            breaker = self._models[key] = Breaker(self._provider(provider).settings, self._random)
            if len(self._models) > MOST_MODELS:
                self._models.popitem(last=False)
        else:
            self._models.move_to_end(key)
        return breaker
