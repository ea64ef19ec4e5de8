"""Prices that the configuration states: they win over the published data.

prices:
  "gpt-4o*": {input_mtok: "2.50", output_mtok: "10", cached_mtok: "1.25", tiers: {batch: "0.5"}}
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from fractions import Fraction
from typing import NoReturn

from app.usage.rates import NO_UNITS, Band, Rates, Units

Fields = Mapping[str, str | Mapping[str, str]]
"""One entry of `prices`: amounts as decimal strings, and under `tiers` a factor per service tier."""

_PER_TOKEN = {
    # Setting → the rate, and the setting whose price it has where it is not given.
    "input_mtok": ("input", ""),
    "cached_mtok": ("cached", "input_mtok"),
    "cache_write_mtok": ("cache_write", "input_mtok"),
    "audio_input_mtok": ("audio_input", "input_mtok"),
    "output_mtok": ("output", ""),
    "reasoning_mtok": ("reasoning", "output_mtok"),
    "audio_output_mtok": ("audio_output", "output_mtok"),
    "image_input_mtok": ("image_input", "input_mtok"),
    "image_output_mtok": ("image_output", "output_mtok"),
}
_PER_UNIT = {
    # Setting → the rate, and the dollars' divisor.
    "image": ("image", 1),
    "audio_minute": ("audio_ms", 60_000),
    "video_second": ("video_ms", 1_000),
    "mchars": ("character", 1_000_000),
    "search": ("search", 1),
}
_REQUEST, _TIERS = "request", "tiers"
_SETTINGS = (*_PER_TOKEN, *_PER_UNIT, _REQUEST, _TIERS)
_MTOK = 10**18
"""Units of a rate in a dollar per million tokens."""
_DOLLAR = 10**24
"""Units of a rate in a dollar."""

_NOTHING = Fraction(0)
_NUMBER = re.compile(r"\d{1,9}(?:\.\d{1,18})?")
_DATED = re.compile(
    r"[-@](?:20\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01])"  # 2024-08-06, 20251001
    r"|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"  # month and day: 0613
    r"|2\d(?:0[1-9]|1[0-2]))$"  # year and month: 2512
)


@dataclass(frozen=True, slots=True)
class Override:
    """What the configuration says of the models that fit one pattern."""

    rates: Rates | None = None
    """They stand instead of the data's, whole. None: only the factors are stated."""
    tiers: Mapping[str, Fraction] = field(default_factory=dict)
    """What all of the rates are multiplied with in a service tier."""


NO_OVERRIDE = Override()


class Overrides:
    """The overrides of one provider."""

    def __init__(self, provider: str, prices: Mapping[str, Fields]) -> None:
        """Read them. Raises `ValueError`, which says what would be right."""
        self._entries = {
            pattern.lower(): _read(f"providers.{provider}.prices.{pattern}", fields)
            for pattern, fields in prices.items()
        }

    def of(self, model: str) -> Override:
        """Find what is said of a model, under its name or its name without a date.

        An exact name wins over a pattern, and a longer one over a shorter one, so that the dated name
        with which a provider answers is priced like the name that was asked for. Letter case is nothing.
        """
        names = spellings(model)
        fitting = [p for p in self._entries if any(name == p or fnmatchcase(name, p) for name in names)]
        best = max(fitting, key=lambda pattern: (pattern in names, len(pattern)), default=None)
        return NO_OVERRIDE if best is None else self._entries[best]


def spellings(model: str) -> tuple[str, ...]:
    """Give the names under which a model's price may stand: its own in lower case, and without its date."""
    name = model.lower()
    undated = _DATED.sub("", name)
    return (name,) if undated == name else (name, undated)


def _read(where: str, fields: Fields) -> Override:
    for name in fields:
        if name not in _SETTINGS:
            raise ValueError(f"{where}: `{name}` is no price; there are {', '.join(_SETTINGS)}")
    tiers = fields.get(_TIERS, {})
    if isinstance(tiers, str):
        _refuse(f"{where}.{_TIERS}", tiers, 'a factor for each service tier, such as {batch: "0.5"}')
    factors = {tier: _number(f"{where}.{_TIERS}.{tier}", text) for tier, text in tiers.items()}
    return Override(_rates(where, fields), factors)


def _rates(where: str, fields: Fields) -> Rates | None:
    stated = {name: _number(f"{where}.{name}", text) for name, text in fields.items() if name != _TIERS}
    if not stated:
        return None
    for name, (_, parent) in _PER_TOKEN.items():
        if not parent and name not in stated and stated.keys() & _PER_TOKEN.keys():
            raise ValueError(f'{where}: {name} is missing; write {name}: "0" if those tokens are free')
    mtok = {
        rate: stated.get(name, stated.get(parent, _NOTHING)) for name, (rate, parent) in _PER_TOKEN.items()
    }
    band = Band(**{rate: int(dollars * _MTOK) for rate, dollars in mtok.items()})
    beside = {
        rate: math.ceil(stated[name] * _DOLLAR / per)
        for name, (rate, per) in _PER_UNIT.items()
        if name in stated
    }
    units = Units(**beside) if beside else NO_UNITS
    return Rates((band,), int(stated.get(_REQUEST, _NOTHING) * _DOLLAR), units)


def _number(where: str, text: object) -> Fraction:
    if not isinstance(text, str) or not _NUMBER.fullmatch(text):
        _refuse(where, text, 'a decimal number as a text, such as "0.15"')
    return Fraction(text)


def _refuse(where: str, value: object, right: str) -> NoReturn:
    raise ValueError(f"{where}: {str(value)[:40]!r} will not do; write {right}")
