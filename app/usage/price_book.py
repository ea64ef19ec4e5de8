"""What a provider's model costs: the configuration's prices, else the published ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from app.usage.price_data import VERSION, PriceData, Spell
from app.usage.price_overrides import NO_OVERRIDE, Fields, Override, Overrides
from app.usage.rates import Rates

KEPT = 4096
"""Compiled models that are kept: more than anybody serves, and a bound for names that clients make up."""

LONGEST_NAME = 256
"""Characters. No model or tier has a longer name, and each look-up runs through some hundred patterns."""


class PriceBook:
    """Compiles each model's prices when it is first asked for."""

    def __init__(self, overrides: Mapping[str, Mapping[str, Fields]], data: PriceData | None = None) -> None:
        """Take the prices of the configuration: provider → pattern → amounts. Raises `ValueError`."""
        self._overrides = {name: Overrides(name, prices) for name, prices in overrides.items()}
        self._data = data or PriceData()
        self._kept: dict[tuple[str, str, str], Spell] = {}
        self.version = _version(overrides)
        """Which prices these are: the data's version, and a hash of the configuration's where it has any."""

    def load(self) -> None:
        """Load the published data now, so that the first call need not: fit for a thread."""
        self._data.load()

    def rates(self, provider: str, model: str, *, now: float, tier: str = "") -> Rates | None:
        """Give what a call costs that begins at `now` (unix seconds). None is unknown, never free.

        `tier` is the service tier (`flex`, `priority`, `batch`, …); one of which nothing is stated costs
        what the standard one does. Keep what you get for the whole call: prices change with time.
        """
        if max(len(model), len(tier)) > LONGEST_NAME:
            return None
        key = (provider, model, tier)
        spell = self._kept.get(key)
        if spell is None or not spell.since <= now < spell.until:
            spell = self._compile(provider, model, tier, now)
            self._keep(key, spell)
        return spell.rates

    def _compile(self, provider: str, model: str, tier: str, now: float) -> Spell:
        override = self._override(provider, model)
        factor = override.tiers.get(tier)
        if override.rates is not None:
            spell = Spell(override.rates)
        else:
            spell = self._data.spell(provider, model, tier if factor is None else "", now)
        if factor is None or spell.rates is None:
            return spell
        return Spell(spell.rates.times(factor), spell.since, spell.until)

    def _override(self, provider: str, model: str) -> Override:
        stated = self._overrides.get(provider)
        return NO_OVERRIDE if stated is None else stated.of(model)

    def _keep(self, key: tuple[str, str, str], spell: Spell) -> None:
        self._kept.pop(key, None)
        if len(self._kept) >= KEPT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = spell


def _version(overrides: Mapping[str, Mapping[str, Fields]]) -> str:
    stated = {name: prices for name, prices in overrides.items() if prices}
    if not stated:
        return VERSION
    canonical = msgspec.json.encode(stated, order="deterministic")
    return f"{VERSION} + {hashlib.sha256(canonical).hexdigest()[:12]}"
