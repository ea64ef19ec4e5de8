"""Money: integer nano-dollars inside, a decimal string outside, never a float."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal, InvalidOperation

NANOS = 1_000_000_000
"""Nano-dollars of a dollar."""


def nano_dollars(dollars: str) -> int:
    """Read a decimal string of dollars as nano-dollars, rounded up. Raises `ValueError`."""
    try:
        return int((Decimal(dollars) * NANOS).to_integral_value(ROUND_CEILING))
    except (InvalidOperation, OverflowError) as error:
        raise ValueError(f"{dollars[:40]!r} is not an amount of dollars such as '0.0123'") from error


def dollars(nanos: int) -> str:
    """Write nano-dollars as a decimal string of dollars, without zeros at its end."""
    sign, nanos = ("-", -nanos) if nanos < 0 else ("", nanos)
    whole, rest = divmod(nanos, NANOS)
    return f"{sign}{whole}.{rest:09d}".rstrip("0").rstrip(".")
