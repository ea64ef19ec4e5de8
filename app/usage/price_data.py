"""The published prices (genai-prices, offline), compiled to integer rates, a model at a time.

Its rules, kept here: a kind of token without a price of its own costs what its parent costs; a prompt
larger than a threshold has all of its tokens at that threshold's rate; of several conditional prices
the last that holds counts; variants of a service tier replace single prices, and hold for a provider's
own rows, not for those it shares with another (`ModelInfo.get_prices`, `ModelInfo.calc_price`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import ROUND_CEILING, Context, Decimal
from types import MappingProxyType

from genai_prices import __version__
from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import (
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    TieredPrices,
    TimeOfDateConstraint,
)

from app.usage.price_overrides import spellings
from app.usage.rates import NO_UNITS, Band, Rates, Units

VERSION = f"genai-prices {__version__}"

PRICED_AS: Mapping[str, str] = MappingProxyType(
    {
        "anthropic": "anthropic",
        "azure": "azure",
        "bedrock": "aws",
        "cerebras": "cerebras",
        "cohere": "cohere",
        "databricks": "databricks",
        "deepseek": "deepseek",
        "fireworks": "fireworks",
        "gemini": "google",
        "groq": "groq",
        "minimax": "minimax",
        "mistral": "mistral",
        "moonshot": "moonshotai",
        "novita": "novita",
        "openai": "openai",
        "openrouter": "openrouter",
        "perplexity": "perplexity",
        "together": "together",
        "vertex": "google",
        "voyage": "voyageai",
        "xai": "x-ai",
        "zai": "zai",
    }
)
"""The catalogue's name of a provider → the data's. A provider that is not here has no published price."""

_DAY = 86_400
_MTOK = 10**18  # rate units in a dollar per million tokens
_KILO = 10**21  # rate units in a dollar per thousand calls
_DOLLAR = 10**24  # rate units in a dollar
_EXACT = Context(prec=80)
_PARENTS = {
    # Rate → its price in the data, and the rate it has where the data has none.
    "input": ("input_mtok", ""),
    "cached": ("cache_read_mtok", "input"),
    "cache_write": ("cache_write_mtok", "input"),
    "audio_input": ("input_audio_mtok", "input"),
    "output": ("output_mtok", ""),
    "reasoning": ("output_reasoning_mtok", "output"),
    "audio_output": ("output_audio_mtok", "output"),
    "image_input": ("input_image_mtok", "input"),
    "image_output": ("output_image_mtok", "output"),
}
_UNITS = {
    # What is billed beside tokens → its price in the data, and the dollars' divisor.
    "audio_ms": ("audio_hours", 3_600_000),
    "character": ("input_mchars", 1_000_000),
    "search": ("web_searches_kcount", 1_000),
}
_TIER_KEYS = ("service_tier", "processing", "speed")
"""Where the data's variants speak of what we call the service tier."""


@dataclass(frozen=True, slots=True)
class Spell:
    """Rates and the time in which they hold: `since` ≤ unix seconds < `until`. None: not known."""

    rates: Rates | None
    since: float = -math.inf
    until: float = math.inf


class PriceData:
    """The price data, loaded when first asked."""

    def __init__(
        self,
        load: Callable[[], Sequence[Provider]] = lambda: get_snapshot().providers,
        priced_as: Mapping[str, str] = PRICED_AS,
    ) -> None:
        self._load = load
        self._priced_as = priced_as
        self._rows: list[Provider] = []

    def load(self) -> None:
        """Load it now (some 40 ms; far longer where bytecode is not cached): fit for a thread."""
        if not self._rows:
            self._rows = list(self._load())

    def spell(self, provider: str, model: str, tier: str, now: float) -> Spell:
        """Compile what a model costs at a time (unix seconds) in a service tier (`""`: the standard one)."""
        row = self._row(provider)
        info = None if row is None else self._find(row, model)
        if row is None or info is None:
            return Spell(None)
        own = any(info is candidate for candidate in row.models)
        return _spell(info, tier if own else "", now)

    def window(self, provider: str, model: str) -> int | None:
        """Give the tokens of a model's context window; None where they are not published."""
        row = self._row(provider)
        info = None if row is None else self._find(row, model)
        return None if info is None else info.context_window

    def _row(self, provider: str) -> Provider | None:
        self.load()
        known_as = self._priced_as.get(provider)
        return next((row for row in self._rows if row.id == known_as), None)

    def _find(self, row: Provider, model: str) -> ModelInfo | None:
        found = (row.find_model(name, all_providers=self._rows) for name in spellings(model))
        return next((info for info in found if info is not None), None)


