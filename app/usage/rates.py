"""What a model's tokens cost, and what a call comes to. Pure, and integers all the way.

A rate is in 10⁻²⁴ dollars a token: the published data has prices with up to 18 decimals of a dollar
per million tokens, and in this unit every one of them is whole. Only the sum of a call is rounded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction

import msgspec

from providers.types import Usage

NOTHING = Usage()
UNITS = 10**15
"""Units of a rate (10⁻²⁴ dollars) in one nano-dollar."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The rates for prompts of more than `above` tokens. They hold for all tokens of such a call."""

    above: int = -1
    input: int = 0
    """Input that is none of the others."""
    cached: int = 0
    cache_write: int = 0
    audio_input: int = 0
    output: int = 0
    """Output that is none of those below."""
    reasoning: int = 0
    audio_output: int = 0
    image_input: int = 0
    image_output: int = 0
    dearest_input: int = field(init=False, repr=False, compare=False)
    dearest_output: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        read = self.input, self.cached, self.cache_write, self.audio_input, self.image_input
        made = self.output, self.reasoning, self.audio_output, self.image_output
        object.__setattr__(self, "dearest_input", max(read))
        object.__setattr__(self, "dearest_output", max(made))

    def units(self, usage: Usage) -> int:
        """Price the tokens. A part that is larger than its whole counts as far as there is room.

        Where cached and audio parts must overlap, the overlap counts as audio, the dearer of the two.
        """
        room = max(0, usage.input_tokens)
        written = _part(usage.cache_write_tokens, room)
        heard = _part(usage.audio_input_tokens, room - written)
        shown = _part(usage.image_input_tokens, room - written - heard)
        cached = _part(usage.cached_tokens, room - written - heard - shown)
        plain = room - written - heard - shown - cached
        made = max(0, usage.output_tokens)
        spoken = _part(usage.audio_output_tokens, made)
        drawn = _part(usage.image_output_tokens, made - spoken)
        thought = _part(usage.reasoning_tokens, made - spoken - drawn)
        return (
            plain * self.input
            + cached * self.cached
            + written * self.cache_write
            + heard * self.audio_input
            + shown * self.image_input
            + (made - spoken - drawn - thought) * self.output
            + thought * self.reasoning
            + spoken * self.audio_output
            + drawn * self.image_output
        )

    def most(self, input_tokens: int, output_tokens: int) -> int:
        """Price the tokens at the dearest rate of each direction."""
        return input_tokens * self.dearest_input + output_tokens * self.dearest_output

    def times(self, factor: Fraction) -> Band:
        """Give the rates times `factor`, each rounded up to the next unit."""
        return replace(self, **{name: _up(getattr(self, name) * factor) for name in RATE_NAMES})


RATE_NAMES = (
    *("input", "cached", "cache_write", "audio_input", "image_input"),
    *("output", "reasoning", "audio_output", "image_output"),
)
"""The rates of a band."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """What is billed beside tokens, or instead: rate units for each."""

    image: int = 0
    audio_ms: int = 0
    """A thousandth of a second of sound."""
    video_ms: int = 0
    character: int = 0
    search: int = 0

    def price(self, usage: Usage) -> int:
        """Give the rate units of a use; parts of a thousandth of a second count whole."""
        return (
            max(0, usage.images) * self.image
            + _ms(usage.audio_seconds) * self.audio_ms
            + _ms(usage.video_seconds) * self.video_ms
            + max(0, usage.characters) * self.character
            + max(0, usage.searches) * self.search
        )

    def times(self, factor: Fraction) -> Units:
        """Give the rates times `factor`, each rounded up to the next unit."""
        return Units(**{name: _up(getattr(self, name) * factor) for name in UNIT_NAMES})


UNIT_NAMES = ("image", "audio_ms", "video_ms", "character", "search")
NO_UNITS = Units()


@dataclass(frozen=True, slots=True)
class Rates:
    """All that a call of one model costs at one provider, at one time, in one service tier."""

    bands: tuple[Band, ...]
    """The one for the largest prompts first; the last is for any."""
    request: int = 0
    """Units for each call, whatever its tokens."""
    units: Units = NO_UNITS

    @property
    def bills_output(self) -> bool:
        """Whether any generated token costs something."""
        return any(band.most(0, 1) for band in self.bands)

    def cost(self, usage: Usage) -> int:
        """Give nano-dollars, rounded up once to the next whole one. Never negative."""
        if usage.billed is not None:
            usage = _as_billed(usage, *usage.billed)
        band = next(band for band in self.bands if usage.input_tokens > band.above or band.above < 0)
        beside = 0 if self.units is NO_UNITS else self.units.price(usage)
        return _nanos(self.request + beside + band.units(usage))

    def bound(self, input_tokens: int, output_tokens: int, beside: Usage = NOTHING) -> int:
        """Give nano-dollars that no usage within these counts exceeds, however it is made up.

        `beside` has what is billed beside tokens; its tokens count nothing.
        """
        most_in, most_out = max(0, input_tokens), max(0, output_tokens)
        reached = [band.most(most_in, most_out) for band in self.bands if band.above < most_in]
        apart = 0 if self.units is NO_UNITS else self.units.price(beside)
        return _nanos(self.request + apart + max(reached))

    def times(self, factor: Fraction) -> Rates:
        """Give these rates times `factor`, the part for each call included."""
        bands = tuple(band.times(factor) for band in self.bands)
        units = self.units if self.units is NO_UNITS else self.units.times(factor)
        return Rates(bands, _up(self.request * factor), units)


FREE = Rates((Band(),))


def _ms(seconds: float) -> int:
    return math.ceil(round(max(0.0, seconds) * 1000, 6))


def _as_billed(usage: Usage, read: int, written: int) -> Usage:
    return msgspec.structs.replace(
        usage,
        input_tokens=read,
        output_tokens=written,
        cached_tokens=0,
        cache_write_tokens=0,
        reasoning_tokens=0,
    )


def _part(tokens: int, room: int) -> int:
    return min(max(0, tokens), room)


def _up(units: Fraction) -> int:
    return -(-units.numerator // units.denominator)


def _nanos(units: int) -> int:
    return -(-units // UNITS)
