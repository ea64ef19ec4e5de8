"""The types of single settings that hold limits and money. Money is exact: a float never has a part in it."""

from __future__ import annotations

import re
from decimal import Decimal
from itertools import pairwise
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from app.config.problems import did_you_mean
from app.config.scalars import Listing, refuse, textual

NANO = 10**9
"""Nano-dollars in a dollar."""
MOST_DOLLARS = 10**9

_CAPACITY = re.compile(r"[1-9](?:_?\d){0,17}")
_DOLLARS = re.compile(r"(\d{1,18})(?:\.(\d{1,18}))?")
_PRICE = re.compile(r"\d{1,9}(?:\.\d{1,18})?")
_SHARE = re.compile(r"\d{1,3}(?:\.\d{1,9})?")

_BLANK_LIMIT = "is blank, which is no limit", "give a number such as `60`, or remove the key"
_NOTHING_PASSES = "remove the key or revoke it"
_AMOUNT = 'write dollars as in "10.00"'


def capacity(value: object) -> object:
    """Read what a limit holds: a whole number from 1 on, with `_` between digits where that reads better."""
    if value is None or value == "":
        refuse(*_BLANK_LIMIT)
    if value in ("0", 0):
        refuse("a limit of 0 lets no call through", _NOTHING_PASSES)
    if isinstance(value, str) and not _CAPACITY.fullmatch(value):
        refuse(f"`{value}` is no limit", "write a whole number, such as `100000` or `100_000`")
    return int(value) if isinstance(value, str) else value


def dollars(value: object) -> object:
    """Read a decimal number of dollars as nano-dollars."""
    if isinstance(value, int):
        return value
    match = _DOLLARS.fullmatch(value) if isinstance(value, str) else refuse("must be an amount", _AMOUNT)
    if match is None:
        refuse(f"`{value}` is no amount of dollars", f"{_AMOUNT}: digits and a point alone")
    whole, fraction = match[1], (match[2] or "").rstrip("0")
    if len(fraction) > 9:
        refuse(f"`{value}` is finer than a nano-dollar", "write nine decimals at most")
    nano = int(whole) * NANO + int(fraction.ljust(9, "0"))
    if not nano:
        refuse("a budget of 0 lets no call through", _NOTHING_PASSES)
    if nano > MOST_DOLLARS * NANO:
        refuse(f"`{value}` is more than a budget can hold", f"write {MOST_DOLLARS} at most")
    return nano


def dollars_text(nano: int) -> str:
    """Write nano-dollars as dollars, with two decimals or as many as they need."""
    whole, fraction = divmod(nano, NANO)
    return f"{whole}.{f'{fraction:09d}'.rstrip('0').ljust(2, '0')}"


def price(value: object) -> object:
    """Read a price: the text stays what was written, so that nothing of it is lost."""
    if value is None or value == "":
        refuse("is blank, which is no price", 'give one such as "0.15", or remove the key')
    if not isinstance(value, str) or not _PRICE.fullmatch(value):
        refuse(f"`{value}` is no price", 'write a decimal number of dollars, such as "0.15"')
    return value


def share(value: object) -> object:
    """Read a share of a budget, such as `0.8`."""
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not _SHARE.fullmatch(value):
        refuse(f"`{value}` is no share", "write a decimal number up to 1: `0.8` for four fifths")
    return Decimal(value)


def zone(name: str) -> str:
    """Take the name of a time zone."""
    known = available_timezones()
    if name in known or (name == "UTC" and not known):
        return name
    if not known:
        refuse(f"`{name}` cannot be looked up: there is no time zone data here", "install tzdata")
    return refuse(
        f"there is no time zone `{name}`",
        did_you_mean(name, known) or "write an IANA name, such as `Europe/Berlin`",
    )


def _ascending(shares: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    if any(before >= after for before, after in pairwise(shares)):
        refuse("the shares do not ascend", f"write [{', '.join(map(str, sorted(set(shares))))}]")
    return shares


Capacity = Annotated[
    int | None,
    BeforeValidator(capacity),
    Field(ge=1),
    textual({"type": "integer", "minimum": 1}, r"[1-9](?:_?\d)*"),
]
"""A limit; none is none only where the key is not there."""
Dollars = Annotated[
    int,
    BeforeValidator(dollars),
    Field(gt=0, le=MOST_DOLLARS * NANO),
    PlainSerializer(dollars_text, return_type=str, when_used="json"),
    textual({"type": "number", "exclusiveMinimum": 0, "maximum": MOST_DOLLARS}, r"\d+(?:\.\d+)?"),
]
"""Nano-dollars, written as dollars."""
PriceText = Annotated[
    str | None,
    BeforeValidator(price),
    textual({"type": "number", "minimum": 0}, r"\d+(?:\.\d+)?"),
]
"""Dollars as a decimal text."""
Share = Annotated[
    Decimal,
    BeforeValidator(share),
    Field(gt=0, le=1),
    textual({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, r"\d+(?:\.\d+)?"),
]
Shares = Annotated[Listing[Share], AfterValidator(_ascending)]
Zone = Annotated[str, Field(min_length=1), AfterValidator(zone)]