def _spell(info: ModelInfo, tier: str, now: float) -> Spell:
    if not info.prices:
        return Spell(None)
    context = dict.fromkeys(_TIER_KEYS, tier) if tier else None
    rates = _rates(info.get_prices(datetime.fromtimestamp(now, UTC), context))
    moments = list(_moments(info, now))
    return Spell(
        rates,
        max((moment for moment in moments if moment <= now), default=-math.inf),
        min((moment for moment in moments if moment > now), default=math.inf),
    )


def _moments(info: ModelInfo, now: float) -> Iterator[float]:
    """Give the unix seconds around `now` at which another of the model's prices may begin to hold."""
    conditional = info.prices if isinstance(info.prices, list) else []
    for priced in (*conditional, *(info.price_variants or ())):
        match priced.constraint:
            case StartDateConstraint(start_date=day):
                yield datetime.combine(day, time(), UTC).timestamp()
            case TimeOfDateConstraint(start_time=start, end_time=end):
                midnight = now // _DAY * _DAY
                for hour in (start, end):
                    yield from (midnight + days * _DAY + _second_of_day(hour) for days in (-1, 0, 1))


def _second_of_day(clock: time) -> int:
    ahead = clock.utcoffset()
    behind_utc = 0 if ahead is None else int(ahead.total_seconds())
    return (clock.hour * 3600 + clock.minute * 60 + clock.second - behind_utc) % _DAY


def _rates(price: ModelPrice) -> Rates | None:
    """Compile one set of prices. One that prices nothing that is counted here (but pages, say) is not known."""
    stated = {rate: getattr(price, key) for rate, (key, _) in _PARENTS.items()}
    request: Decimal | TieredPrices | None = getattr(price, "requests_kcount", None)
    beside = _units_of(price)
    if request is None and not beside and all(value is None for value in stated.values()):
        return None
    starts = {
        tier.start for value in stated.values() if isinstance(value, TieredPrices) for tier in value.tiers
    }
    bands = tuple(_band(stated, above) for above in (*sorted(starts, reverse=True), -1))
    return Rates(bands, _units(request, -1, _KILO), Units(**beside) if beside else NO_UNITS)


def _units_of(price: ModelPrice) -> dict[str, int]:
    stated = ((unit, getattr(price, key, None), per) for unit, (key, per) in _UNITS.items())
    return {unit: -(-_units(value, -1, _DOLLAR) // per) for unit, value, per in stated if value is not None}


def _band(stated: Mapping[str, Decimal | TieredPrices | None], above: int) -> Band:
    rates: dict[str, int] = {}
    for rate, (_, parent) in _PARENTS.items():  # parents stand before their children
        value = stated[rate]
        rates[rate] = rates.get(parent, 0) if value is None else _units(value, above, _MTOK)
    return Band(above=above, **rates)


def _units(price: Decimal | TieredPrices | None, above: int, scale: int) -> int:
    """Give a price in rate units, in the band for prompts above so many tokens. Finer ones are rounded up."""
    if isinstance(price, TieredPrices):
        reached = [tier.price for tier in price.tiers if tier.start <= above]
        price = reached[-1] if reached else price.base
    if price is None:
        return 0
    return int(_EXACT.multiply(price, scale).to_integral_value(ROUND_CEILING, _EXACT))
